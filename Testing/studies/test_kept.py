"""What a study keeps of a volume is made anew once the volume's files have changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.studies.examine import CaseRecord
from SpineQuantLib.studies.failure import failure_config
from SpineQuantLib.studies.harvest import HarvestConfig, ask_clean, harvest
from SpineQuantLib.studies.opinions import opinion_of, read_voxels
from SpineQuantLib.training.kept import Kept, drop_changed


def ask_only(committee, sample, record, path, _calibration) -> CaseRecord:
    """As examining does, without measuring."""
    opinion_of(committee, sample, path)
    return record


@pytest.fixture
def config(box_index, brightness_committee, tmp_path, monkeypatch) -> HarvestConfig:
    """Two volumes to examine, one trained on, and one of another body part, in files of this test's own."""
    monkeypatch.setattr("SpineQuantLib.studies.harvest.examine", ask_only)
    shutil.copytree(box_index.parent, tmp_path / "data")
    foreign = tmp_path / "knee.nii.gz"
    shutil.copy(tmp_path / "data" / "v5_image.nii.gz", foreign)
    whole = failure_config(
        "lumbar-committee",
        tmp_path / "data" / box_index.name,
        tmp_path / "work",
        each=1,
        phantoms=0,
        jobs=0,
        foreign=(foreign,),
    )
    return replace(whole, volumes=whole.volumes[:2], training=whole.training[:1])


def change(path: Path, add: int = 0, drop: int = 0) -> None:
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image) + add
    array[array == drop] = 0
    out = sitk.GetImageFromArray(array)
    out.CopyInformation(image)
    sitk.WriteImage(out, str(path))


def stamps(config: HarvestConfig) -> dict[str, int]:
    """When each file was made; new temperatures have all records made anew, so that these tell nothing of a volume."""
    files = [p for p in config.folder.glob("*/*") if p.suffix != ".json"]
    return {str(p.relative_to(config.folder)): p.stat().st_mtime_ns for p in files}


def made_anew(config: HarvestConfig, before: dict[str, int]) -> set[str]:
    after = stamps(config)
    assert set(after) >= set(before)
    return {Path(name).name.split(".")[0].split("__")[0] for name in before if after[name] != before[name]}


def test_what_has_changed_is_examined_anew_and_nothing_else(config, caplog) -> None:
    config = replace(config, training=(), foreign=())
    first, second = (v.id for v in config.volumes)
    harvest(config)
    kept = stamps(config)
    harvest(config)
    assert made_anew(config, kept) == set()
    # A label: L3's body is no longer labelled.
    voxels = config.folder / "voxels" / f"{first}.npz"
    counts = [int((read_voxels(voxels).classes == 1).sum())]
    change(config.volumes[0].labels, drop=22)
    caplog.set_level("WARNING", logger="SpineQuantLib")
    harvest(config)
    counts.append(int((read_voxels(voxels).classes == 1).sum()))
    assert counts[1] < counts[0]
    assert made_anew(config, kept) == {first}
    assert any(r.getMessage().startswith(f"{first} has changed (labels)") for r in caplog.records)
    kept = stamps(config)
    change(config.volumes[1].image, add=40)
    harvest(config)
    assert made_anew(config, kept) == {second}
    assert len([name for name in stamps(config) if second in name]) == 3, "two opinions and the known voxels"


def test_embeddings_and_foreign_images_follow_their_images(config) -> None:
    config = replace(config, volumes=config.volumes[:1], each=0)
    trained = config.training[0]
    first = harvest(config)
    kept = stamps(config)
    change(trained.labels, drop=22)
    harvest(config)
    assert made_anew(config, kept) == set(), "an embedding follows from the image alone"
    change(trained.image, add=40)
    change(config.foreign[0], add=40)
    second = harvest(config)
    assert not np.allclose(first.embeddings[trained.id], second.embeddings[trained.id])
    assert made_anew(config, kept) == {trained.id, "knee"}


def test_a_folder_of_which_nobody_noted_from_which_files_is_refused(config) -> None:
    config = replace(config, volumes=config.volumes[:1], training=(), foreign=())
    ask_clean(config)
    (config.folder / "sources.json").unlink()
    before = stamps(config)
    with pytest.raises(InputError, match=r"filled by an earlier version.*choose another folder, or delete this one"):
        ask_clean(config)
    assert stamps(config) == before


def test_an_interruption_leaves_nothing_unknown(tmp_path: Path) -> None:
    """What is made after the note was written belongs to it; nothing that was noted is forgotten."""
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    drop_changed(tmp_path, {"a": Kept({"image": "1"}, (a,))})
    a.touch()
    drop_changed(tmp_path, {"b": Kept({"image": "1"}, (b,))})
    b.touch()
    drop_changed(tmp_path, {name: Kept({"image": "1"}, (path,)) for name, path in (("a", a), ("b", b))})
    assert a.exists()
    drop_changed(tmp_path, {"a": Kept({"image": "2"}, (a,))})
    assert not a.exists()
    assert b.exists()
