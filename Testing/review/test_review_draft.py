"""A signed case that another process writes: it is the same case, and the reader may go on meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import disc_value
from SpineQuantLib.case.errors import InputError, OutputError
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.review.draft import accept_draft, read_draft, write_draft

ANTERIOR = "disc_L4-L5_anterior-height_mid-sagittal"
DISC = disc_value("L4")


def corrected(folder: Path) -> CaseReview:
    """A review with an edited disc, other names, and a moved line."""
    review = CaseReview.open(folder)
    labels = review.result.spine.labels.copy()
    ends = np.unique(np.argwhere(labels == DISC)[:, 0])[:2]
    labels[ends] = np.where(labels[ends] == DISC, 0, labels[ends])
    review.edit_mask(labels)
    review.rename("L6-S1")
    key = ANTERIOR.replace("L4-L5", "L5-L6")
    points = np.array(review.row(key).geometry.points)
    review.move(key, points + 0.3 * (points - points.mean(axis=0)))
    return review


def test_a_draft_loses_nothing(folder, tmp_path):
    review = corrected(folder)
    signed = review.sign("A. Reader")
    write_draft(signed, tmp_path / "draft")
    found = read_draft(tmp_path / "draft", folder, signed.stamp)
    ours, theirs = signed.after, found.after
    assert theirs.result.measurements == ours.result.measurements
    assert (dict(theirs.automatic), theirs.by_hand) == (dict(ours.automatic), ours.by_hand)
    np.testing.assert_array_equal(theirs.result.spine.labels, ours.result.spine.labels)
    for structure, soft in ours.result.spine.occupancy.items():
        np.testing.assert_array_equal(theirs.result.spine.occupancy[structure], soft)
    for name in ("vertebrae", "naming"):
        assert getattr(theirs.result.spine, name) == getattr(ours.result.spine, name)
    for name in ("verdict", "reasons", "scores", "distance"):
        assert getattr(theirs.result.assessment, name) == getattr(ours.result.assessment, name)
    for name in ("edits", "accepted", "model", "analysed", "cross_check"):
        assert getattr(theirs.result, name) == getattr(ours.result, name)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found.native), sitk.GetArrayFromImage(signed.native))


def test_a_draft_is_written_as_the_review_itself_would(folder, tmp_path, monkeypatch):
    for name in ("write_report", "write_pdf", "write_workbook", "write_scene"):
        monkeypatch.setattr(f"SpineQuantLib.writing.{name}", lambda *_, **__: None)
    review = corrected(folder)
    signed = review.sign("A. Reader")
    write_draft(signed, tmp_path / "draft")
    review.accept("A. Reader", tmp_path / "own")
    accept_draft(tmp_path / "draft", folder, signed.stamp)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"measurements.json", "corrections.json", "segmentation.nii.gz", "borders.npz"} <= names
    for name in ("measurements.json", "measurements.csv", "segmentation.nii.gz", "borders.npz", "canal_profile.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "own" / name).read_bytes(), name
    record = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    assert record["accepted"]["rater"] == "A. Reader"


def test_what_is_edited_while_it_is_written_stays_and_counts_as_changed(folder, monkeypatch):
    for name in ("write_report", "write_pdf", "write_workbook"):
        monkeypatch.setattr(f"SpineQuantLib.writing.{name}", lambda *_, **__: None)
    from SpineQuantLib.review.accepting import write_signed

    review = CaseReview.open(folder)
    points = np.array(review.row(ANTERIOR).geometry.points)
    review.move(ANTERIOR, points + 0.1)
    signed = review.sign("First")
    assert review.changed, "signed is not written"
    review.move(ANTERIOR, points + 0.2)
    review.written(signed, write_signed(signed).stamp)
    assert review.changed
    assert len(review.history) == 2
    review.undo()
    assert not review.changed, "what was signed is what is on disk"
    assert review.result.accepted.rater == "First"
    review.redo()
    assert review.accept("Second") == folder
    again = CaseReview.open(folder)
    assert [edit.rater for edit in again.history] == ["First", "First"], "whoever signed last did not draw it"
    assert again.result.accepted.rater == "Second"


def test_somebody_else_is_not_overwritten(folder, tmp_path):
    review = corrected(folder)
    signed = review.sign("A. Reader")
    write_draft(signed, tmp_path / "draft")
    (folder / "corrections.json").write_text("{}", encoding="utf-8")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(OutputError, match="changed by somebody else"):
        accept_draft(tmp_path / "draft", folder, signed.stamp)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_damaged_draft_costs_nothing(folder, tmp_path):
    signed = corrected(folder).sign("A. Reader")
    write_draft(signed, tmp_path / "draft")
    (tmp_path / "draft" / "measurements.json").write_text("{", encoding="utf-8")
    before = (folder / "case.json").read_bytes()
    with pytest.raises(InputError, match=r"measurements\.json"):
        accept_draft(tmp_path / "draft", folder, signed.stamp)
    assert (folder / "case.json").read_bytes() == before


def test_nobody_signs_without_a_name(folder):
    with pytest.raises(InputError, match="who accepts"):
        CaseReview.open(folder).sign("  ")
