"""Between grids: to the spacing that a network expects, and back to the input's own grid.

Both directions keep the patient's frame: a value stays at its millimetres, whatever grid carries it.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from ..case.grid import Grid

__all__ = ["resample_like", "resample_to_spacing", "resized_grid"]

SAME_SPACING = 1e-3
"""Spacings that differ by less (relative) count as equal; the grid then keeps its own, so nothing drifts."""
_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
_INTERPOLATORS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}


def resized_grid(grid: Grid, spacing: tuple[float, float, float]) -> Grid:
    """A grid of another spacing over the same box in the patient.

    The box is measured from outer edge to outer edge of the voxels and both grids share its centre, so nothing
    drifts by half a voxel, and a mirrored volume gets the mirrored grid. The new size is rounded to whole voxels:
    either edge moves by at most a quarter of a new voxel. An axis whose spacing is already right is not touched.

    Parameters
    ----------
    grid : Grid
        The grid to replace.
    spacing : tuple of float
        Wanted millimetres along ``(k, j, i)``.

    Raises
    ------
    ValueError
        If a spacing is not a positive number.
    """
    if not all(math.isfinite(s) and s > 0 for s in spacing):
        raise ValueError(f"spacing {spacing} mm is not three positive numbers")
    shape, steps, start = [], [], []
    for n, old, new in zip(grid.shape, grid.spacing, spacing, strict=True):
        same = abs(new - old) <= SAME_SPACING * old
        count = n if same else max(1, round(n * old / new))
        step = old if same else new
        shape.append(count)
        steps.append(step)
        start.append((n - 1) / 2 - (count - 1) / 2 * step / old)
    origin = tuple(grid.to_lps(np.array(start)).tolist())
    return Grid((shape[0], shape[1], shape[2]), (steps[0], steps[1], steps[2]), origin, grid.directions)


def resample_to_spacing(image: sitk.Image, spacing: tuple[float, float, float]) -> sitk.Image:
    """Resample a volume to another voxel spacing, without aliasing.

    An axis that becomes coarser is first blurred with a Gaussian that widens a voxel's point spread to the new
    spacing (full width at half maximum √(new² − old²); Cardoso et al. 2015, doi 10.1007/978-3-319-24571-3_81);
    then values are interpolated linearly. Beyond the outermost voxel centres the nearest voxel's value holds.

    Parameters
    ----------
    image : sitk.Image
        3D scalar, usually in reading order.
    spacing : tuple of float
        Wanted millimetres along the array axes ``(k, j, i)``.

    Returns
    -------
    sitk.Image
        float32 over the same box (:func:`resized_grid`). Where all spacings are equal already (within 0.1 %), the
        same voxels on the same grid.

    Raises
    ------
    ValueError
        If a spacing is not a positive number.
    """
    source = Grid.of(image)
    target = resized_grid(source, spacing)
    if target == source:
        return sitk.Cast(image, sitk.sitkFloat32)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    sigma = [
        math.sqrt(max(new**2 - old**2, 0.0)) / old / _FWHM_PER_SIGMA
        for old, new in zip(source.spacing, target.spacing, strict=True)
    ]
    if any(sigma):
        array = gaussian_filter(array, sigma, mode="nearest")
    return target.image(resample_like(array, source, target))


def resample_like(
    array: np.ndarray,
    grid: Grid,
    target: Grid,
    interpolation: Literal["linear", "nearest"] = "linear",
) -> np.ndarray:
    """Carry values from one grid to another.

    Parameters
    ----------
    array : np.ndarray
        (…, nk, nj, ni) on ``grid``; leading axes (channels, members) are carried one by one.
    grid, target : Grid
        Where the values lie, and where they are wanted.
    interpolation : str
        ``linear`` returns float32; ``nearest`` keeps the data type, for label values.

    Returns
    -------
    np.ndarray
        (…, nk, nj, ni) on ``target``; beyond the outermost voxel centres the nearest voxel's value holds. On equal
        grids the values are those of ``array``.

    Raises
    ------
    ValueError
        If the array does not lie on ``grid``.
    """
    if array.shape[-3:] != grid.shape:
        raise ValueError(f"array of shape {array.shape} does not lie on a grid of shape {grid.shape}")
    dtype = np.dtype(np.float32) if interpolation == "linear" else array.dtype
    if grid == target:
        return array.astype(dtype, copy=False)
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(target.shape[::-1])
    resampler.SetOutputSpacing(target.spacing[::-1])
    resampler.SetOutputOrigin(target.origin)
    resampler.SetOutputDirection(np.array(target.directions)[::-1].T.ravel().tolist())
    resampler.SetInterpolator(_INTERPOLATORS[interpolation])
    resampler.SetUseNearestNeighborExtrapolator(True)
    channels = array.reshape(-1, *grid.shape)
    out = np.empty((len(channels), *target.shape), dtype)
    for n, channel in enumerate(channels):
        carried = resampler.Execute(grid.image(channel.astype(dtype, copy=False)))
        out[n] = sitk.GetArrayViewFromImage(carried)
    return out.reshape(*array.shape[:-3], *target.shape)
