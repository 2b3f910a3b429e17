"""Random views of a level, with the true values that belong to them.

A patch is placed and turned at random, which changes no length, and stretched along the level's own axes, which does: a
length h along an axis of stretch s looks like h / s. The sac is a strip of width w between parallel walls along t
(2D, unit length, in the level's sagittal plane); a linear map M makes its width w·|det M| / |M t|.
"""

from __future__ import annotations

import math

import torch

from ...models.regressor import RegressorConfig, patch_offsets, sample
from .. import degrade
from ..degrade import uniform
from .levels import KnownLevel, LevelVolume
from .settings import ViewConfig

__all__ = ["random_view", "stretched_values", "view_offsets"]


def _chance(p: float, rng: torch.Generator) -> bool:
    return float(torch.rand((), generator=rng)) < p


def _turn(axis: int, angle: float) -> torch.Tensor:
    """Rotation about the k, j or i axis; radians."""
    out = torch.eye(3)
    a, b = (n for n in range(3) if n != axis)
    out[a, a] = out[b, b] = math.cos(angle)
    out[a, b], out[b, a] = -math.sin(angle), math.sin(angle)
    return out


def stretched_values(known: KnownLevel, stretch: tuple[float, float, float]) -> tuple[float | None, ...]:
    """True values of a level that is shown with other spacings.

    Parameters
    ----------
    known : KnownLevel
        As it is.
    stretch : tuple of float
        Millimetres in the patient for each millimetre in the patch, along (right–left, up–down, front–back).
    """
    height, width = known.values
    _, up, ahead = stretch
    along = (-known.across[1], known.across[0])
    narrowed = (1 / (ahead * up)) / math.hypot(along[0] / ahead, along[1] / up)
    return (None if height is None else height / up, None if width is None else width * narrowed)


def view_offsets(
    config: RegressorConfig, views: ViewConfig, rng: torch.Generator
) -> tuple[torch.Tensor, tuple[float, float, float]]:
    """Offsets (k, j, i, 3) in mm of a randomly placed, turned and stretched patch, and its stretch."""
    rad = math.pi / 180
    common = uniform(-views.scale, views.scale, rng)
    own = [uniform(-views.stretch, views.stretch, rng) for _ in range(3)]
    stretch = tuple(math.exp(common + value) for value in own)
    turn = (
        _turn(0, uniform(-views.turn_deg, views.turn_deg, rng) * rad)
        @ _turn(1, uniform(-views.tilt_deg, views.tilt_deg, rng) * rad)
        @ _turn(2, uniform(-views.tilt_deg, views.tilt_deg, rng) * rad)
    )
    shift = torch.randn(3, generator=rng) * views.shift
    signs = torch.tensor([-1.0 if _chance(views.flip, rng) else 1.0, 1.0, 1.0])
    # Turned and moved in the stretched space, so that lengths change by the stretch alone.
    offsets = (patch_offsets(config) + shift) @ turn.T * (torch.tensor(stretch) * signs)
    return offsets, stretch


def random_view(
    volume: LevelVolume, known: KnownLevel, config: RegressorConfig, views: ViewConfig, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random view of a level and its true values.

    Parameters
    ----------
    volume : LevelVolume
        Where the level lies.
    known : KnownLevel
        The level.
    config : RegressorConfig
        Size of the patch.
    views : ViewConfig
        Ranges.
    rng : torch.Generator
        Source of randomness.

    Returns
    -------
    patch, values : torch.Tensor
        float32 (1, k, j, i) and millimetres (quantities,), NaN where unknown.
    """
    offsets, stretch = view_offsets(config, views, rng)
    patch = sample(volume.scan, known.place, offsets)
    values = [math.nan if v is None else v for v in stretched_values(known, stretch)]
    return _intensity(patch, config.spacing[0], views, rng)[None], torch.tensor(values)


def _intensity(image: torch.Tensor, slice_mm: float, views: ViewConfig, rng: torch.Generator) -> torch.Tensor:
    if _chance(views.remap, rng):
        image = degrade.remap(image, rng)
    elif _chance(0.5, rng):
        image = degrade.bend_greys(image, views.gamma, rng)
    if _chance(views.bias, rng):
        image = degrade.shade(image, uniform(0, views.bias_strength, rng), rng)
    if _chance(views.thick, rng):
        image = degrade.thick_slices(image, uniform(slice_mm, max(views.thickest_mm, slice_mm), rng) / slice_mm, rng)
    if _chance(views.coarse, rng):
        image = degrade.coarse_pixels(image, uniform(1.1, views.coarsest, rng))
    if _chance(0.5, rng):
        image = image + torch.randn(image.shape, generator=rng) * uniform(0, views.noise, rng)
    return image * math.exp(uniform(-0.15, 0.15, rng)) + uniform(-0.15, 0.15, rng)
