"""Who else works in the folder of a case: whatever they saved, and whenever, accepting does not replace it unseen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from SpineQuantLib.case.errors import InputError, OutputError
from SpineQuantLib.review import case_review, opening
from SpineQuantLib.review.case_review import CaseReview

ANTERIOR = "disc_L4-L5_anterior-height_mid-sagittal"
MARKUP = f"markups/{ANTERIOR}.mrk.json"


def lengthen(review: CaseReview) -> None:
    points = np.array(review.row(ANTERIOR).geometry.points)
    review.move(ANTERIOR, points + 0.3 * (points - points.mean(axis=0)))


def save(path: Path) -> bytes:
    """Save a file again with another content, as another program would; what it holds does not matter."""
    path.write_bytes(path.read_bytes() + b" ")
    return path.read_bytes()


def accept_as(rater: str, folder: Path, value: float | None = None) -> None:
    """What is on disk after somebody else has accepted the case, with another value for the line."""
    record = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    record["accepted"] = {"rater": rater, "time": "2025-01-31T14:05:00+00:00", "seconds": 60.0}
    (folder / "case.json").write_text(json.dumps(record), encoding="utf-8")
    rows = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))
    row = next(r for r in rows["measurements"] if (r["level"], r["measurement"]) == ("L4-L5", "anterior height"))
    row["value"] = value
    (folder / "measurements.json").write_text(json.dumps(rows), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("segmentation.nii.gz", "another program saved its masks there"),
        ("segmentation.seg.nrrd", "another program saved its masks there"),
        (MARKUP, "another program saved its lines there"),
    ],
)
def test_what_another_program_saves_while_the_case_is_open_is_not_replaced(folder, name, words):
    review = CaseReview.open(folder)
    lengthen(review)
    saved = save(folder / name)
    with pytest.raises(OutputError, match=words):
        review.accept("A. Reader")
    assert (folder / name).read_bytes() == saved
    assert review.changed


def test_a_report_that_was_saved_again_is_nobody_s_reading(folder):
    review = CaseReview.open(folder)
    for name in ("report.html", "measurements.csv", "scene.mrb"):
        save(folder / name)
    assert CaseReview.open(folder).stamp == review.stamp


def test_the_refusal_says_who_was_faster(folder):
    review = CaseReview.open(folder)
    lengthen(review)
    accept_as("A. Colleague", folder)
    save(folder / "segmentation.nii.gz")
    with pytest.raises(OutputError, match=r"it was accepted by A\. Colleague on 2025-01-31 at 14:05 UTC"):
        review.accept("A. Reader")


def test_a_case_that_is_accepted_while_it_is_read_is_read_again(folder, monkeypatch):
    """Otherwise it would be the state before with the stamp after, and accepting it would replace what came between."""
    read = opening.read_measurements

    def interrupted(path: Path):
        rows = read(path)
        if json.loads((folder / "case.json").read_text(encoding="utf-8"))["accepted"] is None:
            accept_as("A. Colleague", folder, 5.25)
        return rows

    monkeypatch.setattr(opening, "read_measurements", interrupted)
    review = CaseReview.open(folder)
    assert review.row(ANTERIOR).value == 5.25
    assert review.result.accepted.rater == "A. Colleague"


def test_a_half_of_each_is_no_damage(folder, monkeypatch):
    """As in the moment between two files of a folder that is copied there."""
    read = opening.read_measurements
    whole = (folder / "measurements.json").read_bytes()
    (folder / "measurements.json").write_bytes(whole[:100])

    def interrupted(path: Path):
        try:
            return read(path)
        finally:
            path.write_bytes(whole)

    monkeypatch.setattr(opening, "read_measurements", interrupted)
    assert CaseReview.open(folder).row(ANTERIOR).value > 0


def test_a_folder_that_changes_all_the_time_is_not_opened(folder, monkeypatch):
    read = opening.read_measurements

    def interrupted(path: Path):
        save(folder / "segmentation.nii.gz")
        return read(path)

    monkeypatch.setattr(opening, "read_measurements", interrupted)
    with pytest.raises(InputError, match="is being changed by another program; wait"):
        CaseReview.open(folder)


def test_what_is_saved_as_soon_as_the_case_is_written_is_not_replaced_by_the_next_acceptance(folder, monkeypatch):
    for name in ("write_report", "write_pdf", "write_workbook"):
        monkeypatch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
    write = case_review.write_signed

    def followed(*arguments, **choices):
        written = write(*arguments, **choices)
        save(folder / MARKUP)
        return written

    review = CaseReview.open(folder)
    lengthen(review)
    monkeypatch.setattr(case_review, "write_signed", followed)
    review.accept("A. Reader")
    saved = (folder / MARKUP).read_bytes()
    with pytest.raises(OutputError, match="another program saved its lines there"):
        review.accept("A. Reader")
    assert (folder / MARKUP).read_bytes() == saved
