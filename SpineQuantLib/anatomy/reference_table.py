"""Tables of ranges and cut-offs as CSV files: read, checked row by row, and written."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from .levels import VERTEBRA_VALUES
from .reference_row import LEVEL_GROUPS, UNITS, Reference
from .structures import Structure

__all__ = [
    "OPTIONAL_COLUMNS",
    "QUANTILES",
    "REQUIRED_COLUMNS",
    "ReferenceTableError",
    "load_references",
    "save_references",
]

QUANTILES = {"p2.5": 0.025, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p97.5": 0.975}
"""Columns of quantiles, with the share of people below."""
REQUIRED_COLUMNS = ("structure", "level", "measurement", "method", "unit", "source")
_NUMBERS = (
    *("tesla", "age_min", "age_max", "height_min", "height_max", "mean", "sd"),
    *QUANTILES,
    *("low", "high", "n"),
)
OPTIONAL_COLUMNS = ("contrast", "sex", *_NUMBERS, "grade", "certain", "group", "measured", "short")
_CONTRASTS = ("", "T1", "T2", "STIR")
_MAX_ROWS = 20_000


class ReferenceTableError(ValueError):
    """A table of reference values cannot be used; the message names file, line and what to change."""


def load_references(path: Path) -> tuple[Reference, ...]:
    """Read a table and check every row.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, separated by commas, semicolons or tabs, numbers with a decimal point.

    Raises
    ------
    ReferenceTableError
        If it cannot be read or a row is not right: the first such row, and what is wrong with it.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8; save it as “CSV UTF-8”"
        raise ReferenceTableError(f"the table of ranges {path.name} cannot be read: {reason}") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(
        text.splitlines(), delimiter=max(",;\t", key=head.count), restkey="more", restval="", strict=True
    )
    rows: list[Reference] = []
    try:
        _check_columns(tuple(reader.fieldnames or ()), path.name)
        for cells in reader:
            try:
                rows.append(replace(_row(cells), table=path.name))
                _check_overlap(rows[-1], rows[:-1])
            except ValueError as error:
                raise ReferenceTableError(f"{path.name}, line {reader.line_num}: {error}") from error
            if len(rows) > _MAX_ROWS:
                raise ReferenceTableError(f"{path.name} has more than {_MAX_ROWS} rows; this is no table of ranges")
    except csv.Error as error:
        raise ReferenceTableError(f"{path.name}, line {reader.line_num}: {error}") from error
    if not rows:
        raise ReferenceTableError(f"{path.name} holds no row below its heading")
    return tuple(rows)


def save_references(rows: Iterable[Reference], path: Path) -> None:
    """Write rows as a table that :func:`load_references` reads back unchanged, but for the name of the file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS), restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: "" if value is None else value for key, value in _cells(row).items()})


def _cells(row: Reference) -> dict[str, object]:
    """A row's cells by column; None is an empty one."""
    age, height = row.age or (None, None), row.height or (None, None)
    return {
        **{"structure": row.structure.value, "level": row.level, "measurement": row.name, "method": row.method},
        **{"unit": row.unit, "source": row.source, "short": row.short, "contrast": row.contrast, "tesla": row.tesla},
        **{"sex": row.sex, "age_min": age[0], "age_max": age[1], "height_min": height[0], "height_max": height[1]},
        **{"mean": row.mean, "sd": row.sd, "low": row.low, "high": row.high, "n": row.n},
        **{column: row.quantiles.get(share) for column, share in QUANTILES.items()},
        **{"grade": row.grade, "certain": "yes" if row.certain else "", "group": row.group, "measured": row.measured},
    }


def _check_columns(found: tuple[str, ...], name: str) -> None:
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    missing = [c for c in REQUIRED_COLUMNS if c not in found]
    unknown = [c for c in found if c not in known]
    if missing or unknown:
        faults = [f"lacks the column {', '.join(missing)}"] if missing else []
        faults += [f"has columns that are not known: {', '.join(unknown)}"] if unknown else []
        raise ReferenceTableError(f"{name} {' and '.join(faults)}; known are {', '.join(known)}")
    if doubles := sorted({c for c in found if found.count(c) > 1}):
        raise ReferenceTableError(f"{name} has the column {', '.join(doubles)} twice")


def _row(cells: dict[str, str]) -> Reference:
    """A row from its cells; ValueError says what is wrong."""
    if cells.get("more"):
        raise ValueError("more cells than columns; put text with commas in double quotes")
    cells = {key: value.strip() for key, value in cells.items() if isinstance(value, str)}
    for column in REQUIRED_COLUMNS:
        if not cells[column]:
            raise ValueError(f"{column} is empty" + ("; every row needs a source" if column == "source" else ""))
    numbers = {key: _number(cells.get(key, ""), key) for key in _NUMBERS}
    row = Reference(
        structure=_one_of(cells["structure"], "structure", {s.value: s for s in Structure}),
        level=_level(cells["level"]),
        name=cells["measurement"],
        method=cells["method"],
        unit=_one_of(cells["unit"], "unit", {u: u for u in UNITS}),
        source=cells["source"],
        short=cells.get("short") or cells["source"],
        contrast=_one_of(cells.get("contrast", ""), "contrast", {c: c for c in _CONTRASTS}),
        tesla=numbers["tesla"],
        sex=_one_of(cells.get("sex", ""), "sex", {"": None, "F": "F", "M": "M"}),
        age=_limits(numbers, "age", 150.0),
        height=_limits(numbers, "height", 300.0),
        mean=numbers["mean"],
        sd=numbers["sd"],
        quantiles={share: value for key, share in QUANTILES.items() if (value := numbers[key]) is not None},
        low=numbers["low"],
        high=numbers["high"],
        grade=cells.get("grade", ""),
        certain=_one_of(cells.get("certain", ""), "certain", {"": False, "no": False, "yes": True}),
        n=None if numbers["n"] is None else int(numbers["n"]),
        group=cells.get("group", ""),
        measured=cells.get("measured", ""),
    )
    _check(row)
    return row


def _number(text: str, column: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        hint = "; write a decimal point, not a comma" if "," in text else ""
        raise ValueError(f"{column} is '{text}', which is not a number{hint}") from None
    if not math.isfinite(value):
        raise ValueError(f"{column} is '{text}', which is not a finite number")
    return value


def _one_of(text: str, column: str, known: Mapping[str, object]) -> object:
    if text not in known:
        raise ValueError(f"{column} is '{text}'; known are {', '.join(k or '(empty)' for k in known)}")
    return known[text]


def _level(text: str) -> str:
    ends = text.split("-")
    named = 1 <= len(ends) <= 2 and all(end in VERTEBRA_VALUES or end == "S2" for end in ends)
    if not named and text not in LEVEL_GROUPS and text != "*":
        groups = ", ".join(LEVEL_GROUPS)
        raise ValueError(f"level is '{text}'; write a level such as L4-L5, a vertebra such as L4, {groups}, or *")
    return text


def _limits(numbers: Mapping[str, float | None], name: str, top: float) -> tuple[float, float] | None:
    """Lowest and highest, the highest not included; open ends filled."""
    low, high = numbers[f"{name}_min"], numbers[f"{name}_max"]
    if low is None and high is None:
        return None
    limits = (0.0 if low is None else low, top if high is None else high)
    if not 0 <= limits[0] < limits[1]:
        raise ValueError(f"{name}_min has to be below {name}_max")
    return limits


def _check(row: Reference) -> None:
    """What single cells cannot tell."""
    if row.sd is not None and (row.mean is None or row.sd <= 0):
        raise ValueError("sd has to be above 0 and needs a mean")
    if row.low is not None and row.high is not None and row.low >= row.high:
        raise ValueError("low has to be below high")
    if any(a >= b for a, b in pairwise(row.quantiles[s] for s in sorted(row.quantiles))):
        raise ValueError("quantiles have to rise")
    if row.n is not None and row.n < 1:
        raise ValueError("n has to be at least 1")
    bounds = row.low is not None or row.high is not None
    if row.grade and (not bounds or row.mean is not None or row.quantiles):
        raise ValueError("a grade needs low, high or both, and neither mean nor quantiles: a range is a row of its own")
    if row.certain and (not row.grade or row.low is None):
        raise ValueError("certain is for grades with a lower bound")
    if not (bounds or row.mean is not None or row.quantiles):
        raise ValueError("the row holds no number: give mean and sd, quantiles, or low and high")


def _check_overlap(row: Reference, before: list[Reference]) -> None:
    """Refuse a second range, or grades that overlap, for the same measurement, people and scan."""

    def key(r: Reference) -> tuple[object, ...]:
        return (
            r.structure,
            r.level,
            r.name,
            r.method,
            r.unit,
            r.contrast,
            r.tesla,
            r.sex,
            r.age,
            r.height,
            bool(r.grade),
        )

    def ends(r: Reference) -> tuple[float, float]:
        return -math.inf if r.low is None else r.low, math.inf if r.high is None else r.high

    for other in before:
        if key(other) != key(row):
            continue
        if not row.grade:
            raise ValueError("a second range for the same measurement and people")
        (a, b), (c, d) = ends(row), ends(other)
        if a < d and c < b:
            raise ValueError(f"the grades '{other.grade}' and '{row.grade}' overlap")
