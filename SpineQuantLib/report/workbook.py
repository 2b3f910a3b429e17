"""``measurements.xlsx``: the case as a workbook for people who go on calculating; a sheet a structure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile
from ..case.errors import OutputError
from ..case.measurement import Measurement
from ..case.opinion import Verdict
from ..case.result import CaseResult
from .ranges import sources_of, standing
from .summary import facts, flagged_values, level_table, look_first
from .words import GRID_SHARE, RESEARCH_USE, state, title, unit

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["write_workbook"]

_SHEETS = {
    Structure.DISC: "Discs",
    Structure.CANAL: "Dural sac",
    Structure.FORAMEN: "Foramina",
    Structure.VERTEBRA: "Vertebrae",
    Structure.SPINE: "Alignment",
}
_COLUMNS = (
    ("Level", 10),
    ("Side", 7),
    ("Quantity", 22),
    ("Method", 28),
    ("Value", 10),
    ("Unit", 7),
    ("Interval from", 13),
    ("Interval to", 11),
    ("± of voxels and slices", 16),
    ("State", 24),
    ("Grade", 34),
    ("Range", 44),
    ("z", 8),
    ("Percentile", 11),
    ("Note", 44),
    ("Source", 11),
    ("Automatic value", 16),
)
_FORMATS = {"mm": "0.0", "deg": "0.0", "mm2": "0", "mm3": "0", "%": "0", "1": "0.00"}
_HEAD, _HEAD_TEXT, _BAND = "1F3A4D", "FFFFFF", "F3F6F8"
_FILLS = {"not measured": "E3E6E8", "doubtful": "FFE8B3", "outside": "FBD9C7", "corrected": "D6E8F7"}
_VERDICTS = {Verdict.PASS: "D5EDE4", Verdict.REVIEW: "FFE8B3", Verdict.FAIL: "F7C9B4"}
# What XML cannot hold.
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 2000
_FACE = "Calibri"
_LINE_HEIGHT = 15.0


def write_workbook(result: CaseResult, path: Path, *, written: datetime | None = None) -> None:
    """Write the workbook.

    Sheets: the case, its levels, one for each structure that was measured, the profile of the canal where there is
    one, and the agreement of the committee. No cell is a formula, whatever a header holds; what a colour says is also
    said in words. The sheets name neither the patient nor folders of the input.

    Parameters
    ----------
    result : CaseResult
        The case, with its ranges.
    path : Path
        File to write.
    written : datetime, optional
        Date of the report; now by default.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    # openpyxl takes longer to load than most commands to run.
    from openpyxl import Workbook

    written = written or datetime.now().astimezone()
    book = Workbook()
    book.remove(book.active)
    book.properties.creator = book.properties.lastModifiedBy = f"SpineQuant {__version__}"
    book.properties.title = "SpineQuant measurements"
    _write_case(book, result, f"{written:%Y-%m-%d %H:%M %Z}".strip())
    _write_levels(book, result)
    for structure, name in _SHEETS.items():
        rows = [m for m in result.measurements if m.structure is structure]
        if rows:
            _write_structure(book.create_sheet(name), rows, result)
    if result.canal_profile is not None and result.canal_profile.sections:
        _write_profile(book.create_sheet("Canal profile"), result.canal_profile)
    if result.assessment.scores:
        _write_scores(book.create_sheet("Agreement"), result)
    try:
        book.save(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); is it open in another program?") from error


def _put(sheet: Worksheet, row: int, column: int, value: Any) -> Cell:
    """Set a cell; text stays text even where a spreadsheet would see a formula."""
    cell = sheet.cell(row, column)
    if isinstance(value, str):
        cell.value = _ILLEGAL.sub(" ", value)[:_LONGEST]
        cell.data_type = "s"
    else:
        cell.value = value
    return cell


def _paint(cells: Iterable[Cell], colour: str) -> None:
    from openpyxl.styles import PatternFill

    fill = PatternFill("solid", start_color=colour)
    for cell in cells:
        cell.fill = fill


def _head(sheet: Worksheet, columns: Sequence[tuple[str, float]], row: int = 1) -> None:
    """Heading of a table: names, widths, frozen above the rows."""
    from openpyxl.styles import Alignment, Font

    for number, (name, width) in enumerate(columns, 1):
        cell = _put(sheet, row, number, name)
        cell.font = Font(name=_FACE, bold=True, color=_HEAD_TEXT)
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[cell.column_letter].width = width
    _paint(sheet[row][: len(columns)], _HEAD)
    sheet.row_dimensions[row].height = 32
    sheet.freeze_panes = sheet.cell(row + 1, 2)


def _finish(sheet: Worksheet, columns: int, first: int = 1) -> None:
    """Filters, and how the sheet prints."""
    from openpyxl.utils import get_column_letter

    last = max(sheet.max_row, first)
    sheet.auto_filter.ref = f"A{first}:{get_column_letter(columns)}{last}"
    sheet.sheet_view.zoomScale = 110
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"{first}:{first}"
    sheet.oddFooter.center.text = RESEARCH_USE


def _wrapped(sheet: Worksheet, cell: Cell) -> Cell:
    """Break a long text into lines, and make its row as high as they need: not every program does so by itself."""
    from openpyxl.styles import Alignment

    cell.alignment = Alignment(wrap_text=True, vertical="top")
    lines = -(-len(str(cell.value)) // max(int(sheet.column_dimensions[cell.column_letter].width), 1))
    if lines > 1:
        sheet.row_dimensions[cell.row].height = _LINE_HEIGHT * lines
    return cell


def _write_case(book: Workbook, result: CaseResult, written: str) -> None:
    """What a reader should know before using a number."""
    from openpyxl.styles import Font

    sheet = book.create_sheet("Case")
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 26, 110
    sheet.sheet_view.showGridLines = False
    verdict = result.assessment.verdict
    row = 1

    def line(name: str, text: str, *, bold: bool = False) -> None:
        nonlocal row
        _wrapped(sheet, _put(sheet, row, 1, name)).font = Font(name=_FACE, bold=True)
        cell = _wrapped(sheet, _put(sheet, row, 2, text))
        cell.font = Font(name=_FACE, bold=bold)
        row += 1

    def lines(name: str, texts: Iterable[str]) -> None:
        for number, text in enumerate(texts):
            line("" if number else name, text)

    _put(sheet, 1, 1, "SpineQuant").font = Font(name=_FACE, bold=True, size=16)
    _put(sheet, 1, 2, RESEARCH_USE).font = Font(name=_FACE, italic=True)
    row = 3
    line("Verdict", verdict.value.upper(), bold=True)
    _paint(sheet[row - 1], _VERDICTS[verdict])
    lines("Why", result.assessment.reasons)
    lines("Look at these first", (f"{k.what}: {k.verdict}{f' – {k.why}' if k.why else ''}" for k in look_first(result)))
    lines("Doubtful values", (f"{flag}: {', '.join(objects)}" for flag, objects in flagged_values(result)))
    naming = result.spine.naming
    line("Levels", f"{', '.join(result.spine.vertebrae) or 'none'} ({naming.method if naming.named else 'not named'})")
    lines("Evidence for the names", naming.evidence)
    lines("Doubts about the names", naming.doubts)
    row += 1
    for name, text in facts(result, written, __version__):
        line(name, text)
    lines("About the input", (*result.input.notes, *result.input.remarks))
    row += 1
    if any(m.accuracy is not None for m in result.measurements):
        line("± of voxels and slices", f"{GRID_SHARE[0].upper()}{GRID_SHARE[1:]}.")
    lines("Sources of ranges", (f"{r.short}: {r.source}" for r in sources_of(result.measurements, result.references)))
    row += 1
    _put(sheet, row, 1, "Colours").font = Font(name=_FACE, bold=True)
    for words, colour in _FILLS.items():
        text = {"outside": "below or above the range of the source"}.get(words, words)
        _paint([_put(sheet, row, 2, f"{text}; also said in the column State")], colour)
        row += 1
    sheet.freeze_panes = "A3"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _write_levels(book: Workbook, result: CaseResult) -> None:
    """The clinical numbers, one row a level."""
    table = level_table(result)
    if not table.rows:
        return
    sheet = book.create_sheet("Levels")
    names = [f"{words}{f', {unit}' if unit else ''}\n{method}" for words, method, unit in table.columns]
    columns = [("Level", 10.0), *((name, 17.0) for name in names), ("Agreement", 12.0), ("Notes", 90.0)]
    _head(sheet, columns)
    sheet.row_dimensions[1].height = 60
    for row, (level, verdict, cells, notes) in enumerate(table.rows, 2):
        _put(sheet, row, 1, level)
        for column, cell in enumerate(cells, 2):
            if cell.text:
                number = _put(sheet, row, column, float(cell.text))
                number.number_format = "0.0" if "." in cell.text else "0"
            else:
                _put(sheet, row, column, "not measured")
            if cell.state:
                _paint([sheet.cell(row, column)], _FILLS[cell.state])
        _put(sheet, row, len(columns) - 1, verdict.value if verdict else "not scored")
        if verdict:
            _paint([sheet.cell(row, len(columns) - 1)], _VERDICTS[verdict])
        _wrapped(sheet, _put(sheet, row, len(columns), "; ".join(notes)))
    _finish(sheet, len(columns))


def _write_structure(sheet: Worksheet, rows: Sequence[Measurement], result: CaseResult) -> None:
    """All measurements of one structure."""
    _head(sheet, _COLUMNS)
    for row, m in enumerate(rows, 2):
        found = standing(m, result.references)
        words, kind = state(m, found.place if found else "")
        cells = (m.level, m.side.value if m.side else "", m.name, m.method, m.value, unit(m.unit))
        ranked = (found.z, found.percentile) if found else (None, None)
        more = (m.lower, m.upper, m.accuracy, words, m.grade, m.reference, *ranked, m.flag, m.source, m.automatic)
        for column, value in enumerate((*cells, *more), 1):
            cell = _put(sheet, row, column, float(value) if isinstance(value, float | int) else value)
            if column in (5, 7, 8, 9, 17):
                cell.number_format = _FORMATS.get(m.unit, "0.00")
            elif column in (13, 14):
                cell.number_format = "0.0" if column == 13 else "0"
        if kind:
            _paint(sheet[row][:10], _FILLS[kind])
    _finish(sheet, len(_COLUMNS))


def _write_profile(sheet: Worksheet, profile: CanalProfile) -> None:
    """Every cross-section of the dural sac, and a chart of area and AP diameter."""
    names = ("Distance, mm", "Level", "Area, mm²", "AP, mm", "Transverse, mm", "R, mm", "A, mm", "S, mm", "Note")
    columns = [(name, 60.0 if name == "Note" else 13.0) for name in names]
    _head(sheet, columns)
    for row, s in enumerate(profile.sections, 2):
        values = (s.distance, s.level, s.area, s.ap, s.transverse, *s.centre, s.flag)
        for column, value in enumerate(values, 1):
            cell = _put(sheet, row, column, float(value) if isinstance(value, float | int) else value)
            if column not in (2, 9):
                cell.number_format = "0" if column == 3 else "0.0"
        if s.level:
            _paint(sheet[row][: len(names)], _BAND)
        if s.flag:
            _paint(sheet[row][: len(names)], _FILLS["doubtful" if s.area is not None else "not measured"])
    _finish(sheet, len(columns))
    _add_chart(sheet, len(profile.sections) + 1, 3, "Dural sac area, mm²", "K2")
    _add_chart(sheet, len(profile.sections) + 1, 4, "Dural sac AP diameter, mm", "K22")


def _add_chart(sheet: Worksheet, last: int, column: int, title_text: str, at: str) -> None:
    from openpyxl.chart import Reference, ScatterChart, Series

    chart = ScatterChart()
    chart.title, chart.style, chart.legend = title_text, 2, None
    chart.x_axis.title, chart.x_axis.delete, chart.y_axis.delete = "mm along the centre line, downwards", False, False
    chart.y_axis.scaling.min = 0
    chart.width, chart.height = 20, 9
    series = Series(
        Reference(sheet, min_col=column, min_row=2, max_row=last), Reference(sheet, min_col=1, min_row=2, max_row=last)
    )
    series.marker.symbol = "none"
    series.graphicalProperties.line.solidFill = "0072B2"
    chart.series.append(series)
    sheet.add_chart(chart, at)


def _write_scores(sheet: Worksheet, result: CaseResult) -> None:
    """How far the members of the committee agree."""
    columns = (
        ("Object", 30.0),
        ("Verdict", 10.0),
        ("Entropy", 10.0),
        ("Largest eigenvalue", 12.0),
        ("Mean Dice", 10.0),
    )
    columns = (*columns, ("Reason", 80.0))
    _head(sheet, columns)
    for row, s in enumerate(result.assessment.scores, 2):
        values = (title(s.structure, s.level, s.side), s.verdict.value, s.entropy, s.eigenvalue, s.mean_dice, s.reason)
        for column, value in enumerate(values, 1):
            cell = _put(sheet, row, column, float(value) if isinstance(value, float | int) else value)
            if 3 <= column <= 5:
                cell.number_format = "0.000"
        _paint([sheet.cell(row, 2)], _VERDICTS[s.verdict])
    _finish(sheet, len(columns))
