"""A DICOM case under review: SEG and SR are written again and refer to the images, wherever these are now."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.case.correction import Edit
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.training.phantom import Phantom
from SpineQuantLib.writing import _write_dicom

fx = pytest.importorskip("image_fixtures")
hd = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")
hands = pytest.importorskip("SpineQuantLib.report.dicom_hands")

DISC = disc_value("L4")
ANTERIOR = "disc_L4-L5_anterior-height_mid-sagittal"


def write_study(phantom: Phantom, folder: Path) -> Path:
    """The phantom as sagittal slices of a T2 series."""
    image = to_reading_order(phantom.image)
    grid = Grid.of(image)
    k, j, i = (tuple(d) for d in grid.directions)
    array, first = sitk.GetArrayFromImage(image).clip(0).astype(np.uint16), 0
    if not np.allclose(np.cross(i, j), k):
        array, first = array[::-1], grid.shape[0] - 1
    series = fx.Series(
        array=array,
        orientation=(i, j),
        pixel=(grid.spacing[1], grid.spacing[2]),
        step=grid.spacing[0],
        origin=tuple(grid.to_lps(np.array([first, 0, 0]))),
        number=3,
    )
    fx.write_series(folder, series)
    return folder


@pytest.fixture(scope="module")
def accepted(phantom, write_folder, tmp_path_factory) -> tuple[CaseReview, Path]:
    """A corrected case whose images were moved after the analysis."""
    place = tmp_path_factory.mktemp("dicom")
    study = write_study(phantom, place / "study")
    with pytest.MonkeyPatch.context() as patch:
        # The first writing is there to be opened again: the report is not looked at.
        for name in ("write_report", "write_pdf", "write_workbook", "_write_dicom"):
            patch.setattr(f"SpineQuantLib.writing.{name}", lambda result, *_: result)
        write_folder(phantom, study, place / "case")
    moved = Path(shutil.move(study, place / "archive"))
    review = CaseReview.open(place / "case")
    labels = review.result.spine.labels.copy()
    ends = np.unique(np.argwhere(labels == DISC)[:, 0])[:2]
    labels[ends] = np.where(labels[ends] == DISC, 0, labels[ends])
    review.edit_mask(labels)
    points = np.array(review.row(ANTERIOR).geometry.points)
    review.move(ANTERIOR, points + 0.5 * (points - points.mean(axis=0)))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write_report", "write_pdf", "write_workbook"):
            patch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
        review.accept("A. Reader", source=moved)
    return review, place / "case"


def test_the_segmentation_object_holds_the_edited_mask(accepted):
    review, folder = accepted
    segmentation = hd.seg.segread(folder / "dicom" / "seg.dcm")
    number = next(s.SegmentNumber for s in segmentation.SegmentSequence if s.TrackingID == "disc_L4-L5")
    volume = segmentation.get_volume(combine_segments=False)
    found = np.asarray(volume.array)[..., [s.SegmentNumber for s in segmentation.SegmentSequence].index(number)]
    assert np.count_nonzero(found) == np.count_nonzero(review.result.spine.labels == DISC)


def test_the_report_holds_the_corrected_value(accepted):
    review, folder = accepted
    report = pydicom.dcmread(folder / "dicom" / "sr.dcm")
    numbers = [float(e.value) for e in report.iterall() if e.keyword == "NumericValue"]
    value = review.row(ANTERIOR).value
    assert any(abs(n - value) < 1e-3 * value for n in numbers)
    assert not any(abs(n - review.row(ANTERIOR).automatic) < 1e-6 for n in numbers)


def test_segments_say_whose_work_they_are(accepted):
    """One disc was changed by hand, and nothing else."""
    segmentation = pydicom.dcmread(accepted[1] / "dicom" / "seg.dcm")
    kinds = {s.TrackingID: s.SegmentAlgorithmType for s in segmentation.SegmentSequence}
    assert kinds.pop("disc_L4-L5") == "SEMIAUTOMATIC"
    assert set(kinds.values()) == {"AUTOMATIC"}
    assert str(segmentation.ContentCreatorName) == "A. Reader^"


def test_the_report_names_its_reader_beside_the_software(accepted):
    """TID 1001: each observer's type, then who or what it is."""
    report = pydicom.dcmread(accepted[1] / "dicom" / "sr.dcm")
    codes = [i for i in report.ContentSequence if i.ConceptNameCodeSequence[0].CodeMeaning == "Observer Type"]
    assert [c.ConceptCodeSequence[0].CodeMeaning for c in codes] == ["Person", "Device"]
    names = [str(i.PersonName) for i in report.ContentSequence if i.ValueType == "PNAME"]
    assert names == ["A. Reader^"]
    assert report.VerificationFlag == "UNVERIFIED"


@pytest.mark.parametrize("name", ["seg.dcm", "sr.dcm"])
def test_what_was_corrected_conforms_to_the_standard(accepted, name):
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is absent: install the package dicom3tools")
    told = subprocess.run([tool, accepted[1] / "dicom" / name], capture_output=True, text=True, check=False).stderr
    assert [line for line in told.splitlines() if line.startswith("Error")] == []


def edited(result, *edits):
    """The case with a history; voxels by segment before and after each edit."""
    time = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return replace(result, edits=tuple(Edit("R", time, 1.0, kind, "", before, after) for kind, before, after in edits))


def test_who_drew_a_segment_is_followed_through_names(phantom_case):
    """A disc drawn where there was none is the reader's alone, under whatever name; erased and drawn anew it is too."""
    result = phantom_case[0]
    drawn = ("mask", {"disc_L4-L5": 0, "canal": 900}, {"disc_L4-L5": 40, "canal": 910})
    again = ("mask", {"disc_L4-L5": 40, "disc_L3-L4": 50}, {"disc_L4-L5": 44, "disc_L3-L4": 0})
    names = {"vertebrae": ["L3", "L4", "L5", "S1"]}, {"vertebrae": ["L2", "L3", "L4", "L5"]}
    kinds = hands.algorithm_types(edited(result, drawn, again))
    assert kinds[disc_value("L4")].value == "MANUAL"
    assert kinds[disc_value("L3")].value == "MANUAL"
    assert kinds[CANAL_VALUE].value == "SEMIAUTOMATIC"
    assert kinds[vertebra_value("L4")].value == "AUTOMATIC"
    renamed = hands.algorithm_types(edited(result, drawn, ("levels", *names)))
    assert renamed[disc_value("L3")].value == "MANUAL"
    assert renamed[disc_value("L4")].value == "AUTOMATIC"


@pytest.mark.parametrize(
    ("name", "written"), [("Ann O'Neil", "Ann O'Neil^"), ("a^b=c\\d", "a b c d^"), ("x" * 99, "x" * 63 + "^")]
)
def test_any_name_becomes_one_that_dicom_allows(name, written):
    assert hands.person_name(name) == written


def test_without_its_images_the_case_says_what_is_missing(accepted, tmp_path):
    result = CaseReview.open(accepted[1]).result
    assert result.input.files == ()
    told = _write_dicom(result, tmp_path / "dicom")
    assert not list((tmp_path / "dicom").iterdir())
    assert any("DICOM SEG and SR were not written" in note for note in told.input.notes)
    assert _write_dicom(told, tmp_path / "again").input.notes == told.input.notes
