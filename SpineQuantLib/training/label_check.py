"""Which labels and annotations training and evaluation can use, and what to do about others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..anatomy.labels import CANAL_VALUE, describe, disc_value, foramen_value
from ..anatomy.levels import VERTEBRA_VALUES
from ..anatomy.structures import Side

__all__ = ["OPEN_VALUE", "annotation_problem", "problem_of"]

OPEN_VALUE = 255
"""In an annotation: may be sac, foramen or neither; see :mod:`~SpineQuantLib.training.grow`."""

_BODIES = frozenset(VERTEBRA_VALUES.values())
_DISCS = frozenset(map(disc_value, VERTEBRA_VALUES))
_DRAWN = frozenset({CANAL_VALUE, OPEN_VALUE, *(foramen_value(name, side) for name in VERTEBRA_VALUES for side in Side)})
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


def annotation_problem(annotation: np.ndarray) -> str:
    """Why a file of sac and foramina cannot be used, and what to do about it; empty where it can.

    Parameters
    ----------
    annotation : np.ndarray
        Values of a volume; 0 is what is neither.
    """
    values = [v for v in np.unique(annotation).tolist() if v]
    strange = [v for v in values if v not in _DRAWN]
    if strange:
        return (
            f"it holds {_listed(strange)}; allowed are {CANAL_VALUE} (dural sac), 150 and 180 + the number of the "
            f"vertebra above (right and left foramen, 173 and 203 at L4-L5) and {OPEN_VALUE} (open); put bodies and "
            "discs into the labels, and set everything else to 0"
        )
    if not values:
        return "nothing is drawn in it; draw the sac or foramina, or leave it out"
    return ""


def _meaning(value: float) -> str:
    """What a value stands for; empty where the convention has no such value."""
    try:
        return describe(int(value)).name if float(value).is_integer() else ""
    except ValueError:
        return ""


def _listed(values: Sequence[float]) -> str:
    words = [f"{v:g} ({name})" if (name := _meaning(v)) else f"{v:g}" for v in values[:_TOLD]]
    return ", ".join(words) + (" and more" if len(values) > _TOLD else "")
