"""The table of measurements as a reader sees it: words in cells, filter, and text for the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from ..case.result import CaseResult
from ..report.ranges import standing
from ..report.words import exactness, interval, number, state, title, unit

__all__ = ["HEADINGS", "Row", "as_text", "matching", "rows_of"]

HEADINGS = ("Where", "Quantity", "Value", "Unit", "Interval", "Usual range", "Remark", "Source")


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes
    ----------
    key : str
        Of the measurement.
    structure : Structure
        For the filter.
    cells : tuple of str
        By :data:`HEADINGS`.
    value : float or None
        To sort by.
    kind : str
        ``not measured``, ``doubtful``, ``outside``, ``corrected`` or empty, for a colour.
    about : str
        All that is known of it, for a tooltip.
    """

    key: str
    structure: Structure
    cells: tuple[str, ...]
    value: float | None
    kind: str
    about: str


def _row(m: Measurement, result: CaseResult) -> Row:
    found = standing(m, result.references)
    words, kind = state(m, found.place if found is not None else "")
    value = "" if m.value is None else number(m.value, m.unit)
    usual = ""
    if found is not None:
        low, high = found.reference.limits
        ends = [number(x, m.unit) if x is not None else "" for x in (low, high)]
        usual = f"{ends[0]}–{ends[1]}" if all(ends) else f"from {ends[0]}" if ends[0] else f"to {ends[1]}"
        usual = usual if any(ends) else ""
    quantity = f"{m.name} ({m.method})" if m.method else m.name
    source = m.source
    if m.source == "corrected":
        before = "none" if m.automatic is None else number(m.automatic, m.unit)
        source = f"corrected (was {before})"
    remark = m.flag or (words if kind == "outside" else "")
    where = title(m.structure, m.level, m.side)
    about = [f"{where}: {quantity}", *filter(None, (m.flag, m.grade, m.reference, words, exactness(m)))]
    cells = (where, quantity, value, unit(m.unit), interval(m), usual, remark, source)
    return Row(m.key, m.structure, cells, m.value, kind, "\n".join(dict.fromkeys(about)))


def rows_of(result: CaseResult) -> tuple[Row, ...]:
    """Rows of all measurements in the order of the case."""
    return tuple(_row(m, result) for m in result.measurements)


def matching(rows: Sequence[Row], text: str = "", structure: Structure | None = None, only: str = "") -> list[Row]:
    """Rows that hold every word of a text in some cell, of one structure and of one kind where these are given."""
    words = text.lower().split()
    return [
        row
        for row in rows
        if (structure is None or row.structure is structure)
        and (not only or row.kind == only)
        and all(any(word in cell.lower() for cell in row.cells) for word in words)
    ]


def as_text(rows: Sequence[Row]) -> str:
    """Rows with their headings, cells separated by tabs, as spreadsheets take them from the clipboard."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    return "\n".join("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells) for cells in lines)
