"""Corners of a vertebral body in a sagittal section.

A voxelised corner is round, and a real one has a lip. A corner is therefore where the straight lines through the wall
and through the endplate, a little away from it, meet: as people set it when they put a square onto a body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .section import Section

__all__ = ["Corners", "corners_of"]

_NEAR, _FAR = 2.0, 7.0
"""Millimetres from the outermost point between which the wall and the endplate are taken to be straight."""
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
    middle = (turned.min(axis=0) + turned.max(axis=0)) / 2
    outermost = turned[np.argmax(turned.sum(axis=1))]
    inwards = outermost - turned
    wall = turned[(inwards[:, 1] >= _NEAR) & (inwards[:, 1] <= _FAR) & (turned[:, 0] > middle[0])]
    plate = turned[(inwards[:, 0] >= _NEAR) & (inwards[:, 0] <= _FAR) & (turned[:, 1] > middle[1])]
    met = _meet(wall, plate)
    if met is None or float(np.linalg.norm(met - outermost)) > _REACH:
        met = outermost
    return met * np.array([front, top])


def _meet(wall: np.ndarray, plate: np.ndarray) -> np.ndarray | None:
    """Where the line x = a + b y through a wall meets the line y = c + d x through an endplate."""
    if len(wall) < 4 or len(plate) < 4:
        return None
    b, a = _line(wall[:, 1], wall[:, 0])
    d, c = _line(plate[:, 0], plate[:, 1])
    if abs(b) > 1.0 or abs(d) > 1.0:
        return None
    x = (a + b * c) / (1.0 - b * d) if abs(1.0 - b * d) > 1e-6 else np.nan
    return np.array([x, c + d * x]) if np.isfinite(x) else None


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the least-squares line y of x."""
    around = x - x.mean()
    square = float(around @ around)
    steep = float(around @ y) / square if square > 1e-9 else 0.0
    return steep, float(y.mean() - steep * x.mean())
