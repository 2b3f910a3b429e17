"""A network that learns from a committee in place of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.models.network import NetworkConfig, SpineUNet
from SpineQuantLib.models.store import write_model
from SpineQuantLib.training.collect import CachedCase, write_split
from SpineQuantLib.training.loop import train_member
from SpineQuantLib.training.pack import averaged_weights, weighted_classes
from SpineQuantLib.training.settings import TrainConfig
from SpineQuantLib.training.teacher import Teacher, TeachingLoss

TINY = NetworkConfig(filters=(4, 8, 8), patch=(4, 32, 32))


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    states = []
    for seed in range(2):
        torch.manual_seed(seed)
        states.append(weighted_classes(SpineUNet(TINY).state_dict(), {"canal": 30.0}, TINY))
    write_model(tmp_path / "teacher", "teacher", "1", TINY, states)
    return str(tmp_path / "teacher")


def test_a_teacher_says_the_mean_of_its_members(teacher: str) -> None:
    it = Teacher(teacher, TINY, torch.device("cpu"))
    x = torch.randn(2, 1, 4, 32, 32)
    with torch.no_grad():
        expected = torch.stack([torch.softmax(net(x), dim=1) for net in it.members]).mean(dim=0)
    torch.testing.assert_close(it.judge(x, None), expected)


def test_a_teacher_that_sees_another_grid_is_refused(teacher: str) -> None:
    with pytest.raises(ValueError, match="another grid"):
        Teacher(teacher, NetworkConfig(filters=(4, 8, 8), spacing=(3.0, 1.0, 1.0)), torch.device("cpu"))


@pytest.mark.parametrize("dice_weight", [0.0, 0.7, 1.0])
def test_nothing_beats_saying_what_the_teacher_says(dice_weight: float) -> None:
    """Also where the teacher is unsure, where the usual soft Dice loss rewards exaggeration."""
    rng = torch.Generator().manual_seed(1)
    logits = torch.randn((2, 6, 2, 8, 8), generator=rng)
    taught = torch.softmax(logits, dim=1)
    loss_of = TeachingLoss(dice_weight)
    best = loss_of(logits, taught)
    for change in (2 * logits, 0.5 * logits, logits + 0.3 * torch.randn(logits.shape, generator=rng)):
        assert loss_of(change, taught) > best
    heads = torch.stack([logits, 3 * logits], dim=1)
    torch.testing.assert_close(loss_of(heads, taught), (best + 0.5 * loss_of(3 * logits, taught)) / 1.5)


def test_a_pupil_comes_to_say_what_its_teacher_says(teacher: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cache = tmp_path / "cache"
    cache.mkdir()
    # Every voxel is labelled background: only the teacher can have taught another answer.
    image, target = rng.normal(size=(6, 40, 40)).astype(np.float16), np.ones((6, 40, 40), np.uint8)
    np.savez(cache / "a.npz", image=image, target=target)
    write_split([CachedCase("a.npz", "a", "a", "T2", "train", True, (4.0, 1.0, 1.0))], cache)
    config = TrainConfig(
        str(cache), str(tmp_path / "out"), steps=40, batch=1, rate=5e-2, averaging=0.7, mixed=False, validate_every=0,
        teacher=teacher, network=TINY,
    )  # fmt: skip
    pupil = SpineUNet(TINY).eval()
    pupil.load_state_dict(averaged_weights(train_member(config, "cpu")))
    x = torch.from_numpy(rng.normal(size=(2, 1, 4, 32, 32)).astype(np.float32))
    said = Teacher(teacher, TINY, torch.device("cpu")).judge(x, None)[:, NetworkClass.CANAL].mean()
    with torch.no_grad():
        learnt = torch.softmax(pupil(x), dim=1)[:, NetworkClass.CANAL].mean()
    assert float(said) > 0.5
    assert float(learnt) == pytest.approx(float(said), abs=0.1)
