"""A stored scene with corrections that nobody had accepted, and what has become of its case folder since."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from other_program import save_a_mask

from SpineQuantLib.anatomy.labels import disc_value, foramen_value
from SpineQuantLib.anatomy.structures import Side
from SpineQuantLib.case.errors import InputError, OutputError
from SpineQuantLib.review.case_review import CaseReview

pytest.importorskip("slicer", reason="slicer-core is not installed")

OWN = "canal_L4-L5_AP-diameter"
OTHER = "canal_L3-L4_AP-diameter"


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("write_report", "write_pdf", "write_workbook"):
        monkeypatch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
    return Path(shutil.copytree(finished / "case", tmp_path / "case"))


@pytest.fixture
def scene():
    from SpineQuantLib.scene.host import new_host

    with new_host() as host:
        yield host.scene


def open_case(scene, folder: Path, stored: bool = False):
    """A case; of a stored scene, with the nodes that the scene has already."""
    from SpineQuantLib.panel.open_case import OpenCase
    from SpineQuantLib.scene.reopen import find_cases

    return OpenCase(scene, folder, nodes=find_cases(scene)[-1] if stored else None)


def lengthen(review: CaseReview, name: str) -> str:
    row = next(m for m in review.measurements if m.key.startswith(name))
    points = np.array(row.geometry.points)
    review.move(row.key, points + 0.3 * (points - points.mean(axis=0)))
    return row.key


def colleague(folder: Path) -> str:
    """Somebody else corrects another line and accepts the case; returns its key."""
    review = CaseReview.open(folder)
    key = lengthen(review, OTHER)
    review.accept("A. Colleague")
    return key


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def siblings(folder: Path) -> list[Path]:
    return [path for path in folder.parent.iterdir() if path.is_dir() and path != folder]


def test_two_readings_are_both_kept(scene, folder):
    case = open_case(scene, folder)
    key, automatic = lengthen(case.review, OWN), {m.key: m.value for m in case.result.measurements}
    case.show()
    own = case.review.row(key).value
    other = colleague(folder)
    theirs = contents(folder)
    again = open_case(scene, folder, stored=True)
    assert again.review.row(key).value == pytest.approx(own, abs=0.05), "what the scene shows"
    assert again.review.row(other).value == pytest.approx(automatic[other], abs=0.05), "which saw nothing of theirs"
    assert contents(folder) == theirs
    (beside,) = siblings(folder)
    assert again.folder == beside
    assert again.changed_since[0] == folder
    assert "accepted by A. Colleague" in again.changed_since[1]
    assert again.left_out == ()
    found = CaseReview.open(beside)
    assert found.row(key) == again.review.row(key)
    assert found.result.accepted is None
    assert not again.review.changed
    again.review.accept("M. Keller")
    assert contents(folder) == theirs
    while again.review.can_undo:
        again.undo()
    assert again.review.row(other).value == CaseReview.open(folder).row(other).value, "theirs is where undo ends"


def test_a_scene_that_is_opened_twice_makes_one_second_reading(scene, folder):
    case = open_case(scene, folder)
    key = lengthen(case.review, OWN)
    case.show()
    node = scene.GetNodeByID(case.nodes.segmentation)
    marks = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
    colleague(folder)
    beside = open_case(scene, folder, stored=True).folder
    for name, value in marks.items():
        node.SetAttribute(name, value)  # as the scene was stored
    again = open_case(scene, folder, stored=True)
    assert again.folder == beside
    assert again.changed_since[0] == folder
    assert again.review.row(key).source == "corrected"
    assert siblings(folder) == [beside]


def test_a_scene_without_corrections_shows_what_the_case_has_become(scene, folder):
    open_case(scene, folder)
    key = colleague(folder)
    again = open_case(scene, folder, stored=True)
    assert again.folder == folder
    assert (again.review.row(key).source, again.review.changed) == ("corrected", False)
    assert again.changed_since is None
    assert siblings(folder) == []


def test_corrections_that_were_accepted_later_are_no_second_reading(scene, folder):
    case = open_case(scene, folder)
    key = lengthen(case.review, OWN)
    case.show()
    case.review.accept("M. Keller")  # and the scene, as it was stored before, does not know
    again = open_case(scene, folder, stored=True)
    assert (again.folder, again.review.changed, again.changed_since) == (folder, False, None)
    assert again.review.row(key).source == "corrected"
    assert siblings(folder) == []


def test_without_room_for_the_second_reading_the_scene_stays_as_it_is(scene, folder, monkeypatch):
    case = open_case(scene, folder)
    key = lengthen(case.review, OWN)
    case.show()
    colleague(folder)
    node = scene.GetNodeByID(case.nodes.markups[key])
    before = [node.GetNthControlPointPosition(n) for n in range(2)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("SpineQuantLib.writing.write_measurements_json", full)
    with pytest.raises(OutputError, match=r"A\. Colleague.*the disk is full; .*Then open the scene again"):
        open_case(scene, folder, stored=True)
    assert [node.GetNthControlPointPosition(n) for n in range(2)] == before
    assert siblings(folder) == []


def test_a_drawing_that_fits_no_more_stays_in_the_scene(scene, folder):
    """It was refused before the scene was stored, so that the case had no corrections; the drawing is there."""
    from SpineQuantLib.scene.read_back import labels_of
    from SpineQuantLib.scene.update import show_segmentation

    case = open_case(scene, folder)
    labels = case.result.spine.labels.copy()
    right, left = (labels == foramen_value("L4", side) for side in (Side.RIGHT, Side.LEFT))
    labels[right], labels[left] = foramen_value("L4", Side.LEFT), foramen_value("L4", Side.RIGHT)
    spine = replace(case.result.spine, labels=labels)
    show_segmentation(scene, case.nodes, replace(case.result, spine=spine), case.review.native)
    with pytest.raises(InputError, match="other side"):
        case.mask_edited()
    # No more than the acceptance, so that everything else in the scene is as in the folder.
    CaseReview.open(folder).accept("A. Colleague")
    with pytest.raises(InputError, match=r"accepted by A\. Colleague .* stays in the scene as it is .*other side"):
        open_case(scene, folder, stored=True)
    node = scene.GetNodeByID(case.nodes.segmentation)
    np.testing.assert_array_equal(labels_of(node, spine.grid), labels)


def test_a_mask_saved_beside_the_folder_s_own_scene_is_taken_up(scene, folder):
    """The scene in a case folder bears no mark; opened by itself, it would hide what was saved there."""
    save_a_mask(folder)
    assert scene.ReadFromMRB(str(folder / "scene.mrb"))
    case = open_case(scene, folder, stored=True)
    assert not (case.result.spine.labels == disc_value("L4")).any()
    assert case.review.changed
