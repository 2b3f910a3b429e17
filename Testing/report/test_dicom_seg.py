"""The DICOM segmentation says of every place in the patient what the case says."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import dicom_fixtures as fx
import numpy as np
import pydicom
import pytest

from SpineQuantLib.anatomy.labels import foramen_value, parse_segment_id
from SpineQuantLib.anatomy.structures import Side
from SpineQuantLib.case.errors import InputError, OutputError, UnsuitableError
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.images.read import read_volume
from SpineQuantLib.report.dicom_seg import write_seg

VIEWS = [
    fx.SAGITTAL_FROM_RIGHT,
    fx.SAGITTAL_FROM_LEFT,
    fx.AXIAL_FROM_BELOW,
    fx.AXIAL_FROM_ABOVE,
    fx.CORONAL,
]


def read_back(path: Path, size: tuple[int, int]) -> tuple[dict[int, int], int]:
    """Voxels of each label value found in the segmentation, all where they belong, and the number of frames.

    Every pixel of every frame is compared with the label at its own place in the patient, which comes from the
    segmentation's header alone.
    """
    seg = pydicom.dcmread(path)
    values = {s.SegmentNumber: parse_segment_id(s.TrackingID) for s in seg.SegmentSequence}
    shared = seg.SharedFunctionalGroupsSequence[0]
    frames = seg.pixel_array.reshape(-1, *size)
    found = dict.fromkeys(values.values(), 0)
    for groups, frame in zip(seg.PerFrameFunctionalGroupsSequence, frames, strict=True):
        value = values[groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
        lps = fx.pixel_lps(
            groups.PlanePositionSequence[0].ImagePositionPatient,
            shared.PlaneOrientationSequence[0].ImageOrientationPatient,
            shared.PixelMeasuresSequence[0].PixelSpacing,
            size,
        )
        np.testing.assert_array_equal(frame == 1, fx.labels_at(lps) == value)
        found[value] += int(frame.sum())
    return found, len(frames)


@pytest.mark.parametrize("view", VIEWS)
def test_every_voxel_lies_where_it_lies_in_the_patient(view, tmp_path):
    size = (12, 44, 36) if view in VIEWS[:2] else (16, 40, 38)
    scan = fx.Scan.of(view, size=size)
    case = fx.make_case(scan)
    files = fx.write_series(scan, tmp_path)
    random.Random(3).shuffle(files)
    write_seg(case, files, tmp_path / "dicom" / "seg.dcm")
    found, _ = read_back(tmp_path / "dicom" / "seg.dcm", scan.size[1:])
    values, counts = np.unique(case.spine.labels[case.spine.labels > 0], return_counts=True)
    assert found == dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_frames_of_a_multiframe_image_in_any_stored_order(tmp_path):
    scan = fx.Scan.of()
    order = random.Random(5).sample(range(scan.size[0]), scan.size[0])
    (file,) = fx.write_multiframe(scan, tmp_path, order)
    case = fx.make_case(scan)
    write_seg(case, [file], tmp_path / "seg.dcm")
    found, _ = read_back(tmp_path / "seg.dcm", scan.size[1:])
    assert sum(found.values()) == np.count_nonzero(case.spine.labels)

    seg, source = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(file)
    for groups in seg.PerFrameFunctionalGroupsSequence:
        reference = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        referenced = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        np.testing.assert_allclose(
            groups.PlanePositionSequence[0].ImagePositionPatient,
            referenced.PlanePositionSequence[0].ImagePositionPatient,
        )


@pytest.mark.parametrize("view", [fx.SAGITTAL_FROM_RIGHT, fx.SAGITTAL_FROM_LEFT])
def test_right_stays_right(view, tmp_path):
    scan = fx.Scan.of(view)
    write_seg(fx.make_case(scan), fx.write_series(scan, tmp_path), tmp_path / "seg.dcm")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    sides = {
        parse_segment_id(s.TrackingID): s.SegmentedPropertyTypeCodeSequence[0]
        for s in seg.SegmentSequence
        if s.TrackingID.startswith("foramen")
    }
    for side, code, sign in ((Side.RIGHT, "24028007", -1), (Side.LEFT, "7771000", 1)):
        value = foramen_value("L4", side)
        assert sides[value].SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == code
        number = next(s.SegmentNumber for s in seg.SegmentSequence if parse_segment_id(s.TrackingID) == value)
        orientation = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
        spacing = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        xs = [
            fx.pixel_lps(g.PlanePositionSequence[0].ImagePositionPatient, orientation, spacing, scan.size[1:])[
                frame == 1
            ]
            for g, frame in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True)
            if g.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number
        ]
        assert (np.sign(np.concatenate(xs)[:, 0]) == sign).all()


def test_frames_lie_where_the_slices_lie_even_if_their_distances_vary(tmp_path):
    scan = fx.Scan.of(jitter=0.6)
    files = fx.write_series(scan, tmp_path)
    write_seg(fx.make_case(scan), files, tmp_path / "seg.dcm")
    where = {(h := pydicom.dcmread(f)).SOPInstanceUID: h.ImagePositionPatient for f in files}
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    for groups in seg.PerFrameFunctionalGroupsSequence:
        reference = groups.DerivationImageSequence[0].SourceImageSequence[0]
        np.testing.assert_allclose(
            groups.PlanePositionSequence[0].ImagePositionPatient,
            where[reference.ReferencedSOPInstanceUID],
            atol=1e-6,
        )


def test_patient_study_and_maker(tmp_path):
    scan = fx.Scan.of()
    files = fx.write_series(scan, tmp_path)
    case = fx.make_case(scan)
    write_seg(case, files, tmp_path / "seg.dcm")
    seg, source = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(files[0])
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "AccessionNumber", "StudyDate"):
        assert seg[keyword].value == source[keyword].value
    assert str(seg.PatientName) == "Müller^Jörg"
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert case.model.sha256 in algorithm.AlgorithmParameters
    assert {str(s.SegmentAlgorithmType) for s in seg.SegmentSequence} == {"AUTOMATIC"}
    assert len({s.TrackingUID for s in seg.SegmentSequence}) == len(case.spine.objects)
    assert seg.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99SPINEQUANT"


def test_two_writings_are_two_objects(tmp_path):
    scan = fx.Scan.of()
    files, case = fx.write_series(scan, tmp_path), fx.make_case(scan)
    write_seg(case, files, tmp_path / "a.dcm")
    write_seg(case, files, tmp_path / "b.dcm")
    a, b = pydicom.dcmread(tmp_path / "a.dcm"), pydicom.dcmread(tmp_path / "b.dcm")
    assert a.SOPInstanceUID != b.SOPInstanceUID
    assert a.SeriesInstanceUID != b.SeriesInstanceUID


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientSex": "W", "PatientBirthDate": "1960", "StudyTime": "soon"},
        {"PatientID": None, "PatientName": None, "PatientBirthDate": None, "AccessionNumber": None, "StudyID": None},
    ],
    ids=["malformed", "absent"],
)
def test_untidy_headers_do_not_stop_it(changes, tmp_path):
    scan = fx.Scan.of()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
        files = fx.write_series(scan, tmp_path, **changes)
    write_seg(fx.make_case(scan), files, tmp_path / "seg.dcm")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    assert not any(seg[keyword].value for keyword in changes)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files: files[:-1], "11, 44, 36"),
        (lambda files: [*files[:-1], files[0]], "same place"),
        (lambda files: [files[0].with_name("absent.dcm")], "cannot read"),
        (lambda files: files[:0], "no DICOM files"),
    ],
    ids=["missing slice", "slice twice", "no such file", "none"],
)
def test_wrong_files_are_refused(spoil, message, tmp_path):
    scan = fx.Scan.of()
    files = fx.write_series(scan, tmp_path)
    with pytest.raises(InputError, match=message):
        write_seg(fx.make_case(scan), spoil(files), tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()


def test_files_of_another_volume_are_refused(tmp_path):
    scan, other = fx.Scan.of(), fx.Scan.of(tilt=(6.0, 3.0, -12.0))
    with pytest.raises(InputError, match=r"parallel|away"):
        write_seg(fx.make_case(scan), fx.write_series(other, tmp_path), tmp_path / "seg.dcm")
    shifted = replace(scan, positions=scan.positions + np.array([0.0, 3.0, 0.0]))
    with pytest.raises(InputError, match="mm away"):
        write_seg(fx.make_case(scan), fx.write_series(shifted, tmp_path), tmp_path / "seg.dcm")


def test_a_source_without_frame_of_reference_is_given_one(tmp_path):
    scan = fx.Scan.of()
    files = fx.write_series(scan, tmp_path, FrameOfReferenceUID=None)
    write_seg(fx.make_case(scan), files, tmp_path / "seg.dcm")
    assert pydicom.dcmread(tmp_path / "seg.dcm").FrameOfReferenceUID.startswith("2.25.")


def test_only_the_frames_of_the_volume_are_referred_to(tmp_path):
    """A multi-frame image may hold several echoes of each slice, of which one was analysed."""
    scan = fx.Scan.of()
    slices = list(range(scan.size[0]))
    (file,) = fx.write_multiframe(scan, tmp_path, [n for n in slices for _ in ("echo 1", "echo 2")])
    case = fx.make_case(scan)
    second = [2 * n + 2 for n in reversed(slices)]
    case = replace(case, input=replace(case.input, dicom={"FrameNumbers": second}))
    write_seg(case, [file], tmp_path / "seg.dcm")
    found, _ = read_back(tmp_path / "seg.dcm", scan.size[1:])
    assert sum(found.values()) == np.count_nonzero(case.spine.labels)
    referenced = {
        groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for groups in pydicom.dcmread(tmp_path / "seg.dcm").PerFrameFunctionalGroupsSequence
    }
    assert referenced <= set(second)
    with pytest.raises(InputError, match="same place"):
        write_seg(replace(case, input=replace(case.input, dicom={})), [file], tmp_path / "again.dcm")


def test_an_empty_segmentation_is_refused(tmp_path):
    scan = fx.Scan.of()
    case = fx.make_case(scan)
    empty = NamedSpine.from_labels(np.zeros_like(case.spine.labels), case.spine.grid, ())
    with pytest.raises(UnsuitableError, match="nothing was segmented"):
        write_seg(replace(case, spine=empty), fx.write_series(scan, tmp_path), tmp_path / "seg.dcm")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    scan = fx.Scan.of()
    (tmp_path / "dicom").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match=r"seg\.dcm"):
        write_seg(fx.make_case(scan), fx.write_series(scan, tmp_path), tmp_path / "dicom" / "seg.dcm")


@pytest.mark.parametrize("stored", ["single-frame", "multi-frame"])
def test_a_series_as_it_was_read_is_the_source_of_its_case(stored, tmp_path):
    """The files, frames and grid that reading hands over are those that writing refers to."""
    scan = fx.Scan.of(fx.SAGITTAL_FROM_LEFT)
    if stored == "single-frame":
        fx.write_series(scan, tmp_path)
    else:
        fx.write_multiframe(scan, tmp_path, [*reversed(range(scan.size[0]))])
    volume = read_volume(tmp_path)
    grid = Grid.of(volume.reading)
    labels = fx.labels_at(grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)))
    case = replace(fx.make_case(scan), spine=NamedSpine.from_labels(labels, grid, ("L4", "L5")), input=volume.info)
    write_seg(case, case.input.files, tmp_path / "seg.dcm")
    found, _ = read_back(tmp_path / "seg.dcm", scan.size[1:])
    assert sum(found.values()) == np.count_nonzero(labels)


@pytest.mark.parametrize("multiframe", [False, True], ids=["single-frame", "multi-frame"])
def test_it_conforms_to_the_standard(multiframe, tmp_path):
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is absent: install the package dicom3tools")
    scan = fx.Scan.of()
    files = (
        fx.write_multiframe(scan, tmp_path, list(range(scan.size[0])))
        if multiframe
        else fx.write_series(scan, tmp_path)
    )
    write_seg(fx.make_case(scan), files, tmp_path / "seg.dcm")
    report = subprocess.run([tool, tmp_path / "seg.dcm"], capture_output=True, text=True, check=False).stderr
    assert "Segmentation" in report
    assert [line for line in report.splitlines() if line.startswith("Error")] == []
