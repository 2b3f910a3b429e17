"""Training can be interrupted anywhere and ends in the same weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from SpineQuantLib.models.network import NetworkConfig
from SpineQuantLib.training import loop
from SpineQuantLib.training.collect import LabelledVolume, cache_volume, read_index, read_split, write_split
from SpineQuantLib.training.loop import TrainConfig, train_member

TINY = NetworkConfig(filters=(4, 8, 8), patch=(4, 32, 32))


def write_volume(folder: Path, name: str, slice_mm: float, slices: int) -> LabelledVolume:
    rng = np.random.default_rng(0)
    labels = np.zeros((slices, 96, 64), np.uint16)
    for n in range(3):
        labels[:, 10 + 26 * n : 30 + 26 * n, 15:40] = 22 + n
    image = rng.normal(100, 5, labels.shape).astype(np.float32) + 80 * (labels > 0)
    paths = []
    for array, kind in ((image, "image"), (labels, "labels")):
        out = sitk.GetImageFromArray(array)
        out.SetSpacing((1.0, 1.0, slice_mm))
        out.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))
        path = folder / f"{name}_{kind}.nii.gz"
        sitk.WriteImage(out, str(path))
        paths.append(path)
    return LabelledVolume(name, name, "T2", *paths)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    cases = []
    for name, slice_mm, slices in (("thick", 4.0, 6), ("thin", 2.0, 12)):
        cases += cache_volume(write_volume(tmp_path, name, slice_mm, slices), folder, TINY)
    write_split(cases, folder)
    return folder


def config(cache: Path, output: Path, **changes: object) -> TrainConfig:
    base = TrainConfig(str(cache), str(output), seed=3, steps=6, batch=1, checkpoint_every=2, mixed=False, network=TINY)
    return dataclasses.replace(base, **changes)


def test_thin_slices_give_a_volume_for_each_offset(cache: Path) -> None:
    cases = read_split(cache, "train")
    assert [(c.id, c.spacing[0]) for c in cases] == [("thick", 4.0), ("thin", 4.0), ("thin", 4.0)]


def test_resuming_changes_nothing(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = torch.load(train_member(config(cache, tmp_path / "a"), "cpu"), weights_only=True)
    save = loop._save

    def killed(path: Path, state: dict) -> None:
        save(path, state)
        if state["step"] == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        train_member(config(cache, tmp_path / "b"), "cpu")
    monkeypatch.setattr(loop, "_save", save)
    resumed = torch.load(train_member(config(cache, tmp_path / "b"), "cpu"), weights_only=True)
    assert resumed["step"] == whole["step"] == 6
    for name, value in whole["average"].items():
        torch.testing.assert_close(resumed["average"][name], value, rtol=1e-3, atol=1e-4)


def test_seeds_give_different_members(cache: Path, tmp_path: Path) -> None:
    states = [
        torch.load(train_member(config(cache, tmp_path / "c", seed=s, steps=2), "cpu"), weights_only=True)["average"]
        for s in (0, 1)
    ]
    assert any(not torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_training_lowers_the_loss(cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    train_member(config(cache, tmp_path / "d", steps=150, rate=1e-2), "cpu")
    losses = [float(r.getMessage().split("loss ")[1].split(",")[0]) for r in caplog.records if "loss" in r.getMessage()]
    assert losses[-1] < 0.8 * losses[0]


def test_config_reads_back(tmp_path: Path) -> None:
    wanted = config(tmp_path, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(wanted.to_dict()))
    assert TrainConfig.read(path) == wanted
    path.write_text(json.dumps({"cache": "a", "output": "b", "learning": 3}))
    with pytest.raises(TypeError, match="learning"):
        TrainConfig.read(path)


def test_an_index_that_leaks_subjects_is_refused(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / name).touch()
    head = "id,subject,contrast,image,labels,split\n"
    index = tmp_path / "index.csv"
    index.write_text(head + "1,p,T2,a.nii.gz,b.nii.gz,train\n2,p,T2,a.nii.gz,b.nii.gz,validation\n")
    with pytest.raises(ValueError, match="both sets: p"):
        read_index(index)
    index.write_text(head + "1,p,T2,a.nii.gz,c.nii.gz,train\n")
    with pytest.raises(ValueError, match=r"not found: .*c\.nii\.gz"):
        read_index(index)
