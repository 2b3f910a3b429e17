"""All pictures of a case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..anatomy.structures import Side
from ..case.opinion import Score
from ..case.result import CaseResult
from .alignment_picture import draw_alignment
from .anatomy_pictures import draw_foramina, draw_level, draw_middle, draw_parasagittal
from .canal_picture import draw_canal
from .canvas import Picture
from .doubt_pictures import draw_disagreement, draw_members, flagged
from .material import Material
from .profiles import draw_profiles

__all__ = ["CasePictures", "Picture", "draw_pictures"]

_MAX_MEMBERS = 10
"""Flagged objects that get a picture; where more are flagged, the case as a whole is what needs a look."""


@dataclass(frozen=True)
class CasePictures:
    """The pictures that were written.

    Attributes
    ----------
    sagittal : tuple of Picture
        Slices with contours, the middle one first.
    levels : tuple of Picture
        Each level from the side and in axial planes, from the top down.
    foramina, profiles, canal, alignment : Picture or None
        Tiles of all foramina; plot along the levels; the sac along its course; angles. None where the case has none.
    disagreement : Picture
        Where the members differ.
    members : tuple of (Score, Picture)
        Flagged objects, the worst first.
    """

    sagittal: tuple[Picture, ...]
    levels: tuple[Picture, ...]
    foramina: Picture | None
    profiles: Picture | None
    canal: Picture | None
    alignment: Picture | None
    disagreement: Picture
    members: tuple[tuple[Score, Picture], ...]


def draw_pictures(result: CaseResult, folder: Path) -> CasePictures:
    """Draw every picture of a case as PNG into an existing folder.

    Parameters
    ----------
    result : CaseResult
        The case; arrays in reading order.
    folder : Path
        Usually ``pictures`` in the case folder.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    material = Material(result)
    levels = zip(material.spine.vertebrae, material.spine.levels, strict=False)
    sides = [draw_parasagittal(material, side, folder) for side in Side]
    single = [draw_level(material, upper, level, folder) for upper, level in levels]
    members = [
        (score, draw_members(material, score, folder)) for score in flagged(result.assessment.scores)[:_MAX_MEMBERS]
    ]
    return CasePictures(
        sagittal=(draw_middle(material, folder), *(p for p in sides if p)),
        levels=tuple(p for p in single if p),
        foramina=draw_foramina(material, folder),
        profiles=draw_profiles(result, folder),
        canal=draw_canal(result, folder),
        alignment=draw_alignment(material, folder),
        disagreement=draw_disagreement(material, folder),
        members=tuple((score, picture) for score, picture in members if picture),
    )
