"""Volumes made worse in known ways and graded steps, to learn when the committee fails and whether it says so."""

from .families import FAMILIES, Degradation, degradation

__all__ = ["FAMILIES", "Degradation", "degradation"]
