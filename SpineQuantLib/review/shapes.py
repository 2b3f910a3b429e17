"""What makes a line or contour unfit to measure with."""

from __future__ import annotations

import numpy as np

from ..case.errors import InputError
from ..case.measurement import Geometry

__all__ = ["check_points", "follows"]

_LEAST = {"line": 2, "curve": 2, "closed curve": 3}


def _area_vector(points: np.ndarray) -> np.ndarray:
    """Normal (3,) of a polygon, as long as its area (Newell)."""
    around = points - points.mean(axis=0)
    return np.cross(around, np.roll(around, -1, axis=0)).sum(axis=0) / 2


def check_points(kind: str, points: np.ndarray) -> Geometry:
    """The geometry through points that a reader placed.

    Raises
    ------
    InputError
        If they are too few, not finite, of no extent, or a contour crosses itself.
    """
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise InputError("points must be an (n, 3) array of RAS millimetres without gaps")
    if kind == "line" and len(points) != 2:
        raise InputError(f"a line has two ends, not {len(points)}; place both")
    if len(points) < _LEAST[kind]:
        raise InputError(f"a {kind} needs at least {_LEAST[kind]} points, not {len(points)}")
    if kind == "closed curve":
        if np.allclose(points[0], points[-1]):
            points = points[:-1]
        normal = _area_vector(points)
        if np.linalg.norm(normal) < 1e-6:
            raise InputError("the contour encloses nothing; draw it around the structure")
        if _crosses_itself(points, normal):
            raise InputError("the contour crosses itself, so that its area is not defined; draw it without a loop")
    elif np.ptp(points, axis=0).max() < 1e-6:
        raise InputError("all points lie in one place; move them apart")
    return Geometry.of(kind, points)


def _crosses_itself(points: np.ndarray, normal: np.ndarray) -> bool:
    """Whether two sides of a polygon that are no neighbours cross, seen along its normal."""
    normal = normal / np.linalg.norm(normal)
    first = np.cross(normal, np.eye(3)[int(np.abs(normal).argmin())])
    first /= np.linalg.norm(first)
    flat = (points - points.mean(axis=0)) @ np.stack([first, np.cross(normal, first)]).T
    start, end = flat, np.roll(flat, -1, axis=0)

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    a, b, c, d = start[:, None], end[:, None], start[None], end[None]
    crossing = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    return bool(crossing.any())


def follows(course: np.ndarray, points: np.ndarray, tolerance: float, closed: bool) -> bool:
    """Whether a course and one through fewer of its points are the same within a tolerance.

    Parameters
    ----------
    course, points : np.ndarray
        (n, 3) and (m, 3) millimetres.
    tolerance : float
        Greatest distance of a point of either from the other, millimetres.
    closed : bool
        Whether the last point is joined to the first.
    """
    if len(points) < 2 or len(course) < 2:
        return False
    return _near(points, course, tolerance, closed) and _near(course, points, tolerance, closed)


def _near(points: np.ndarray, course: np.ndarray, tolerance: float, closed: bool) -> bool:
    start = course if closed else course[:-1]
    along = (np.roll(course, -1, axis=0) if closed else course[1:]) - start
    square = np.maximum((along**2).sum(axis=1), 1e-12)
    relative = points[:, None] - start
    share = np.clip((relative * along).sum(axis=2) / square, 0.0, 1.0)
    distance = np.linalg.norm(relative - share[..., None] * along, axis=2)
    return bool((distance.min(axis=1) <= tolerance).all())
