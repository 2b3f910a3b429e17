"""One command from labelled volumes to a model that loads, scores and goes on after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.models.committee import load_committee
from SpineQuantLib.training.committee import CommitteeConfig, train_committee


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
    assert "| b | T2 | labels | body |" in (folder / "CARD.md").read_text(encoding="utf-8")


def test_called_again_it_trains_nothing_anew(config: Path) -> None:
    settings = CommitteeConfig.read(config)
    folder = train_committee(settings, device="cpu")
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


def test_a_missing_index_is_told(config: Path) -> None:
    (config.parent / "index.csv").unlink()
    with pytest.raises(InputError, match=r"index"):
        train_committee(CommitteeConfig.read(config), device="cpu")
