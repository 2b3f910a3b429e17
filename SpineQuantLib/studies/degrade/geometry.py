"""What is in view and how coarsely: thick slices and a cut field of view."""

from __future__ import annotations

import numpy as np

from ..sample import Sample

__all__ = ["cut_rows", "cut_slices", "thicken"]


def thicken(sample: Sample, millimetres: float) -> Sample:
    """Slices that average over so many mm, one every so many mm, interpolated back onto the sample's own grid."""
    count, own = sample.image.shape[0], sample.grid.spacing[0]
    step = min(max(millimetres / own, 1.0), float(count))
    number = int(count // step)
    # Slices are boxes: the integral over any stretch of them follows from the cumulative sum.
    total = np.concatenate([np.zeros_like(sample.image[:1], np.float64), np.cumsum(sample.image, 0, np.float64)])
    edges = (count - number * step) / 2 + step * np.arange(number + 1)
    whole = np.minimum(edges.astype(int), count - 1)
    integral = total[whole] + (edges - whole)[:, None, None] * (total[whole + 1] - total[whole])
    thick = np.diff(integral, axis=0) / step
    centres = (edges[:-1] + edges[1:]) / 2 - 0.5
    at = np.interp(np.arange(count), centres, np.arange(number))
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, number - 1)
    part = (at - low)[:, None, None]
    return sample.with_image((1 - part) * thick[low] + part * thick[high])


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
