"""What voxels and slices leave uncertain of a value, whoever drew the mask: a ± in its unit.

Of a length in the direction d on a grid of pixels p and slices s apart with the normal k, the part that a grid costs is
the root of the sum of three squares: a·p (borders between pixels), b·s·|d·k| (how far one goes along d from one slice
to the next: widths that run across slices, heights of what leans against them) and c·s (round borders that a slice
averages over). Of an area or a volume the same holds for its square or cube root, as a share of the value; an angle,
and what hangs on the round ends of a body, is the less exact the smaller the body is against a lumbar one. The factors
a, b and c were fitted to the errors on exact masks of 48 random phantoms with slices of 2 to 5 mm, gaps included, such
that 95 of 100 errors lie within; ``spinequant study measures`` tells how many do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..anatomy.structures import Structure
from ..case.grid import Grid
from ..case.measurement import Measurement
from .frames import Frame
from .landmarks import Landmarks

__all__ = ["with_accuracy"]

_UP, _FRONT, _LEFT, _LEAN = "up", "anterior", "left", "lean"
_FACTORS: dict[tuple[Structure, str], tuple[str, float, float, float]] = {
    (Structure.DISC, "height"): (_UP, 0.20, 0.30, 0.0),
    (Structure.DISC, "anterior height"): (_UP, 0.20, 0.30, 0.0),
    (Structure.DISC, "middle height"): (_UP, 0.20, 0.30, 0.0),
    (Structure.DISC, "posterior height"): (_UP, 0.23, 0.34, 0.0),
    (Structure.DISC, "mean height"): (_UP, 0.20, 0.30, 0.0),
    (Structure.DISC, "depth"): (_FRONT, 0.20, 0.40, 0.03),
    (Structure.DISC, "width"): (_LEFT, 0.45, 0.18, 0.0),
    (Structure.DISC, "anterior bulge"): (_FRONT, 0.48, 0.20, 0.0),
    (Structure.DISC, "posterior bulge"): (_FRONT, 0.48, 0.20, 0.0),
    (Structure.DISC, "place of posterior bulge"): (_LEFT, 3.0, 0.70, 0.0),
    (Structure.DISC, "wedge angle"): (_UP, 0.45, 0.0, 0.09),
    (Structure.DISC, "area"): (_FRONT, 0.18, 0.0, 0.02),
    (Structure.DISC, "volume"): (_FRONT, 0.03, 0.0, 0.016),
    (Structure.VERTEBRA, "anterior height"): (_UP, 0.19, 0.35, 0.015),
    (Structure.VERTEBRA, "middle height"): (_UP, 0.19, 0.35, 0.015),
    (Structure.VERTEBRA, "posterior height"): (_UP, 0.19, 0.35, 0.015),
    (Structure.VERTEBRA, "depth"): (_FRONT, 0.33, 0.30, 0.02),
    (Structure.VERTEBRA, "width"): (_LEFT, 0.50, 0.14, 0.0),
    (Structure.VERTEBRA, "wedge angle"): (_UP, 0.48, 0.0, 0.10),
    (Structure.VERTEBRA, "volume"): (_FRONT, 0.02, 0.0, 0.023),
    (Structure.CANAL, "area"): (_FRONT, 0.19, 0.0, 0.046),
    (Structure.CANAL, "smallest area"): (_FRONT, 0.19, 0.0, 0.046),
    (Structure.CANAL, "AP diameter"): (_FRONT, 0.13, 0.0, 0.086),
    (Structure.CANAL, "smallest AP diameter"): (_FRONT, 0.13, 0.0, 0.086),
    (Structure.CANAL, "transverse diameter"): (_LEFT, 0.45, 0.15, 0.0),
    (Structure.FORAMEN, "area"): (_LEAN, 0.12, 0.45, 0.063),
    (Structure.FORAMEN, "height"): (_LEAN, 0.25, 0.54, 0.0),
    (Structure.FORAMEN, "width"): (_LEAN, 0.16, 0.43, 0.042),
    (Structure.FORAMEN, "upper width"): (_LEAN, 0.16, 0.43, 0.042),
    (Structure.FORAMEN, "lower width"): (_LEAN, 0.16, 0.43, 0.042),
    (Structure.SPINE, "slip"): (_FRONT, 0.38, 0.45, 0.0),
    (Structure.SPINE, "lordosis"): (_UP, 0.30, 0.0, 0.06),
    (Structure.SPINE, "thoracic kyphosis"): (_UP, 0.30, 0.0, 0.06),
    (Structure.SPINE, "cervical lordosis"): (_UP, 0.30, 0.0, 0.06),
    (Structure.SPINE, "segmental angle"): (_UP, 0.24, 0.0, 0.05),
    (Structure.SPINE, "sacral slope"): (_UP, 0.26, 0.0, 0.055),
    (Structure.SPINE, "coronal Cobb angle"): (_UP, 0.30, 0.0, 0.17),
}
"""Direction, and the factors a, b and c, by structure and quantity."""
_FROBIN = (_UP, 0.45, 0.53, 0.0)
"""Of corners, and not of surfaces."""
_LUMBAR_DEPTH = 34.0
_ON_ROUND_ENDS = {
    (Structure.DISC, "depth"),
    (Structure.DISC, "width"),
    (Structure.DISC, "anterior bulge"),
    (Structure.VERTEBRA, "depth"),
    (Structure.VERTEBRA, "volume"),
}
"""What hangs on the round fronts and flanks of bodies: the smaller they are, the more a slice averages over them."""
_DIMENSIONS = {"mm": 1, "mm2": 2, "mm3": 3, "deg": 1}


def with_accuracy(rows: Sequence[Measurement], landmarks: Landmarks) -> list[Measurement]:
    """The rows, each with the ± that the grid leaves it where that is known.

    Parameters
    ----------
    rows : sequence of Measurement
        Measured on the spine of the landmarks.
    landmarks : Landmarks
        Where its objects lie.
    """
    return [replace(row, accuracy=_accuracy(row, landmarks)) for row in rows]


def _accuracy(row: Measurement, landmarks: Landmarks) -> float | None:
    factors = _FROBIN if row.method == "Frobin" else _FACTORS.get((row.structure, row.name))
    dimensions = _DIMENSIONS.get(row.unit)
    place = row.level if row.level in landmarks.column else row.level.split("-")[0]
    frame = landmarks.frame_or_between(place)[0] if place in landmarks.column else None
    if row.value is None or factors is None or dimensions is None or frame is None:
        return None
    direction, a, b, c = factors
    grid = landmarks.spine.grid
    slices, pixel, through = _grid_along(grid, frame, direction)
    cost = float(np.sqrt((a * pixel) ** 2 + (b * slices * through) ** 2 + (c * slices) ** 2))
    if row.unit == "deg" or row.method == "Frobin" or (row.structure, row.name) in _ON_ROUND_ENDS:
        cost *= _shortness(landmarks, place)
    return cost * abs(row.value) ** ((dimensions - 1) / dimensions)


def _shortness(landmarks: Landmarks, place: str) -> float:
    """How much shorter the endplates of a body or disc are than those of a lumbar one; 1 where they are not."""
    section = landmarks.section(place)
    if section is None:
        return 1.0
    back, front = section.extent(0)
    return max(_LUMBAR_DEPTH / max(front - back, 1.0), 1.0)


def _grid_along(grid: Grid, frame: Frame, direction: str) -> tuple[float, float, float]:
    """Slice distance and pixel size in mm, and the share of a direction that runs across the slices.

    A foramen is a tunnel from side to side: it leans by as much as both directions of its section leave the slices.
    """
    spacing = np.array(grid.spacing)
    thickest = int(np.argmax(spacing))
    across = np.array(grid.directions[thickest])
    axes = (frame.up, frame.anterior) if direction == _LEAN else (getattr(frame, direction),)
    share = float(np.sqrt(sum(float(axis @ across) ** 2 for axis in axes)))
    return float(spacing[thickest]), float(np.delete(spacing, thickest).mean()), share
