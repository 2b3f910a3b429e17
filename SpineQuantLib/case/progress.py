"""How far a case has come, for people and for programs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

__all__ = ["ProgressEvent"]


@dataclass(frozen=True)
class ProgressEvent:
    """One step of a case's journey.

    Attributes
    ----------
    stage : str
        Short name of the stage that is under way: ``read``, ``segment``, ``measure``.
    fraction : float
        How much of the whole case is done, 0 to 1.
    message : str
        What is happening in a reader's words; may be empty.
    seconds : float
        Time since the case began.

    Raises
    ------
    ValueError
        For a fraction outside 0 to 1, a negative time, or either not a number.
    """

    stage: str
    fraction: float
    message: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.fraction <= 1.0:
            raise ValueError(f"progress of stage {self.stage!r} is {self.fraction}, not between 0 and 1")
        if not (math.isfinite(self.seconds) and self.seconds >= 0.0):
            raise ValueError(f"time of stage {self.stage!r} is {self.seconds} s, not a duration")

    def to_json(self) -> str:
        """Return the event as one line of JSON, without its line end."""
        return json.dumps(
            {
                "event": "progress",
                "stage": self.stage,
                "fraction": round(self.fraction, 4),
                "message": self.message,
                "seconds": round(self.seconds, 3),
            },
        )
