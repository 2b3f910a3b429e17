"""Labels to millimetres."""

from __future__ import annotations

from .spine import measure_spine

__all__ = ["measure_spine"]
