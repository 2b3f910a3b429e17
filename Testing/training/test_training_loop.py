"""Training can be interrupted anywhere and ends in the same weights."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch

from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.models.committee import load_committee
from SpineQuantLib.models.network import NetworkConfig
from SpineQuantLib.models.preprocess import normalise
from SpineQuantLib.training import journal, loop
from SpineQuantLib.training.collect import (
    LabelledVolume,
    cache_volume,
    read_index,
    read_split,
    write_split,
    write_volumes,
)
from SpineQuantLib.training.curves import CurveFile, draw_curves
from SpineQuantLib.training.loop import TrainConfig, train_member
from SpineQuantLib.training.pack import averaged_weights, pack_committee
from SpineQuantLib.training.partial import bit
from SpineQuantLib.training.settings import PRESETS, merged

TINY = NetworkConfig(filters=(4, 8, 8), patch=(4, 32, 32))


def write_volume(folder: Path, name: str, slice_mm: float, slices: int, pixel: float = 1.0) -> LabelledVolume:
    rng = np.random.default_rng(0)
    labels = np.zeros((slices, 96, 64), np.uint16)
    for n in range(3):
        labels[:, 10 + 26 * n : 30 + 26 * n, 15:40] = 22 + n
    image = rng.normal(100, 5, labels.shape).astype(np.float32) + 80 * (labels > 0)
    paths = []
    for array, kind in ((image, "image"), (labels, "labels")):
        out = sitk.GetImageFromArray(array)
        out.SetSpacing((pixel, pixel, slice_mm))
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


def test_stacks_hold_the_very_slices_and_their_labels(tmp_path: Path) -> None:
    volume = write_volume(tmp_path, "thin", 2.0, 13)
    window = dataclasses.replace(TINY, window=(200.0, 120.0))
    averaged = cache_volume(volume, tmp_path, window)
    cases = cache_volume(volume, tmp_path, dataclasses.replace(window, stacks=2))
    assert [c.spacing[0] for c in cases] == [4.0] * 4
    assert cases[:2] == averaged
    stored = [np.load(tmp_path / c.file) for c in cases[2:]]
    assert [len(s["image"]) for s in stored] == [7, 6]
    image = sitk.GetArrayFromImage(to_reading_order(sitk.ReadImage(str(volume.image))))
    for offset, stack in enumerate(stored):
        np.testing.assert_allclose(stack["image"], normalise(image[offset::2], window.window), atol=2e-3)
        # The labels of this volume are the same on every slice.
        np.testing.assert_array_equal(stack["target"][0], stored[0]["target"][0])


def test_accepted_proposals_are_trained_on_like_what_raters_drew(tmp_path: Path) -> None:
    volume = write_volume(tmp_path, "a", 4.0, 6)
    bare = sitk.ReadImage(str(volume.labels))
    sac = np.zeros((6, 96, 64), np.uint16)
    sac[2:4, 5:90, 45:52] = 61
    drawn = sitk.GetImageFromArray(sac)
    drawn.CopyInformation(bare)
    path = tmp_path / "sac.nii.gz"
    sitk.WriteImage(drawn, str(path))
    targets = []
    for name in ("annotations", "grown"):
        (case,) = cache_volume(dataclasses.replace(volume, **{name: (path,)}), tmp_path, TINY)
        with np.load(tmp_path / case.file) as data:
            targets.append(data["target"])
    np.testing.assert_array_equal(*targets)
    assert (targets[0][sac > 0] == bit(NetworkClass.CANAL)).all()


def test_an_index_that_is_written_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (write_volume(tmp_path, name, 4.0, 6) for name in ("a", "b"))
    first = dataclasses.replace(
        first,
        annotations=(first.labels, second.labels),
        grown=(second.labels,),
        split="validation",
        sacrum=((73.0, 186.5), (99.0, 166.0), (113.0, 188.0), (101.0, 198.0)),
        source="ours",
    )
    volumes = [first, dataclasses.replace(second, complete=True)]
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path)
    relative = dataclasses.replace(volumes[1], image=volumes[1].image.relative_to(tmp_path))
    write_volumes([first, relative], tmp_path / "lists" / "index.csv")
    assert read_index(tmp_path / "lists" / "index.csv") == volumes
    assert [p.name for p in (tmp_path / "lists").iterdir()] == ["index.csv"]


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


@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, None)])
def test_a_cpu_that_would_emulate_half_precision_does_without(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool, expected: torch.dtype | None
) -> None:
    monkeypatch.setattr(loop, "computes_bfloat16", lambda: has)
    seen = []
    learn = loop._Member.learn

    def noting(member: loop._Member, image: torch.Tensor, target: torch.Tensor) -> float:
        seen.append(member.precision)
        return learn(member, image, target)

    monkeypatch.setattr(loop._Member, "learn", noting)
    train_member(config(cache, tmp_path / "h", steps=1, mixed=True), "cpu")
    assert seen == [expected]


def test_coarser_outputs_do_not_reach_the_model(cache: Path, tmp_path: Path) -> None:
    deep = dataclasses.replace(TINY, filters=(4, 8, 8, 8))
    path = train_member(config(cache, tmp_path / "d", network=deep, heads=1, steps=2, optimiser="sgd"), "cpu")
    assert any("deep_supervision_heads" in k for k in torch.load(path, weights_only=True)["average"])
    card = pack_committee([path], tmp_path / "model", "tiny", "1", deep, {})
    committee = load_committee(str(card.folder), "cpu")
    assert committee.members[0](torch.zeros(1, 1, 4, 32, 32)).shape == (1, 6, 4, 32, 32)


def test_members_start_from_the_weights_of_a_model(cache: Path, tmp_path: Path) -> None:
    first = train_member(config(cache, tmp_path / "first", steps=1), "cpu")
    card = pack_committee([first], tmp_path / "model", "tiny", "1", TINY, {})
    frozen = {"start": str(card.folder), "steps": 1, "rate": 0.0, "decay": 0.0}
    again = train_member(config(cache, tmp_path / "again", seed=7, **frozen), "cpu")
    before, after = averaged_weights(first), averaged_weights(again)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=2e-3, atol=1e-4, msg=name)
    other = dataclasses.replace(TINY, filters=(4, 8, 16))
    with pytest.raises(ValueError, match="another kind"):
        train_member(config(cache, tmp_path / "other", network=other, start=str(card.folder)), "cpu")


def test_validation_is_looked_at_and_the_best_kept(cache: Path, tmp_path: Path) -> None:
    rows = json.loads((cache / "cases.json").read_text())
    rows[0]["split"] = "validation"
    (cache / "cases.json").write_text(json.dumps(rows))
    settings = config(cache, tmp_path / "v", steps=4, validate_every=2, keep="best")
    path = train_member(settings, "cpu")
    curve = pd.read_csv(tmp_path / "v" / "member_3.csv")
    assert curve["step"].tolist() == [2, 4]
    assert curve["dice"].between(0, 1).all()
    assert curve["dice_body"].notna().all()
    assert curve["dice_canal"].isna().all(), "nobody drew a sac"
    best = torch.load(path, weights_only=True)
    assert path.name == "member_3_best.ckpt"
    assert best["best"] == pytest.approx(curve["dice"].max(), abs=1e-4)
    card = pack_committee([path], tmp_path / "model", "tiny", "1", TINY, {})
    assert pd.read_csv(card.folder / "curves.csv")["member"].tolist() == [0, 0]
    assert draw_curves(card.folder / "curves.csv", card.folder / "curves.png")
    assert (card.folder / "curves.png").stat().st_size > 1000
    assert not draw_curves(tmp_path / "none.csv", tmp_path / "none.png")


def test_a_run_that_was_interrupted_leaves_one_curve(tmp_path: Path) -> None:
    first = CurveFile(tmp_path / "c.csv", ("loss",))
    for step in (10, 20, 30):
        first.add(step, {"loss": 1.0})
    CurveFile(tmp_path / "c.csv", ("loss",), after=20).add(30, {"loss": 0.5})
    assert pd.read_csv(tmp_path / "c.csv").to_numpy().tolist() == [[10, 1.0], [20, 1.0], [30, 0.5]]


def test_without_tensorboard_training_says_so_once_and_goes_on(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr(journal, "_told", set())
    caplog.set_level("INFO", logger="SpineQuantLib")
    for seed in (0, 1):
        train_member(config(cache, tmp_path / "t", seed=seed, steps=1), "cpu")
    assert sum("TensorBoard is not installed" in r.getMessage() for r in caplog.records) == 1


def test_volumes_of_any_spacing_are_resampled(tmp_path: Path) -> None:
    volume = write_volume(tmp_path, "fine", 1.5, 16, pixel=0.5)
    case, *more = cache_volume(volume, tmp_path, TINY)
    assert len(more) == 2
    assert case.spacing == (4.5, 1.0, 1.0)
    with np.load(tmp_path / case.file) as data:
        assert data["image"].shape == data["target"].shape == (5, 48, 32)
        body = data["target"] == bit(NetworkClass.BODY)
    # The bodies of the source are 20 × 25 pixels of half a millimetre.
    assert body[2].sum() == pytest.approx(3 * 20 * 25 / 4, rel=0.1)
    isotropic = dataclasses.replace(TINY, spacing=(1.25,) * 3, keep_slices=(1.25, 1.25))
    only = cache_volume(write_volume(tmp_path, "thick", 4.0, 6), tmp_path, isotropic)
    assert [c.spacing for c in only] == [(1.25, 1.25, 1.25)]
    with np.load(tmp_path / only[0].file) as data:
        assert data["image"].shape == (19, 77, 51)


def test_presets_are_named_settings() -> None:
    networks = {}
    for name, preset in PRESETS.items():
        settings = TrainConfig.from_dict({**preset, "cache": "c", "output": "o"})
        networks[name] = settings.network
    assert networks["lumbar"] == NetworkConfig(stacks=2)
    published = networks["nnunet-1.25mm"]
    assert (published.filters[0], published.filters[-1], sorted(published.patch)) == (32, 320, [64, 128, 128])
    stride = 2 ** (len(published.filters) - 1)
    assert all(n % stride == 0 for n in published.patch)
    changed = merged(PRESETS["nnunet-1.25mm"], {"network": {"window": [400, 40]}, "batch": 1})
    assert changed["network"]["filters"] == PRESETS["nnunet-1.25mm"]["network"]["filters"]
    assert TrainConfig.from_dict({**changed, "cache": "c", "output": "o"}).network.window == (400, 40)


@pytest.mark.parametrize(
    "change", [{"optimiser": "adam"}, {"keep": "first"}, {"steps": 0}, {"heads": 3}], ids=lambda c: next(iter(c))
)
def test_a_setting_out_of_range_is_told(tmp_path: Path, change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        config(tmp_path, tmp_path, **change)


_TOGETHER = """
import dataclasses, sys
import torch
from pathlib import Path
from SpineQuantLib.training.curves import CurveFile, draw_curves
from SpineQuantLib.training.loop import TrainConfig, train_member
from SpineQuantLib.training.pack import averaged_weights, pack_committee
from SpineQuantLib.training.partial import bit
from SpineQuantLib.training.settings import PRESETS, merged
from SpineQuantLib.training.team import join_team
torch.set_num_threads(1)
settings = TrainConfig.read(Path(sys.argv[1]))
with join_team("cpu") as team:
    for steps in (2, 4):
        path = train_member(dataclasses.replace(settings, steps=steps), "cpu", team)
    state = torch.load(path, weights_only=True)
    own = torch.cat([v.flatten().float() for v in state["net"].values()])
    Path(f"{sys.argv[2]}/rank{team.rank}.txt").write_text(f"{team.size} {state['step']} {own.sum().item():.6f}")
"""


def test_two_processes_train_one_member_and_resume(cache: Path, tmp_path: Path) -> None:
    """As on several GPUs or machines: started by torchrun, gradients shared, one checkpoint."""
    settings = config(cache, tmp_path / "team")
    (tmp_path / "config.json").write_text(json.dumps(settings.to_dict()))
    (tmp_path / "together.py").write_text(_TOGETHER)
    arguments = ["--nproc_per_node=2", "--standalone", str(tmp_path / "together.py"), str(tmp_path / "config.json")]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *arguments, str(tmp_path)],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    ranks = [(tmp_path / f"rank{n}.txt").read_text().split() for n in (0, 1)]
    assert ranks[0] == ranks[1]
    assert ranks[0][:2] == ["2", "4"]
    alone = torch.load(train_member(config(cache, tmp_path / "alone", steps=4), "cpu"), weights_only=True)["net"]
    shared = torch.load(tmp_path / "team" / "member_3.ckpt", weights_only=True)["net"]
    assert any(not torch.allclose(alone[k], shared[k]) for k in alone), "the second process brought patches of its own"


def test_seeds_give_different_members(cache: Path, tmp_path: Path) -> None:
    states = [
        torch.load(train_member(config(cache, tmp_path / "c", seed=s, steps=2), "cpu"), weights_only=True)["average"]
        for s in (0, 1)
    ]
    assert any(not torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_training_lowers_the_loss(cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="SpineQuantLib")
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
