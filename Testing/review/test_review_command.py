"""``spinequant review``: corrections from other programs, in the case folder or given as files."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib import cli
from SpineQuantLib.anatomy.labels import disc_value
from SpineQuantLib.case.errors import ExitCode, InputError
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.review.outside import read_label_map, read_markup, row_of_markup

ANTERIOR = "disc_L4-L5_anterior-height_mid-sagittal"
VOLUME = "disc_L4-L5_volume_soft-voxels"
DISC = disc_value("L4")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command in this process; returns exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spinequant", "review", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "240")
        previous = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            signal.signal(signal.SIGTERM, previous)
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out, out.err

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def erase_a_slice(path: Path) -> None:
    """Erase the disc from its two rightmost slices in a stored segmentation, headers kept."""
    image = sitk.ReadImage(str(path))
    turned = to_reading_order(image)
    labels = sitk.GetArrayFromImage(turned)
    ends = np.unique(np.argwhere(labels == DISC)[:, 0])[:2]
    labels[ends] = np.where(labels[ends] == DISC, 0, labels[ends])
    edited = sitk.GetImageFromArray(labels)
    edited.CopyInformation(turned)
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    back = sitk.DICOMOrient(edited, code)
    for key in image.GetMetaDataKeys():
        if key.startswith("Segment"):
            back.SetMetaData(key, image.GetMetaData(key))
    sitk.WriteImage(back, str(path), useCompression=True)


def lengthen(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    points = document["markups"][0]["controlPoints"]
    points[1]["position"] = [2 * b - a for a, b in zip(points[0]["position"], points[1]["position"], strict=True)]
    path.write_text(json.dumps(document), encoding="utf-8")


def test_a_case_as_it_was_written_has_no_changes(command, folder):
    before = contents(folder)
    code, out, _ = command(folder)
    assert code == ExitCode.OK
    assert "no measurement changes" in out
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["segmentation.seg.nrrd", "segmentation.nii.gz"])
def test_what_another_program_saved_into_the_folder_is_shown_and_not_yet_kept(command, folder, name):
    erase_a_slice(folder / name)
    lengthen(folder / "markups" / f"{ANTERIOR}.mrk.json")
    before = contents(folder)
    code, out, err = command(folder)
    assert code == ExitCode.OK, err
    row = next(line for line in out.splitlines() if "anterior height" in line and "L4-L5" in line)
    assert "corrected" in row
    assert "volume" in out
    assert "L3-L4" not in out
    assert "nothing was written" in err
    assert contents(folder) == before


def test_two_changed_segmentations_that_differ_are_not_guessed_between(command, folder):
    erase_a_slice(folder / "segmentation.nii.gz")
    erase_a_slice(folder / "segmentation.seg.nrrd")
    assert command(folder)[0] == ExitCode.OK
    erase_a_slice(folder / "segmentation.seg.nrrd")
    code, _, err = command(folder)
    assert code == ExitCode.INPUT
    assert "both changed" in " ".join(err.split())


def test_files_are_applied_and_accepted_into_another_folder(command, folder, tmp_path):
    review = CaseReview.open(folder)
    edited = tmp_path / "edited.nii.gz"
    # As a program with axes of its own might store it.
    (folder / "segmentation.nii.gz").rename(edited)
    sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(edited)), "RAS"), str(edited))
    erase_a_slice(edited)
    line = tmp_path / f"{ANTERIOR}.mrk.json"
    line.write_bytes((folder / "markups" / line.name).read_bytes())
    lengthen(line)
    target = tmp_path / "accepted"
    options = ("--segmentation", edited, "--markup", line, "--accept", "--rater", "A. Reader", "-o", target)
    code, out, err = command(folder, *options, "--progress", "none")
    assert code == ExitCode.OK, err
    assert "A. Reader" in out
    found = CaseReview.open(target)
    assert found.row(VOLUME).value < found.row(VOLUME).automatic == review.row(VOLUME).value
    assert found.row(ANTERIOR).value == pytest.approx(2 * review.row(ANTERIOR).value, rel=1e-3)
    assert found.result.accepted.rater == "A. Reader"
    assert CaseReview.open(folder).history == ()


def test_names_need_a_confirmation_where_s1_becomes_lumbar(command, folder):
    code, _, err = command(folder, "--lowest-disc", "L4-L5")
    assert code == ExitCode.INPUT
    assert "would become L5" in " ".join(err.split())
    code, out, _ = command(folder, "--lowest-disc", "L4-L5", "--s1-becomes-lumbar")
    assert code == ExitCode.OK
    assert "L2-L3" in out


def test_nobody_accepts_without_a_name(command, folder):
    code, _, err = command(folder, "--accept")
    assert code == ExitCode.USAGE
    assert "--rater" in err


@pytest.mark.parametrize("code", ["LPS", "RAI", "ASR", "PIL"])
def test_a_label_map_is_read_whatever_its_axes_and_extent(review, tmp_path, code):
    spine = review.result.spine
    image = sitk.DICOMOrient(spine.grid.image(spine.labels), code)
    sitk.WriteImage(image, str(tmp_path / "whole.nrrd"))
    np.testing.assert_array_equal(read_label_map(tmp_path / "whole.nrrd", spine.grid), spine.labels)
    found = np.argwhere(sitk.GetArrayViewFromImage(image))[:, ::-1]
    low, high = found.min(axis=0), found.max(axis=0) + 1
    part = image[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
    sitk.WriteImage(part, str(tmp_path / "part.nii.gz"))
    np.testing.assert_array_equal(read_label_map(tmp_path / "part.nii.gz", spine.grid), spine.labels)


def shifted(image: sitk.Image) -> sitk.Image:
    image.SetOrigin([c + 0.4 for c in image.GetOrigin()])
    return image


def finer(image: sitk.Image) -> sitk.Image:
    image.SetSpacing([s / 2 for s in image.GetSpacing()])
    return image


@pytest.mark.parametrize("spoil", [shifted, finer])
def test_a_resampled_label_map_is_refused(review, tmp_path, spoil):
    spine = review.result.spine
    sitk.WriteImage(spoil(spine.grid.image(spine.labels)), str(tmp_path / "labels.nrrd"))
    with pytest.raises(InputError, match="does not lie on the voxels"):
        read_label_map(tmp_path / "labels.nrrd", spine.grid)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"markups": []}', '{"markups": [{"type": "Plane"}]}'])
def test_what_is_no_line_is_refused(tmp_path, content):
    path = tmp_path / f"{ANTERIOR}.mrk.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        read_markup(path)


def test_a_markup_of_nothing_in_the_case_is_refused(review, folder, tmp_path):
    stranger = tmp_path / "F-1.mrk.json"
    stranger.write_bytes((folder / "markups" / f"{ANTERIOR}.mrk.json").read_bytes())
    with pytest.raises(InputError, match="belongs to no measurement"):
        row_of_markup(read_markup(stranger), review.measurements)
