"""What goes wrong while k-space is filled: motion between lines, ghosts, truncation and spikes.

The phase is encoded from head to feet, as is usual in sagittal spine imaging, so that motion smears and ghosts repeat
along the spine. Every slice is a 2D acquisition of its own.
"""

from __future__ import annotations

import numpy as np
from monai.transforms import GibbsNoise, KSpaceSpikeNoise
from scipy import ndimage

from ..sample import Sample

__all__ = ["ghost", "move", "truncate"]

_PHASE = 1
"""Array axis along which the phase is encoded: j, superior to inferior."""


def move(sample: Sample, millimetres: float, seed: int) -> Sample:
    """The patient moves a few times while k-space is filled, by up to so many mm in plane and degrees about its normal.

    The lines between two movements are those of the volume in that position. The middle of k-space, which tells where
    everything lies, is of the first position, so that the truth stays true.
    """
    rng = np.random.default_rng(seed)
    image = sample.image
    count = image.shape[_PHASE]
    edges = np.sort(rng.choice(np.r_[count // 8 : 3 * count // 8, 5 * count // 8 : 7 * count // 8], 4, replace=False))
    spectrum = _to_lines(image)
    for first, last in zip(edges, [*edges[1:], count], strict=True):
        if first <= count // 2 < last:
            continue
        shift = rng.uniform(-1, 1, 2) * millimetres / np.array(sample.grid.spacing[1:])
        turned = ndimage.rotate(image, rng.uniform(-0.5, 0.5) * millimetres, axes=(1, 2), reshape=False, order=1)
        lines = _to_lines(ndimage.shift(turned, (0, *shift), order=1))
        spectrum[:, first:last] = lines[:, first:last]
    # Also a little in the middle, as from breathing.
    centre = slice(count // 2 - 6, count // 2 - 2)
    spectrum[:, centre] = _to_lines(ndimage.shift(image, (0, millimetres / 2 / sample.grid.spacing[1], 0), order=1))[
        :, centre
    ]
    return sample.with_image(_from_lines(spectrum))


def ghost(sample: Sample, strength: float, copies: int = 4) -> Sample:
    """Periodic motion: every ``copies``-th line is weaker by ``strength``; the image repeats along the spine."""
    spectrum = _to_lines(sample.image)
    count = spectrum.shape[_PHASE]
    hit = np.arange(count) % copies == 0
    hit[count // 2 - 2 : count // 2 + 3] = False
    spectrum[:, hit] *= 1 - strength
    return sample.with_image(_from_lines(spectrum))


def truncate(sample: Sample, alpha: float, spike: float = 0.0) -> Sample:
    """Gibbs ringing of strength ``alpha`` (0 to 1) in plane, and a spike ``spike`` above the mean log intensity."""
    slices = []
    ringing = GibbsNoise(alpha)
    for image in sample.image:
        out = np.asarray(ringing(image[None]))[0]
        if spike:
            at = (image.shape[0] // 2 + image.shape[0] // 9, image.shape[1] // 2 + image.shape[1] // 7)
            out = np.asarray(KSpaceSpikeNoise(at, k_intensity=_peak(image) + spike)(out[None]))[0]
        slices.append(out)
    return sample.with_image(np.clip(np.stack(slices), 0, None))


def _peak(image: np.ndarray) -> float:
    """Mean of the log magnitude of k-space."""
    return float(np.log(np.abs(np.fft.fftshift(np.fft.fft2(image))) + 1e-10).mean())


def _to_lines(image: np.ndarray) -> np.ndarray:
    return np.fft.fftshift(np.fft.fft(image, axis=_PHASE), axes=_PHASE)


def _from_lines(spectrum: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.ifft(np.fft.ifftshift(spectrum, axes=_PHASE), axis=_PHASE)).astype(np.float32)
