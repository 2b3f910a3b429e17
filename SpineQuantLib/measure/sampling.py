"""Reading a soft mask between its voxels: exactly beside its border, and by the side of the border elsewhere.

Only where the border passes does a value between voxels matter. A voxel cell (the space between eight neighbouring
centres) of which all corners lie inside an object is inside as a whole, since interpolation stays between its corners,
and likewise outside. Most of any plane lies in such cells, and interpolation is what costs.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..case.grid import Grid
from .slices import parts_of, refine

__all__ = ["BORDER", "JUST_BELOW", "Sampler"]

BORDER = 0.5
JUST_BELOW = BORDER - 1e-4
"""Where outlines are drawn: where two thick slices weigh the same, a border at one half would lie on a plateau."""
_OUTSIDE, _INSIDE, _MIXED = 0, 1, 2
_EMPTY = 2
"""Empty slices before and after, between which the object's end is placed."""
_HALVES = slice(None, -1), slice(1, None)


class Sampler:
    """Occupancy of one object between its voxels; zero outside its box.

    Parameters
    ----------
    occupancy : np.ndarray
        float32 (nk, nj, ni), the box around the object.
    grid : Grid
        Where the box lies.
    """

    def __init__(self, occupancy: np.ndarray, grid: Grid) -> None:
        spacing = np.asarray(grid.spacing, dtype=float)
        parts = parts_of(spacing)
        self._values = refine(np.pad(occupancy, ((_EMPTY, _EMPTY), (0, 0), (0, 0))), spacing, parts)
        matrix = grid.matrix
        inverse = np.linalg.inv(matrix[:3, :3])
        offset = -inverse @ matrix[:3, 3]
        # Of the parts of a slice its centre is the middle.
        inverse[0] *= parts
        offset[0] = (offset[0] + _EMPTY + 0.5) * parts - 0.5
        self._matrix, self._offset = inverse, offset
        self._cells = _cells(self._values)

    def at(self, lps: np.ndarray) -> np.ndarray:
        """Occupancy (…) at LPS millimetres (…, 3), interpolated linearly."""
        index = np.moveaxis(np.asarray(lps, dtype=float) @ self._matrix.T + self._offset, -1, 0)
        return self._interpolated(index)

    def lattice(self, places: np.ndarray, steps: np.ndarray, *, rows_only: bool = False) -> np.ndarray:
        """Occupancy at the sum of every place and every step, exact wherever a border passes.

        Parameters
        ----------
        places : np.ndarray
            (n, 3) LPS millimetres.
        steps : np.ndarray
            (m, 3) millimetres.
        rows_only : bool
            Whether borders are looked for from step to step alone; otherwise also from place to place.

        Returns
        -------
        np.ndarray
            float32 (n, m). Where a point and its neighbours in the result lie in cells that are wholly outside
            (inside), there stands 0 (1), which is on the side of the border on which the exact value is.
        """
        first, second = places @ self._matrix.T + self._offset, steps @ self._matrix.T
        index = first.T[:, :, None] + second.T[:, None, :]
        if _far_apart(second) or (not rows_only and _far_apart(first)):
            # A border could pass between two points unseen.
            return self._interpolated(index)
        kind = self._kinds(index)
        mixed = kind == _MIXED
        needed = mixed.copy()
        needed[:, 1:] |= mixed[:, :-1]
        needed[:, :-1] |= mixed[:, 1:]
        if not rows_only:
            needed[1:] |= mixed[:-1]
            needed[:-1] |= mixed[1:]
        out = (kind == _INSIDE).astype(np.float32)
        at = np.flatnonzero(needed)
        out.ravel()[at] = self._interpolated(index.reshape(3, -1)[:, at])
        return out

    def _interpolated(self, index: np.ndarray) -> np.ndarray:
        return ndimage.map_coordinates(self._values, index, order=1, mode="grid-constant", cval=0.0)

    def _kinds(self, index: np.ndarray) -> np.ndarray:
        """Kind of the cell that each index (3, …) lies in."""
        flat = np.zeros(index.shape[1:], np.intp)
        for along, size in zip(index, self._cells.shape, strict=True):
            flat *= size
            flat += np.clip(along + 2.0, 0.0, size - 1.0).astype(np.intp)
        return self._cells.ravel()[flat]


def _far_apart(index: np.ndarray) -> bool:
    """Whether neighbours in a list of indices (n, 3) may lie in cells that do not touch."""
    return len(index) > 1 and float(np.abs(np.diff(index, axis=0)).max()) >= 1.0


def _cells(values: np.ndarray) -> np.ndarray:
    """uint8: the kind of each cell, with two empty layers around; an index x lies in the cell floor(x) + 2."""
    some, every = (np.pad(values >= level, 2) for level in (JUST_BELOW, BORDER))
    for axis in range(3):
        before, after = (tuple(part if a == axis else slice(None) for a in range(3)) for part in _HALVES)
        some, every = some[before] | some[after], every[before] & every[after]
    return np.where(every, np.uint8(_INSIDE), np.where(some, np.uint8(_MIXED), np.uint8(_OUTSIDE)))
