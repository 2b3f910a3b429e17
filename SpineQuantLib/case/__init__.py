"""The few types that travel between the rooms, and the case folder they end in."""
