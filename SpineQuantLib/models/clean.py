"""Small connected parts of a network's answer."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["drop_small_components"]


def drop_small_components(probabilities: np.ndarray, least: int) -> np.ndarray:
    """Give connected parts of a class that are too small to the background.

    Parameters
    ----------
    probabilities : np.ndarray
        float32 (classes, nk, nj, ni), class 0 is background; changed in place.
    least : int
        Voxels that a part must have to stay; parts touch by their faces.

    Returns
    -------
    np.ndarray
        ``probabilities``. In a dropped part the probability of its class goes to background.
    """
    winner = probabilities.argmax(axis=0)
    for number in range(1, len(probabilities)):
        parts, _ = ndimage.label(winner == number)
        size = np.bincount(parts.ravel())
        size[0] = least
        small = (size < least)[parts]
        probabilities[0][small] += probabilities[number][small]
        probabilities[number][small] = 0.0
    return probabilities
