"""Committee and volume to a named spine."""
