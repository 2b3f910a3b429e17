"""Metal: a void around screws, a bright rim, and anatomy drawn towards it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..sample import Sample

__all__ = ["implant"]

_RIM = 1.25


def implant(sample: Sample, radius: float) -> Sample:
    """A void of so many mm behind the lower third of the labelled spine, with its pile-up and distortion.

    The truth stays where it was: what lies within the void is lost to the image, not to the patient.

    Raises
    ------
    ValueError
        If nothing is labelled: there is no telling where the spine is.
    """
    if sample.labels is None or not sample.labels.any():
        raise ValueError(f"{sample.id}: without labels there is no place for metal")
    place = _place(sample.labels)
    spacing = np.array(sample.grid.spacing)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in sample.image.shape), indexing="ij")).astype(np.float32)
    away = (index - place[:, None, None, None]) * spacing[:, None, None, None]
    distance = np.sqrt((away**2).sum(axis=0))
    # Along the frequency axis, front to back, positions are drawn towards the metal where its field is strong.
    pull = 0.25 * radius * np.exp(-((distance / (1.5 * radius)) ** 2)) / spacing[2]
    drawn = ndimage.map_coordinates(
        sample.image, [index[0], index[1], index[2] + pull * np.sign(away[2])], order=1, mode="nearest"
    )
    top = np.percentile(sample.image, 99)
    rim = np.exp(-(((distance - _RIM * radius) / (0.15 * radius)) ** 2))
    out = drawn + 0.8 * top * rim
    return sample.with_image(out * (1.0 / (1.0 + np.exp(-(distance - radius) / 1.5))))


def _place(labels: np.ndarray) -> np.ndarray:
    """Index of the posterior end of the labels, a third of their height from below."""
    rows = np.flatnonzero(labels.any(axis=(0, 2)))
    row = int(rows[0] + round(0.67 * (rows[-1] - rows[0])))
    hit = np.argwhere(labels[:, max(row - 5, 0) : row + 6] > 0)
    return np.array([hit[:, 0].mean(), row, np.percentile(hit[:, 2], 95)])
