"""All measurements of a spine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..anatomy.levels import SACRUM_VALUE, vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.canal_profile import CanalProfile
from ..case.measurement import Measurement
from ..case.result import Contrast
from ..case.spine import NamedSpine
from .accuracy import with_accuracy
from .alignment import measure_alignment, whole_spine
from .canal import CORD_SPACE, measure_canal, measure_compression, measure_smallest, profile_of
from .canal_curve import CanalCurve
from .disc import measure_disc
from .foramen import measure_asymmetry, measure_foramen
from .landmarks import Landmarks
from .rows import Subject
from .signal import SignalReader
from .vertebra import measure_vertebra

__all__ = ["measure_brief", "measure_spine", "measure_spine_and_canal"]

Wanted = Callable[[Structure, str], bool]


def _everything(_structure: Structure, _level: str) -> bool:
    return True


def measure_spine(
    spine: NamedSpine,
    image: np.ndarray | None = None,
    contrast: Contrast = Contrast.UNKNOWN,
    *,
    wanted: Wanted | None = None,
    landmarks: Landmarks | None = None,
) -> list[Measurement]:
    """Measure discs, dural sac, foramina, vertebral bodies and alignment of a spine.

    Every level and vertebra of the spine gets all its rows: what is not seen or cannot be measured has no value but
    a reason. Lengths are millimetres in the patient, whatever the grid; borders lie between voxels, where the
    occupancy is 0.5. Intervals are left empty: they come from the committee.

    Parameters
    ----------
    spine : NamedSpine
        Labels with names and soft borders.
    image : np.ndarray, optional
        Intensities (nk, nj, ni) on the spine's grid, for the signal of the discs.
    contrast : Contrast
        Weighting of the image.
    wanted : callable, optional
        Told a structure and a level (``L4-L5``, ``L4``, or empty for what spans the spine), whether to measure it;
        after a correction only what depends on it is measured anew. Everything by default.
    landmarks : Landmarks, optional
        Those of the same spine, where the caller has a use for them later.

    Returns
    -------
    list of Measurement
        Discs, dural sac (discs and bodies, top down), foramina (right, left, both), bodies, alignment; geometry in
        RAS millimetres.

    Raises
    ------
    ValueError
        If the image does not lie on the spine's grid.
    """
    landmarks = landmarks or Landmarks(spine)
    curve = CanalCurve(landmarks)
    rows = _rows(landmarks, curve, SignalReader(landmarks, image, contrast), wanted or _everything)
    return with_accuracy(rows, landmarks)


def measure_brief(
    spine: NamedSpine, wanted: Wanted | None = None, planes: Landmarks | None = None
) -> list[Measurement]:
    """What differs between members of a committee: as :func:`measure_spine`, at about a third of its price.

    Left out is what needs the sac's curve between the levels, its smallest section and the flags of narrow places, and
    the greatest posterior bulge of each disc, which is sought across all of it.

    Parameters
    ----------
    spine : NamedSpine
        As one member sees it.
    wanted : callable, optional
        As of :func:`measure_spine`.
    planes : Landmarks, optional
        Of what the committee as a whole sees. Each member is then measured in the committee's planes: the value that
        a spread belongs to was read there, so it is the members' outlines, endplates and corners in these planes that
        tell how sure it is, and not where else each of them would have looked.
    """
    landmarks = Landmarks(spine, planes)
    curve = CanalCurve(landmarks, between=False)

    def brief(structure: Structure, level: str) -> bool:
        return (structure, level) != (Structure.CANAL, "") and (wanted is None or wanted(structure, level))

    return _rows(landmarks, curve, SignalReader(landmarks, None, Contrast.UNKNOWN), brief, everywhere=False)


def measure_spine_and_canal(
    spine: NamedSpine,
    image: np.ndarray | None = None,
    contrast: Contrast = Contrast.UNKNOWN,
    *,
    wanted: Wanted | None = None,
    landmarks: Landmarks | None = None,
) -> tuple[list[Measurement], CanalProfile | None]:
    """Measurements as of :func:`measure_spine`, and the profile of the dural sac; None where there is no sac.

    ``landmarks`` are those of the same spine, where the caller has a use for them later.
    """
    landmarks = landmarks or Landmarks(spine)
    curve = CanalCurve(landmarks)
    rows = _rows(landmarks, curve, SignalReader(landmarks, image, contrast), wanted or _everything)
    return with_accuracy(rows, landmarks), profile_of(curve)


def _rows(
    landmarks: Landmarks, curve: CanalCurve, signals: SignalReader, wanted: Wanted, *, everywhere: bool = True
) -> list[Measurement]:
    spine = landmarks.spine
    bodies = [name for name in spine.vertebrae if vertebra_value(name) != SACRUM_VALUE]
    rows: list[Measurement] = []
    for level in filter(lambda level: wanted(Structure.DISC, level), spine.levels):
        rows += measure_disc(landmarks, level, signals, everywhere=everywhere)
    for name in filter(lambda name: wanted(Structure.CANAL, name), landmarks.column):
        if name in bodies or name in spine.levels:
            here = measure_canal(landmarks, curve, name)
            rows += [*here, *(measure_compression(curve, name, here) if name in spine.levels else [])]
    if wanted(Structure.CANAL, ""):
        rows += measure_smallest(landmarks, curve, whole_spine(spine))
    for level in filter(lambda level: wanted(Structure.FORAMEN, level), spine.levels):
        right, left = (measure_foramen(landmarks, level, side) for side in (Side.RIGHT, Side.LEFT))
        rows += [*right, *left, *measure_asymmetry(level, right, left)]
    for name in filter(lambda name: wanted(Structure.VERTEBRA, name), bodies):
        rows += measure_vertebra(landmarks, name)
    if wanted(Structure.SPINE, ""):
        rows += measure_alignment(landmarks)
        if landmarks.cord is None:
            whole = Subject(Structure.SPINE, whole_spine(spine))
            rows.append(whole.absent(*CORD_SPACE, "the spinal cord is not among the labels"))
    return rows
