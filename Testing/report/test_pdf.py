"""The one page: it is one page whatever the case, says what matters in text that can be searched, and is safe."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.errors import OutputError
from SpineQuantLib.case.measurement import Measurement
from SpineQuantLib.case.opinion import Score, Verdict
from SpineQuantLib.case.spine import Naming
from SpineQuantLib.report.html import write_report
from SpineQuantLib.report.pdf import write_pdf
from SpineQuantLib.report.ranges import with_ranges
from SpineQuantLib.report.summary import level_table

NASTY = '<img src="http://evil.example/x.png"/><b>&amp;</b> {{ 7 * 7 }} </para>'


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is absent: install the package poppler-utils")
    return found


def text_of(path: Path) -> str:
    """The page's text as a reader of PDF selects it, with single spaces."""
    done = subprocess.run([tool("pdftotext"), "-layout", path, "-"], capture_output=True, check=True)
    return " ".join(done.stdout.decode("utf-8").split())


def about(path: Path) -> dict[str, str]:
    done = subprocess.run([tool("pdfinfo"), path], capture_output=True, text=True, check=True)
    return {line.split(":")[0]: line.split(":", 1)[1].strip() for line in done.stdout.splitlines() if ":" in line}


def paint(path: Path, dots: int = 60) -> np.ndarray:
    done = subprocess.run([tool("pdftoppm"), "-r", str(dots), "-png", path], capture_output=True, check=True)
    return imread(io.BytesIO(done.stdout))[..., :3]


def write(case, folder: Path) -> Path:
    case = replace(case, measurements=with_ranges(case.measurements, case.references))
    pictures = write_report(case, folder)
    write_pdf(case, folder, pictures, written=datetime(2025, 5, 4, 13, 30, tzinfo=timezone.utc))
    return folder / "report.pdf"


@pytest.fixture(scope="module")
def page(make_case, tmp_path_factory):
    dicom = {"SeriesDescription": NASTY, "PatientName": "Muster^Erika", "PatientID": "4711", "PatientAge": "054Y"}
    return write(make_case(dicom=dicom), tmp_path_factory.mktemp("pdf"))


@pytest.fixture(scope="module")
def full_page(make_case, tmp_path_factory):
    """A case with far more to say than a page holds, levels without names, and texts that look like markup."""
    case = make_case(
        naming=Naming(False, "none", (), ("no S1",)), reasons=tuple(f"reason {n} {NASTY}" for n in range(60))
    )
    scores = tuple(
        Score(s.structure, s.level, s.side, s.entropy, s.eigenvalue, s.mean_dice, Verdict.FAIL, f"{n} {NASTY}" * 3)
        for n in range(20)
        for s in case.assessment.scores[1:]
    )
    rows = tuple(replace(m, flag=f"{m.flag} {NASTY} number {n}") for n, m in enumerate(case.measurements * 3))
    case = replace(case, measurements=rows, assessment=replace(case.assessment, scores=scores))
    return write(case, tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def empty_page(empty_case, tmp_path_factory):
    return write(empty_case, tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("which", ["page", "full_page", "empty_page"])
def test_it_is_one_page_of_a4(which, request):
    found = about(request.getfixturevalue(which))
    assert found["Pages"] == "1"
    assert "A4" in found["Page size"]
    assert found["Title"].startswith("SpineQuant report: ")
    assert found["JavaScript"] == "no"


def test_what_matters_is_there_as_text(page):
    text = text_of(page)
    for words in (
        *("! REVIEW", "The members differ about the L5-S1 sac.", "Look at these first", "two members did not find it"),
        *("L3-L4", "L4-L5", "L5-S1", "Fyllos", "9.2–10.9", "201", "118", "Meyerding I", "lordosis 42.5°"),
        *("lumbar 0.1.0 (3 networks", "Research software, not a medical device", "2025-05-04 13:30", "Spahn 2024"),
    ):
        assert words in text, words


def test_signs_that_few_fonts_have_come_out(page):
    text = text_of(page)
    assert all(sign in text for sign in ("⚑", "mm²", "–"))


def test_what_the_grid_leaves_uncertain_is_told_by_column(page, empty_page):
    assert "Voxels and slices alone leave (intervals hold it already): Disc height ±0.2 mm." in text_of(page)
    assert "Voxels and slices" not in text_of(empty_page)


def test_a_bulge_beside_the_middle_is_shown_at_its_greatest_and_where_it_lies(make_case, tmp_path):
    case = make_case()
    bulge = Measurement(Structure.DISC, "L4-L5", None, "posterior bulge", "corner line", 0.4, "mm")
    greatest = replace(bulge, method="greatest beyond corner line", value=4.9)
    place = replace(
        greatest, name="place of posterior bulge", method="left positive", value=6.4, grade="left of the middle"
    )
    page = write(replace(case, measurements=(*case.measurements, bulge, greatest, place)), tmp_path)
    words = text_of(page)
    assert "4.9" in words
    assert "left of the" in words
    table = level_table(replace(case, measurements=(*case.measurements, bulge, greatest, place)))
    assert ("Posterior bulge", "greatest beyond corner line", "mm") in table.columns


def test_verdicts_are_told_by_colour_and_word(make_case, page, empty_page, tmp_path):
    passed = write(make_case(verdict=Verdict.PASS, reasons=()), tmp_path)
    for path, word, colour in (
        (page, "REVIEW", (0xFF, 0xF4, 0xD6)),
        (empty_page, "FAIL", (0xFD, 0xE7, 0xDC)),
        (passed, "PASS", (0xE6, 0xF4, 0xEF)),
    ):
        assert word in text_of(path)
        near = np.abs(paint(path) * 255 - colour).max(axis=-1) < 3
        assert near.sum() > 3000


def test_texts_of_headers_are_shown_and_not_obeyed(page, full_page):
    assert "<img" in text_of(page)
    assert "{{ 7 * 7 }}" in text_of(page)
    assert "<img" in text_of(full_page)


def test_what_does_not_fit_is_said_to_be_elsewhere(full_page):
    text = text_of(full_page)
    assert "and 57 more, see report.html" in text
    assert "The levels are not named" in text
    assert "not a medical device" in text


def test_nothing_tells_who_the_patient_is(page):
    text = text_of(page)
    raw = page.read_bytes()
    for secret in ("Muster", "Erika", "4711", "archive", "scan-17"):
        assert secret not in text
        assert secret.encode() not in raw


def test_a_case_without_anything_says_so(empty_page):
    text = text_of(empty_page)
    for words in ("No vertebra was found.", "No level was measured.", "The committee doubts no single object."):
        assert words in text


def test_a_place_that_cannot_be_written_is_an_output_error(make_case, tmp_path):
    case = make_case()
    pictures = write_report(case, tmp_path)
    (tmp_path / "report.pdf").mkdir()
    with pytest.raises(OutputError, match=r"report\.pdf cannot be written"):
        write_pdf(case, tmp_path, pictures)
