"""Where to look: the point and the planes that show an object best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from ..anatomy.levels import split_level, vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from ..case.result import CaseResult

__all__ = ["Place", "axial_axes", "place_of", "place_of_row", "value_of"]

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Place:
    """A view of one object.

    Attributes
    ----------
    point : tuple of float
        Middle of the object, RAS millimetres.
    along : tuple of float
        Unit vector along the canal there, upwards: normal of the axial view.
    beside : tuple of float
        Where the parasagittal view is put: through the foramina of the level, on the side of the object.
    """

    point: tuple[float, float, float]
    along: tuple[float, float, float]
    beside: tuple[float, float, float]


def axial_axes(along: tuple[float, float, float]) -> np.ndarray:
    """Axes of an axial view across a direction, as rows (3, 3) in RAS: to its right, upwards in it, and its normal.

    The patient's left is on the right of the picture, and anterior is up, as radiologists hold it.
    """
    normal = np.asarray(along, float) / np.linalg.norm(along)
    anterior = np.array([0.0, 1.0, 0.0])
    up = anterior - (anterior @ normal) * normal
    up /= np.linalg.norm(up)
    return np.array([-np.cross(up, normal), up, normal])


def value_of(structure: Structure, level: str, side: Side | None) -> int | None:
    """Label value of an object; None for what is no object of its own."""
    if structure is Structure.CANAL:
        return CANAL_VALUE
    try:
        if structure is Structure.VERTEBRA:
            return vertebra_value(level)
        upper = split_level(level)[0]
    except ValueError:
        return None
    if structure is Structure.DISC:
        return disc_value(upper)
    return foramen_value(upper, side) if structure is Structure.FORAMEN and side else None


def _middle(result: CaseResult, value: int | None) -> np.ndarray | None:
    found = np.argwhere(result.spine.labels == value) if value is not None else np.empty((0, 3))
    return np.asarray(result.spine.grid.to_ras(np.median(found, axis=0))) if len(found) else None


def _outline(result: CaseResult, structure: Structure, level: str, side: Side | None) -> np.ndarray | None:
    """Points of the geometry that a value of the object was read from, the contour with the most points first."""
    own = [
        np.array(m.geometry.points)
        for m in result.measurements
        if (m.structure, m.level, m.side) == (structure, level, side) and m.geometry is not None
    ]
    return max(own, key=len) if own else None


def _along(result: CaseResult, level: str) -> np.ndarray:
    """Direction of the canal at a level: the normal of the sac's section there."""
    contour = _outline(result, Structure.CANAL, level, None)
    if contour is None or len(contour) < 3:
        return _UP
    normal = np.linalg.svd(contour - contour.mean(axis=0))[2][2]
    return normal if normal[2] >= 0 else -normal


def place_of(result: CaseResult, structure: Structure, level: str, side: Side | None) -> Place | None:
    """Where to look for an object; None where neither it nor its level is in the case.

    Parameters
    ----------
    result : CaseResult
        The case.
    structure, level, side
        Which object.
    """
    contour = _outline(result, structure, level, side)
    point = None if structure is Structure.CANAL else _middle(result, value_of(structure, level, side))
    if point is None and contour is not None:
        point = contour.mean(axis=0)
    for other in (Structure.DISC, Structure.VERTEBRA):
        if point is None and level:
            point = _middle(result, value_of(other, level, None))
    if point is None:
        return None
    foramen = _middle(result, value_of(Structure.FORAMEN, level, side or Side.RIGHT))
    beside = foramen if foramen is not None else point
    return Place(*(tuple(map(float, x)) for x in (point, _along(result, level), beside)))


def place_of_row(result: CaseResult, row: Measurement) -> Place | None:
    """Where to look for a measurement: at its own line or contour where it has one."""
    if row.geometry is None:
        return place_of(result, row.structure, row.level, row.side)
    point = tuple(map(float, np.mean(row.geometry.points, axis=0)))
    return Place(point, tuple(map(float, _along(result, row.level))), point)
