"""Slips in training: steps in the column at its discs, without folds and without labels that part from the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.training.augment import AugmentConfig, _Slip, _slip, random_patch
from SpineQuantLib.training.partial import bit

STILL = {
    "rotation_deg": 0.0, "tilt_deg": 0.0, "scale": 0.0, "slice_scale": 0.0, "shear": 0.0, "flip": 0.0, "synth": 0.0,
    "remap": 0.0, "gamma": 0.0, "motion": 0.0, "ghosts": 0.0, "bias": 0.0, "thick": 0.0, "coarse": 0.0, "blur": 0.0,
    "noise": 0.0, "on_spine": 1.0,
}  # fmt: skip
SIZE = (6, 160, 96)


@pytest.fixture(scope="module")
def column() -> tuple[torch.Tensor, torch.Tensor]:
    """A straight column of three bodies and two discs, as bright as its labels say."""
    target = torch.full(SIZE, bit(NetworkClass.BACKGROUND), dtype=torch.uint8)
    for top in (20, 64, 108):
        target[:, top : top + 32, 30:60] = bit(NetworkClass.BODY)
    for top in (52, 96):
        target[:, top : top + 12, 30:60] = bit(NetworkClass.DISC)
    return (target > 1).float() * 2 - 1, target


def _view(column: tuple[torch.Tensor, torch.Tensor], slip: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    config = AugmentConfig(slip=slip, **STILL)
    rng = torch.Generator().manual_seed(seed)
    image, target = random_patch(*column, (4.0, 1.0, 1.0), SIZE, config, rng)
    return image[0].numpy(), target.numpy()


def _front(target: np.ndarray) -> np.ndarray:
    """Column of the first labelled pixel in each row of the middle slice; NaN where there is none."""
    labelled = target[SIZE[0] // 2] > 1
    return np.where(labelled.any(axis=1), labelled.argmax(axis=1), np.nan)


def test_without_slips_the_front_of_a_straight_column_is_straight(column: tuple[torch.Tensor, torch.Tensor]) -> None:
    for seed in range(10):
        assert np.nanmax(_front(_view(column, 0.0, seed)[1])) - np.nanmin(_front(_view(column, 0.0, seed)[1])) <= 1


def test_slips_step_the_column(column: tuple[torch.Tensor, torch.Tensor]) -> None:
    steps = []
    for seed in range(30):
        _, target = _view(column, 1.0, seed)
        front = _front(target)
        if np.isnan(front).all() or np.nanmin(front) == 0:
            # The edge of the view cuts the column, or it lies outside.
            continue
        steps.append(np.nanmax(front) - np.nanmin(front))
        assert steps[-1] <= 26
    assert len(steps) > 10
    assert np.mean(np.array(steps) >= 4) > 0.3


def test_a_slip_folds_nothing_over_and_leaves_what_is_far_rigid() -> None:
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in (1, 120, 120)]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    for seed in range(40):
        moved = (
            _slip(offsets, _Slip(5.0, -8.0, seed % 2 == 0), torch.Generator().manual_seed(seed))[1:, 0]
            .numpy()
            .astype(float)
        )
        (jj, ji), (ij, ii) = (np.gradient(c) for c in moved)
        assert (jj * ii - ji * ij).min() > 0
        # Corners in front of and above, behind and below the plane: moved as one piece each.
        for corner in (np.s_[:, :6, :6], np.s_[:, -6:, -6:]):
            shift = (moved - offsets[1:, 0].numpy())[corner].reshape(2, -1)
            assert np.ptp(shift, axis=1).max() < 0.2


def test_labels_follow_the_image(column: tuple[torch.Tensor, torch.Tensor]) -> None:
    for seed in range(10):
        image, target = _view(column, 1.0, seed)
        low, high = image.min(), image.max()
        bright = image > (low + high) / 2
        assert np.mean(bright == (target > 1)) > 0.99
