"""Direct regression: what is stretched keeps its true value, training learns, goes on, and ends in a model."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.case.direct import LevelPlace
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.models.direct import load_reader
from SpineQuantLib.models.regressor import RegressorConfig, Scan
from SpineQuantLib.training.collect import read_index
from SpineQuantLib.training.evaluation.reference import read_references
from SpineQuantLib.training.regressor import loop
from SpineQuantLib.training.regressor.judge import LevelPair, allowed_differences, evidence_of
from SpineQuantLib.training.regressor.levels import KnownLevel, LevelVolume, cache_volume, read_levels
from SpineQuantLib.training.regressor.loop import checkpoint_path, finished_network, scaled_config, train_regressor
from SpineQuantLib.training.regressor.run import train_direct
from SpineQuantLib.training.regressor.settings import RegressorTraining, ViewConfig
from SpineQuantLib.training.regressor.views import random_view, stretched_values, view_offsets

PLACE = LevelPlace("L4-L5", (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
TINY = RegressorConfig(features=(4, 8), hidden=8, patch=(4, 32, 32), spacing=(4.0, 1.0, 1.0), behind=0.0, dropout=0.0)
PLAIN = ViewConfig(remap=0, gamma=0, bias=0, thick=0, coarse=0, noise=0)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Networks as small as these lose more to a second thread than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@settings(max_examples=50, deadline=None)
@given(st.floats(-1.2, 1.2), st.floats(5, 20), st.tuples(st.floats(0.7, 1.4), st.floats(0.7, 1.4), st.floats(0.7, 1.4)))
def test_a_stretched_sac_is_as_wide_as_its_stretched_walls_are_apart(lean, width, stretch) -> None:
    """Distance of two parallel lines after stretching them, from two points of one and one of the other."""
    across = np.array([math.cos(lean), math.sin(lean)])
    along = np.array([-across[1], across[0]])
    known = KnownLevel(PLACE, (8.0, width), (float(across[0]), float(across[1])))
    height, seen = stretched_values(known, stretch)
    shown = np.array([1 / stretch[2], 1 / stretch[1]])
    first, second, other = (p * shown for p in (0 * along, along, width * across))
    wall = (second - first) / np.linalg.norm(second - first)
    assert seen == pytest.approx(abs(wall[0] * other[1] - wall[1] * other[0]), rel=1e-6)
    assert height == pytest.approx(8.0 / stretch[1])


def test_what_is_unknown_stays_unknown() -> None:
    assert stretched_values(KnownLevel(PLACE, (None, 12.0)), (1.1, 1.1, 1.1)) == (None, pytest.approx(12.0 / 1.1))


def slab(height: float, name: str = "a", split: str = "train") -> LevelVolume:
    """A bright disc of a height, and a darker sac behind it that is half as deep as the disc is high."""
    shape = (8, 64, 64)
    grid = Grid(shape, (4.0, 1.0, 1.0), (-14.0, -31.5, 31.5), ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
    up = 31.5 - np.arange(64)
    disc = np.clip(0.5 + height / 2 - np.abs(up), 0, 1)
    behind = np.arange(64) - 31.5
    image = np.zeros(shape, np.float32) + 2 * disc[None, :, None] * (behind < 6) + 1.0 * (behind >= 6)
    known = KnownLevel(PLACE, (height, height / 2))
    return LevelVolume(name, name, "T2", split, Scan(torch.from_numpy(image.astype(np.float32)), grid), (known,))


def test_a_view_shows_the_height_that_it_is_given_as_true() -> None:
    """The slab's extent in the patch is the true value after stretching, whatever the stretch; nothing is turned."""
    views = ViewConfig(shift=0, turn_deg=0, tilt_deg=0, remap=0, gamma=0, bias=0, thick=0, coarse=0, noise=0)
    volume = slab(12.0)
    for seed in range(8):
        rng = torch.Generator().manual_seed(seed)
        patch, values = random_view(volume, volume.levels[0], TINY, views, rng)
        column = patch[0, 2, :, 4]
        low, high = float(column.min()), float(column.max())
        assert float(((column - low) / (high - low)).sum()) == pytest.approx(float(values[0]), abs=0.25)


def test_turning_changes_no_length() -> None:
    views = ViewConfig(scale=0, stretch=0, flip=1, shift=3)
    offsets, stretch = view_offsets(TINY, views, torch.Generator().manual_seed(1))
    assert stretch == (1.0, 1.0, 1.0)
    sides = offsets[-1, 0, 0] - offsets[0, 0, 0], offsets[0, -1, 0] - offsets[0, 0, 0]
    assert float(sides[0].norm()) == pytest.approx(12.0, rel=1e-4)
    assert float(sides[1].norm()) == pytest.approx(31.0, rel=1e-4)


def config(folder: Path, **changes) -> RegressorTraining:
    values = {"steps": 8, "batch": 4, "checkpoint_every": 4, "network": TINY, "views": PLAIN}
    return RegressorTraining(Path("none"), folder, **{**values, **changes})


def test_it_learns_to_tell_low_from_high(tmp_path: Path) -> None:
    volumes = [slab(h, f"v{n}") for n, h in enumerate((5.0, 8.0, 11.0, 14.0))]
    small = RegressorConfig((4, 8), hidden=8, patch=(4, 16, 16), spacing=(4.0, 2.0, 2.0), behind=0.0, dropout=0.0)
    network = scaled_config(small, volumes)
    chosen = config(tmp_path, steps=60, rate=8e-3, averaging=0.9, network=network)
    net = finished_network(train_regressor(chosen, volumes, "cpu"), network)
    rng = torch.Generator().manual_seed(99)
    views = [random_view(v, v.levels[0], network, PLAIN, rng) for v in volumes * 6]
    with torch.inference_mode():
        read = net.to_mm(net(torch.stack([p for p, _ in views]))).numpy()
    true = torch.stack([v for _, v in views]).numpy()
    assert np.corrcoef(read[:, 0], true[:, 0])[0, 1] > 0.9
    assert np.sqrt(np.mean((read[:, 0] - true[:, 0]) ** 2)) < 0.6 * true[:, 0].std()


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path: Path, monkeypatch) -> None:
    volumes = [slab(6.0), slab(12.0, "b")]
    whole = torch.load(train_regressor(config(tmp_path / "whole"), volumes, "cpu"), weights_only=True)
    learn = loop._Learner.learn

    def until_six(self, patches, values):
        if self.step == 6:
            raise KeyboardInterrupt
        return learn(self, patches, values)

    parts = config(tmp_path / "parts")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop._Learner, "learn", until_six)
        train_regressor(parts, volumes, "cpu")
    assert torch.load(checkpoint_path(parts), weights_only=True)["step"] == 4
    again = torch.load(train_regressor(parts, volumes, "cpu"), weights_only=True)
    for name, tensor in whole["average"].items():
        torch.testing.assert_close(again["average"][name], tensor, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    volumes = [slab(6.0), slab(12.0, "b")]
    train_regressor(config(tmp_path), volumes, "cpu")
    other = RegressorConfig(features=(4, 4), hidden=8, patch=TINY.patch, spacing=TINY.spacing)
    with pytest.raises(ValueError, match="another kind"):
        train_regressor(config(tmp_path, network=other), volumes, "cpu")


def pair(mask: float, direct: float, subject: str, phantom: bool = False, **other) -> LevelPair:
    return LevelPair(subject, subject, "T2", phantom, "L4-L5", "disc|height|Fyllos", mask, mask, direct, **other)


def test_limits_come_from_people_and_leave_out_what_is_flagged_already() -> None:
    people = [pair(8.0 + d, 8.0, f"p{n}") for n, d in enumerate((-1.0, 1.0) * 6)]
    others = [pair(1.0, 9.0, "odd", implausible=True), *(pair(20.0, 2.0, f"f{n}", True) for n in range(9))]
    allowed = allowed_differences([*people, *others])
    assert set(allowed) == {"disc|height|Fyllos"}
    width = 2.5758 * np.std((-1.0, 1.0) * 6, ddof=1)
    assert (allowed["disc|height|Fyllos"].low, allowed["disc|height|Fyllos"].high) == pytest.approx(
        (-width, width), abs=2e-3
    )
    assert allowed_differences(people[:4]) == {}


def test_flags_are_counted_with_limits_of_other_people() -> None:
    people = [pair(8.0 + d, 8.0, f"p{n}") for n, d in enumerate((-0.5, 0.5) * 8)]
    far = pair(13.0, 8.0, "far")
    # Its own 5 mm would have widened the limits beyond itself, had it been let in.
    flags = evidence_of([*people, far])["flags"]
    counted = next(f for f in flags if f["quantity"].startswith("disc") and f["set"] == "people")
    assert (counted["levels"], counted["flagged"]) == (17, 1)
    assert counted["flagged_levels"][0]["id"] == "far"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two people whose bodies and sac are boxes; discs are the gaps between."""
    rows = ["id,subject,contrast,image,labels,annotations,split"]
    for seed, gap in enumerate((6, 10)):
        labels = np.zeros((14, 100, 80), np.uint16)
        for n in range(3):
            labels[1:13, 6 + (20 + gap) * n : 26 + (20 + gap) * n, 12:44] = 22 + n
        sac = np.zeros_like(labels)
        sac[5:9, 2:98, 48 : 58 + 2 * seed] = 61
        image = np.random.default_rng(seed).normal(100, 5, labels.shape) + 80 * (labels > 0) + 150 * (sac > 0)
        for array, kind in ((image.astype(np.float32), "image"), (labels, "labels"), (sac, "sac")):
            out = sitk.GetImageFromArray(array)
            out.SetSpacing((1.0, 1.0, 4.0))
            out.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))
            (tmp_path / kind).mkdir(exist_ok=True)
            sitk.WriteImage(out, str(tmp_path / kind / f"{seed}.nii.gz"))
        rows.append(f"s{seed},s{seed},T2,image/{seed}.nii.gz,labels/{seed}.nii.gz,sac/{seed}.nii.gz,train")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    values = {
        "index": "index.csv",
        "output": "run",
        "name": "tiny-direct",
        "version": "1",
        "phantoms": 0,
        "held_out_phantoms": 0,
        "steps": 2,
        "batch": 2,
        "network": {"features": [2, 4], "hidden": 4, "patch": [8, 32, 32], "spacing": [4.0, 1.0, 1.0]},
    }
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return tmp_path / "config.json"


def test_one_command_makes_a_model(data: Path) -> None:
    folder = train_direct(RegressorTraining.read(data), "cpu")
    reader = load_reader(str(folder))
    assert reader.card.contrasts == ("T2",)
    assert reader.card.slice_mm[0] < 4.0 < reader.card.slice_mm[1]
    levels = {v.id: v.levels for v in read_levels(data.parent / "run" / "cache")}
    # Boxes 6 and 10 mm apart, sacs 10 and 12 mm deep, measured between voxel centres.
    for name, height, width in (("s0", 6.0, 10.0), ("s1", 10.0, 12.0)):
        assert [k.place.level for k in levels[name]] == ["L3-L4", "L4-L5"]
        for known in levels[name]:
            assert known.values == (pytest.approx(height, abs=0.3), pytest.approx(width, abs=0.3))
            assert abs(known.across[0]) == pytest.approx(1.0, abs=0.02)
    # Nobody was held out: nothing is known about errors, so nothing may be flagged.
    assert reader.card.allowed == {}
    assert "nothing is flagged" in (folder / "CARD.md").read_text(encoding="utf-8")


def test_who_is_no_longer_in_the_training_set_is_not_trained_on_though_still_cached(data: Path) -> None:
    index = data.parent / "index.csv"
    head, first, second = index.read_text(encoding="utf-8").splitlines()
    third = second.replace("s1,s1", "s2,s2")
    index.write_text("\n".join([head, first, second, third]) + "\n", encoding="utf-8")
    run = data.parent / "run"
    train_direct(RegressorTraining.read(data), "cpu")
    for path in run.iterdir():
        if path.name != "cache":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    index.write_text("\n".join([head, first, second]) + "\n", encoding="utf-8")
    card = json.loads((train_direct(RegressorTraining.read(data), "cpu") / "card.json").read_text(encoding="utf-8"))
    assert card["trained_on"]["people"]["volumes"] == 2
    assert (run / "cache" / "s2.npz").exists()
    assert [v.id for v in read_levels(run / "cache", {"s0", "s2"})] == ["s0", "s2"]


def _wider_sac(folder: Path) -> None:
    """The sac of s0, two pixels deeper."""
    path = folder / "sac" / "0.nii.gz"
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    array[5:9, 2:98, 48:60] = 61
    out = sitk.GetImageFromArray(array)
    out.CopyInformation(image)
    sitk.WriteImage(out, str(path))


def test_what_has_changed_is_cached_again_and_the_checkpoint_of_what_was_is_refused(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="SpineQuantLib")
    cache = data.parent / "run" / "cache"
    train_direct(RegressorTraining.read(data), "cpu")
    stamps = {p.name: p.stat().st_mtime_ns for p in cache.glob("*.npz")}
    _wider_sac(data.parent)
    with pytest.raises(InputError, match=r"regressor\.ckpt was trained on other data \(changed: s0 \(annotations\)\)"):
        train_direct(RegressorTraining.read(data), "cpu")
    assert any(r.getMessage().startswith("s0 has changed (annotations)") for r in caplog.records)
    (before,) = read_levels(cache, {"s0"})
    assert [k.values[1] for k in before.levels] == [pytest.approx(12.0, abs=0.3)] * 2
    assert (cache / "s1.npz").stat().st_mtime_ns == stamps["s1.npz"]
    (data.parent / "run" / "regressor.ckpt").unlink()
    train_direct(RegressorTraining.read(data), "cpu")


def test_a_cache_of_which_nobody_noted_from_which_files_is_refused(data: Path) -> None:
    train_direct(RegressorTraining.read(data), "cpu")
    (data.parent / "run" / "cache" / "sources.json").unlink()
    with pytest.raises(InputError, match=r"cache was filled by an earlier version.*of s0, s1 it cannot be told"):
        train_direct(RegressorTraining.read(data), "cpu")


def test_a_checkpoint_of_an_earlier_version_goes_on_and_this_is_said(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="SpineQuantLib")
    path = data.parent / "run" / "regressor.ckpt"
    train_direct(RegressorTraining.read(data), "cpu")
    state = torch.load(path, weights_only=True)
    state.pop("data", None)
    torch.save(state, path)
    train_direct(dataclasses.replace(RegressorTraining.read(data), steps=4, checkpoint_every=1), "cpu")
    assert any("whether the data are still those that" in r.getMessage() for r in caplog.records)
    assert torch.load(path, weights_only=True)["step"] == 4
    _wider_sac(data.parent)
    with pytest.raises(InputError, match="trained on other data"):
        train_direct(RegressorTraining.read(data), "cpu")


def test_a_sac_that_a_committee_proposed_teaches_the_regressor_too(data: Path, tmp_path: Path) -> None:
    index = data.parent / "index.csv"
    text = index.read_text(encoding="utf-8")
    index.write_text(text.replace(",annotations,", ",grown,"), encoding="utf-8")
    for volume in read_index(index):
        cache_volume(volume, tmp_path, TINY)
        assert len(read_references(volume)) == 1
    widths = [known.values[1] for v in read_levels(tmp_path) for known in v.levels]
    assert widths == [pytest.approx(w, abs=0.3) for w in (10.0, 10.0, 12.0, 12.0)]


def test_a_config_with_an_unknown_setting_is_refused(data: Path) -> None:
    values = json.loads(data.read_text(encoding="utf-8"))
    data.write_text(json.dumps({**values, "epochs": 3}), encoding="utf-8")
    with pytest.raises(InputError, match="epochs"):
        RegressorTraining.read(data)
