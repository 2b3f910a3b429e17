"""What scanners and patients do to an image, on patches whose change can be foreseen."""

from __future__ import annotations

import pytest
import torch

from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.training.augment import AugmentConfig, random_patch
from SpineQuantLib.training.degrade import (
    add_ghosts,
    coarse_pixels,
    move_patient,
    new_contrast,
    remap,
    shade,
    thick_slices,
)
from SpineQuantLib.training.partial import bit


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@pytest.fixture
def scene(rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A body of tissue with a labelled disc and a labelled vertebra that look alike, in air."""
    image = torch.full((12, 64, 64), -1.0)
    image[:, 8:56, 8:56] = 0.3
    image[:, 20:40, 20:40] = 1.0
    image += 0.05 * torch.randn(image.shape, generator=rng)
    target = torch.full(image.shape, bit(NetworkClass.BACKGROUND), dtype=torch.uint8)
    target[:, 20:30, 20:40] = bit(NetworkClass.BODY)
    target[:, 30:40, 20:40] = bit(NetworkClass.DISC)
    return image, target


def test_everything_keeps_shape_and_stays_finite(scene: tuple, rng: torch.Generator) -> None:
    image, target = scene
    changed = (
        shade(image, 0.5, rng),
        coarse_pixels(image, 2.0),
        thick_slices(image, 1.7, rng),
        remap(image, rng),
        new_contrast(image, target, rng),
        move_patient(image, rng),
        add_ghosts(image, rng),
    )
    for out in changed:
        assert out.shape == image.shape
        assert out.dtype == torch.float32
        assert torch.isfinite(out).all()
        assert not torch.equal(out, image)


def test_a_new_contrast_tells_apart_what_looked_alike(scene: tuple, rng: torch.Generator) -> None:
    image, target = scene
    body, disc = (target == bit(c) for c in (NetworkClass.BODY, NetworkClass.DISC))
    assert abs(float(image[body].mean() - image[disc].mean())) < 0.05
    apart = []
    for _ in range(12):
        out = new_contrast(image, target, rng)
        apart.append(abs(float(out[body].mean() - out[disc].mean())))
        assert float(out[:, :4].mean()) < float(out[:, 10:54, 10:54].mean()), "air stays dark"
    assert sum(a > 0.3 for a in apart) > 6


def test_thick_slices_blur_across_slices_and_keep_the_mean(rng: torch.Generator) -> None:
    image = torch.zeros(16, 8, 8)
    image[8] = 1.0
    out = thick_slices(image, 2.0, rng)
    profile = out.mean(dim=(1, 2))
    assert float(profile.max()) < 0.75
    assert int(profile.argmax()) in (7, 8, 9)
    assert float(profile.sum()) == pytest.approx(1.0, abs=0.35)
    ramp = torch.arange(16.0)[:, None, None].expand(16, 8, 8).contiguous()
    inner = thick_slices(ramp, 2.0, rng)[3:13, 0, 0]
    assert float((inner - ramp[3:13, 0, 0]).abs().max()) < 1e-4, "what changes evenly stays where it is"


@pytest.mark.parametrize("factor", [1.0, 1.3, 1.9, 2.7])
def test_thick_slices_show_each_end_of_a_patch_in_its_place(factor: float, rng: torch.Generator) -> None:
    ramp = torch.arange(12.0)[:, None, None].expand(12, 4, 4).contiguous()
    for _ in range(20):
        out = thick_slices(ramp, factor, rng)[:, 0, 0]
        assert abs(float(out[0]) - 0.0) <= factor / 2 + 1e-4
        assert abs(float(out[-1]) - 11.0) <= factor / 2 + 1e-4


def test_coarse_pixels_remove_detail_only_in_the_plane() -> None:
    image = torch.zeros(6, 32, 32)
    image[:, ::2] = 1.0
    image[3] += 5.0
    out = coarse_pixels(image, 2.0)
    assert float(out[0].std()) < 0.2 * float(image[0].std())
    assert float(out[3].mean() - out[2].mean()) == pytest.approx(5.0, abs=1e-3)


def test_outermost_labelled_slices_are_shown_nearly_as_often_as_the_middle() -> None:
    """Rounded bodies have few voxels there, and the networks would hardly learn where a body ends sideways."""
    slices, first, last = 20, 3, 18
    target = torch.full((slices, 64, 64), bit(NetworkClass.BACKGROUND), dtype=torch.uint8)
    target[first : last + 1, 24:40, 24:40] = bit(NetworkClass.BODY)
    for k, other in ((first, NetworkClass.SACRUM), (last, NetworkClass.CANAL)):
        target[k] = bit(NetworkClass.BACKGROUND)
        target[k, 29:35, 29:35] = bit(other)
    still = dict.fromkeys(("rotation_deg", "tilt_deg", "slice_scale", "shear", "flip", "slip", "thick"), 0.0)
    config = AugmentConfig(**still, on_spine=1.0)
    rng = torch.Generator().manual_seed(0)
    image, size = torch.zeros(target.shape), (12, 64, 64)
    views = [random_patch(image, target, (4.0, 1.0, 1.0), size, config, rng)[1] for _ in range(300)]
    for outermost in (NetworkClass.SACRUM, NetworkClass.CANAL):
        shown = sum(bool((labels == bit(outermost)).any()) for labels in views)
        assert shown / len(views) > 0.34


def test_motion_leaves_the_image_where_it_is(scene: tuple, rng: torch.Generator) -> None:
    image, _ = scene
    out = move_patient(image, rng)
    grid = torch.arange(64.0)

    def centre(x: torch.Tensor) -> tuple[float, float]:
        mass = (x - x.min()).clamp_min(0.5) - 0.5
        return tuple(float((mass.sum(dim=d) * grid).sum() / mass.sum()) for d in ((0, 2), (0, 1)))

    assert centre(out) == pytest.approx(centre(image), abs=1.0)


def test_each_change_can_be_switched_on_and_off(scene: tuple) -> None:
    image, target = scene
    off = dict.fromkeys(("slip", "synth", "remap", "motion", "ghosts", "bias", "thick", "coarse", "blur", "noise"), 0.0)
    still = {"rotation_deg": 0.0, "tilt_deg": 0.0, "scale": 0.0, "slice_scale": 0.0, "shear": 0.0, "flip": 0.0}

    def view(**changes: float) -> torch.Tensor:
        config = AugmentConfig(**{**off, **still, "gamma": 0.0, **changes})
        rng = torch.Generator().manual_seed(1)
        return random_patch(image, target, (4.0, 1.0, 1.0), (8, 32, 32), config, rng)[0]

    plain = view()
    for name in ("synth", "remap", "motion", "ghosts", "bias", "thick", "coarse", "blur"):
        assert not torch.allclose(view(**{name: 1.0}), plain, atol=1e-3), name
