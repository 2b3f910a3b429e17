"""How long a case will still take, from how it has come so far."""

from __future__ import annotations

import time

__all__ = ["SecondsLeft", "duration"]

_ENOUGH = 0.04
"""Share of the case before which nothing is foretold: reading and loading tell little about the networks."""


class SecondsLeft:
    """Foretells from the pace since the networks began; goes on counting between two reports."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._left: float | None = None
        self._told = 0.0

    def report(self, fraction: float, seconds: float) -> None:
        """Take a report of progress: share that is done (0–1), and seconds since the case began."""
        if fraction < _ENOUGH:
            return
        if self._first is None:
            self._first = (fraction, seconds)
            return
        done, passed = fraction - self._first[0], seconds - self._first[1]
        if done > 0.01 and passed > 0:
            self._left, self._told = passed * (1.0 - fraction) / done, time.monotonic()

    def now(self) -> float | None:
        """Seconds left, never below one; None where it is too early to say."""
        if self._left is None:
            return None
        return max(1.0, self._left - (time.monotonic() - self._told))


def duration(seconds: float) -> str:
    """Seconds in words that need no reading twice: ``45 s``, ``3 min``, ``1 h 5 min``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
