"""What scanners and patients do to an image: shading, blur, thick slices, motion, ghosts, noise, other contrasts.

All functions take a float32 (k, j, i) patch and return another of the same shape; randomness comes from ``rng`` alone.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

__all__ = [
    "add_ghosts",
    "bend_greys",
    "coarse_pixels",
    "move_patient",
    "new_contrast",
    "remap",
    "shade",
    "standardise",
    "thick_slices",
    "uniform",
]

_CLIP = (-3.0, 6.0)
_MEANS = (25.0, 225.0)
_SPREADS = (5.0, 25.0)
_AIR = 0.08
"""Share of the range below which a smoothed voxel is air; it stays dark."""
_REGIONS = 6
"""Kinds of tissue that unlabelled voxels are divided into by their brightness."""


def uniform(low: float, high: float, rng: torch.Generator) -> float:
    """A number between two bounds."""
    return float(torch.rand((), generator=rng)) * (high - low) + low


def standardise(image: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Mean 0 and standard deviation 1 over the body, as images are when they are cached."""
    body = image[inside]
    if body.numel() <= 10:
        return image
    return ((image - body.mean()) / body.std().clamp_min(0.1)).clamp(*_CLIP)


def shade(image: torch.Tensor, strength: float, rng: torch.Generator) -> torch.Tensor:
    """Multiply by the exponential of a smooth field of standard deviation about ``strength``."""
    field = torch.randn((1, 1, 2, 3, 3), generator=rng)
    field = functional.interpolate(field, size=tuple(image.shape), mode="trilinear", align_corners=True)[0, 0]
    low = image.min()
    return (image - low) * torch.exp(strength * field) + low


def coarse_pixels(image: torch.Tensor, factor: float) -> torch.Tensor:
    """As if pixels were ``factor`` times as large."""
    small = tuple(max(int(n / factor), 8) for n in image.shape[1:])
    coarse = functional.interpolate(image[:, None], size=small, mode="bilinear", align_corners=False, antialias=True)
    return functional.interpolate(coarse, size=tuple(image.shape[1:]), mode="bilinear")[:, 0]


def thick_slices(image: torch.Tensor, factor: float, rng: torch.Generator) -> torch.Tensor:
    """As if slices were ``factor`` times as thick, beginning anywhere: averaged, and interpolated back."""
    depth = image.shape[0]
    # One more than fit, since the first begins before the patch: the last must not end within it.
    count = max(math.ceil(depth / factor) + 1, 2)
    edges = (torch.arange(count + 1, dtype=torch.float32) - uniform(0, 1, rng)) * factor
    # Overlap of each thick slice with each thin one.
    thin = torch.arange(depth, dtype=torch.float32)
    cover = (torch.minimum(edges[1:, None], thin + 1) - torch.maximum(edges[:-1, None], thin)).clamp_min(0)
    total = cover.sum(dim=1)
    seen = total > 1e-3
    thick = (cover[seen] / total[seen, None]) @ image.reshape(depth, -1)
    at = (thin + 0.5 - (edges[:-1] + edges[1:])[seen][0] / 2) / factor
    at = at.clamp(0, len(thick) - 1)
    low = at.floor().long().clamp_max(len(thick) - 2) if len(thick) > 1 else torch.zeros(depth, dtype=torch.long)
    share = (at - low)[:, None]
    high = (low + 1).clamp_max(len(thick) - 1)
    return (thick[low] * (1 - share) + thick[high] * share).reshape(image.shape)


def remap(image: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A random smooth, not always monotone, change of the grey scale, as between pulse sequences."""
    knots = torch.linspace(-3, 6, 7)
    sign = 1 if uniform(0, 1, rng) < 0.7 else -1
    values = knots * uniform(0.3, 1.0, rng) * sign + torch.randn(7, generator=rng) * 0.8
    at = ((image.clamp(-3, 6) + 3) / 1.5).clamp(0, 5.999)
    low = at.floor().long()
    out = values[low] + (at - low) * (values[low + 1] - values[low])
    return standardise(out, image > image.min() + 0.1)


def bend_greys(image: torch.Tensor, strength: float, rng: torch.Generator) -> torch.Tensor:
    """The grey scale raised to a random exponent, at most e to the power of ``strength`` or its inverse."""
    low, high = image.min(), image.max()
    unit = ((image - low) / (high - low).clamp_min(1e-3)).clamp(0, 1)
    return unit ** math.exp(uniform(-strength, strength, rng)) * (high - low) + low


def new_contrast(image: torch.Tensor, target: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A contrast that no scanner has: every label and every kind of unlabelled tissue gets a new mean and spread.

    In the manner of SynthSeg (Billot et al. 2023, doi 10.1016/j.media.2023.102789): means 25–225, standard
    deviations 5–25. What is not labelled is divided by brightness; the texture inside a region stays the image's own.

    Parameters
    ----------
    image : torch.Tensor
        Normalised patch.
    target : torch.Tensor
        uint8 bit sets on the same grid; voxels with one bit, background apart, are labelled.
    rng : torch.Generator
        Source of randomness.
    """
    smooth = functional.avg_pool2d(image[None], 5, stride=1, padding=2, count_include_pad=False)[0]
    some = smooth.flatten()[:: max(smooth.numel() // 20000, 1)]
    low, high = torch.quantile(some, torch.tensor([0.01, 0.995]))
    inside = smooth > low + _AIR * (high - low)
    if int(inside.sum()) < 100:
        return image
    tissue = some[some > low + _AIR * (high - low)]
    cuts = torch.quantile(tissue, torch.linspace(0, 1, _REGIONS + 1)[1:-1])
    region = torch.bucketize(smooth, cuts)
    labelled = (target & (target - 1) == 0) & (target > 1)
    region = torch.where(labelled, target.long() + _REGIONS, region)
    texture = (image - smooth) / (image - smooth)[inside].std().clamp_min(1e-3)
    out = torch.zeros_like(image)
    for number in region[inside].unique().tolist():
        own = (region == number) & inside
        out[own] = uniform(*_MEANS, rng) + uniform(*_SPREADS, rng) * texture[own].clamp(-3, 3)
    # Regions end where one voxel does; a scanner's point spread does not.
    out = functional.avg_pool2d(out[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    return standardise(out, inside)


def move_patient(image: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """The patient moves in the plane while the image is taken: later lines of k-space carry another position."""
    axis = 1 + int(uniform(0, 1, rng) < 0.5)
    spectrum = torch.fft.fftn(image, dim=(1, 2))
    lines = torch.fft.fftfreq(image.shape[axis])
    time = torch.fft.fftshift(torch.arange(len(lines), dtype=torch.float32)) / len(lines)
    # The middle of k-space, and with it most of the image, stays at one position.
    moved = (time > uniform(0.53, 0.75, rng)).float() * uniform(0.5, 1.0, rng)
    ramp = torch.zeros(image.shape[1:])
    for dim, size in enumerate(image.shape[1:]):
        shape = [1, 1]
        shape[dim] = size
        ramp = ramp + torch.fft.fftfreq(size).reshape(shape) * uniform(-4, 4, rng)
    shape = [1, 1]
    shape[axis - 1] = len(lines)
    phase = 2 * math.pi * ramp * moved.reshape(shape)
    return torch.fft.ifftn(spectrum * torch.exp(-1j * phase), dim=(1, 2)).real.float()


def add_ghosts(image: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Faint copies along the phase direction, as breathing and pulsation make them."""
    axis = 1 + int(uniform(0, 1, rng) < 0.5)
    low = image.min()
    spectrum = torch.fft.fft(image - low, dim=axis)
    every = int(uniform(2, 6, rng))
    weight = torch.ones(image.shape[axis])
    weight[::every] = 1 - uniform(0.1, 0.45, rng)
    # The lowest frequencies hold the mean brightness.
    weight[:2] = weight[-1:] = 1.0
    shape = [1, 1, 1]
    shape[axis] = -1
    ghosted = torch.fft.ifft(spectrum * weight.reshape(shape), dim=axis).real.float()
    return ghosted.clamp_min(0) + low
