"""A spine that leans in its volume is shown to the networks once more, upright.

Patients lie crooked, and slices are planned across or beside a curved back. The networks learnt from spines that run
down the slices, and lose part of the sac and of the bodies where one runs across them at 30°.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from ..anatomy.levels import SACRUM_VALUE
from ..case.errors import UnsuitableError
from ..case.opinion import CommitteeOpinion
from ..case.spine import NamedSpine
from ..models.committee import Committee
from .inference import ask_committee
from .spine import name_spine

__all__ = ["Lean", "lean_of", "look_upright"]

log = logging.getLogger(__name__)

_USUAL = -7.0
"""Degrees by which a lumbar column runs forwards on its way down, in the mean of the training volumes (−15 to 2)."""
_FORWARDS, _SIDEWAYS = 20.0, 14.0
"""Degrees beyond the usual from which a column leans; with their augmentation the training volumes had 22 and 11."""
_CRUMB = 10
_FEWEST = 3


@dataclass(frozen=True, eq=False)
class Lean:
    """How the column runs through its volume.

    Attributes
    ----------
    down : np.ndarray
        (3,) unit vector (k, j, i), in the array's axes, along the column from its upper to its lower end.
    """

    down: np.ndarray

    @property
    def backwards(self) -> float:
        """Degrees, seen from the side, by which the column runs further backwards on its way down than usual."""
        return float(np.degrees(np.arctan2(self.down[2], self.down[1]))) - _USUAL

    @property
    def sideways(self) -> float:
        """Degrees, seen from the front, by which the column runs to the patient's left on its way down."""
        return float(np.degrees(np.arctan2(self.down[0], self.down[1])))

    @property
    def matters(self) -> bool:
        """Whether the networks have hardly learnt from spines that lean so."""
        return abs(self.backwards) > _FORWARDS or abs(self.sideways) > _SIDEWAYS

    @property
    def words(self) -> str:
        """For a reader."""
        angles = ((abs(self.backwards), "seen from the side"), (abs(self.sideways), "seen from the front"))
        return "the spine leans by {:.0f}° in the volume, {}".format(*max(angles))

    def upright(self, directions: np.ndarray) -> np.ndarray:
        """Axes (3, 3) along which the column runs as usual: those of the array, turned by the shortest way."""
        usual = np.radians(_USUAL)
        target = np.array([0.0, np.cos(usual), np.sin(usual)])
        turn, _ = Rotation.align_vectors(target[None], self.down[None])
        return turn.as_matrix() @ np.asarray(directions, dtype=float)


def lean_of(spine: NamedSpine) -> Lean | None:
    """How the column of a spine runs: the line that its bodies lie closest to.

    The sacrum, which turns away, does not count.

    Returns
    -------
    Lean or None
        None where fewer than three bodies were found.
    """
    values = [v for v in spine.vertebra_values().values() if v != SACRUM_VALUE]
    found = [points for v in values if len(points := np.argwhere(spine.labels == v)) >= _CRUMB]
    if len(found) < _FEWEST:
        return None
    centres = np.array([points.mean(axis=0) for points in found]) * np.array(spine.grid.spacing)
    _, _, axes = np.linalg.svd(centres - centres.mean(axis=0))
    return Lean(axes[0] * (1.0 if axes[0, 1] >= 0 else -1.0))


def look_upright(
    committee: Committee,
    image: sitk.Image,
    opinion: CommitteeOpinion,
    spine: NamedSpine,
    lean: Lean,
    *,
    lowest_disc: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] = log.warning,
) -> tuple[CommitteeOpinion, NamedSpine]:
    """Ask the committee about a volume whose spine leans again, turned so that the column runs as usual.

    Parameters
    ----------
    committee : Committee
        The networks.
    image : sitk.Image
        3D scalar in reading order.
    opinion, spine : CommitteeOpinion, NamedSpine
        What was said and made of the volume as it is.
    lean : Lean
        How the spine leans in it.
    lowest_disc : str, optional
        As of :func:`~SpineQuantLib.segment.spine.name_spine`.
    progress : callable, optional
        As of :func:`~SpineQuantLib.segment.inference.ask_committee`.
    tell : callable
        Told, in words for a reader, that the spine leans and what is done.

    Returns
    -------
    CommitteeOpinion, NamedSpine
        On the grid of ``image``; those given where no spine is found upright. The embedding stays the first one: how
        unlike the training volumes an image is was learnt from volumes as they are.
    """
    tell(f"{lean.words}: the networks are shown it once more, upright")
    again = ask_committee(committee, image, progress, directions=lean.upright(np.array(opinion.grid.directions)))
    again = replace(again, embedding=opinion.embedding)
    try:
        return again, name_spine(again, lowest_disc=lowest_disc)
    except UnsuitableError:
        tell("upright no spine was found; what was seen of it as it leans is kept")
        return opinion, spine
