"""The DICOM report says what the table says, of the same objects as the segmentation."""

from __future__ import annotations

import copy
import shutil
import subprocess
from dataclasses import replace

import dicom_fixtures as fx
import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from SpineQuantLib.case.errors import InputError, UnsuitableError
from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.report.dicom_seg import write_seg
from SpineQuantLib.report.dicom_sr import write_sr

LOWER, UPPER = "371885007", "371886008"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A case, its source files, segmentation and report; nobody may change them."""
    folder = tmp_path_factory.mktemp("dicom")
    scan = fx.Scan.of()
    case, files = fx.make_case(scan), fx.write_series(scan, folder)
    write_seg(case, files, folder / "seg.dcm")
    write_sr(case, files, folder / "seg.dcm", folder / "sr.dcm")
    return case, files, pydicom.dcmread(folder / "seg.dcm"), hd.sr.srread(folder / "sr.dcm")


def groups(report) -> dict[str, object]:
    found = report.content.get_volumetric_roi_measurement_groups() + report.content.get_image_measurement_groups()
    return {group.tracking_identifier: group for group in found}


def items(parent, name: str) -> list:
    """Content items below another, by code value."""
    return [i for i in parent.get("ContentSequence", []) if i.ConceptNameCodeSequence[0].CodeValue == name]


def comments(group) -> list[str]:
    return [i.TextValue for i in items(group[0], codes.DCM.Comment.value)]


def numbers(report) -> dict[str, pydicom.Dataset]:
    """Measured items by the key of the measurement."""
    return {
        item.ContentSequence[0].TextValue: item
        for group in groups(report).values()
        for item in group[0].ContentSequence
        if item.ValueType == "NUM" and "ContentSequence" in item
    }


def test_every_measured_value_comes_back_with_unit_and_method(written):
    case, _, _, report = written
    found = numbers(report)
    assert set(found) == {m.key for m in case.measurements if m.value is not None}
    for m in case.measurements:
        if m.value is None:
            continue
        value = found[m.key].MeasuredValueSequence[0]
        assert value.FloatingPointValue == m.value
        assert value.MeasurementUnitsCodeSequence[0].CodeValue == m.unit
        (method,) = items(found[m.key], codes.SCT.MeasurementMethod.value)
        assert method.ConceptCodeSequence[0].CodeMeaning == m.method


def test_interval_and_reference_range(written):
    *_, report = written
    height = numbers(report)["disc_L4-L5_height_Dabbs"]
    for code, distance in ((LOWER, 0.75), (UPPER, 1.25)):
        (item,) = items(height, code)
        assert item.MeasuredValueSequence[0].FloatingPointValue == distance
        assert item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    (reference,) = items(height, codes.DCM.NormalRangeDescription.value)
    assert reference.TextValue == "6.7 ± 1.2 mm"


def number_of(parent, code) -> tuple[float, str]:
    (item,) = items(parent, code.value)
    value = item.MeasuredValueSequence[0]
    return value.FloatingPointValue, value.MeasurementUnitsCodeSequence[0].CodeValue


def test_a_value_tells_where_it_stands_in_the_group_of_its_source(written):
    *_, report = written
    area = numbers(report)["canal_L4-L5_area_perpendicular-to-centre-line"]
    assert number_of(area, codes.SCT.MeanValueOfPopulation) == (151.67, "mm2")
    assert number_of(area, codes.DCM.StandardDeviationOfPopulation) == (53.59, "mm2")
    assert number_of(area, codes.DCM.ZScoreOfMeasurement) == (pytest.approx((141 - 151.67) / 53.59), "1")
    percentile, unit = number_of(area, codes.DCM.PercentileRankingOfMeasurement)
    assert (percentile, unit) == (pytest.approx(42.1, abs=0.1), "%")
    assert [i.TextValue for i in items(area, "121405")] == ["130 controls; with stenosis 80.0 ± 35.4"]
    assert items(area, "121406")[0].TextValue.startswith("Lim YS")


def test_levels_put_together_give_mean_and_sd_but_no_rank(written):
    *_, report = written
    height = numbers(report)["disc_L4-L5_height_Dabbs"]
    assert number_of(height, codes.SCT.MeanValueOfPopulation) == (6.7, "mm")
    assert not items(height, codes.DCM.ZScoreOfMeasurement.value)
    assert not items(height, codes.DCM.PercentileRankingOfMeasurement.value)


def test_limits_of_normal_and_grades_come_with_their_source(written):
    *_, report = written
    height = numbers(report)["foramen_right_L4-L5_height_narrowest-sagittal-section"]
    assert number_of(height, codes.SCT.NormalRangeLowerLimit) == (15.0, "mm")
    assert not items(height, codes.SCT.NormalRangeUpperLimit.value)
    assert items(height, codes.DCM.NormalRangeAuthority.value)[0].TextValue.startswith("spinebase.org")
    told = "height (narrowest sagittal section): moderate stenosis (spinebase.org)"
    assert told in comments(groups(report)["foramen_right_L4-L5"])


def test_an_interval_beside_its_value_is_told_in_words(written):
    *_, report = written
    assert not items(numbers(report)["foramen_right_L4-L5_height_pedicle-to-pedicle"], LOWER)
    assert "height (pedicle to pedicle): interval 15.0 to 16.0 mm" in comments(groups(report)["foramen_right_L4-L5"])


def test_an_absent_value_is_left_out_and_its_reason_told(written):
    *_, report = written
    (text,) = [c for c in comments(groups(report)["foramen_left_L4-L5"]) if "not measured" in c]
    assert text.endswith("cut by the field of view – 2 mm²")


def test_doubt_and_correction_are_told(written):
    *_, report = written
    assert comments(groups(report)["canal_L5"]) == ["AP diameter (mid-sagittal): edge of the scan"]
    assert comments(groups(report)["spine_L1-S1"]) == ["lordosis (Cobb): corrected, automatic value 38.250 deg"]


@pytest.mark.parametrize(
    ("tracking_id", "finding", "sites"),
    [
        ("disc_L4-L5", "84020006", [("243923001", None)]),
        ("vertebra_L4", "3572006", [("11994002", None)]),
        ("canal_L4-L5", "61853006", [("243923001", None)]),
        ("canal_L5", "61853006", [("49668003", None)]),
        ("foramen_right_L4-L5", "FORAMEN", [("243923001", "24028007")]),
        ("foramen_left_L4-L5", "FORAMEN", [("243923001", "7771000")]),
        ("spine_L1-S1", "421060004", [("66794005", None), ("65985001", None)]),
    ],
)
def test_finding_and_site(written, tracking_id, finding, sites):
    *_, report = written
    group = groups(report)[tracking_id]
    assert group.finding_type.value == finding
    found = [(s.value.value, s.laterality.value if s.laterality else None) for s in group.finding_sites]
    assert found == sites


def test_groups_refer_to_the_segment_of_their_object(written):
    _, files, seg, report = written
    segments = {s.TrackingID: s for s in seg.SegmentSequence}
    series = pydicom.dcmread(files[0]).SeriesInstanceUID
    referring = {g.tracking_identifier: g for g in report.content.get_volumetric_roi_measurement_groups()}
    assert set(referring) == {"disc_L4-L5", "vertebra_L4", "foramen_right_L4-L5", "foramen_left_L4-L5"}
    for tracking_id, group in referring.items():
        (reference,) = items(group[0], codes.DCM.ReferencedSegment.value)
        target = reference.ReferencedSOPSequence[0]
        assert target.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert target.ReferencedSegmentNumber == segments[tracking_id].SegmentNumber
        assert group.tracking_uid == segments[tracking_id].TrackingUID
        (source,) = items(group[0], codes.DCM.SourceSeriesForSegmentation.value)
        assert series == source.UID


def test_what_has_no_segment_carries_the_points_it_was_read_from(written):
    case, files, _, report = written
    found = numbers(report)
    area = next(m for m in case.measurements if m.name == "area")
    (contour,) = [i for i in found[area.key].ContentSequence if i.ValueType == "SCOORD3D"]
    assert contour.GraphicType == "POLYGON"
    assert contour.ReferencedFrameOfReferenceUID == pydicom.dcmread(files[0]).FrameOfReferenceUID
    points = np.array(contour.GraphicData).reshape(-1, 3)
    lps = np.array(area.geometry.points) * (-1, -1, 1)
    np.testing.assert_allclose(points, [*lps, lps[0]], atol=1e-4)
    (line,) = [i for i in found["canal_L5_AP-diameter_mid-sagittal"].ContentSequence if i.ValueType == "SCOORD3D"]
    np.testing.assert_allclose(line.GraphicData, (0, -12, -9, 0, -12, 9))


def test_verdicts_and_agreement(written):
    case, *_, report = written
    (whole,) = items(report, "C0034375")
    assert [i.ConceptCodeSequence[0].CodeValue for i in items(whole, "VERDICT")] == ["REVIEW"]
    assert case.assessment.reasons[0] in [i.TextValue for i in items(whole, codes.DCM.Comment.value)]
    foramen = groups(report)["foramen_left_L4-L5"][0]
    assert [i.ConceptCodeSequence[0].CodeValue for i in items(foramen, "VERDICT")] == ["FAIL"]
    (dice,) = items(foramen, "MEAN_DICE")
    assert dice.MeasuredValueSequence[0].FloatingPointValue == 0.41


def test_the_observer_is_the_software_and_nobody_has_verified_it(written):
    *_, report = written
    (observer,) = report.content.get_observer_contexts()
    assert observer.observer_type == codes.DCM.Device
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def test_all_images_and_the_segmentation_are_evidence(written):
    _, files, seg, report = written
    evidence = {sop for *_, sop, _ in report.get_evidence()}
    assert evidence == {seg.SOPInstanceUID, *(pydicom.dcmread(f).SOPInstanceUID for f in files)}


def test_patient_and_study_are_those_of_the_source(written):
    _, files, _, report = written
    source = pydicom.dcmread(files[0])
    for keyword in ("PatientID", "PatientBirthDate", "StudyInstanceUID", "AccessionNumber", "StudyID"):
        assert report[keyword].value == source[keyword].value
    assert str(report.PatientName) == "Müller^Jörg"


def test_a_segmentation_of_another_study_is_refused(written, tmp_path):
    case, files, seg, _ = written
    seg = copy.copy(seg)
    seg.StudyInstanceUID = "1.2.3"
    seg.save_as(tmp_path / "other.dcm")
    with pytest.raises(InputError, match="another study"):
        write_sr(case, files, tmp_path / "other.dcm", tmp_path / "again.dcm")
    with pytest.raises(InputError, match="cannot read"):
        write_sr(case, files, tmp_path / "absent.dcm", tmp_path / "again.dcm")


def test_nothing_to_report_is_refused(written, tmp_path):
    case, files, seg, _ = written
    silent = replace(case, measurements=(), assessment=replace(case.assessment, verdict=Verdict.FAIL, scores=()))
    with pytest.raises(UnsuitableError, match="nothing was measured"):
        write_sr(silent, files, seg.filename, tmp_path / "again.dcm")


@pytest.mark.parametrize("multiframe", [False, True], ids=["single-frame", "multi-frame"])
def test_the_report_conforms_to_the_standard(multiframe, tmp_path):
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is absent: install the package dicom3tools")
    scan = fx.Scan.of()
    files = fx.write_multiframe(scan, tmp_path, [*range(12)]) if multiframe else fx.write_series(scan, tmp_path)
    case = fx.make_case(scan)
    write_seg(case, files, tmp_path / "seg.dcm")
    write_sr(case, files, tmp_path / "seg.dcm", tmp_path / "sr.dcm")
    report = subprocess.run([tool, tmp_path / "sr.dcm"], capture_output=True, text=True, check=False).stderr
    assert "Comprehensive3DSR" in report
    assert [line for line in report.splitlines() if line.startswith("Error")] == []
