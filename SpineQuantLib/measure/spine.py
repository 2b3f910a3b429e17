"""All measurements of a spine."""

from __future__ import annotations

from ..anatomy.levels import SACRUM_VALUE, vertebra_value
from ..anatomy.structures import Side
from ..case.measurement import Measurement
from ..case.spine import NamedSpine
from .canal import measure_canal
from .disc import measure_disc
from .foramen import measure_foramen
from .landmarks import Landmarks
from .vertebra import measure_vertebra

__all__ = ["measure_spine"]


def measure_spine(spine: NamedSpine) -> list[Measurement]:
    """Measure discs, dural sac, foramina and vertebral bodies of a spine.

    Every level and vertebra of the spine gets all its rows: what is not seen or cannot be measured has no value but
    a reason. Lengths are millimetres in the patient, whatever the grid; borders lie between voxels, where the
    occupancy is 0.5. Intervals are left empty: they come from the committee.

    Parameters
    ----------
    spine : NamedSpine
        Labels with names and soft borders.

    Returns
    -------
    list of Measurement
        Discs, dural sac (discs and bodies, top down), foramina (right, left) and bodies; geometry in RAS
        millimetres.
    """
    landmarks = Landmarks(spine)
    bodies = [name for name in spine.vertebrae if vertebra_value(name) != SACRUM_VALUE]
    rows: list[Measurement] = []
    for level in spine.levels:
        rows += measure_disc(landmarks, level)
    for name in landmarks.column:
        if name in bodies or name in spine.levels:
            rows += measure_canal(landmarks, name)
    for level in spine.levels:
        for side in (Side.RIGHT, Side.LEFT):
            rows += measure_foramen(landmarks, level, side)
    for name in bodies:
        rows += measure_vertebra(landmarks, name)
    return rows
