"""A file of sac and foramina holds what it may hold, on the image's grid, or it is refused by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.models.network import NetworkConfig
from SpineQuantLib.studies.sample import read_sample
from SpineQuantLib.training.collect import LabelledVolume, cache_volume, check_volumes, read_index
from SpineQuantLib.training.evaluation.reference import read_references
from SpineQuantLib.training.grow import accept_proposals
from SpineQuantLib.training.index_folder import FolderRules, index_folder
from SpineQuantLib.training.recipe_lumbar import write_index
from SpineQuantLib.training.targets import target_of

TINY = NetworkConfig(filters=(4, 8, 8), patch=(4, 32, 32))
SHAPE = (6, 96, 64)
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def write(path: Path, array: np.ndarray, pixel: float = 1.0) -> Path:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((pixel, pixel, 4.0))
    image.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def drawn(*values: float) -> np.ndarray:
    """A box of the sac's size for each value, one behind the other."""
    array = np.zeros(SHAPE, np.float32 if any(v % 1 for v in values) else np.int16)
    for n, value in enumerate(values):
        array[2:4, 5:90, 42 + 3 * n : 45 + 3 * n] = value
    return array


@pytest.fixture
def volume(tmp_path: Path) -> LabelledVolume:
    """Bodies L3 to L5; what is drawn in ``sac.nii.gz`` is up to the test."""
    labels = np.zeros(SHAPE, np.int16)
    for n in range(3):
        labels[:, 10 + 26 * n : 30 + 26 * n, 15:40] = 22 + n
    image = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32) + 80 * (labels > 0)
    files = write(tmp_path / "images" / "a.nii.gz", image), write(tmp_path / "labels" / "a.nii.gz", labels)
    return LabelledVolume("a", "a", "T2", *files, (tmp_path / "raters" / "anna" / "a.nii.gz",))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((61, 60), r"a: the annotation .*anna.a\.nii\.gz cannot be used: it holds 60 \(Spinal cord\); allowed are 61"),
        ((61, 22), r"holds 22 \(L3 body\); .*put bodies and discs into the labels"),
        ((122,), r"holds 122 \(L3-L4 disc\)"),
        ((61, 250), "holds 250;"),
        ((61, -3), "holds -3;"),
        ((1,), r"holds 1 \(C1 body\); allowed are 61 \(dural sac\), 150 and 180"),
        ((61, 61.5), r"holds 61\.5;"),
        ((), r"nothing is drawn in it"),
    ],
)
def test_whoever_reads_an_annotation_refuses_what_it_may_not_hold(
    volume: LabelledVolume, tmp_path: Path, values: tuple[float, ...], message: str
) -> None:
    write(volume.annotations[0], drawn(*values))
    grown = dataclasses.replace(volume, annotations=(), grown=volume.annotations)
    for one in (volume, grown):
        with pytest.raises(InputError, match=message):
            check_volumes([one])
        with pytest.raises(InputError, match=message):
            cache_volume(one, tmp_path, TINY)
    with pytest.raises(InputError, match=message):
        read_references(volume)
    with pytest.raises(InputError, match=message):
        read_sample(volume)
    with pytest.raises(InputError, match=message.removeprefix("a: ")):
        index_folder(tmp_path, tmp_path / "index.csv", FolderRules(contrast="T2"))
    assert not list(tmp_path.glob("*.npz"))


def test_targets_are_not_made_of_what_an_annotation_may_not_hold(volume: LabelledVolume) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[:, 10:30, 15:40], labels[:, 36:56, 15:40] = 22, 23
    for value, name in ((60, r"60 \(Spinal cord\)"), (np.inf, "inf"), (np.nan, "nan")):
        annotation = drawn(61, 61.5)
        annotation[annotation == 61.5] = value
        with pytest.raises(ValueError, match=f"it holds {name}; allowed"):
            target_of(labels, (4.0, 1.0, 1.0), annotation)


def test_sac_foramina_and_what_is_open_may_be_drawn(volume: LabelledVolume, tmp_path: Path) -> None:
    write(volume.annotations[0], drawn(61, 173, 203, 255))
    check_volumes([volume])
    assert cache_volume(volume, tmp_path, TINY)
    assert len(read_references(volume)) == 2
    assert len(index_folder(tmp_path, tmp_path / "index.csv", FolderRules(contrast="T2"))) == 1


@pytest.mark.parametrize("kind", ["annotations", "labels"])
@pytest.mark.parametrize("other", ["pixel", "shape"])
def test_a_file_on_another_grid_is_refused(volume: LabelledVolume, tmp_path: Path, kind: str, other: str) -> None:
    write(volume.annotations[0], drawn(61))
    check_volumes([volume])
    path = volume.annotations[0] if kind == "annotations" else volume.labels
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    write(path, array if other == "pixel" else array[:, :, :-1], 0.9 if other == "pixel" else 1.0)
    for read in (lambda: check_volumes([volume]), lambda: cache_volume(volume, tmp_path, TINY)):
        with pytest.raises(
            InputError, match=rf"a: .*{path.parent.name}.a\.nii\.gz does not lie on the grid of the image"
        ):
            read()
    with pytest.raises(InputError, match="does not lie on the grid"):
        read_sample(volume)


def test_a_proposal_that_was_corrected_wrongly_is_not_accepted(volume: LabelledVolume, tmp_path: Path) -> None:
    proposal = write(tmp_path / "grown" / "a.nii.gz", drawn(61, 22))
    row = {"id": "a", "subject": "a", "contrast": "T2", "split": "train"}
    row |= {"image": str(volume.image), "labels": str(volume.labels)}
    pd.DataFrame([row]).to_csv(tmp_path / "index.csv", index=False)
    with pytest.raises(InputError, match=r"grown.a\.nii\.gz cannot be used: it holds 22 \(L3 body\)"):
        accept_proposals(tmp_path / "index.csv", proposal.parent, tmp_path / "accepted.csv")
    assert not (tmp_path / "accepted.csv").exists()


def test_a_folder_in_place_of_an_image_is_told(volume: LabelledVolume, tmp_path: Path) -> None:
    table = pd.DataFrame([{"id": "a", "subject": "a", "contrast": "T2", "split": "train", "image": "images"}])
    table["labels"] = "labels/a.nii.gz"
    table.to_csv(tmp_path / "index.csv", index=False)
    with pytest.raises(ValueError, match=r"a: .*images is a folder.*convert DICOM to NIfTI"):
        read_index(tmp_path / "index.csv")


@pytest.mark.skipif(not (DATA / "rater-annotations").is_dir(), reason="needs ../shared/data/rater-annotations")
def test_what_raters_really_drew_is_used(tmp_path: Path) -> None:
    write_index(DATA, tmp_path / "index.csv")
    rated = [v for v in read_index(tmp_path / "index.csv") if v.annotations]
    assert len(rated) > 10
    check_volumes(rated)
