"""How well a committee does on labelled volumes: masks, measurements, names, robustness, and the card that says so."""

from __future__ import annotations
