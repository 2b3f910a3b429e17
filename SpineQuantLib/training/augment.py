"""Random views of a cached volume: geometry, contrast, and what scanners and patients do to an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..anatomy.structures import NetworkClass
from . import degrade
from .degrade import uniform

__all__ = ["AugmentConfig", "random_patch"]

_BETWEEN = (1 << NetworkClass.DISC) | (1 << NetworkClass.FORAMEN)
"""Bits of what lies between two vertebrae, where one slips on the next."""


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the random changes; probabilities are per patch.

    Attributes
    ----------
    rotation_deg, tilt_deg : float
        Largest rotation in the sagittal plane, and about the two other axes.
    scale, slice_scale : float
        Natural logarithm of the largest change of size in plane, and across slices.
    shear : float
        Standard deviation of the shears.
    flip : float
        Chance that right and left change places: one class stands for the foramina of both sides.
    slip : float
        Chance that what lies above a disc or foramen slides forwards or backwards against what lies below, as in
        listhesis, and that a band of rows is squeezed or widened, as where a disc is narrow: healthy volumes show
        neither.
    synth, remap : float
        Chance of new mean intensities for every label and tissue, and else of a new grey scale.
    gamma : float
        Natural logarithm of the largest exponent.
    motion, ghosts : float
        Chance of each.
    bias, bias_strength : float
        Chance of shading, and its largest strength.
    thick, thickest_mm : float
        Chance that slices are made thicker, and the thickest in mm.
    coarse, coarsest : float
        Chance that pixels are made coarser, and by which factor at most.
    blur, noise : float
        Chance of blur; largest standard deviation of noise.
    on_spine : float
        Share of patches around labelled voxels.
    """

    rotation_deg: float = 15.0
    tilt_deg: float = 8.0
    scale: float = 0.25
    slice_scale: float = 0.25
    shear: float = 0.012
    flip: float = 0.5
    slip: float = 0.35
    synth: float = 0.1
    remap: float = 0.25
    gamma: float = 0.35
    motion: float = 0.06
    ghosts: float = 0.06
    bias: float = 0.5
    bias_strength: float = 0.5
    thick: float = 0.1
    thickest_mm: float = 8.0
    coarse: float = 0.2
    coarsest: float = 2.2
    blur: float = 0.25
    noise: float = 0.25
    on_spine: float = 0.75


def _chance(p: float, rng: torch.Generator) -> bool:
    return float(torch.rand((), generator=rng)) < p


def _rotation(angles: tuple[float, float, float]) -> torch.Tensor:
    """Rotation about the k, j and i axes; radians."""
    out = torch.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [x for x in range(3) if x != axis]
        turn = torch.eye(3)
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
        out = out @ turn
    return out


@dataclass(frozen=True)
class _Slip:
    """Where something slips: rows and columns from the middle of the patch, and whether at the lowest level."""

    row: float
    column: float
    lowest: bool


def _slip(offsets: torch.Tensor, at: _Slip, rng: torch.Generator) -> torch.Tensor:
    """Offsets (3, k, j, i) in pixels after a step along a plane through a place, and a change of scale across it.

    The displacement is A·tanh(d/w) with d the distance from the plane. At the lowest level the plane descends forwards
    by 15° to 55° and what lies above slides forwards by up to 22 pixels, as L5 does on the sacrum; elsewhere both are
    smaller. The scale changes by a factor between 0.45 and 1.5 in the band, so that nothing is folded over.
    """
    angle = math.radians(uniform(15, 55, rng) if at.lowest else uniform(-20, 25, rng))
    along = (math.sin(angle), -math.cos(angle))
    across = (math.cos(angle), math.sin(angle))
    width = uniform(3, 12, rng)
    distance = (offsets[1] - at.row) * across[0] + (offsets[2] - at.column) * across[1]
    step = torch.tanh(distance / width)
    # Forwards more often and further than backwards, as vertebrae slip; where they do, the disc is low.
    forwards = uniform(-2, 11, rng) if at.lowest else uniform(-5, 7, rng)
    apart = (uniform(-0.3, 1.2, rng) if at.lowest else uniform(-0.5, 1.0, rng)) * width
    out = offsets.clone()
    for axis in (0, 1):
        out[axis + 1] += (forwards * along[axis] + apart * across[axis]) * step
    return out


def _sample_points(
    centre: torch.Tensor,
    spacing: tuple[float, float, float],
    patch: tuple[int, int, int],
    cfg: AugmentConfig,
    rng: torch.Generator,
    slip: _Slip | None,
) -> torch.Tensor:
    """Voxel indices (k, j, i) of the volume under each voxel of a randomly placed patch; (3, *patch)."""
    mm = torch.tensor(spacing)
    rad = math.pi / 180
    angles = (
        uniform(-cfg.rotation_deg, cfg.rotation_deg, rng) * rad,
        uniform(-cfg.tilt_deg, cfg.tilt_deg, rng) * rad,
        uniform(-cfg.tilt_deg, cfg.tilt_deg, rng) * rad,
    )
    common = math.exp(uniform(-cfg.scale, cfg.scale, rng))
    stretch = torch.tensor(
        [
            math.exp(uniform(-cfg.slice_scale, cfg.slice_scale, rng)),
            common * math.exp(uniform(-0.1, 0.1, rng)),
            common * math.exp(uniform(-0.1, 0.1, rng)),
        ]
    )
    if _chance(cfg.flip, rng):
        stretch[0] = -stretch[0]
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in patch]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    if slip is not None:
        seen = _Slip(slip.row / float(stretch[1]), slip.column / float(stretch[2]), slip.lowest)
        offsets = _slip(offsets, seen, rng)
    shear = torch.eye(3) + cfg.shear * torch.randn((3, 3), generator=rng) * (1 - torch.eye(3))
    matrix = torch.diag(1 / mm) @ _rotation(angles) @ shear @ torch.diag(mm * stretch)
    return (matrix @ offsets.reshape(3, -1)).reshape(3, *patch) + centre.view(3, 1, 1, 1)


def _geometry(image: torch.Tensor, target: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Image (linear) and target (nearest) at points; outside the volume there is air and background."""
    size = torch.tensor(image.shape, dtype=torch.float32).view(3, 1, 1, 1)
    grid = ((points * 2 + 1) / size - 1).permute(1, 2, 3, 0).flip(-1)[None]
    low = image.min()
    moved = functional.grid_sample((image - low)[None, None], grid, mode="bilinear", align_corners=False)[0, 0] + low
    # Target 0 stands for outside the volume, where there is nothing but air.
    labels = functional.grid_sample(target.float()[None, None], grid, mode="nearest", align_corners=False)[0, 0]
    labels = labels.round().to(torch.uint8)
    return moved, torch.where(labels == 0, torch.ones_like(labels), labels)


def _intensity(
    image: torch.Tensor, target: torch.Tensor, slice_mm: float, cfg: AugmentConfig, rng: torch.Generator
) -> torch.Tensor:
    if _chance(cfg.synth, rng):
        image = degrade.new_contrast(image, target, rng)
    elif _chance(cfg.remap, rng):
        image = degrade.remap(image, rng)
    if _chance(0.5, rng):
        image = degrade.bend_greys(image, cfg.gamma, rng)
    if _chance(cfg.motion, rng):
        image = degrade.move_patient(image, rng)
    if _chance(cfg.ghosts, rng):
        image = degrade.add_ghosts(image, rng)
    if _chance(cfg.bias, rng):
        image = degrade.shade(image, uniform(0, cfg.bias_strength, rng), rng)
    if _chance(cfg.thick, rng):
        wanted = uniform(slice_mm, max(cfg.thickest_mm, slice_mm), rng)
        image = degrade.thick_slices(image, wanted / slice_mm, rng)
    if _chance(cfg.coarse, rng):
        image = degrade.coarse_pixels(image, uniform(1.2, cfg.coarsest, rng))
    if _chance(cfg.blur, rng):
        image = functional.avg_pool2d(image[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    if _chance(0.5, rng):
        image = image + torch.randn(image.shape, generator=rng) * uniform(0, cfg.noise, rng)
    return image * math.exp(uniform(-0.2, 0.2, rng)) + uniform(-0.2, 0.2, rng)


def _place(target: torch.Tensor, cfg: AugmentConfig, rng: torch.Generator) -> tuple[torch.Tensor, _Slip | None]:
    """Centre of a patch in voxels (k, j, i), and where something slips; None: nothing does."""
    shape = torch.tensor(target.shape, dtype=torch.float32)
    certain = target & (target - 1) == 0
    slipping = _chance(cfg.slip, rng)
    labelled = torch.nonzero(certain & (target & _BETWEEN > 0)) if slipping else torch.zeros((0, 3))
    slipping = len(labelled) > 0
    lowest = slipping and _chance(0.5, rng)
    if lowest:
        # The lowest level slips furthest, and is one of many in a volume.
        labelled = labelled[labelled[:, 1] >= torch.quantile(labelled[:, 1].float(), 0.8)]
    if not slipping:
        labelled = torch.nonzero(certain & (target > 1))
    if not (slipping or (len(labelled) and _chance(cfg.on_spine, rng))):
        return torch.rand(3, generator=rng) * (shape - 1), None
    near = labelled[int(torch.randint(len(labelled), (), generator=rng))].float()
    centre = near + torch.randn(3, generator=rng) * torch.tensor([0.0, 15.0, 15.0])
    # Few voxels are labelled on the outermost slices, which are the hardest: drawn by voxel they would hardly be seen.
    first, last = float(labelled[:, 0].min()), float(labelled[:, 0].max())
    centre[0] = uniform(first, last, rng)
    return centre, _Slip(float(near[1] - centre[1]), float(near[2] - centre[2]), lowest) if slipping else None


def random_patch(
    image: torch.Tensor,
    target: torch.Tensor,
    spacing: tuple[float, float, float],
    patch: tuple[int, int, int],
    cfg: AugmentConfig,
    rng: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random, changed view of a volume.

    Parameters
    ----------
    image : torch.Tensor
        float32 (nk, nj, ni), normalised.
    target : torch.Tensor
        uint8 (nk, nj, ni) bit sets.
    spacing : tuple of float
        Millimetres (k, j, i).
    patch : tuple of int
        Voxels of the view.
    cfg : AugmentConfig
        Ranges.
    rng : torch.Generator
        Source of randomness.

    Returns
    -------
    image, target : torch.Tensor
        (1, *patch) float32 and (*patch) uint8.
    """
    centre, slip = _place(target, cfg, rng)
    points = _sample_points(centre, spacing, patch, cfg, rng, slip)
    view, labels = _geometry(image, target, points)
    return _intensity(view, labels, spacing[0], cfg, rng)[None], labels
