"""All measurements of a spine."""

from __future__ import annotations

from collections.abc import Callable

from ..anatomy.levels import SACRUM_VALUE, vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from ..case.spine import NamedSpine
from .canal import measure_canal
from .disc import measure_disc
from .foramen import measure_foramen
from .landmarks import Landmarks
from .vertebra import measure_vertebra

__all__ = ["measure_spine"]

Wanted = Callable[[Structure, str], bool]


def _everything(_structure: Structure, _level: str) -> bool:
    return True


def measure_spine(spine: NamedSpine, wanted: Wanted | None = None) -> list[Measurement]:
    """Measure discs, dural sac, foramina and vertebral bodies of a spine.

    Every level and vertebra of the spine gets all its rows: what is not seen or cannot be measured has no value but
    a reason. Lengths are millimetres in the patient, whatever the grid; borders lie between voxels, where the
    occupancy is 0.5. Intervals are left empty: they come from the committee.

    Parameters
    ----------
    spine : NamedSpine
        Labels with names and soft borders.
    wanted : callable, optional
        Told a structure and a level (``L4-L5``, ``L4``, or empty for what spans the spine), whether to measure it;
        after a correction only what depends on it is measured anew. Everything by default.

    Returns
    -------
    list of Measurement
        Discs, dural sac (discs and bodies, top down), foramina (right, left) and bodies; geometry in RAS
        millimetres.
    """
    landmarks = Landmarks(spine)
    bodies = [name for name in spine.vertebrae if vertebra_value(name) != SACRUM_VALUE]
    wanted = wanted or _everything
    rows: list[Measurement] = []
    for level in filter(lambda level: wanted(Structure.DISC, level), spine.levels):
        rows += measure_disc(landmarks, level)
    for name in filter(lambda name: wanted(Structure.CANAL, name), landmarks.column):
        if name in bodies or name in spine.levels:
            rows += measure_canal(landmarks, name)
    for level in filter(lambda level: wanted(Structure.FORAMEN, level), spine.levels):
        for side in (Side.RIGHT, Side.LEFT):
            rows += measure_foramen(landmarks, level, side)
    for name in filter(lambda name: wanted(Structure.VERTEBRA, name), bodies):
        rows += measure_vertebra(landmarks, name)
    return rows
