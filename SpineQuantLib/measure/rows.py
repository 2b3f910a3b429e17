"""Rows of the table of measurements: value or reason, plausibility."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..anatomy.structures import Side, Structure
from ..case.measurement import Geometry, Measurement
from .field import Field
from .landmarks import Landmarks
from .section import Ends, Plane, Section

__all__ = [
    "CUT",
    "FEW_SLICES",
    "MID_PLANE",
    "MID_SAGITTAL",
    "NOT_SEEN",
    "NO_BORDER",
    "RAGGED",
    "SOFT_VOXELS",
    "Subject",
    "doubts",
    "few_slices",
    "length",
    "line",
    "slipped",
    "solid",
]

MID_SAGITTAL = "mid-sagittal"
MID_PLANE = "mid-plane"
SOFT_VOXELS = "soft voxels"

CUT = "cut by the edge of the field of view"
NOT_SEEN = "not seen"
NO_BORDER = "no clear border"
FEW_SLICES = "seen on fewer than three slices: its tilt is not sure"
RAGGED = "ragged outline"
_SOLID = 0.85
"""Share of its convex hull that the outline of a disc, body or sac fills at least; waists and trefoils fill 0.9."""
_FEWEST_SLICES = 3
_STEP = 0.2
"""Share of the lower endplate by which a body has slipped before what lies beside it is bent out of its shape."""
_RIM = 4.0
"""Millimetres of a body next to a disc that count as its end."""
_SLIVER = 150.0
"""Square millimetres of a section of a body below which it is too little of one: whole ones have 500 and more."""
_SLIPPED = "beside a slip of a fifth or more: bent here, so that the value depends on where the section lies"

_PLAUSIBLE: dict[tuple[Structure, str], tuple[float, float]] = {
    (Structure.DISC, "height"): (2.0, 22.0),
    (Structure.DISC, "anterior height"): (1.0, 26.0),
    (Structure.DISC, "middle height"): (1.0, 24.0),
    (Structure.DISC, "posterior height"): (0.5, 20.0),
    (Structure.DISC, "mean height"): (1.0, 22.0),
    (Structure.DISC, "depth"): (10.0, 55.0),
    (Structure.DISC, "area"): (20.0, 900.0),
    (Structure.DISC, "volume"): (300.0, 30000.0),
    (Structure.CANAL, "area"): (20.0, 500.0),
    (Structure.CANAL, "AP diameter"): (3.0, 28.0),
    (Structure.CANAL, "transverse diameter"): (5.0, 40.0),
    (Structure.FORAMEN, "area"): (15.0, 350.0),
    (Structure.FORAMEN, "height"): (5.0, 32.0),
    (Structure.FORAMEN, "width"): (2.0, 22.0),
    (Structure.VERTEBRA, "anterior height"): (8.0, 45.0),
    (Structure.VERTEBRA, "middle height"): (8.0, 45.0),
    (Structure.VERTEBRA, "posterior height"): (8.0, 45.0),
    (Structure.VERTEBRA, "depth"): (10.0, 55.0),
}
"""What is possible in an adult's spine, disease included; far wider than any normal range."""


@dataclass(frozen=True)
class Subject:
    """What rows are about.

    Attributes
    ----------
    structure, level, side
        As in :class:`~SpineQuantLib.case.measurement.Measurement`.
    """

    structure: Structure
    level: str
    side: Side | None = None

    def row(
        self,
        name: str,
        method: str,
        unit: str,
        value: float,
        *,
        flags: Iterable[str] = (),
        geometry: Geometry | None = None,
    ) -> Measurement:
        """A measured row; a value beyond what anatomy allows is kept and flagged, one that is no number is not."""
        if not np.isfinite(value):
            return self.absent(name, method, unit, NO_BORDER)
        notes = list(flags)
        low, high = _PLAUSIBLE.get((self.structure, name), (-np.inf, np.inf))
        if not low <= value <= high:
            notes.append(f"implausible: outside {low:g}–{high:g} {unit.replace('2', '²').replace('3', '³')}")
        return Measurement(
            self.structure,
            self.level,
            self.side,
            name,
            method,
            float(value),
            unit,
            flag="; ".join(dict.fromkeys(notes)),
            geometry=geometry,
        )

    def absent(self, name: str, method: str, unit: str, reason: str) -> Measurement:
        """A row without a value, and why."""
        return Measurement(
            self.structure,
            self.level,
            self.side,
            name,
            method,
            None,
            unit,
            flag=reason,
        )


def doubts(field: Field, section: Section) -> list[str]:
    """Reasons to doubt what is read from a sagittal section of an object, whose plane has the axes anterior and up."""
    found = [CUT] if field.cut_beside(section.plane.origin) else []
    if not solid(section):
        found.append(RAGGED)
    return found


def solid(section: Section) -> bool:
    """Whether an outline is as smooth as that of a disc, body or sac."""
    return section.solidity >= _SOLID


def few_slices(*fields: Field | None) -> list[str]:
    """Reason to doubt an angle between objects of which one is hardly seen."""
    return [FEW_SLICES] if any(f is not None and f.slices < _FEWEST_SLICES for f in fields) else []


def slipped(landmarks: Landmarks, level: str) -> list[str]:
    """Reason to doubt sections of the sac or a foramen at a level whose bodies have slipped far; none at a body."""
    if "-" not in level:
        return []
    above, below = landmarks.bodies_beside(level)
    if above is None or below is None:
        return []
    # Only the ends that face the disc are looked at: the sacrum often reaches beyond the view, and has no corners then.
    end = above.contour[above.contour[:, 1] <= above.extent(1)[0] + _RIM]
    plate = below.contour[below.contour[:, 1] >= below.extent(1)[1] - _RIM]
    depth = float(np.ptp(end[:, 0]))
    # Where the view leaves a sliver of a body its end tells nothing.
    if min(above.area, below.area) < _SLIVER or depth < 1.0:
        return []
    share = float(end[:, 0].min() - plate[:, 0].min()) / depth
    return [_SLIPPED] if abs(share) >= _STEP else []


def length(ends: Ends | None) -> float:
    """Distance between two points in mm; NaN where there are none."""
    return math.dist(*ends) if ends is not None else np.nan


def line(plane: Plane, ends: Ends | None) -> Geometry | None:
    """Line between two points (2,) of a plane; None where there are none."""
    return plane.geometry("line", np.stack(ends)) if ends is not None else None
