"""Places in the phantom's own body: local frames, and the points at which shapes are asked whether they are there.

The *body frame* of the phantom has its axes along the patient's left, posterior and superior, in millimetres: LPS
before the patient is turned in the scanner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["BODY_FRAME", "Frame", "Lattice", "Points", "Sampler", "rotation"]

Coordinates = tuple[np.ndarray, np.ndarray, np.ndarray]


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    """(3, 3) matrix that turns about the left, then the posterior, then the superior axis; right-handed, degrees."""
    out = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        turn = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        out = turn @ out
    return out


@dataclass(frozen=True)
class Frame:
    """A right-handed frame in the body.

    Attributes
    ----------
    origin : np.ndarray
        (3,) millimetres in the body frame.
    axes : np.ndarray
        (3, 3) rows are the unit vectors to the left, to posterior and upwards of what the frame belongs to.
    """

    origin: np.ndarray
    axes: np.ndarray

    def to_body(self, local: np.ndarray) -> np.ndarray:
        """Body-frame millimetres of local (left, posterior, up) millimetres (…, 3)."""
        return np.asarray(local, dtype=float) @ self.axes + self.origin

    def to_local(self, points: np.ndarray) -> np.ndarray:
        """Local (left, posterior, up) millimetres of body-frame millimetres (…, 3)."""
        return (np.asarray(points, dtype=float) - self.origin) @ self.axes.T


BODY_FRAME = Frame(np.zeros(3), np.eye(3))


class Sampler(Protocol):
    """Points that can be seen from any frame."""

    def coordinates(self, frame: Frame) -> Coordinates:
        """Left, posterior and up of every point in a frame; three arrays that broadcast to one shape."""
        ...


@dataclass(frozen=True)
class Points:
    """A list of points.

    Attributes
    ----------
    body : np.ndarray
        (n, 3) millimetres in the body frame.
    """

    body: np.ndarray

    def coordinates(self, frame: Frame) -> Coordinates:
        """See :class:`Sampler`; arrays of shape (n,)."""
        local = frame.to_local(self.body)
        return local[:, 0], local[:, 1], local[:, 2]


@dataclass(frozen=True)
class Lattice:
    """Points of a rectangular lattice, whose coordinates in any frame are sums of three vectors.

    Attributes
    ----------
    origin : np.ndarray
        (3,) body-frame millimetres of position zero.
    directions : np.ndarray
        (3, 3) rows are the orthonormal directions of array axes 0, 1, 2 in the body frame.
    positions : tuple of np.ndarray
        Ascending millimetres along each direction.
    """

    origin: np.ndarray
    directions: np.ndarray
    positions: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of points along each axis."""
        return tuple(len(p) for p in self.positions)

    def coordinates(self, frame: Frame) -> Coordinates:
        """See :class:`Sampler`; float32 arrays of the lattice's shape."""
        start = frame.to_local(self.origin)
        steps = self.directions @ frame.axes.T
        out = []
        for c in range(3):
            k, j, i = (self.positions[a] * steps[a, c] for a in range(3))
            plane = (k[:, None] + j[None, :] + start[c]).astype(np.float32)
            out.append(plane[:, :, None] + i.astype(np.float32))
        return out[0], out[1], out[2]

    def around(self, corners: np.ndarray, factors: tuple[int, int, int]) -> tuple[slice, slice, slice] | None:
        """Smallest box that holds some points, widened to whole blocks.

        Parameters
        ----------
        corners : np.ndarray
            (n, 3) body-frame millimetres.
        factors : tuple of int
            Size of a block along each axis.

        Returns
        -------
        tuple of slice or None
            None where the box misses the lattice.
        """
        along = (np.asarray(corners) - self.origin) @ self.directions.T
        box = []
        for axis, factor in enumerate(factors):
            where = self.positions[axis]
            lo = int(np.searchsorted(where, along[:, axis].min())) // factor * factor
            hi = -(-int(np.searchsorted(where, along[:, axis].max(), side="right")) // factor) * factor
            if hi <= lo:
                return None
            box.append(slice(lo, min(hi, len(where))))
        return box[0], box[1], box[2]

    def cut(self, box: tuple[slice, slice, slice]) -> Lattice:
        """The lattice inside a box."""
        return Lattice(self.origin, self.directions, tuple(p[s] for p, s in zip(self.positions, box, strict=True)))
