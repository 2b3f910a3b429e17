"""The workbook: every number where it belongs, what colours say in words too, and nothing that a spreadsheet runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import openpyxl
import pytest

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.errors import OutputError
from SpineQuantLib.case.measurement import Measurement
from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.report.ranges import with_ranges
from SpineQuantLib.report.workbook import write_workbook

NASTY = '=HYPERLINK("http://evil.example","click")'
PERPENDICULAR = "perpendicular to centre line"


def ranged(case, *more: Measurement):
    """The case with further rows and with its ranges."""
    return replace(case, measurements=with_ranges((*case.measurements, *more), case.references))


@pytest.fixture(scope="module")
def book(make_case, tmp_path_factory):
    path = tmp_path_factory.mktemp("workbook") / "measurements.xlsx"
    sac = Measurement(Structure.CANAL, "L4-L5", None, "area", PERPENDICULAR, 40.0, "mm2", 35.0, 48.0, accuracy=2.25)
    corrected = Measurement(
        Structure.DISC, "L4-L5", None, "height", "Dabbs", 8.0, "mm", source="corrected", automatic=7.0
    )
    dicom = {"SeriesDescription": NASTY, "Manufacturer": "ACME\x1b[31m", "PatientName": "Muster^Erika"}
    case = ranged(make_case(dicom=dicom, reasons=(NASTY, "second")), sac, corrected)
    write_workbook(case, path, written=datetime(2025, 5, 4, 13, 30, tzinfo=timezone.utc))
    return case, openpyxl.load_workbook(path)


def table(sheet) -> list[dict[str, object]]:
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_a_sheet_for_the_case_the_levels_each_structure_the_canal_and_the_agreement(book):
    assert book[1].sheetnames == [
        *("Case", "Levels", "Discs", "Dural sac", "Foramina", "Alignment", "Canal profile", "Agreement")
    ]


def test_every_measurement_is_on_the_sheet_of_its_structure(book):
    case, sheets = book
    names = {Structure.DISC: "Discs", Structure.CANAL: "Dural sac", Structure.FORAMEN: "Foramina"}
    for structure, name in names.items():
        own = [m for m in case.measurements if m.structure is structure]
        rows = table(sheets[name])
        assert len(rows) == len(own)
        for row, m in zip(rows, own, strict=True):
            assert (row["Level"], row["Quantity"], row["Method"]) == (m.level, m.name, m.method)
            assert row["Side"] == (m.side.value if m.side else None) or not m.side
            assert row["Value"] == (pytest.approx(m.value) if m.value is not None else None)
            assert (row["Interval from"], row["Interval to"]) == (m.lower, m.upper)
            assert row["± of voxels and slices"] == m.accuracy
            assert (row["Grade"] or "", row["Range"] or "", row["Note"] or "") == (m.grade, m.reference, m.flag)


def test_what_a_colour_says_is_said_in_words(book):
    rows = {(r["Level"], r["Side"], r["Quantity"], r["Method"]): r for r in table(book[1]["Dural sac"])}
    own = rows["L4-L5", None, "area", PERPENDICULAR]
    assert own["State"] == "below the range"
    assert own["z"] == pytest.approx((40 - 151.67) / 53.59)
    assert own["Percentile"] == pytest.approx(1.86, abs=0.1)
    assert own["Grade"].startswith("below the critical 75 mm²")
    foramina = {(r["Level"], r["Side"]): r["State"] for r in table(book[1]["Foramina"])}
    assert foramina["L3-L4", "left"] == "not measured"
    assert foramina["L4-L5", "right"] == "doubtful"
    (disc,) = [r for r in table(book[1]["Discs"]) if r["Method"] == "Dabbs"]
    assert (disc["State"], disc["Source"], disc["Automatic value"]) == ("corrected by hand", "corrected", 7.0)
    sheet = book[1]["Foramina"]
    painted = {row[9].value: row[4].fill.start_color.rgb for row in sheet.iter_rows(min_row=2)}
    assert len({painted[words] for words in ("not measured", "doubtful")}) == 2


def test_headings_are_frozen_and_columns_can_be_filtered(book):
    for sheet in book[1].worksheets[1:]:
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref.startswith("A1:")
        assert sheet.auto_filter.ref.endswith(str(sheet.max_row))
        assert sheet["A1"].font.bold


def test_no_cell_is_a_formula_and_no_header_breaks_the_file(book):
    cells = [cell for sheet in book[1].worksheets for row in sheet.iter_rows() for cell in row]
    assert not any(cell.data_type == "f" for cell in cells)
    texts = [cell.value for cell in cells if isinstance(cell.value, str)]
    assert NASTY in texts
    assert any(text.startswith("ACME") and "\x1b" not in text for text in texts)


def test_nothing_tells_who_the_patient_is(book):
    texts = " ".join(str(c.value) for s in book[1].worksheets for row in s.iter_rows() for c in row)
    for secret in ("Muster", "Erika", "archive", "scan-17"):
        assert secret not in texts
    assert book[1].properties.creator.startswith("SpineQuant")


def test_the_first_sheet_says_what_to_know_first(book):
    rows = {name: text for name, text in book[1]["Case"].iter_rows(values_only=True, max_col=2) if name}
    assert rows["Verdict"] == "REVIEW"
    assert rows["Why"] == NASTY
    assert rows["Report written"] == "2025-05-04 13:30 UTC"
    assert rows["Sources of ranges"]
    everything = " ".join(str(text) for _, text in book[1]["Case"].iter_rows(values_only=True, max_col=2))
    for words in ("Schönström 1988", "Lim 2017", "not a medical device", "L5-S1 dural sac: fail", "slices alone leave"):
        assert words in everything


def test_the_profile_is_whole(book):
    case, sheets = book
    rows = table(sheets["Canal profile"])
    sections = case.canal_profile.sections
    assert [r["Distance, mm"] for r in rows] == [s.distance for s in sections]
    assert [r["Area, mm²"] for r in rows] == [s.area for s in sections]
    assert [r["Level"] or "" for r in rows] == [s.level for s in sections]
    assert [(r["R, mm"], r["A, mm"], r["S, mm"]) for r in rows] == [s.centre for s in sections]
    assert [r["Note"] or "" for r in rows] == [s.flag for s in sections]


def test_a_case_without_anything_still_gives_a_workbook(empty_case, tmp_path):
    write_workbook(empty_case, tmp_path / "empty.xlsx")
    sheets = openpyxl.load_workbook(tmp_path / "empty.xlsx")
    assert sheets.sheetnames == ["Case"]
    assert empty_case.assessment.verdict is Verdict.FAIL
    assert sheets["Case"]["B3"].value == "FAIL"


def test_a_place_that_cannot_be_written_is_an_output_error(empty_case, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_workbook(empty_case, tmp_path / "no such folder" / "m.xlsx")
