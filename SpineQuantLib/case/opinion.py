"""The committee's opinion of a volume, and how far its members agree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..anatomy.structures import Side, Structure
from .grid import Grid
from .view import View

__all__ = ["Assessment", "CommitteeOpinion", "Score", "Verdict"]


@dataclass(frozen=True)
class CommitteeOpinion:
    """What the members of a committee said about one volume.

    Attributes
    ----------
    grid : Grid
        The input's own grid in reading order.
    probabilities : np.ndarray
        float16 (classes, nk, nj, ni): mean of the members' softmax, channels as in
        :class:`~SpineQuantLib.anatomy.structures.NetworkClass`.
    members : np.ndarray
        uint8 (members, nk, nj, ni): each member's most probable class.
    member_entropy : np.ndarray or None
        float16 (nk, nj, ni), bits: mean over the members of each one's own entropy; None where it was not kept.
    embedding : np.ndarray or None
        float32 (features,): what the first member's encoder makes of the volume as a whole; None where it was not
        kept.
    seen_again : tuple of str
        Levels whose foramina were looked at a second time (:mod:`SpineQuantLib.segment.second_look`).
    view : View or None
        Part of the arrays that shows something, see :mod:`SpineQuantLib.case.view`; None: all of it.
    """

    grid: Grid
    probabilities: np.ndarray
    members: np.ndarray
    member_entropy: np.ndarray | None = None
    embedding: np.ndarray | None = None
    seen_again: tuple[str, ...] = ()
    view: View | None = None


class Verdict(str, Enum):
    """What a reader may do with a result."""

    PASS = "pass"
    REVIEW = "review"
    FAIL = "fail"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Score:
    """Agreement of the members about one object, one structure, or the case.

    Attributes
    ----------
    structure : Structure or None
        None for the case as a whole.
    level, side
        Empty and None where the score is of a whole structure.
    entropy : float or None
        Von Neumann entropy of the Dice matrix, 0 (all agree) to 1 (all disjoint).
    eigenvalue : float or None
        Largest eigenvalue of the disagreement matrix 1 − S, 0 to M − 1.
    mean_dice : float or None
        Mean Dice over pairs of members.
    verdict : Verdict
        What follows for this object.
    reason : str
        Why, in a reader's words; empty for a pass.
    voxel_entropy : float or None
        Mean entropy, in bits, of the members' mean probability where any member sees the structure.
    mutual_information : float or None
        The part of it, in bits, that comes from the members' differing and not from what each is unsure of itself.
    expected_dice : float or None
        Dice that the calibrated probabilities lead to expect, 0 to 1.
    """

    structure: Structure | None
    level: str
    side: Side | None
    entropy: float | None
    eigenvalue: float | None
    mean_dice: float | None
    verdict: Verdict
    reason: str = ""
    voxel_entropy: float | None = None
    mutual_information: float | None = None
    expected_dice: float | None = None


@dataclass(frozen=True)
class Assessment:
    """Verdict on a case with its reasons, and the scores behind it.

    Attributes
    ----------
    verdict : Verdict
        The case's verdict.
    reasons : tuple of str
        Why; empty for a pass.
    scores : tuple of Score
        The case first, then each structure, then each structure and level.
    disagreement : np.ndarray
        uint8 (nk, nj, ni): where the members differ, 0 (all agree) to 255 (evenly split).
    distance : float or None
        How unlike the training volumes the input is, as a multiple of what is still usual: above 1 it is foreign.
        None where the model has no calibration.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    scores: tuple[Score, ...]
    disagreement: np.ndarray
    distance: float | None = None
