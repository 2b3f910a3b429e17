"""What is in view and how coarsely: thick slices and a cut field of view."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..sample import Sample

__all__ = ["cut_rows", "cut_slices", "thicken"]


def thicken(sample: Sample, millimetres: float) -> Sample:
    """Slices that average over so many mm, one every so many mm, interpolated back onto the sample's own grid."""
    count, own = sample.image.shape[0], sample.grid.spacing[0]
    step = max(millimetres / own, 1.0)
    blurred = ndimage.uniform_filter1d(sample.image, max(round(step), 1), axis=0, mode="nearest")
    centres = np.arange((count - 1) % step / 2, count - 0.5, step)
    taken = np.stack([blurred[round(c)] for c in centres])
    at = np.clip((np.arange(count) - centres[0]) / step, 0, len(centres) - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(centres) - 1)
    part = (at - low)[:, None, None]
    return sample.with_image((1 - part) * taken[low] + part * taken[high])


def cut_rows(sample: Sample, share: float, *, foot: bool) -> Sample:
    """The field of view loses so much of its height above or, with ``foot``, below."""
    rows = sample.image.shape[1]
    lost = round(share * rows)
    part = slice(0, rows - lost) if foot else slice(lost, rows)
    return sample.crop((slice(None), part, slice(None)))


def cut_slices(sample: Sample, share: float) -> Sample:
    """The field of view loses so much of its width on the patient's left: one side's foramina are not in view."""
    slices = sample.image.shape[0]
    return sample.crop((slice(0, max(slices - round(share * slices), 4)), slice(None), slice(None)))
