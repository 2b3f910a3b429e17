"""Smooth centre line of the dural sac."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_smoothing_spline

from .field import Field
from .frames import SUPERIOR, unit

__all__ = ["CentreLine", "trace"]

_CUTOFF = 40.0
"""Wavelength in mm below which bends of the line are smoothed away; lordosis bends over hundreds of mm."""
_STATION = 2.0
_RADIUS = 25.0
_STEP = 0.5


@dataclass(frozen=True, eq=False)
class CentreLine:
    """A curve by its arc length, from the lower end upwards.

    Attributes
    ----------
    points : np.ndarray
        (n, 3) LPS millimetres, about 0.5 mm apart.
    tangents : np.ndarray
        (n, 3) unit vectors in LPS, pointing upwards along the curve.
    """

    points: np.ndarray
    tangents: np.ndarray

    @property
    def arc(self) -> np.ndarray:
        """(n,) arc length in mm."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])

    def nearest(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Point (3,) of the line nearest to another, and the tangent (3,) there."""
        n = int(np.argmin(np.linalg.norm(self.points - point, axis=1)))
        return self.points[n], self.tangents[n]

    def crossing(self, point: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Where the line crosses a plane, nearest to a point of that plane: place and tangent (3,) each.

        None where the line ends before it reaches the plane.
        """
        height = (self.points - point) @ normal
        hits = np.flatnonzero((height[:-1] < 0) != (height[1:] < 0))
        if not len(hits):
            return None
        n = hits[np.argmin(np.linalg.norm(self.points[hits] - point, axis=1))]
        share = height[n] / (height[n] - height[n + 1])
        place = self.points[n] + share * (self.points[n + 1] - self.points[n])
        return place, unit(self.tangents[n] + share * (self.tangents[n + 1] - self.tangents[n]))


def _smooth(parameter: np.ndarray, points: np.ndarray, weights: np.ndarray) -> CentreLine:
    """Smoothing spline through points (n, 3) in order of a parameter in mm, resampled at equal steps."""
    order = np.argsort(parameter)
    t, points, weights = parameter[order], points[order], weights[order]
    dense = np.linspace(t[0], t[-1], max(round((t[-1] - t[0]) / _STEP), 1) + 1)
    if len(t) < 5:
        slope, offset = np.polyfit(t, points, 1, w=np.sqrt(weights)) if len(t) > 1 else (np.zeros(3), points[0])
        curve = dense[:, None] * slope + offset
        along = np.broadcast_to(slope, curve.shape)
    else:
        # A smoothing spline damps a wave of wavelength L by 1 / (1 + lam (2 pi / L)^4 / density).
        density = float(weights.sum()) / (t[-1] - t[0])
        lam = density * (_CUTOFF / (2 * np.pi)) ** 4
        splines = [make_smoothing_spline(t, points[:, axis], weights, lam) for axis in range(3)]
        curve = np.column_stack([spline(dense) for spline in splines])
        along = np.column_stack([spline.derivative()(dense) for spline in splines])
    return CentreLine(curve, np.stack([unit(row) for row in along]))


def _stations(field: Field, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions along an axis, centroids and weights of the object around each of them.

    A voxel counts at the two positions beside it, at each in proportion to its nearness: of a sharp slab, which voxels
    lie in it could depend on the last digit of the spacing.
    """
    height = (field.points - field.centroid) @ axis
    place = (height - height.min()) / _width(field)
    below = np.floor(place).astype(int)
    share = place - below
    at, mass = np.concatenate([below, below + 1]), np.concatenate([1.0 - share, share]) * np.tile(field.weights, 2)
    total = np.bincount(at, mass)
    kept = np.flatnonzero(total > 0.2 * np.median(total[total > 0]))
    points = np.tile(field.points, (2, 1))
    centres = np.column_stack([np.bincount(at, mass * points[:, n]) for n in range(3)])
    centres = centres[kept] / total[kept, None]
    return (centres - field.centroid) @ axis, centres, np.minimum(total[kept] / np.median(total[kept]), 1.0)


def _width(field: Field) -> float:
    """Millimetres between the places at which centroids are taken."""
    return max(_STATION, 1.5 * float(field.spacing.min()))


def _recentre(field: Field, line: CentreLine) -> CentreLine:
    """Move the line onto the object's centroids around planes perpendicular to it."""
    width = _width(field)
    arc = line.arc
    stations = np.linspace(0.0, arc[-1], max(round(arc[-1] / width), 1) + 1)
    before = np.minimum(np.searchsorted(arc, stations, side="right") - 1, len(arc) - 2)
    share = ((stations - arc[before]) / (arc[before + 1] - arc[before]))[:, None]
    places, tangents = (
        values[before] + share * (values[before + 1] - values[before]) for values in (line.points, line.tangents)
    )
    tangents = np.stack([unit(tangent) for tangent in tangents])
    near, mass, station = _around(field, places, tangents, width)
    masses, *sums = (
        np.bincount(station, weights, minlength=len(stations)) for weights in (mass, *(mass[:, None] * near).T)
    )
    kept = masses > 0
    if kept.sum() < 5:
        return line
    masses, centres = masses[kept], np.column_stack(sums)[kept] / masses[kept, None]
    return _smooth(stations[kept], centres, np.minimum(masses / np.median(masses), 1.0))


def _around(
    field: Field, places: np.ndarray, tangents: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxels around planes through stations of a line, and how much each counts there.

    Returns
    -------
    points, mass, station : np.ndarray
        (n, 3) LPS millimetres, (n,) weights that fall to zero at ``width`` from the plane and at the radius from the
        line, and (n,) the number of the station; a voxel is near several of them.
    """
    found = []
    for n, (place, tangent) in enumerate(zip(places, tangents, strict=True)):
        points, weights = field.near(place, tangent, width, _RADIUS)
        along = np.abs((points - place) @ tangent)
        hit = along < width
        found.append((points[hit], weights[hit] * (1.0 - along[hit] / width), np.full(np.count_nonzero(hit), n)))
    points, mass, station = (np.concatenate(part) for part in zip(*found, strict=True))
    return points, mass * np.clip(_RADIUS - np.linalg.norm(points - places[station], axis=1), 0.0, 1.0), station


def trace(field: Field) -> CentreLine | None:
    """Centre line of a tube such as the dural sac.

    Centroids every 2 mm, first along its long axis and then twice along the line itself, are joined by a smoothing
    spline that keeps bends longer than 40 mm.

    Returns
    -------
    CentreLine or None
        None where the object is too short to have a direction.
    """
    spread = np.cov(field.points.T, aweights=field.weights) if len(field.points) > 3 else np.zeros((3, 3))
    axis = np.linalg.eigh(spread)[1][:, 2]
    axis = axis * (1.0 if axis @ SUPERIOR >= 0 else -1.0)
    position, centres, weights = _stations(field, axis)
    if len(position) < 3 or np.ptp(position) < 2 * _STATION:
        return None
    # Slabs of a bent object may share a position along the axis to within rounding; a spline wants them apart.
    _, unique = np.unique(position.round(6), return_index=True)
    line = _smooth(position[unique], centres[unique], weights[unique])
    for _ in range(2):
        line = _recentre(field, line)
    return line
