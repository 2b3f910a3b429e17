"""Intensities on a common scale: MR values have no unit, so only their order and proportion can be compared."""

from __future__ import annotations

import numpy as np

__all__ = ["foreground_range", "normalise"]

_TAILS = (0.5, 99.5)
_AIR = 0.05
"""Share of the range below which a voxel is air. Of 0, 5, 10 and 15 %, Otsu's and Li's thresholds, this one made
the level of vertebral marrow vary least between T2 volumes of three scanners."""


def foreground_range(array: np.ndarray) -> tuple[float, float, float]:
    """Robust lowest and highest value of a volume, and the value above which there is tissue.

    Parameters
    ----------
    array : np.ndarray
        Intensities of any shape; values that are not finite are left out.

    Returns
    -------
    low, high, threshold : float
        The 0.5th and 99.5th percentile, and 5 % of the way from the first to the second. All 0 where no value is
        finite.
    """
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        return 0.0, 0.0, 0.0
    low, high = (float(v) for v in np.percentile(finite, _TAILS))
    return low, high, low + _AIR * (high - low)


def normalise(array: np.ndarray) -> np.ndarray:
    """Robust z-score of a volume.

    Values are clipped to the 0.5th–99.5th percentile; then the mean of the foreground becomes 0 and its standard
    deviation 1. Foreground is what lies above 5 % of that range, so that neither air nor padding, nor how much of
    them is in view, moves the scale.

    Parameters
    ----------
    array : np.ndarray
        Intensities of any shape and scale.

    Returns
    -------
    np.ndarray
        float32 of the same shape, finite; values that were not finite become those of air. All 0 where the array is
        constant.
    """
    values = np.asarray(array, dtype=np.float64)
    low, high, threshold = foreground_range(values)
    clipped = np.clip(np.nan_to_num(values, nan=low, posinf=high, neginf=low), low, high)
    foreground = clipped[clipped > threshold]
    spread = float(foreground.std()) if foreground.size else 0.0
    if spread == 0.0:
        return np.zeros(values.shape, np.float32)
    return ((clipped - foreground.mean()) / spread).astype(np.float32)
