"""One command from labelled volumes to a model that loads, scores and goes on after an interruption."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.models.committee import load_committee
from SpineQuantLib.training.collect import read_index, read_split
from SpineQuantLib.training.committee import CommitteeConfig, train_committee
from SpineQuantLib.training.evaluation import predict
from SpineQuantLib.training.evaluation.run import evaluate_index


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rows = ["id,subject,contrast,image,labels,annotations,split,complete,sacrum"]
    for seed, (name, split) in enumerate((("a", "train"), ("b", "validation"))):
        labels = np.zeros((6, 96, 64), np.uint16)
        for n in range(3):
            labels[:, 10 + 26 * n : 30 + 26 * n, 15:40] = 22 + n
        image = np.random.default_rng(seed).normal(100, 5, labels.shape).astype(np.float32) + 80 * (labels > 0)
        for array, kind in ((image, "image"), (labels, "labels")):
            out = sitk.GetImageFromArray(array)
            out.SetSpacing((1.0, 1.0, 4.0))
            out.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))
            sitk.WriteImage(out, str(tmp_path / f"{name}_{kind}.nii.gz"))
        rows.append(f"{name},{name},T2,{name}_image.nii.gz,{name}_labels.nii.gz,,{split},,")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    values = {
        "index": "index.csv",
        "output": "run",
        "name": "tiny",
        "version": "1",
        "seeds": [0, 1],
        "phantoms": 0,
        "member": {"steps": 2, "batch": 1, "mixed": False, "network": {"filters": [4, 8, 8], "patch": [4, 32, 32]}},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_a_committee_is_trained_scored_and_packed(config: Path) -> None:
    folder = train_committee(CommitteeConfig.read(config), device="cpu")
    assert len(load_committee(str(folder), "cpu").members) == 2
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["training"]["steps"] == 2
    assert {m["structure"] for m in card["validation"]["masks"]} == {"body", "disc"}
    text = (folder / "CARD.md").read_text(encoding="utf-8")
    assert "| b | T2 | labels | body |" in text
    assert "learning_curves.png" in text
    assert (folder / "learning_curves.png").exists()
    _check_evaluation(config.parent / "run" / "evaluation", str(folder), config.parent / "index.csv")


def _check_evaluation(output: Path, model: str, index: Path) -> None:
    """What an evaluation leaves behind, and what it refuses."""
    written = {p.name for p in output.iterdir()}
    assert {"EVALUATION.md", "evaluation.json", "masks.csv", "measurements.csv", "names.csv", "pictures"} <= written
    record = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert len(record["model"]["sha256"]) == 64
    assert (record["volumes"], record["subjects"]) == (1, 1)
    assert [p.name for p in (output / "pictures").iterdir()] == ["worst_b.png"]
    with pytest.raises(InputError, match="choose one of"):
        evaluate_index(model, index, output, split="test")
    with pytest.raises(InputError, match="cannot be used"):
        evaluate_index(model, index.with_name("none.csv"), output)


def test_called_again_it_trains_and_predicts_nothing_anew(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = CommitteeConfig.read(config)
    folder = train_committee(settings, device="cpu")
    monkeypatch.setattr(predict, "judge", lambda *_: pytest.fail("the prediction was kept, but made again"))
    first = {p.name: p.read_bytes() for p in folder.glob("*.safetensors")}
    stamps = {p: p.stat().st_mtime_ns for p in (settings.output / "checkpoints").iterdir()}
    train_committee(settings, device="cpu")
    assert {p.name: p.read_bytes() for p in folder.glob("*.safetensors")} == first
    assert {p: p.stat().st_mtime_ns for p in (settings.output / "checkpoints").iterdir()} == stamps


@pytest.mark.parametrize("text", ["", "{}", '{"index": "i.csv", "output": "o", "colour": 1}'])
def test_a_config_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json"):
        CommitteeConfig.read(path)


def test_nobody_with_an_unseen_contrast_is_trained_on(config: Path) -> None:
    """Person b has a T1 and a T2 image: both are kept for validation."""
    index = config.parent / "index.csv"
    head, a, b = index.read_text(encoding="utf-8").splitlines()
    b = b.replace("validation", "train")
    t1 = b.replace("b,b,T2", "c,b,T1")
    index.write_text("\n".join([head, a, b, t1]) + "\n", encoding="utf-8")
    values = json.loads(config.read_text(encoding="utf-8")) | {"unseen": ["T1"]}
    config.write_text(json.dumps(values), encoding="utf-8")
    settings = CommitteeConfig.read(config)
    train_committee(settings, device="cpu")
    cache = settings.output / "cache"
    assert {c.id for c in read_split(cache, "train")} == {"a"}
    assert {c.id for c in read_split(cache, "validation")} == {"b", "c"}
    _check_index_as_trained(settings)
    everyone = dataclasses.replace(settings, unseen=())
    with pytest.raises(InputError, match="choose another output folder"):
        train_committee(everyone, device="cpu")


def _check_index_as_trained(settings: CommitteeConfig) -> None:
    """Who evaluates with the index of the run scores nobody who was trained on, and everybody who was kept."""
    path = settings.output / "index_as_trained.csv"
    assert {v.id: v.split for v in read_index(path)} == {"a": "train", "b": "validation", "c": "validation"}
    assert all(v.image.is_absolute() for v in read_index(path))
    assert {v.split for v in read_index(settings.index)} == {"train"}, "the index itself is left as it is"
    model = str(settings.output / "model")
    again = evaluate_index(model, path, settings.output / "evaluation", device="cpu")
    assert (again.volumes, again.subjects) == (2, 1)


def _write_sac(path: Path, like: Path, depth: int) -> None:
    labels = sitk.ReadImage(str(like))
    sac = np.zeros(sitk.GetArrayFromImage(labels).shape, np.uint16)
    sac[2:4, 5:90, 44 : 44 + depth] = 61
    out = sitk.GetImageFromArray(sac)
    out.CopyInformation(labels)
    sitk.WriteImage(out, str(path))


def test_a_cache_of_other_files_or_of_other_people_is_refused(config: Path, tmp_path: Path) -> None:
    folder = config.parent
    index = folder / "index.csv"
    _write_sac(folder / "sac.nii.gz", folder / "a_labels.nii.gz", 8)
    head, a, b = index.read_text(encoding="utf-8").splitlines()
    settings = CommitteeConfig.read(config)
    train_committee(settings, device="cpu")

    def refused(what: str, *rows: str, **changes: object) -> None:
        index.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        message = rf"changed since .*cache was filled \({re.escape(what)}\); choose another output folder"
        with pytest.raises(InputError, match=message):
            train_committee(dataclasses.replace(settings, **changes), device="cpu")

    refused("changed: a (annotations)", a.replace("labels.nii.gz,,", "labels.nii.gz,sac.nii.gz,"), b)
    swapped = a.replace("train", "validation"), b.replace("validation", "train")
    refused("changed: a (row of the index), b (row of the index)", *swapped)
    refused("gone: b", a)
    refused("added: c", a, b, b.replace("b,b,T2", "c,b,T2"))
    refused("1 phantoms instead of 0", a, b, phantoms=1)
    refused("the order of the volumes", b, a)
    refused("changed: a (row of the index)", a.replace("a,a,T2", "a,anna,T2"), b)
    refused("changed: a (row of the index)", a[:-1] + ',"20,60 40,60 40,80 20,80"', b)
    before = (folder / "a_labels.nii.gz").read_bytes()
    _write_sac(folder / "a_labels.nii.gz", folder / "b_labels.nii.gz", 9)
    refused("changed: a (labels)", a, b)
    (folder / "a_labels.nii.gz").write_bytes(before)
    # Moved, the data are still the same.
    for name in ("a", "b"):
        for kind in ("image", "labels"):
            (folder / f"{name}_{kind}.nii.gz").rename(folder / f"moved_{name}_{kind}.nii.gz")
    rows = [row.replace(f"{n}_image", f"moved_{n}_image").replace(f"{n}_labels", f"moved_{n}_labels")
            for n, row in (("a", a), ("b", b))]  # fmt: skip
    index.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    train_committee(settings, device="cpu")


def test_a_cache_of_which_nobody_noted_what_it_holds_is_refused_and_can_be_filled_again(config: Path) -> None:
    """As versions before left it: deleted, it is filled again, and members go on from their checkpoints."""
    settings = CommitteeConfig.read(config)
    train_committee(settings, device="cpu")
    cache = settings.output / "cache"
    grid = json.loads((cache / "grid.json").read_text(encoding="utf-8"))
    del grid["digest"]
    (cache / "grid.json").write_text(json.dumps(grid), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(InputError, match=r"earlier version.*delete this one"):
            train_committee(settings, device="cpu")
        (cache / "grid.json").unlink(missing_ok=True)
    shutil.rmtree(cache)
    stamps = {p: p.stat().st_mtime_ns for p in (settings.output / "checkpoints").iterdir()}
    train_committee(settings, device="cpu")
    assert {p: p.stat().st_mtime_ns for p in (settings.output / "checkpoints").iterdir()} == stamps
    assert {c.id for c in read_split(cache, "train")} == {"a"}


def _relabel(path: Path) -> None:
    """The lowest body, one row lower."""
    labels = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(labels)
    array[array == 24] = 0
    array[:, 63:83, 15:40] = 24
    out = sitk.GetImageFromArray(array)
    out.CopyInformation(labels)
    sitk.WriteImage(out, str(path))


def test_members_do_not_go_on_from_checkpoints_of_other_data(config: Path) -> None:
    """Deleting the cache alone lets it be filled anew, but members have seen what was there before."""
    settings = CommitteeConfig.read(config)
    train_committee(settings, device="cpu")
    checkpoints = settings.output / "checkpoints"
    _relabel(config.parent / "a_labels.nii.gz")
    shutil.rmtree(settings.output / "cache")
    longer = dataclasses.replace(settings, member={**settings.member, "steps": 4})
    for changed in (settings, longer):
        with pytest.raises(
            InputError, match=r"member_0\.ckpt was trained on other data \(changed: a \(labels\)\)"
        ) as found:
            train_committee(changed, device="cpu")
    assert f"delete the checkpoints in {checkpoints}" in str(found.value)
    assert read_split(settings.output / "cache", "train"), "the cache is of the data as they are now"
    shutil.rmtree(checkpoints)
    train_committee(longer, device="cpu")


def test_a_checkpoint_knows_for_which_grid_its_data_were_resampled(config: Path) -> None:
    """Networks for another grid may have the same weights' shapes."""
    train_committee(CommitteeConfig.read(config), device="cpu")
    values = json.loads(config.read_text(encoding="utf-8"))
    values["member"]["network"]["spacing"] = [4.0, 1.2, 1.2]
    config.write_text(json.dumps(values), encoding="utf-8")
    shutil.rmtree(config.parent / "run" / "cache")
    with pytest.raises(InputError, match=r"trained on other data \(the grid of the networks"):
        train_committee(CommitteeConfig.read(config), device="cpu")


def test_checkpoints_of_earlier_versions_go_on_and_this_is_said(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = CommitteeConfig.read(config)
    train_committee(settings, device="cpu")
    cache, checkpoints = (settings.output / name for name in ("cache", "checkpoints"))
    for path in checkpoints.glob("*.ckpt"):
        state = torch.load(path, weights_only=True)
        state.pop("data", None)
        torch.save(state, path)
    note = json.loads((cache / "grid.json").read_text(encoding="utf-8"))
    (cache / "grid.json").write_text(
        json.dumps({k: v for k, v in note.items() if k not in ("volumes", "phantoms")}), encoding="utf-8"
    )
    longer = dataclasses.replace(settings, member={**settings.member, "steps": 4})
    caplog.set_level("INFO", logger="SpineQuantLib")
    train_committee(longer, device="cpu")
    told = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert sum("whether the data are still those that" in t and "member_0.ckpt" in t for t in told) == 1
    assert sum("resumes at step 2" in r.getMessage() for r in caplog.records) == 2
    # From now on they know.
    _relabel(config.parent / "a_labels.nii.gz")
    with pytest.raises(InputError, match=r"cache was filled \(changed: a \(labels\)\)"):
        train_committee(longer, device="cpu")
    shutil.rmtree(cache)
    with pytest.raises(InputError, match=r"member_0\.ckpt was trained on other data \(changed: a \(labels\)\)"):
        train_committee(longer, device="cpu")


def test_voxels_beside_a_header_belong_to_the_data(config: Path) -> None:
    """Of MetaImage with its voxels in a file of their own, the header stays as it is."""
    image = sitk.ReadImage(str(config.parent / "a_image.nii.gz"))
    sitk.WriteImage(image, str(config.parent / "a_image.mhd"))
    index = config.parent / "index.csv"
    index.write_text(index.read_text(encoding="utf-8").replace("a_image.nii.gz", "a_image.mhd"), encoding="utf-8")
    settings = CommitteeConfig.read(config)
    train_committee(settings, device="cpu")
    sitk.WriteImage(image + 1, str(config.parent / "a_image.mhd"))
    with pytest.raises(InputError, match=r"changed: a \(image\)"):
        train_committee(settings, device="cpu")
    (config.parent / "a_image.raw").unlink()
    with pytest.raises(InputError, match=r"a_image\.mhd' needs the file '.*a_image\.raw', which is not there"):
        train_committee(settings, device="cpu")


def test_labels_that_cannot_be_used_are_told_before_anything_is_cached(config: Path) -> None:
    folder = config.parent
    _write_sac(folder / "b_labels.nii.gz", folder / "b_labels.nii.gz", 8)
    with pytest.raises(InputError, match=r"b: the labels .*b_labels\.nii\.gz cannot be used: .*61 \(Dural sac\)"):
        train_committee(CommitteeConfig.read(config), device="cpu")
    assert not list((folder / "run").rglob("*.npz"))


def test_an_unseen_contrast_that_is_not_there_is_told(config: Path) -> None:
    settings = dataclasses.replace(CommitteeConfig.read(config), unseen=("T3",))
    with pytest.raises(InputError, match="T3"):
        train_committee(settings, device="cpu")


def test_a_missing_index_is_told(config: Path) -> None:
    (config.parent / "index.csv").unlink()
    with pytest.raises(InputError, match=r"index"):
        train_committee(CommitteeConfig.read(config), device="cpu")


def test_a_folder_of_results_is_of_one_kind_of_network(config: Path) -> None:
    train_committee(CommitteeConfig.read(config), device="cpu")
    values = json.loads(config.read_text(encoding="utf-8"))
    for change in ({"filters": [4, 8, 16]}, {"spacing": [4.0, 1.5, 1.5]}):
        network = {**values["member"]["network"], **change}
        member = {**values["member"], "network": network}
        config.write_text(json.dumps({**values, "member": member}), encoding="utf-8")
        with pytest.raises(InputError, match="choose another output folder"):
            train_committee(CommitteeConfig.read(config), device="cpu")
