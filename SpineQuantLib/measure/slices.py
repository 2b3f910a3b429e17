"""What lies within thick slices: the share of a slice that an object fills, laid where the neighbouring slices say.

A voxel of a thick slice holds an average, and a border that crosses the slice obliquely turns into a share. Straight
interpolation between the slices' centres reads such shares as if they were points, cuts every round outline short and
misplaces walls that lie along the slices by a good part of their thickness. Here each slice is divided into parts about
as thick as a pixel; over the parts of a slice the occupancy changes as the neighbouring slices do, as steeply as the
border's direction asks for, and on average it remains what the voxel holds. This is how fluids' interfaces are placed
within cells (Youngs 1982; Colella and Woodward, J Comput Phys 1984;54:174-201). A slice that is wholly inside or
wholly outside stays so: of a bare mask nothing is made up.
"""

from __future__ import annotations

import numpy as np

__all__ = ["THICK", "parts_of", "refine"]

THICK = 1.5
"""Slice distance over pixel size from which slices count as thick."""
_MOST_PARTS = 6
_STEPS = 12
_STEEPER = 2.0
"""Central differences see half of the steepness of a step."""


def parts_of(spacing: np.ndarray) -> int:
    """Number of parts into which slices are divided; 1 where they are not thick.

    Parameters
    ----------
    spacing : np.ndarray
        (3,) millimetres between voxel centres along (k, j, i).
    """
    ratio = float(spacing[0] / spacing[1:].min())
    return int(np.clip(round(ratio), 2, _MOST_PARTS)) if ratio >= THICK else 1


def refine(occupancy: np.ndarray, spacing: np.ndarray, parts: int) -> np.ndarray:
    """Occupancy of the parts of each slice.

    Parameters
    ----------
    occupancy : np.ndarray
        float32 (nk, nj, ni).
    spacing : np.ndarray
        (3,) millimetres between voxel centres along (k, j, i).
    parts : int
        Into how many each slice is divided.

    Returns
    -------
    np.ndarray
        float32 (nk * parts, nj, ni); the mean over the parts of a slice is the slice's own occupancy.
    """
    out = np.repeat(occupancy[:, None], parts, axis=1).astype(np.float32)
    partly = (occupancy > 0) & (occupancy < 1)
    if parts > 1 and partly.any():
        out.transpose(0, 2, 3, 1)[partly] = _divided(occupancy, partly, spacing, parts)
    return out.reshape(-1, *occupancy.shape[1:])


def _divided(occupancy: np.ndarray, partly: np.ndarray, spacing: np.ndarray, parts: int) -> np.ndarray:
    """Occupancy (n, parts) within the voxels that are partly filled."""
    padded = np.pad(occupancy.astype(np.float64), 1)
    at = tuple(np.argwhere(partly).T + 1)

    def beside(axis: int, step: int) -> np.ndarray:
        moved = list(at)
        moved[axis] = at[axis] + step
        return padded[tuple(moved)]

    here, before, after = padded[at], beside(0, -1), beside(0, 1)
    slope, bend = (after - before) / 2, after - 2 * here + before
    place = (np.arange(parts) + 0.5) / parts - 0.5
    shape = slope[:, None] * place + bend[:, None] / 2 * (place**2 - (place**2).mean())
    # How far the border faces the next slice rather than the next pixel.
    through = np.abs(slope[:, None] + bend[:, None] * place).mean(axis=1) / spacing[0]
    within = np.hypot(*((beside(a, 1) - beside(a, -1)) / (2 * spacing[a]) for a in (1, 2)))
    thick, pixel = float(spacing[0]), float(spacing[1:].min())
    steepness = (through * thick + within * pixel) / np.maximum(through * thick / parts + within * pixel, 1e-12)
    return _kept_on_average(shape * (1.0 + _STEEPER * (steepness - 1.0))[:, None], here)


def _kept_on_average(shape: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Shapes (n, parts) moved up or down until they have a mean (n,), within 0 and 1."""
    low, high = -shape.max(axis=1), 1.0 - shape.min(axis=1)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        short = np.clip(shape + middle[:, None], 0.0, 1.0).mean(axis=1) < mean
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    out = np.clip(shape + ((low + high) / 2)[:, None], 0.0, 1.0)
    # What bisection leaves is less than a thousandth.
    return np.clip(out + (mean - out.mean(axis=1))[:, None], 0.0, 1.0)
