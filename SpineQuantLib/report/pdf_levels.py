"""The levels' key values as a table for the printed page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ..case.opinion import Verdict
from ..case.result import CaseResult
from .pdf_type import BRAND, COLOURS, RULE, SOFT, plain, rich
from .summary import Cell, LevelTable, level_table
from .words import SIGNS

if TYPE_CHECKING:
    from reportlab.platypus import Paragraph, Table

__all__ = ["levels_of"]

_STATES = {"doubtful": "#fff4d6", "outside": "#fde7dc", "not measured": "#eceff1", "corrected": "#e3eff9"}
_LEFT_OUT = ("Disc height index", "Place of bulge")
_SHORT = {
    "Disc height": "Disc height",
    "Foramen area, right": "Foramen area R",
    "Foramen area, left": "Foramen area L",
    "Foramen height, right": "Foramen height R",
    "Foramen height, left": "Foramen height L",
    "Posterior bulge": "Post. bulge",
    "Disc signal to CSF": "Disc signal",
    "Sac compression": "Sac compr.",
}


def levels_of(result: CaseResult, width: float) -> tuple[Table | None, list[str]]:
    """The table, a level a row, and lines that say what its signs mean; no table where no level was measured.

    Parameters
    ----------
    result : CaseResult
        The case, with its ranges.
    width : float
        Points that the table may take.
    """
    from reportlab.platypus import Table, TableStyle

    table = level_table(result)
    kept = [n for n, (words, *_) in enumerate(table.columns) if words not in _LEFT_OUT]
    if not table.rows or not kept:
        return None, []
    head = [plain("Level", 6.2, "#ffffff", bold=True)]
    for words, method, unit in (table.columns[n] for n in kept):
        name = escape(_SHORT.get(words, words)) + (f", {escape(unit)}" if unit else "")
        head.append(rich(f"<b>{name}</b><br/><font size='4.6'>{escape(method)}</font>", 5.8, "#ffffff", align=1))
    head.append(plain("Agree- ment", 6.0, "#ffffff", bold=True, align=1))
    rows: list[list[Any]] = [head]
    style: list[tuple[Any, ...]] = [
        ("BACKGROUND", (0, 0), (-1, 0), BRAND),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.2),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
    ]
    for row, (level, verdict, cells, _) in enumerate(table.rows, 1):
        shown = [_with_place(table, cells, n) for n in kept]
        rows.append([plain(level, 7.2, bold=True), *map(_cell, shown), _agreement(verdict)])
        for column, cell in enumerate(shown, 1):
            if cell.state:
                style.append(("BACKGROUND", (column, row), (column, row), _STATES[cell.state]))
    each = (width - 40 - 42) / len(kept)
    widths = [40, *[each] * len(kept), 42]
    made = Table(rows, colWidths=widths, repeatRows=1)
    made.setStyle(TableStyle(style))
    keys = ["Yellow ⚑: doubtful. Orange: outside its range. Grey –: not measured. Small print: interval, z, grade."]
    if shares := _shares(table, kept):
        keys.append(shares)
    return made, keys


def _shares(table: LevelTable, kept: Sequence[int]) -> str:
    """What voxels and slices leave uncertain, from the least to the most of each column; empty where not known."""
    found = []
    for column in kept:
        words, _, unit = table.columns[column]
        shares = [cells[column].share for *_, cells, _ in table.rows if cells[column].share]
        if shares:
            ends = dict.fromkeys((min(shares, key=float), max(shares, key=float)))
            found.append(f"{_SHORT.get(words, words)} ±{'–'.join(ends)} {unit}")
    held = " (intervals hold it already)" if any(c.interval for *_, cells, _ in table.rows for c in cells) else ""
    return f"Voxels and slices alone leave{held}: {', '.join(found)}." if found else ""


def _with_place(table: LevelTable, cells: Sequence[Cell], column: int) -> Cell:
    """A value of a level; a bulge with where it lies, since its place has no column of its own on paper."""
    names = [words for words, *_ in table.columns]
    if names[column] != "Posterior bulge" or "Place of bulge" not in names:
        return cells[column]
    place = cells[names.index("Place of bulge")].grade
    return replace(cells[column], grade=", ".join(filter(None, (cells[column].grade, place))))


def _cell(cell: Cell) -> list[Paragraph]:
    """A value with its small print below it."""
    if not cell.text:
        return [plain("–", 7.2, SOFT, align=1)]
    marks = (" ⚑" if cell.flagged else "") + (" ✎" if cell.corrected else "")
    small = [plain(part, 4.9, SOFT, align=1) for part in (cell.interval, cell.rank, cell.grade) if part]
    return [rich(f"<b>{escape(cell.text)}</b>{marks}", 7.4, align=1), *small]


def _agreement(verdict: Verdict | None) -> Paragraph:
    if verdict is None:
        return plain("–", 6.5, SOFT, align=1)
    return rich(f"<font color='{COLOURS[verdict][1]}'><b>{SIGNS[verdict]} {verdict.value}</b></font>", 6.5, align=1)
