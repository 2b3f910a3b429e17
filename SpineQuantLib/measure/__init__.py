"""Labels to millimetres."""
