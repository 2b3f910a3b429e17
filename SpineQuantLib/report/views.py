"""Sheets through the patient that become pictures: where each pixel lies, and where a point of the patient falls.

A picture has millimetres as its coordinates, ``x`` to the right and ``y`` down, so that its aspect ratio is true
whatever the voxels. Convention of radiology: sagittal with anterior on the left and superior on top, axial seen from
the feet with the patient's right on the left and anterior on top.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.measure import find_contours

from ..case.grid import Grid, lps_to_ras
from ..case.spine import Patch

__all__ = ["Box", "View", "axial_slice", "coronal", "plane", "sagittal"]

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
"""Where the negative and the positive half of each LPS axis points."""
_SLANT = 0.42
"""An axis that leans this much (25°) to a second side carries its letter too, as on a workstation."""


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture in its millimetres."""

    left: float
    right: float
    top: float
    bottom: float

    @property
    def width(self) -> float:
        """Millimetres from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Millimetres from top to bottom."""
        return self.bottom - self.top

    def grown(self, margin: float) -> Box:
        """The same rectangle with a margin on each side, millimetres."""
        return Box(self.left - margin, self.right + margin, self.top - margin, self.bottom + margin)

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """Rectangle of a width and height around a centre."""
        return cls(x - width / 2, x + width / 2, y - height / 2, y + height / 2)

    @classmethod
    def of(cls, points: np.ndarray) -> Box:
        """Smallest rectangle around (n, 2) points."""
        (left, top), (right, bottom) = np.min(points, axis=0), np.max(points, axis=0)
        return cls(float(left), float(right), float(top), float(bottom))


@dataclass(frozen=True)
class View:
    """A sheet of sample points.

    Attributes
    ----------
    grid : Grid
        Grid of the arrays it samples.
    index : np.ndarray
        float (rows, columns, 3): continuous ``(k, j, i)`` index of each pixel's centre.
    step : tuple of float
        Millimetres between rows and between columns.
    start : tuple of float
        Picture coordinates ``(x, y)`` in mm of the centre of the first pixel.
    frame : np.ndarray
        (4, 4) matrix from homogeneous ``(k, j, i)`` indices to ``(x, y, depth, 1)`` in mm. The depth counts from the
        sheet; where the sheet is curved, ``depth_of_row`` is taken off.
    letters : tuple of str
        Patient sides at the left, right, top and bottom edge.
    depth_of_row : np.ndarray or None
        (rows,) depth in mm of a sheet that is curved from row to row; None for a plane.
    """

    grid: Grid
    index: np.ndarray
    step: tuple[float, float]
    start: tuple[float, float]
    frame: np.ndarray
    letters: tuple[str, str, str, str]
    depth_of_row: np.ndarray | None = None

    @property
    def box(self) -> Box:
        """The whole picture, to the outer edges of its pixels."""
        rows, columns = self.index.shape[:2]
        (x, y), (dy, dx) = self.start, self.step
        return Box(x - dx / 2, x + (columns - 0.5) * dx, y - dy / 2, y + (rows - 0.5) * dy)

    @cached_property
    def _reach(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest ``(k, j, i)`` index of any pixel."""
        return self.index.min(axis=(0, 1)), self.index.max(axis=(0, 1))

    def project(self, ras: np.ndarray) -> np.ndarray:
        """Picture coordinates and depth, (n, 3) millimetres, of (n, 3) points in RAS millimetres."""
        index = self.grid.to_index(lps_to_ras(np.atleast_2d(ras)))
        return self.project_index(index)

    def project_index(self, index: np.ndarray) -> np.ndarray:
        """Picture coordinates and depth, (n, 3) millimetres, of (n, 3) continuous ``(k, j, i)`` indices."""
        out = np.atleast_2d(index) @ self.frame[:3, :3].T + self.frame[:3, 3]
        if self.depth_of_row is not None:
            rows = (out[:, 1] - self.start[1]) / self.step[0]
            out[:, 2] -= np.interp(rows, np.arange(len(self.depth_of_row)), self.depth_of_row)
        return out

    def sample(self, array: np.ndarray, order: int = 1) -> np.ndarray:
        """Values of an array on the grid at each pixel, (rows, columns); zero beyond its edge.

        Parameters
        ----------
        array : np.ndarray
            (nk, nj, ni).
        order : int
            0 nearest, 1 linear, 3 cubic.
        """
        return _interpolate(array, self.index, order)

    def contours(self, patch: Patch) -> list[np.ndarray]:
        """Border of an object on the sheet: (n, 2) curves in picture millimetres where its occupancy is 0.5."""
        # Most objects lie beside a picture of one level: their boxes tell so before any pixel is looked at.
        low, high = self._reach
        if (high < np.array(patch.start) - 1).any() or (low > np.array(patch.start) + patch.occupancy.shape).any():
            return []
        local = self.index - np.array(patch.start)
        inside = np.all((local > -1) & (local < patch.occupancy.shape), axis=-1)
        if not inside.any():
            return []
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        top, left = rows[0], columns[0]
        soft = _interpolate(patch.occupancy, local[top : rows[-1] + 1, left : columns[-1] + 1], 1)
        # A rim of emptiness closes the curve of an object that leaves the picture.
        curves = find_contours(np.pad(soft, 1), 0.5)
        origin = np.array(self.start) + np.array([left - 1, top - 1]) * self.step[::-1]
        return [curve[:, ::-1] * self.step[::-1] + origin for curve in curves]

    def cropped(self, box: Box) -> View:
        """The part of the view inside a rectangle (whole pixels); the coordinates stay as they are."""
        rows, columns = self.index.shape[:2]
        first = np.ceil(((box.left, box.top) - np.array(self.start)) / self.step[::-1]).astype(int)
        last = np.floor(((box.right, box.bottom) - np.array(self.start)) / self.step[::-1]).astype(int)
        (c0, r0), (c1, r1) = np.maximum(first, 0), np.minimum(last, (columns - 1, rows - 1))
        if c1 <= c0 or r1 <= r0:
            return self
        start = (self.start[0] + c0 * self.step[1], self.start[1] + r0 * self.step[0])
        depth = None if self.depth_of_row is None else self.depth_of_row[r0 : r1 + 1]
        return replace(self, index=self.index[r0 : r1 + 1, c0 : c1 + 1], start=start, depth_of_row=depth)


def _interpolate(array: np.ndarray, index: np.ndarray, order: int) -> np.ndarray:
    """Values of an array at (…, 3) indices, from the part of it that they touch."""
    flat = index.reshape(-1, 3)
    reach = 6 if order > 1 else 1
    low = np.clip(np.floor(flat.min(axis=0)).astype(int) - reach, 0, np.array(array.shape) - 1)
    high = np.clip(np.ceil(flat.max(axis=0)).astype(int) + reach + 1, low + 1, array.shape)
    part = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.float32)
    values = map_coordinates(part, (flat - low).T, order=order, mode="grid-constant", cval=0.0)
    return values.reshape(index.shape[:-1])


def _letters(right: np.ndarray, down: np.ndarray) -> tuple[str, str, str, str]:
    """Patient sides at the left, right, top and bottom edge for LPS directions of a picture's axes."""

    def side(direction: np.ndarray) -> str:
        axes = [axis for axis in np.argsort(-np.abs(direction)) if abs(direction[axis]) > _SLANT]
        return "".join(_LETTERS[axis][int(direction[axis] > 0)] for axis in axes[:2])

    return side(-right), side(right), side(-down), side(down)


def _slice(grid: Grid, across: int, down: int, right: int, position: np.ndarray) -> View:
    """Sheet along two axes of the grid; ``position`` is the index along the third for each row."""
    rows, columns = grid.shape[down], grid.shape[right]
    index = np.empty((rows, columns, 3))
    index[..., across] = position[:, None]
    index[..., down] = np.arange(rows)[:, None]
    index[..., right] = np.arange(columns)[None, :]
    frame = np.eye(4)
    frame[:3, :3] = 0.0
    for out, axis in enumerate((right, down, across)):
        frame[out, axis] = grid.spacing[axis]
    depth = position * grid.spacing[across]
    curved = bool(np.ptp(position) > 0)
    if not curved:
        frame[2, 3] = -depth[0]
    directions = np.array(grid.directions)
    letters = _letters(directions[right], directions[down])
    step = (grid.spacing[down], grid.spacing[right])
    return View(grid, index, step, (0.0, 0.0), frame, letters, depth if curved else None)


def sagittal(grid: Grid, position: float | np.ndarray) -> View:
    """Sagittal sheet along the grid's own rows and columns.

    Parameters
    ----------
    grid : Grid
        Grid in reading order.
    position : float or np.ndarray
        Index ``k`` of the slice, or (nj,) one for each row of a sheet that follows a curved spine.
    """
    return _slice(grid, 0, 1, 2, np.broadcast_to(np.asarray(position, dtype=float), grid.shape[1]))


def coronal(grid: Grid, position: float | np.ndarray) -> View:
    """Coronal sheet along the grid's own rows and slices, seen from the front: the patient's right is on the left.

    Parameters
    ----------
    grid : Grid
        Grid in reading order.
    position : float or np.ndarray
        Index ``i``, or (nj,) one for each row of a sheet that follows a curved spine.
    """
    return _slice(grid, 2, 1, 0, np.broadcast_to(np.asarray(position, dtype=float), grid.shape[1]))


def axial_slice(grid: Grid, j: float) -> View:
    """Axial sheet along the grid's own columns at index ``j``, not resampled."""
    return _slice(grid, 1, 2, 0, np.full(grid.shape[2], float(j)))


def plane(grid: Grid, centre: np.ndarray, normal: np.ndarray, size: tuple[float, float], step: float) -> View:
    """Axial plane through a point, resampled to square pixels.

    Parameters
    ----------
    grid : Grid
        Grid in reading order.
    centre : np.ndarray
        (3,) LPS millimetres of the middle of the picture, which has the coordinates (0, 0).
    normal : np.ndarray
        (3,) LPS direction perpendicular to the plane; either sense.
    size : tuple of float
        Width and height, millimetres.
    step : float
        Edge of a pixel, millimetres.

    Raises
    ------
    ValueError
        If the plane contains the patient's left–right axis and the longitudinal axis, so that it is not axial.
    """
    up = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
    up = up if up[2] >= 0 else -up
    right = np.array([1.0, 0.0, 0.0]) - up[0] * up
    if np.linalg.norm(right) < 0.1:
        raise ValueError("a plane whose normal points to the patient's side is not axial")
    right /= np.linalg.norm(right)
    down = np.cross(up, right)
    columns, rows = (round(length / step) // 2 * 2 + 1 for length in size)
    x, y = (np.arange(n) - n // 2 for n in (columns, rows))
    lps = centre + (x[None, :, None] * right + y[:, None, None] * down) * step
    axes = np.eye(4)
    axes[:3, :3] = (right, down, up)
    axes[:3, 3] = -axes[:3, :3] @ np.asarray(centre, dtype=float)
    start = (float(x[0] * step), float(y[0] * step))
    return View(grid, grid.to_index(lps), (step, step), start, axes @ grid.matrix, _letters(right, down))
