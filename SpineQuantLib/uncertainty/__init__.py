"""How sure the committee is."""
