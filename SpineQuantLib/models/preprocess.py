"""What a network expects of an image: the same steps in training and in use."""

from __future__ import annotations

import numpy as np

__all__ = ["normalise"]

_AIR = 0.05
_CLIP = (-3.0, 6.0)


def normalise(image: np.ndarray, window: tuple[float, float] | None = None) -> np.ndarray:
    """Z-score over the body, with both tails clipped.

    The body is everything brighter than 5 % of the 99.5th percentile, so that air and zero padding do not shift the
    scale.

    Parameters
    ----------
    image : np.ndarray
        Intensities of any shape and unit; finite.
    window : tuple of float, optional
        (width, centre) in the image's unit: what lies outside is cut before anything else.

    Returns
    -------
    np.ndarray
        float32 of the same shape.

    Raises
    ------
    ValueError
        If the image is constant, within the window if there is one.
    """
    values = np.asarray(image, dtype=np.float32)
    if window is not None:
        width, centre = window
        values = np.clip(values, centre - width / 2, centre + width / 2)
    low, high = np.percentile(values, (0.1, 99.5))
    if not high > low:
        raise ValueError("the image is constant")
    body = values[values > low + _AIR * (high - low)]
    body = np.clip(body, None, high)
    spread = float(body.std()) or 1.0
    return np.clip((values - float(body.mean())) / spread, *_CLIP).astype(np.float32)
