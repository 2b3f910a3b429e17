"""Not a lumbar spine at all: the wrong part, upside down, or lying on its side."""

from __future__ import annotations

import numpy as np

from ...case.grid import Grid
from ..sample import Sample

__all__ = ["beside_spine", "lying", "upside_down"]


def beside_spine(sample: Sample) -> Sample:
    """The belly in front of the spine: what is left of the image before the first labelled column.

    Raises
    ------
    ValueError
        If nothing is labelled.
    """
    if sample.labels is None or not sample.labels.any():
        raise ValueError(f"{sample.id}: without labels there is no telling where the spine is")
    first = int(np.flatnonzero(sample.labels.any(axis=(0, 1)))[0])
    stop = max(first - round(8 / sample.grid.spacing[2]), 48)
    part = sample.crop((slice(None), slice(None), slice(0, stop)))
    return part.without_truth(part.image, part.grid)


def upside_down(sample: Sample) -> Sample:
    """Head and feet exchanged, as after a wrong header."""
    return sample.without_truth(np.ascontiguousarray(sample.image[:, ::-1]), sample.grid)


def lying(sample: Sample) -> Sample:
    """Turned by a quarter in the plane of the slices, so that the spine runs from front to back."""
    image = np.ascontiguousarray(np.rot90(sample.image, 1, (1, 2)))
    sk, sj, si = sample.grid.spacing
    nk, nj, ni = image.shape
    return sample.without_truth(image, Grid((nk, nj, ni), (sk, si, sj), sample.grid.origin, sample.grid.directions))
