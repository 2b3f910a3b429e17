"""A volume along other axes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..case.grid import Grid

__all__ = ["turned"]


def turned(image: sitk.Image, directions: np.ndarray) -> sitk.Image:
    """The volume sampled along other axes with the same spacing, on a grid that holds all of it; air beyond.

    Parameters
    ----------
    image : sitk.Image
        3D scalar; patient coordinates stay true.
    directions : np.ndarray
        (3, 3) rows are the unit vectors, in LPS, along which ``k``, ``j`` and ``i`` are to increase.

    Returns
    -------
    sitk.Image
        Linearly interpolated; beyond the volume its smallest value.
    """
    grid = Grid.of(image)
    last = np.array(grid.shape) - 1
    corners = grid.to_lps(np.array(np.meshgrid(*[[0, n] for n in last], indexing="ij")).reshape(3, -1).T)
    middle = corners.mean(axis=0)
    spacing = np.array(grid.spacing)
    shape = np.ceil(np.ptp((corners - middle) @ directions.T, axis=0) / spacing).astype(int) + 1
    origin = middle - ((shape - 1) / 2 * spacing) @ directions
    rows = tuple(tuple(float(c) for c in row) for row in directions)
    target = Grid(tuple(int(n) for n in shape), grid.spacing, tuple(origin.tolist()), rows)
    like = target.image(np.zeros(target.shape, np.uint8))
    low = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.Resample(image, like, sitk.Transform(), sitk.sitkLinear, low)
