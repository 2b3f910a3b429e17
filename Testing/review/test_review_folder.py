"""The case folder under review: read back exactly, written again whole or not at all, one reader after the other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import disc_value
from SpineQuantLib.case.errors import InputError, OutputError
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.case.result import CaseResult
from SpineQuantLib.report.ranges import with_ranges
from SpineQuantLib.report.tables import read_measurements
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.review.measuring import measure

ANTERIOR = "disc_L4-L5_anterior-height_mid-sagittal"
DISC = disc_value("L4")


def test_a_case_read_back_is_the_case_that_was_written(phantom_case, review):
    written, _ = phantom_case
    found = review.result
    assert found.measurements == written.measurements
    assert found.spine.grid == written.spine.grid
    assert (found.spine.vertebrae, found.spine.naming) == (written.spine.vertebrae, written.spine.naming)
    np.testing.assert_array_equal(found.spine.labels, written.spine.labels)
    for structure, soft in written.spine.occupancy.items():
        np.testing.assert_array_equal(found.spine.occupancy[structure], soft)
    np.testing.assert_array_equal(found.image, written.image)
    np.testing.assert_array_equal(found.members, written.members)
    np.testing.assert_array_equal(found.assessment.disagreement, written.assessment.disagreement)
    assert found.assessment.scores == written.assessment.scores
    assert (found.input.sha256, found.model, found.device) == (written.input.sha256, written.model, written.device)
    assert not review.changed
    assert review.history == ()


def test_a_case_read_back_measures_exactly_as_the_fresh_one(review):
    again = with_ranges(measure(review.result), review.result.references)
    assert again == review.measurements


def test_the_volume_lies_where_the_input_lies(phantom, review):
    assert review.native.GetSize() == phantom.image.GetSize()
    for corner in ((0, 0, 0), tuple(n - 1 for n in phantom.image.GetSize())):
        expected = phantom.image.TransformIndexToPhysicalPoint(corner)
        assert review.native.TransformIndexToPhysicalPoint(corner) == pytest.approx(expected, abs=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(review.native), sitk.GetArrayFromImage(phantom.image))


def corrected(folder: Path) -> CaseReview:
    """A review with a moved line and an edited disc."""
    review = CaseReview.open(folder)
    labels = review.result.spine.labels.copy()
    ends = np.unique(np.argwhere(labels == DISC)[:, 0])[:2]
    labels[ends] = np.where(labels[ends] == DISC, 0, labels[ends])
    review.edit_mask(labels)
    points = np.array(review.row(ANTERIOR).geometry.points)
    review.move(ANTERIOR, points + 0.3 * (points - points.mean(axis=0)))
    return review


@pytest.fixture(scope="module")
def accepted(phantom_case: tuple[CaseResult, Path], tmp_path_factory) -> tuple[CaseReview, Path]:
    """What the first of two readers did, and the folder that they left; not to be changed."""
    folder = Path(shutil.copytree(phantom_case[1], tmp_path_factory.mktemp("accepted") / "case"))
    (folder / "my notes.txt").write_text("remember the slip", encoding="utf-8")
    review = corrected(folder)
    assert review.changed
    assert review.accept("Reader One") == folder
    return review, folder


def test_all_files_say_what_was_corrected(accepted):
    review, folder = accepted
    assert not review.changed
    assert tuple(read_measurements(folder / "measurements.json")) == review.measurements
    record = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    assert record["corrected"] is True
    assert record["corrected_by"] == ["Reader One"]
    assert record["accepted"]["rater"] == "Reader One"
    assert record["accepted"]["seconds"] >= 0
    labels = sitk.GetArrayFromImage(to_reading_order(sitk.ReadImage(str(folder / "segmentation.nii.gz"))))
    np.testing.assert_array_equal(labels, review.result.spine.labels)
    rows = (folder / "measurements.csv").read_text(encoding="utf-8")
    assert rows.count(",corrected,") == sum(m.source == "corrected" for m in review.measurements) > 2
    assert "corrected" in (folder / "report.html").read_text(encoding="utf-8").lower()
    history = json.loads((folder / "corrections.json").read_text(encoding="utf-8"))
    assert [(e["rater"], e["kind"]) for e in history["edits"]] == [("Reader One", "mask"), ("Reader One", "line")]


def test_files_of_others_are_kept(accepted):
    assert (accepted[1] / "my notes.txt").read_text(encoding="utf-8") == "remember the slip"


def test_the_analysis_keeps_its_date_and_its_costs(accepted, phantom_case):
    before, after = (json.loads((f / "case.json").read_text(encoding="utf-8")) for f in (phantom_case[1], accepted[1]))
    assert (after["created"], after["stages"]) == (before["created"], before["stages"])


def test_the_second_reader_sees_what_the_first_one_did(accepted, phantom_case):
    first, folder = accepted
    second = CaseReview.open(folder)
    assert second.measurements == first.measurements
    assert second.history == first.history
    assert second.result.accepted == first.result.accepted
    assert not second.can_undo
    automatic = {m.key: m for m in phantom_case[0].measurements}
    second.reset(ANTERIOR)
    # The first reader's mask still counts; only the line is as it was measured.
    assert second.row(ANTERIOR).value == automatic[ANTERIOR].value
    assert second.row("disc_L4-L5_volume_soft-voxels").source == "corrected"
    assert second.result.accepted is None
    assert [e.rater for e in second.history] == ["Reader One", "Reader One", ""]


def test_what_another_reader_wrote_meanwhile_is_not_overwritten(folder):
    first, second = corrected(folder), corrected(folder)
    # What the first one would write, without its pictures and scene.
    record = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    (folder / "case.json").write_text(json.dumps({**record, "corrected_by": ["Reader One"]}), encoding="utf-8")
    assert first.changed
    with pytest.raises(OutputError, match="somebody else"):
        second.accept("Reader Two")
    assert second.changed
    assert json.loads((folder / "case.json").read_text(encoding="utf-8"))["corrected_by"] == ["Reader One"]


def test_nobody_accepts_without_a_name(review):
    with pytest.raises(InputError, match="who"):
        review.accept("  ")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_error_midway_leaves_the_earlier_folder(folder, monkeypatch):
    before = contents(folder)
    review = corrected(folder)
    rows = review.measurements

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("SpineQuantLib.writing.write_measurements_json", full)
    with pytest.raises(OutputError, match="disk is full"):
        review.accept("Reader")
    assert contents(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["case"]
    assert review.changed
    assert review.measurements == rows


_KILLED = """
import os, sys
from pathlib import Path
import SpineQuantLib.writing as writing
from SpineQuantLib.review.case_review import CaseReview
review = CaseReview.open(Path(sys.argv[1]))
row = review.row(sys.argv[2])
review.move(row.key, [row.geometry.points[0], [c + 0.5 for c in row.geometry.points[1]]])
{where}
review.accept("Reader")
"""
_IN_THE_SCENE = "writing.write_scene = lambda *_, **__: os._exit(9)"
# Between the two renames at the end: the earlier folder has been moved aside and the new one is not there yet.
_BETWEEN = """
for name in ("write_scene", "write_report", "write_pdf", "write_workbook"):
    setattr(writing, name, lambda *_, **__: None)
rename = Path.rename
def killed(self, target):
    if self.name.endswith(".partial") and not str(target).endswith(".old"):
        os._exit(9)
    return rename(self, target)
Path.rename = killed
"""


@pytest.mark.parametrize("where", [_IN_THE_SCENE, _BETWEEN], ids=["while writing", "between the renames"])
def test_killed_midway_the_earlier_folder_is_whole(folder, where):
    before = contents(folder)
    script = _KILLED.format(where=where)
    child = subprocess.run([sys.executable, "-c", script, str(folder), ANTERIOR], capture_output=True, check=False)
    assert child.returncode == 9, child.stderr.decode()
    again = CaseReview.open(folder)
    assert again.history == ()
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["case.json", "borders.npz", "members.npz", "measurements.json", "scene.mrb"])
@pytest.mark.parametrize("how", ["missing", "empty", "half", "text"])
def test_a_broken_folder_is_refused(folder, name, how):
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    if how != "missing":
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "text": b"nonsense"}[how])
    with pytest.raises(InputError):
        CaseReview.open(folder)


def test_a_foreign_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"case\.json"):
        CaseReview.open(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        CaseReview.open(tmp_path / "nothing")


def test_arrays_with_pickled_objects_are_refused(folder):
    np.savez(folder / "borders.npz", version=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="damaged"):
        CaseReview.open(folder)


def test_a_damaged_history_is_refused(folder):
    (folder / "corrections.json").write_text('{"schema_version": 1}', encoding="utf-8")
    with pytest.raises(InputError, match=r"corrections\.json"):
        CaseReview.open(folder)
