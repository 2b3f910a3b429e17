"""What the module's panel shows and does, without windows: findings, rows, places to look at, the open case."""
