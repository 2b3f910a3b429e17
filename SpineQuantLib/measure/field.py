"""Soft mask of one object, readable at any point, and where the view ends around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..case.grid import Grid
from ..case.spine import NamedSpine
from ..case.view import View
from .sampling import BORDER, Sampler
from .slices import THICK

if TYPE_CHECKING:
    from .section import Section

__all__ = ["Field"]

_FAINT = 0.05
"""Share of a voxel below which it is left out of centroids: far tails of a probability are not anatomy."""
_BESIDE = 15.0


@dataclass(frozen=True, eq=False)
class Field:
    """Occupancy of one object, readable at any point.

    Attributes
    ----------
    occupancy : np.ndarray
        float32 (nk, nj, ni), the box around the object.
    grid : Grid
        Where the box lies.
    start : tuple of int
        Index of its first voxel in the whole volume.
    view : View
        Where the picture begins and ends in the whole volume.
    """

    occupancy: np.ndarray
    grid: Grid
    start: tuple[int, int, int]
    view: View

    @classmethod
    def of(cls, spine: NamedSpine, value: int, *, whole: bool = False) -> Field | None:
        """Soft mask of one label, or None where it is absent.

        Parameters
        ----------
        spine : NamedSpine
            Where it is taken from.
        value : int
            Label value.
        whole : bool
            Keep all pieces; by default only the largest is kept, so that specks elsewhere measure nothing.
        """
        patch = spine.patch(value)
        if patch is None:
            return None
        occupancy = np.nan_to_num(patch.occupancy)
        if not whole:
            occupancy = _largest_piece(occupancy)
        return cls(occupancy, patch.grid, patch.start, spine.shown)

    @property
    def spacing(self) -> np.ndarray:
        """Millimetres between voxel centres along (k, j, i)."""
        return np.asarray(self.grid.spacing, dtype=float)

    @property
    def solid(self) -> bool:
        """Whether any voxel is more inside than outside."""
        return bool((self.occupancy >= BORDER).any())

    @cached_property
    def points(self) -> np.ndarray:
        """(n, 3) LPS millimetres of the centres of the voxels that hold some of the object."""
        return self.grid.to_lps(np.argwhere(self.occupancy > _FAINT))

    @cached_property
    def weights(self) -> np.ndarray:
        """(n,) occupancy at :attr:`points`."""
        return self.occupancy[self.occupancy > _FAINT].astype(float)

    @cached_property
    def _rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Points and weights in order along the longest side of the box; where each row begins; rows per LPS mm."""
        axis = int(np.argmax(self.spacing * self.occupancy.shape))
        row = np.argwhere(self.occupancy > _FAINT)[:, axis]
        order = np.argsort(row, kind="stable")
        begins = np.searchsorted(row[order], np.arange(self.occupancy.shape[axis] + 1))
        return self.points[order], self.weights[order], begins, np.linalg.inv(self.grid.matrix[:3, :3])[axis]

    def near(self, place: np.ndarray, normal: np.ndarray, depth: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) and weights (n,) of the rows of voxels that a short cylinder meets.

        Of a long object few voxels are near a plane across it, and the others need not be looked at.

        Parameters
        ----------
        place, normal : np.ndarray
            (3,) LPS millimetres of the cylinder's middle, and the unit vector along its axis.
        depth, radius : float
            Millimetres from its middle to its ends and to its side.
        """
        points, weights, begins, along = self._rows
        middle = float(along @ (place - np.asarray(self.grid.origin)))
        slope = float(along @ normal)
        half = depth * abs(slope) + radius * math.sqrt(max(float(along @ along) - slope**2, 0.0))
        first, last = (min(max(row, 0), len(begins) - 1) for row in (int(middle - half) - 1, int(middle + half) + 2))
        part = slice(begins[first], begins[last])
        return points[part], weights[part]

    @cached_property
    def centroid(self) -> np.ndarray:
        """LPS millimetres of the centre of mass."""
        return self.weights @ self.points / self.weights.sum()

    @cached_property
    def volume_mm3(self) -> float:
        """Volume: the shares of all voxels that are mostly inside, or next to one that is.

        Shares are kept because a border at one half between voxels cuts off every edge that is rounder than a voxel;
        faint probabilities far from the object are left out.
        """
        inside = ndimage.binary_dilation(self.occupancy >= BORDER, np.ones((3, 3, 3), bool))
        return float(self.occupancy[inside].sum(dtype=float) * self.spacing.prod())

    @cached_property
    def sampler(self) -> Sampler:
        """Reads the occupancy between voxels."""
        return Sampler(self.occupancy, self.grid)

    @cached_property
    def _sections(self) -> dict[bytes, Section | None]:
        """Sections that were cut before: a field never changes, so neither do they."""
        return {}

    @property
    def thick(self) -> bool:
        """Whether slices are thick against their pixels."""
        return bool(self.spacing[0] >= THICK * self.spacing[1:].min())

    @cached_property
    def at_edge(self) -> bool:
        """Whether the box reaches the edge of the view; elsewhere nothing of the object can lie beyond it."""
        ends = zip(self.start, self.occupancy.shape, self.view, strict=True)
        return any(start <= first or start + size >= stop for start, size, (first, stop) in ends)

    def outside_view(self, lps: np.ndarray) -> np.ndarray:
        """Whether LPS points (…, 3) lie beyond the outermost voxel centres of the view."""
        index = self.grid.to_index(lps) + np.array(self.start)
        first, stop = np.array(self.view).T
        return ((index < first - 1e-6) | (index > stop - 1 + 1e-6)).any(axis=-1)

    @cached_property
    def slices(self) -> int:
        """Number of slices on which the object is seen."""
        return int((self.occupancy >= BORDER).any(axis=(1, 2)).sum())

    def touches_edge(self, axes: tuple[int, ...]) -> bool:
        """Whether the object reaches the first or last voxel of the view along one of the array axes."""
        index = np.argwhere(self.occupancy >= BORDER) + np.array(self.start)
        ends = ((index[:, a], *self.view[a]) for a in axes)
        return any(bool(((at <= first) | (at >= stop - 1)).any()) for at, first, stop in ends)

    def cut_beside(self, lps: np.ndarray) -> bool:
        """Whether the view cuts the object sideways and ends within 15 mm of a point of its mid-sagittal plane.

        Farther away a cut takes the flanks alone: the plane, which goes through the middle of the sac then, is whole.
        """
        if not self.touches_edge((0,)):
            return False
        k = self.grid.to_index(lps)[0] + self.start[0]
        first, stop = self.view[0]
        return bool(min(k - first, stop - 1 - k) * self.spacing[0] < _BESIDE)


def _largest_piece(occupancy: np.ndarray) -> np.ndarray:
    """The largest connected piece with the partly filled voxels around it; all else emptied."""
    around = np.ones((3, 3, 3), bool)
    pieces, count = ndimage.label(occupancy >= BORDER, around)
    if count < 2:
        return occupancy
    sizes = np.bincount(pieces.ravel())[1:]
    keep = pieces == 1 + int(np.argmax(sizes))
    # A voxel between two pieces belongs to whichever is kept; those of the others go with their rims.
    rim = ndimage.binary_dilation(keep, around)
    return np.where(rim & ((pieces == 0) | keep), occupancy, 0.0).astype(np.float32)
