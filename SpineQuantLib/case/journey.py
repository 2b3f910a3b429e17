"""How far a case has come and what it has cost, told while it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .clock import StageClock
from .progress import ProgressEvent

__all__ = ["Journey"]


class Journey:
    """Clock and progress of one case.

    Parameters
    ----------
    shares : mapping of str to float
        Fraction of the whole that is done after each stage.
    progress : callable, optional
        Told about each step.
    """

    def __init__(self, shares: Mapping[str, float], progress: Callable[[ProgressEvent], None] | None = None) -> None:
        self.clock = StageClock()
        self._shares = shares
        self._progress = progress
        self._done = 0.0

    def tell(self, stage: str, message: str, part: float = 0.0) -> None:
        """Say what happens in a stage of which a part is done."""
        if self._progress:
            fraction = self._done + part * (self._shares[stage] - self._done)
            self._progress(ProgressEvent(stage, min(fraction, 1.0), message, self.clock.seconds))

    def finish(self, stage: str) -> None:
        """The stage is done."""
        self._done = self._shares[stage]
