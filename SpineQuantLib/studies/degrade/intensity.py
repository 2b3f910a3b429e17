"""What changes brightness: the coil's bias field, and a contrast that the networks do not expect."""

from __future__ import annotations

import numpy as np
from monai.transforms import RandBiasField

from ..sample import Sample

__all__ = ["shade", "swap_contrast"]


def shade(sample: Sample, strength: float, seed: int) -> Sample:
    """A smooth bias field: exp of a polynomial of third degree, its coefficients up to ±``strength``."""
    field = RandBiasField(degree=3, coeff_range=(-strength, strength), prob=1.0)
    field.set_random_state(seed)
    return sample.with_image(np.asarray(field(sample.image[None]))[0])


def swap_contrast(sample: Sample, share: float) -> Sample:
    """Bright becomes dark within the body: a share of the image is replaced by its negative, rank by rank.

    At 1 fluid is dark and cortical bone bright, as on no spin echo; at a half all tissues look alike.
    """
    low, high = np.percentile(sample.image, (0.1, 99.5))
    body = sample.image > low + 0.08 * (high - low)
    quantiles = np.quantile(sample.image[body], np.linspace(0, 1, 256))
    negative = np.where(body, np.interp(sample.image, quantiles, quantiles[::-1]), sample.image)
    return sample.with_image((1 - share) * sample.image + share * negative)
