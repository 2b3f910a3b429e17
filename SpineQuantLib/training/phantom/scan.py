"""From tissues to an MR image: slice profile, variation inside tissues, bias field, point spread and noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .spec import PhantomSpec
from .tissue import intensities

__all__ = ["scan"]

_FULL_SCALE = 1000.0


def scan(tissue: np.ndarray, factors: tuple[int, int, int], spec: PhantomSpec) -> np.ndarray:
    """Image of a painted phantom.

    Parameters
    ----------
    tissue : np.ndarray
        uint8 tissues on the fine lattice, ``factors`` points to a voxel along each axis.
    factors : tuple of int
        See ``tissue``.
    spec : PhantomSpec
        Contrast, texture, bias, blur, noise and seed.

    Returns
    -------
    np.ndarray
        int16, per voxel; the brightest tissue lies near 1000.
    """
    rng = np.random.default_rng([spec.seed, 6])
    means, spread = intensities(spec.contrast, spec.contrast_jitter, rng)
    grain = (means * spread * np.float32(2.0 * spec.texture)).astype(np.float32)
    image = _voxels(means, tissue, factors)
    image += _voxels(grain, tissue, factors) * _texture(image.shape, spec.spacing, rng)
    image *= _bias(image.shape, spec, rng)
    if spec.blur > 0:
        through = int(np.argmax(spec.spacing))
        sigma = [0.0 if a == through else spec.blur / s for a, s in enumerate(spec.spacing)]
        image = ndimage.gaussian_filter(image, sigma)
    sigma = np.float32(spec.noise)
    real = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(np.hypot(real, imaginary) * _FULL_SCALE), 0, 32767).astype(np.int16)


def _voxels(table: np.ndarray, tissue: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Mean of a tissue property over every voxel, float32; slice by slice, to spare memory."""
    k, j, i = factors
    nk, nj, ni = (n // f for n, f in zip(tissue.shape, factors, strict=True))
    out = np.empty((nk, nj, ni), np.float32)
    for n in range(nk):
        fine = table[tissue[n * k : (n + 1) * k]].mean(axis=0)
        out[n] = fine.reshape(nj, j, ni, i).mean(axis=(1, 3))
    return out


def _texture(shape: tuple[int, ...], spacing: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    """Variation of zero mean and unit standard deviation: fine grain and broad patches."""
    fine = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), [1.0 / s for s in spacing])
    coarse_shape = [max(2, round(n * s / 8.0)) for n, s in zip(shape, spacing, strict=True)]
    broad = _stretched(rng.standard_normal(coarse_shape).astype(np.float32), shape)
    return 0.75 * fine / max(float(fine.std()), 1e-6) + 0.65 * broad / max(float(broad.std()), 1e-6)


def _bias(shape: tuple[int, ...], spec: PhantomSpec, rng: np.random.Generator) -> np.ndarray:
    """Multiplicative field: brighter towards the coil in the back, and smooth random shading."""
    if spec.bias == 0:
        return np.ones(shape, np.float32)
    knots = _stretched(rng.standard_normal((3, 5, 4)).astype(np.float32), shape)
    towards = np.linspace(-1.3, 0.4, shape[2], dtype=np.float32) * np.float32(rng.uniform(0.5, 1.0))
    field = 0.35 * knots / max(float(np.abs(knots).max()), 1e-6) + towards
    return np.exp(np.float32(spec.bias) * field).astype(np.float32)


def _stretched(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Smooth enlargement of a small array to a shape, one axis at a time."""
    for axis, count in enumerate(shape):
        knots = values.shape[axis]
        at = np.linspace(0, knots - 1, count)
        n = np.minimum(at.astype(int), knots - 2)
        share = (at - n).astype(np.float32)
        share = share * share * (3 - 2 * share)
        share = share.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        values = np.take(values, n, axis=axis) * (1 - share) + np.take(values, n + 1, axis=axis) * share
    return values
