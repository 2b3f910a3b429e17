"""A DICOM study in, a case with SEG and SR out, on the right side of the patient."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import image_fixtures as fx
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE
from SpineQuantLib.anatomy.structures import Side
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.result import CaseResult
from SpineQuantLib.pipeline import AnalyzeOptions, analyze
from SpineQuantLib.training.phantom import Phantom


@pytest.fixture(scope="module")
def dicom_case(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseResult, Path, Path]:
    """The phantom as the T2 series of a study that holds a T1 series too."""
    image = to_reading_order(phantom.image)
    grid = Grid.of(image)
    k, j, i = (tuple(d) for d in grid.directions)
    assert np.allclose(np.cross(i, j), k) or np.allclose(np.cross(i, j), -np.array(k))
    array = sitk.GetArrayFromImage(image).clip(0).astype(np.uint16)
    first = 0
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
    study = tmp_path_factory.mktemp("study")
    fx.write_series(study / "t2", series)
    fx.write_series(study / "t1", series.but(attributes=dict(fx.T1), number=4))
    folder = tmp_path_factory.mktemp("out") / "case"
    return analyze(study, folder, AnalyzeOptions(device="cpu")), folder, study


def test_the_t2_series_is_analysed_and_the_other_is_named(dicom_case: tuple[CaseResult, Path, Path]) -> None:
    result = dicom_case[0]
    assert result.input.dicom["SeriesNumber"] == 3
    assert result.input.contrast.value == "T2"
    assert any("T1" in remark for remark in result.input.remarks)
    assert not result.input.notes


def test_numbers_are_those_of_the_file(
    dicom_case: tuple[CaseResult, Path, Path], case: tuple[CaseResult, Path]
) -> None:
    for a, b in zip(dicom_case[0].measurements, case[0].measurements, strict=True):
        assert a.key == b.key
        if b.value is not None:
            assert a.value == pytest.approx(b.value, rel=5e-3, abs=0.05)


def test_the_segmentation_object_has_each_foramen_on_its_side(dicom_case: tuple[CaseResult, Path, Path]) -> None:
    result, folder, _ = dicom_case
    seg = hd.seg.segread(folder / "dicom" / "seg.dcm")
    assert len(seg.SegmentSequence) == len(result.spine.objects)
    middle = result.spine.grid.to_lps(np.argwhere(result.spine.labels == CANAL_VALUE).mean(axis=0))[0]
    volume = seg.get_volume(combine_segments=False)
    labels = [s.SegmentLabel for s in seg.SegmentSequence]
    checked = 0
    for n, label in enumerate(labels):
        side = next((s for s in Side if s.value in label.lower()), None)
        if side is None:
            continue
        index = np.argwhere(volume.array[..., n]).mean(axis=0)
        x = (volume.affine @ np.append(index, 1))[0]
        assert (x < middle) == (side is Side.RIGHT), label  # LPS: x grows to the left
        checked += 1
    assert checked >= 6


def test_the_report_object_refers_to_the_study_and_holds_the_numbers(
    dicom_case: tuple[CaseResult, Path, Path],
) -> None:
    result, folder, study = dicom_case
    source = pydicom.dcmread(next((study / "t2").iterdir()))
    sr = hd.sr.srread(folder / "dicom" / "sr.dcm")
    assert sr.StudyInstanceUID == source.StudyInstanceUID
    assert sr.PatientID == source.PatientID
    values = {
        round(float(item.MeasuredValueSequence[0].NumericValue), 2)
        for item in _items(sr)
        if item.ValueType == "NUM" and getattr(item, "MeasuredValueSequence", None)
    }
    wanted = [m.value for m in result.measurements if m.value is not None]
    missing = [v for v in wanted if not any(abs(v - x) < 0.01 for x in values)]
    assert not missing


def _items(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    out = []
    for item in getattr(dataset, "ContentSequence", []):
        out += [item, *_items(item)]
    return out


def test_no_file_of_the_case_names_the_patient(dicom_case: tuple[CaseResult, Path, Path]) -> None:
    _, folder, study = dicom_case
    name = str(pydicom.dcmread(next((study / "t2").iterdir())).PatientName)
    assert name
    for path in (*folder.glob("*.json"), *folder.glob("*.csv"), *folder.glob("*.html")):
        assert name not in path.read_text(encoding="utf-8"), path.name
