"""Corners of a vertebral body in a sagittal section.

A voxelised corner is round, and a real one has a lip. A corner is therefore where the wall and the endplate would meet
if each went on as it does a little away from it: parabolas along the endplate and the anterior wall, and along the
posterior wall a line that bends by as much as the whole of the wall does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .section import Section

__all__ = ["Corners", "corners_of"]

_NEAR, _WALL, _PLATE = 2.0, 12.0, 14.0
"""Millimetres from the outermost point beyond which its rounding ends, and up to which the anterior wall and the
endplate of a large body are followed: about half of each, since both are hollow and a straight line would miss the
corner by 0.2 mm."""
_POSTERIOR_WALL = 9.0
"""The same behind, where the wall is nearly straight."""
_SHARE, _LEAST = 0.5, 6.0
"""Of a small body: share of its height or depth, and millimetres at least, up to which it is followed."""
_LONG, _LONG_SHARE, _VEINS = 24.0, 0.85, (0.42, 0.58)
"""Millimetres, and share of the height, over which the hollow of the posterior wall is judged; and the part of the
height in its middle that is left out, because the basivertebral veins have no border there."""
_HOLLOW = 0.008
"""Greatest hollow that is believed, in 1/mm: a millimetre and a quarter in the middle of a wall of 25 mm."""
_FEWEST, _SHORTEST = 8, 4.0
"""Points, and millimetres, that a wall or an endplate must have."""
_ROUNDS = 6
_REACH = 2.0
"""Millimetres beyond the outline up to which a corner is believed."""


@dataclass(frozen=True, eq=False)
class Corners:
    """Corners of a body, (2,) each, in millimetres along the axes of the section's plane.

    Attributes
    ----------
    upper_front, upper_back, lower_front, lower_back : np.ndarray
        Of the upper endplate and of the lower one.
    """

    upper_front: np.ndarray
    upper_back: np.ndarray
    lower_front: np.ndarray
    lower_back: np.ndarray

    @property
    def midplane(self) -> np.ndarray:
        """(2,) unit vector to the front along the line through the middle of the posterior and the anterior wall."""
        along = self.upper_front + self.lower_front - self.upper_back - self.lower_back
        return along / max(float(np.linalg.norm(along)), 1e-9)

    @property
    def upper_endplate(self) -> np.ndarray:
        """(2,) vector from the posterior to the anterior corner of the upper endplate."""
        return self.upper_front - self.upper_back

    @property
    def lower_endplate(self) -> np.ndarray:
        """(2,) vector from the posterior to the anterior corner of the lower endplate."""
        return self.lower_front - self.lower_back


@dataclass(frozen=True)
class _Curve:
    """A straight line or parabola. NumPy's own fits do the same, but take ten times as long for so few points."""

    middle: float
    half: float
    coefficients: tuple[float, ...]

    @classmethod
    def through(cls, t: np.ndarray, values: np.ndarray, degree: int = 2) -> _Curve:
        """Least squares of values (n,) over places (n,); places are scaled to −1…1, so that powers are no trouble."""
        low, high = float(t.min()), float(t.max())
        middle, half = (low + high) / 2, (high - low) / 2
        scaled = (t - middle) / half
        powers = np.stack([np.ones_like(scaled), scaled, scaled * scaled][: degree + 1])
        return cls(middle, half, tuple(np.linalg.solve(powers @ powers.T, powers @ values).tolist()))

    def at(self, place: float) -> float:
        """Value at a place."""
        scaled, value = (place - self.middle) / self.half, 0.0
        for coefficient in reversed(self.coefficients):
            value = value * scaled + coefficient
        return value


def corners_of(section: Section, up: np.ndarray) -> Corners:
    """The four corners of a body.

    Parameters
    ----------
    section : Section
        Its outline in a plane whose first axis points to the front.
    up : np.ndarray
        (2,) direction of the body's own up axis in that plane; need not have length one.
    """
    up = np.asarray(up, dtype=float) / max(float(np.linalg.norm(up)), 1e-9)
    axes = np.array([[up[1], -up[0]], up])
    own = section.contour[:-1] @ axes.T
    upper_front, upper_back, lower_front, lower_back = (
        _corner(own, front, top) @ axes for top in (1.0, -1.0) for front in (1.0, -1.0)
    )
    return Corners(upper_front, upper_back, lower_front, lower_back)


def _corner(own: np.ndarray, front: float, top: float) -> np.ndarray:
    """One corner (2,) of an outline (n, 2) in the body's own axes front and up."""
    turned = own * np.array([front, top])
    outermost = turned[np.argmax(turned.sum(axis=1))]
    inwards = outermost - turned
    depth, height = np.ptp(turned, axis=0)
    # A hollow or wedged endplate reaches deeper than the wall begins, and the other way round.
    beside = inwards[:, 0] < inwards[:, 1]
    down = np.where(beside, inwards[:, 1], -1.0)
    far = max(min(_WALL if front > 0 else _POSTERIOR_WALL, _SHARE * height), _LEAST)
    wall = turned[(down >= _NEAR) & (down <= far)]
    reach = max(min(_PLATE, _SHARE * depth), _LEAST)
    plate = turned[(inwards[:, 0] >= _NEAR) & (inwards[:, 0] <= reach) & ~beside]
    if min(len(wall), len(plate)) < _FEWEST or min(np.ptp(wall[:, 1]), np.ptp(plate[:, 0])) < _SHORTEST:
        return outermost * np.array([front, top])
    along = _Curve.through(plate[:, 0], plate[:, 1])
    met = _meet(_Curve.through(wall[:, 1], wall[:, 0], 2 if front > 0 else 1), along, outermost)
    if met is None:
        return outermost * np.array([front, top])
    if front < 0:
        long = turned[(down >= _NEAR) & (down <= min(_LONG, _LONG_SHARE * height)) & _no_veins(down / height)]
        met = _meet(_Bent.through(wall, _hollow(long)), along, met, reach=math.inf)
    return met * np.array([front, top])


def _no_veins(share: np.ndarray) -> np.ndarray:
    """Whether places at shares (n,) of the height lie outside the middle of the wall."""
    return (share < _VEINS[0]) | (share > _VEINS[1])


def _hollow(wall: np.ndarray) -> float:
    """Coefficient of the square in a parabola x(y) along a wall (n, 2) as far as it is hollow; 0 of a short one."""
    if len(wall) < _FEWEST or np.ptp(wall[:, 1]) < _SHORTEST:
        return 0.0
    curve = _Curve.through(wall[:, 1], wall[:, 0])
    return float(np.clip(curve.coefficients[2] / curve.half**2, 0.0, _HOLLOW))


@dataclass(frozen=True)
class _Bent:
    """A straight line, bent by a known hollow."""

    line: _Curve
    hollow: float

    @classmethod
    def through(cls, wall: np.ndarray, hollow: float) -> _Bent:
        """Least squares through a wall (n, 2)."""
        middle = (float(wall[:, 1].min()) + float(wall[:, 1].max())) / 2
        return cls(_Curve.through(wall[:, 1], wall[:, 0] - hollow * (wall[:, 1] - middle) ** 2, 1), hollow)

    def at(self, place: float) -> float:
        """Value at a place."""
        return self.line.at(place) + self.hollow * (place - self.line.middle) ** 2


def _meet(across: _Curve | _Bent, along: _Curve, start: np.ndarray, *, reach: float = _REACH) -> np.ndarray | None:
    """Where the curve x(y) along a wall meets the curve y(x) along an endplate; None where that is not nearby."""
    x, y = first = float(start[0]), float(start[1])
    # Wall and endplate are nearly at right angles, so that going from one to the other ends at the corner.
    for _ in range(_ROUNDS):
        x, y = across.at(y), along.at(x)
        if math.dist((x, y), first) > reach:
            return None
    return np.array([x, y])
