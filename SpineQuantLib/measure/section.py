"""Plane sections through the soft mask of one object, in millimetres and with borders between voxels.

An object's border is where its occupancy, interpolated linearly between voxel centres, is 0.5; thick slices are divided
into parts before, see :mod:`.slices`.
A section is sampled finer than the voxels and contoured there, so spacing, slice thickness and tilt of the grid do
not matter beyond what they blur. Points are LPS millimetres throughout the room; geometry that leaves it is RAS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from ..case.grid import lps_to_ras
from ..case.measurement import Geometry
from .field import Field
from .outline import rings
from .sampling import JUST_BELOW

__all__ = ["Ends", "Plane", "Section", "cross", "cut"]

Ends = tuple[np.ndarray, np.ndarray]
"""Two points (2,) of a plane, in mm along its axes."""

_OVERSAMPLING = 3.0
_MAX_SAMPLES = 500
_CHORDS = 81


def cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Vector product of two vectors (3,); NumPy's own takes ten times as long for what cannot be here."""
    (a, b, c), (d, e, f) = first, second
    return np.array([b * f - c * e, c * d - a * f, a * e - b * d])


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane with its own two axes.

    Attributes
    ----------
    origin, u, v : np.ndarray
        LPS millimetres of its origin and its orthogonal unit axes.
    """

    origin: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Unit normal."""
        return cross(self.u, self.v)

    def to_lps(self, uv: np.ndarray) -> np.ndarray:
        """LPS millimetres (…, 3) of points (…, 2) in the plane."""
        uv = np.asarray(uv, dtype=float)
        return self.origin + uv[..., :1] * self.u + uv[..., 1:] * self.v

    def geometry(self, kind: str, uv: np.ndarray) -> Geometry:
        """Points (n, 2) of the plane as a geometry to draw."""
        return Geometry.of(kind, lps_to_ras(self.to_lps(uv)))


@dataclass(frozen=True, eq=False)
class Section:
    """Outline of an object in a plane.

    Attributes
    ----------
    plane : Plane
        Where it lies.
    contour : np.ndarray
        (n, 2) corners of a closed polygon in millimetres along the plane's axes; the last repeats the first.
    cut : bool
        Whether the outline leaves the field of view, so that part of the object is missing.
    pieces : tuple of float
        Areas of the other outlines that the plane cuts from the object, mm².
    """

    plane: Plane
    contour: np.ndarray
    cut: bool
    pieces: tuple[float, ...] = ()

    @cached_property
    def _signed(self) -> tuple[float, np.ndarray]:
        (x, y), (x1, y1) = self.contour[:-1].T, self.contour[1:].T
        cross = x * y1 - x1 * y
        doubled = float(cross.sum())
        if abs(doubled) < 1e-12:
            return 0.0, self.contour[:-1].mean(axis=0)
        return doubled / 2.0, np.array([((x + x1) * cross).sum(), ((y + y1) * cross).sum()]) / (3.0 * doubled)

    @property
    def area(self) -> float:
        """Area of the polygon, mm²."""
        return abs(self._signed[0])

    @property
    def centroid(self) -> np.ndarray:
        """(2,) centroid of the polygon."""
        return self._signed[1]

    @cached_property
    def solidity(self) -> float:
        """Area of the outline over that of its convex hull: 1 for a smooth convex shape, less for a ragged one."""
        try:
            hull = float(ConvexHull(self.contour[:-1]).volume)
        except QhullError:
            return 1.0
        return self.area / hull if hull > 0 else 1.0

    def extent(self, axis: int) -> tuple[float, float]:
        """Least and greatest coordinate along an axis of the plane."""
        values = self.contour[:, axis]
        return float(values.min()), float(values.max())

    def chord(self, point: np.ndarray, direction: np.ndarray) -> Ends | None:
        """Outermost two crossings (2,) of the outline with a line, in order along it; None where it misses."""
        direction = np.asarray(direction, dtype=float) / math.hypot(*direction)
        across = np.array([-direction[1], direction[0]])
        relative = self.contour - np.asarray(point, dtype=float)
        side, along = relative @ across, relative @ direction
        a, b = side[:-1], side[1:]
        hit = (a < 0) != (b < 0)
        if not hit.any():
            return None
        share = a[hit] / (a[hit] - b[hit])
        t = along[:-1][hit] + share * (along[1:][hit] - along[:-1][hit])
        return point + t.min() * direction, point + t.max() * direction

    def chords(self, points: np.ndarray, directions: np.ndarray) -> Ends:
        """First and last ends (n, 2) of many chords as of :meth:`chord`; NaN where a line misses the outline.

        Parameters
        ----------
        points : np.ndarray
            (n, 2), one on each line.
        directions : np.ndarray
            (n, 2) or (2,), of any length.
        """
        directions = np.broadcast_to(directions, points.shape) / np.linalg.norm(directions, axis=-1, keepdims=True)
        across = directions @ np.array([[0.0, 1.0], [-1.0, 0.0]])
        side = across @ self.contour.T - (across * points).sum(axis=1)[:, None]
        along = directions @ self.contour.T - (directions * points).sum(axis=1)[:, None]
        line, n = np.nonzero((side[:, :-1] < 0) != (side[:, 1:] < 0))
        before, after = side[line, n], side[line, n + 1]
        at = along[line, n] + before / (before - after) * (along[line, n + 1] - along[line, n])
        first, last = np.full(len(points), np.inf), np.full(len(points), -np.inf)
        np.minimum.at(first, line, at)
        np.maximum.at(last, line, at)
        first, last = (np.where(np.isfinite(t), t, np.nan)[:, None] for t in (first, last))
        return points + first * directions, points + last * directions

    def widest(self, direction: np.ndarray, within: tuple[float, float] = (0.0, 1.0)) -> Ends | None:
        """The longest chord along a direction.

        Parameters
        ----------
        direction : np.ndarray
            (2,) of any length.
        within : tuple of float
            Part of the extent to the left of that direction, 0 to 1, in which chords are looked for.
        """
        direction = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
        across = np.array([-direction[1], direction[0]])
        side, along = self.contour @ across, self.contour @ direction
        low, high = side.min() + np.array(within) * np.ptp(side)
        offsets = np.linspace(low, high, _CHORDS + 2)[1:-1]
        a, b = side[:-1] - offsets[:, None], side[1:] - offsets[:, None]
        hit = (a < 0) != (b < 0)
        share = np.divide(a, a - b, out=np.zeros_like(a), where=hit)
        crossing = along[:-1] + share * np.diff(along)
        first = np.where(hit, crossing, np.inf).min(axis=1)
        last = np.where(hit, crossing, -np.inf).max(axis=1)
        n = int(np.argmax(last - first))
        if not hit[n].any():
            return None
        return offsets[n] * across + first[n] * direction, offsets[n] * across + last[n] * direction


def cut(field: Field, plane: Plane, *, reach: float | None = None) -> Section | None:
    """Section of an object with a plane.

    Parameters
    ----------
    field : Field
        The object.
    plane : Plane
        Where to cut.
    reach : float, optional
        Millimetres around the plane's origin to look at; the outline nearest to the origin is then taken. Without
        it the whole object is looked at and its largest outline taken.

    Returns
    -------
    Section or None
        None where the plane misses the object.
    """
    key = np.concatenate([plane.origin, plane.u, plane.v, [np.nan if reach is None else reach]]).tobytes()
    if key not in field._sections:
        field._sections[key] = _cut(field, plane, reach)
    return field._sections[key]


def _cut(field: Field, plane: Plane, reach: float | None) -> Section | None:
    thick = float(np.linalg.norm(field.spacing))
    points = field.points
    if reach is not None:
        points, _ = field.near(plane.origin, plane.normal, thick, math.sqrt(2.0) * reach)
    points = points - plane.origin
    near = points[np.abs(points @ plane.normal) <= thick] @ np.stack([plane.u, plane.v]).T
    if reach is not None:
        near = near[np.abs(near).max(axis=1) <= reach]
    if not len(near):
        return None
    step = float(field.spacing.min()) / _OVERSAMPLING
    margin = float(field.spacing.max()) + step
    low, high = near.min(axis=0) - margin, near.max(axis=0) + margin
    counts = np.clip(np.ceil((high - low) / step).astype(int) + 1, 2, _MAX_SAMPLES)
    steps = (high - low) / (counts - 1)
    us, vs = (low[n] + steps[n] * np.arange(counts[n]) for n in range(2))
    # Below the border all around, so that every outline closes.
    values = np.zeros(counts + 2)
    values[1:-1, 1:-1] = field.sampler.lattice(plane.origin + us[:, None] * plane.u, vs[:, None] * plane.v)
    sections = [Section(plane, low + (ring - 1) * steps, False) for ring in rings(values, JUST_BELOW) if len(ring) > 3]
    if not sections:
        return None
    best = max(sections, key=lambda s: s.area)
    # Rings around holes, as the cord leaves one in the sac, run the other way round.
    sections = [s for s in sections if s._signed[0] * best._signed[0] > 0]
    if reach is not None:
        # Slivers beside the object are no candidates, however near they lie.
        large = [s for s in sections if s.area >= 0.1 * best.area]
        best = min(large, key=lambda s: float(np.linalg.norm(s.centroid)))
    left_view = field.at_edge and bool(field.outside_view(plane.to_lps(best.contour)).any())
    others = tuple(s.area for s in sections if s is not best)
    return Section(plane, best.contour, left_view, others)
