"""A folder of images and labels becomes an index that training reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.training.collect import read_index
from SpineQuantLib.training.index_folder import FolderRules, index_folder


def write(path: Path, spacing: float = 1.0, values: tuple[int, ...] = (21, 22)) -> None:
    """Noise, or in folders of labels a box for each of some values, and a sac where a rater drew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(0).integers(0, 200, (4, 40, 40)).astype(np.int16)
    if path.parent.name.startswith("labels"):
        array[:] = 0
        for n, value in enumerate(values):
            array[:, 10 * n : 10 * n + 8, 10:30] = value
    if path.parent.parent.name == "raters":
        array[:] = 0
        array[1:3, :, 32:36] = 61
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((spacing, spacing, 4.0))
    sitk.WriteImage(image, str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for person in range(5):
        for scan in ("t1", "t2"):
            for kind in ("images", "labels"):
                write(tmp_path / "data" / kind / f"p{person}_{scan}.nii.gz")
    write(tmp_path / "data" / "raters" / "anna" / "p1_t2.nii.gz")
    return tmp_path / "data"


def test_scans_of_one_person_stay_in_one_set(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "lists" / "index.csv"
    index_folder(folder, path, FolderRules(contrast="T2", source="ours", validation=0.4))
    volumes = read_index(path)
    assert len(volumes) == 10
    assert len({v.subject for v in volumes if v.split == "validation"}) == 2
    assert {v.source for v in volumes} == {"ours"}
    assert [v.id for v in volumes if v.annotations] == ["p1_t2"]
    assert volumes[0].image.resolve() == (folder / "images" / "p0_t1.nii.gz").resolve()
    write(folder / "images" / "p9_t1.nii.gz")
    write(folder / "labels" / "p9_t1.nii.gz")
    before = {v.subject for v in volumes if v.split == "validation"}
    index_folder(folder, path, FolderRules(contrast="T2", validation=0.4))
    after = {v.subject for v in read_index(path) if v.split == "validation"}
    assert len(before & after) >= 1


def test_folders_of_nnu_net_are_read(tmp_path: Path) -> None:
    write(tmp_path / "imagesTr" / "a_1_0000.nii.gz")
    write(tmp_path / "labelsTr" / "a_1.nii.gz")
    table = index_folder(tmp_path, tmp_path / "index.csv", FolderRules(contrast="T1"))
    assert table["id"].tolist() == ["a_1"]
    assert read_index(tmp_path / "index.csv")[0].contrast == "T1"


def test_labels_that_mix_structures_are_told_before_training(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "i.csv"
    everything = FolderRules(contrast="T2", complete=True)
    with pytest.raises(InputError, match=r"p1_t2\.nii\.gz cannot be used: .*annotations would be ignored"):
        index_folder(folder, index, everything)
    write(folder / "labels" / "p3_t1.nii.gz", values=(21, 22, 61))
    with pytest.raises(InputError, match=r"p3_t1\.nii\.gz cannot be used: .*61 \(Dural sac\).*raters/NAME"):
        index_folder(folder, index, FolderRules(contrast="T2"))
    assert not index.exists()
    (folder / "raters" / "anna" / "p1_t2.nii.gz").unlink()
    assert index_folder(folder, index, everything)["complete"].eq("true").all()
    write(folder / "labels" / "p3_t1.nii.gz", values=(21, 121, 22))
    assert len(index_folder(folder, index, FolderRules(contrast="T2"))) == 10


def test_what_does_not_fit_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="images and labels"):
        index_folder(tmp_path / "data" / "images", tmp_path / "i.csv")
    with pytest.raises(InputError, match="no person"):
        index_folder(folder, tmp_path / "i.csv", FolderRules(subject="^patient([0-9]+)"))
    write(folder / "labels" / "p2_t1.nii.gz", spacing=0.9)
    with pytest.raises(InputError, match="grid"):
        index_folder(folder, tmp_path / "i.csv", FolderRules(contrast="T2"))
    write(folder / "images" / "q_t1.nii.gz")
    with pytest.raises(InputError, match="no labels for q_t1"):
        index_folder(folder, tmp_path / "i.csv")
    assert not (tmp_path / "i.csv").exists()
