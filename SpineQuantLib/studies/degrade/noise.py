"""Noise: Rician, as magnitude images have it."""

from __future__ import annotations

import numpy as np
from monai.transforms import RandRicianNoise

from ..sample import Sample

__all__ = ["add_noise"]


def add_noise(sample: Sample, strength: float, seed: int) -> Sample:
    """Rician noise whose standard deviation is ``strength`` times the 99th percentile of the image."""
    top = float(np.percentile(sample.image, 99))
    noise = RandRicianNoise(prob=1.0, std=strength * top, sample_std=False)
    noise.set_random_state(seed)
    return sample.with_image(np.asarray(noise(sample.image[None]))[0])
