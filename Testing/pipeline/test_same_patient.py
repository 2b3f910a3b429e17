"""However a volume is stored, the case is the same; a mirrored patient swaps the sides and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.structures import Side
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.case.result import CaseResult
from SpineQuantLib.pipeline import AnalyzeOptions, analyze


def labels(folder: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(to_reading_order(sitk.ReadImage(str(folder / "segmentation.nii.gz"))))


@pytest.mark.parametrize("stored", ["RPI", "ASL", "LPS"])
def test_storage_changes_nothing(
    case: tuple[CaseResult, Path], phantom_file: Path, tmp_path: Path, stored: str
) -> None:
    path = tmp_path / "stored.nrrd"
    sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(phantom_file)), stored), str(path))
    analyze(path, tmp_path / "case", AnalyzeOptions(device="cpu"))
    np.testing.assert_array_equal(labels(tmp_path / "case"), labels(case[1]))
    again = sitk.ReadImage(str(tmp_path / "case" / "segmentation.nii.gz"))
    assert again.GetSize() == sitk.ReadImage(str(path)).GetSize()

    def numbers(folder: Path) -> list[list[str]]:
        return [line.split(",")[:6] for line in (folder / "measurements.csv").read_text(encoding="utf-8").splitlines()]

    for one, other in zip(numbers(tmp_path / "case"), numbers(case[1]), strict=True):
        assert one[:5] == other[:5]
        if re.fullmatch(r"[\d.]+", one[5]):
            assert float(one[5]) == pytest.approx(float(other[5]), abs=2e-3)


def test_another_patient_position_moves_with_the_patient(
    case: tuple[CaseResult, Path], phantom_file: Path, tmp_path: Path
) -> None:
    image = sitk.ReadImage(str(phantom_file))
    image.SetOrigin(tuple(o + d for o, d in zip(image.GetOrigin(), (31.0, -57.0, 400.0), strict=True)))
    path = tmp_path / "moved.nii.gz"
    sitk.WriteImage(image, str(path))
    moved = analyze(path, tmp_path / "case", AnalyzeOptions(device="cpu"))
    for a, b in zip(moved.measurements, case[0].measurements, strict=True):
        assert a.key == b.key
        if b.value is not None:
            assert a.value == pytest.approx(b.value, rel=1e-3, abs=1e-3)
        if b.geometry is not None and a.geometry is not None:
            shift = np.array(a.geometry.points).mean(0) - np.array(b.geometry.points).mean(0)
            np.testing.assert_allclose(shift, (-31.0, 57.0, 400.0), atol=0.05)


def test_the_lowest_disc_can_be_settled_by_hand(phantom_file: Path, tmp_path: Path) -> None:
    result = analyze(phantom_file, tmp_path / "case", AnalyzeOptions(device="cpu", lowest_disc="L4-L5"))
    assert result.spine.naming.method == "set by hand"
    assert result.spine.levels[-1] == "L4-L5"
    assert {o.side for o in result.spine.objects} >= set(Side)
