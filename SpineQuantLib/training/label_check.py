"""Which labels training and evaluation can use, and what to do about others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..anatomy.labels import describe, disc_value
from ..anatomy.levels import VERTEBRA_VALUES

__all__ = ["problem_of"]

_BODIES = frozenset(VERTEBRA_VALUES.values())
_DISCS = frozenset(map(disc_value, VERTEBRA_VALUES))
_FEWEST = 2
"""Objects from which the course of the spine follows."""
_TOLD = 5
"""Values that a message lists."""


def problem_of(labels: np.ndarray, *, complete: bool = False, annotated: bool = False) -> str:
    """Why the labels of a volume cannot be used, and what to do about it; empty where they can.

    Parameters
    ----------
    labels : np.ndarray
        Label values of a volume; 0 is unlabelled.
    complete : bool
        Whether they are said to label everything in view; otherwise they may hold bodies and discs alone.
    annotated : bool
        Whether sac and foramina were drawn in files of their own.
    """
    values = [v for v in np.unique(labels).tolist() if v]
    if complete:
        if annotated:
            return (
                "the volume is marked as complete, so that its annotations would be ignored; put sac and foramina into "
                "the labels and leave the annotations out, or do not mark it as complete"
            )
        unknown = [v for v in values if not _meaning(v)]
        if unknown:
            return f"they hold {_listed(unknown)}: no label values; README.md lists those under 'The case folder'"
        return ""
    strange = sorted(set(values) - _BODIES - _DISCS)
    if strange:
        return (
            f"they hold {_listed(strange)}: neither vertebral bodies (1–28) nor discs (101–128); put sac and foramina "
            "into a file of their own (in raters/NAME, in the index under annotations), or mark the volume as complete "
            "if everything in view is labelled"
        )
    if len(values) < _FEWEST:
        return (
            f"{_listed(values) if values else 'nothing'} alone is labelled, but the course of the spine follows from "
            "at least two bodies or discs; label more of them, or leave the volume out"
        )
    return ""


def _meaning(value: float) -> str:
    """What a value stands for; empty where the convention has no such value."""
    try:
        return describe(int(value)).name if int(value) == value else ""
    except ValueError:
        return ""


def _listed(values: Sequence[float]) -> str:
    words = [f"{v:g} ({name})" if (name := _meaning(v)) else f"{v:g}" for v in values[:_TOLD]]
    return ", ".join(words) + (" and more" if len(values) > _TOLD else "")
