"""What publications, or a site's own cohort, report for a measurement: tables of ranges and of cut-offs.

A table is a CSV file with one statement a row, in the format of ``Resources/ReferenceRanges/lumbar.csv`` (described in
``docs/reference-ranges.md``). A row speaks of a measurement only where structure, level, name, method and unit are
those of the measurement, and only of people and scans of the kind it was made from; every row names its source. Ranges
are what others found in their groups of people, not limits of health.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from .levels import VERTEBRA_VALUES
from .resources import resource
from .structures import Structure

__all__ = [
    "LEVEL_GROUPS",
    "MAX_AGE",
    "OPTIONAL_COLUMNS",
    "QUANTILES",
    "REQUIRED_COLUMNS",
    "Person",
    "Reference",
    "ReferenceTableError",
    "References",
    "Sex",
    "load_references",
    "save_references",
    "shipped_references",
]

Sex = str
"""``F`` or ``M``, as DICOM writes it."""
MAX_AGE = 90.0
"""Ages beyond are kept as this, because great age alone can tell who a person is."""
QUANTILES = {"p2.5": 0.025, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p97.5": 0.975}
"""Columns of quantiles, with the share of people below."""
LEVEL_GROUPS = {"cervical": "C", "thoracic": "T", "lumbar": "L"}
"""What the column of the level may hold besides a level and ``*``: all levels whose upper vertebra has this letter."""
REQUIRED_COLUMNS = ("structure", "level", "measurement", "method", "unit", "source")
_NUMBERS = (
    *("tesla", "age_min", "age_max", "height_min", "height_max", "mean", "sd"),
    *QUANTILES,
    *("low", "high", "n"),
)
OPTIONAL_COLUMNS = ("contrast", "sex", *_NUMBERS, "grade", "certain", "group", "measured", "short")
_UNITS = {"mm": "mm", "mm2": "mm²", "mm3": "mm³", "deg": "°", "1": "", "%": "%"}
_CONTRASTS = ("", "T1", "T2", "STIR")
_TESLA_TOLERANCE = 0.1
_MAX_ROWS = 20_000


class ReferenceTableError(ValueError):
    """A table of reference values cannot be used; the message names file, line and what to change."""


@dataclass(frozen=True)
class Person:
    """What ranges may depend on; nothing that tells who it is.

    Attributes
    ----------
    sex : str or None
        ``F`` or ``M``; None where unknown or neither.
    age : float or None
        Years, at most :data:`MAX_AGE`.
    height : float or None
        Body height, centimetres.
    """

    sex: Sex | None = None
    age: float | None = None
    height: float | None = None

    @property
    def text(self) -> str:
        """In words, for example ``female, 54 years``; empty where nothing is known."""
        age = None if self.age is None else f"{'at least ' if self.age >= MAX_AGE else ''}{self.age:.0f} years"
        height = None if self.height is None else f"{self.height:.0f} cm"
        return ", ".join(filter(None, ({"F": "female", "M": "male"}.get(self.sex or ""), age, height)))


@dataclass(frozen=True)
class Reference:
    """One row of a table.

    Attributes
    ----------
    structure, level, name, method, unit
        Which measurement it is about; ``level`` may be ``*`` or a group (:data:`LEVEL_GROUPS`).
    source, short : str
        Where it is published, in full and in a word or two.
    contrast, tesla
        Kind of scan it holds for; empty and None for any.
    sex, age, height
        Kind of people it holds for: sex, lowest and highest age in years, lowest and highest body height in cm; None
        where it holds for all. A row is not used for a person of whom what it needs is not known.
    mean, sd : float or None
        Mean and standard deviation of the group.
    quantiles : mapping of float to float
        Value below which that share of the group lies.
    low, high : float or None
        Bounds of what the source calls normal, or, with a grade, of the values that have the grade: ``low`` included,
        ``high`` not.
    grade : str
        What the source calls such a value; empty where the row is a range.
    certain : bool
        Whether the grade is given only to values whose whole interval lies above ``low``.
    n : int or None
        How many people or objects.
    group, measured : str
        Who was measured, and how, in a few words.
    table : str
        Name of the file.
    """

    structure: Structure
    level: str
    name: str
    method: str
    unit: str
    source: str
    short: str
    contrast: str = ""
    tesla: float | None = None
    sex: Sex | None = None
    age: tuple[float, float] | None = None
    height: tuple[float, float] | None = None
    mean: float | None = None
    sd: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    grade: str = ""
    certain: bool = False
    n: int | None = None
    group: str = ""
    measured: str = ""
    table: str = ""

    @property
    def is_pooled(self) -> bool:
        """Whether several levels were put together, so that a rank among them says little about one level."""
        return self.level in LEVEL_GROUPS or self.level == "*"

    def covers(self, level: str) -> bool:
        """Whether it holds for a level such as ``L4-L5`` or a vertebra such as ``L4``."""
        if self.level in LEVEL_GROUPS:
            return level.split("-")[0] in VERTEBRA_VALUES and level.startswith(LEVEL_GROUPS[self.level])
        return self.level in (level, "*")

    def suits(self, person: Person, contrast: str, tesla: float | None) -> bool:
        """Whether person and scan are of the kind it was made from."""
        if self.contrast and self.contrast != contrast:
            return False
        if self.tesla is not None and (tesla is None or abs(tesla - self.tesla) > _TESLA_TOLERANCE):
            return False
        if self.sex and self.sex != person.sex:
            return False
        return _within(person.age, self.age) and _within(person.height, self.height)

    @property
    def specificity(self) -> tuple[bool, bool, int]:
        """Larger for a row that says more precisely whom it speaks of."""
        narrow = sum(limit is not None for limit in (self.sex, self.age, self.height, self.tesla))
        return self.level not in LEVEL_GROUPS and self.level != "*", self.level != "*", narrow

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """Bounds of the usual: of normal as the source says, else of the middle 95 % (or 90 %) of the group."""
        if self.low is not None or self.high is not None:
            return self.low, self.high
        for low, high in ((0.025, 0.975), (0.05, 0.95)):
            if low in self.quantiles and high in self.quantiles:
                return self.quantiles[low], self.quantiles[high]
        if self.mean is not None and self.sd is not None:
            return self.mean - 1.96 * self.sd, self.mean + 1.96 * self.sd
        return None, None

    @property
    def text(self) -> str:
        """The range in words with its group and source, for example ``151.7 ± 53.6 mm² (130 controls; Lim 2017)``."""
        unit = _UNITS[self.unit]
        gap = "" if unit in ("°", "%") else " "
        low, high = self.limits
        if self.mean is not None:
            words = f"{self.mean:.1f}" + (f" ± {self.sd:.1f}" if self.sd is not None else "")
        elif low is not None and high is not None:
            words = f"{low:g}–{high:g}"
        elif low is not None or high is not None:
            words = f"≥ {low:g}" if low is not None else f"≤ {high:g}"
        else:
            words = f"median {self.quantiles[0.5]:g}" if 0.5 in self.quantiles else "see source"
        about = "; ".join(filter(None, (self.group, self.short)))
        return f"{words}{gap if unit else ''}{unit} ({about})"


def _within(value: float | None, limits: tuple[float, float] | None) -> bool:
    return limits is None or (value is not None and limits[0] <= value < limits[1])


@dataclass(frozen=True)
class References:
    """Tables in the order in which they count, and the person and scan that rows have to suit.

    Attributes
    ----------
    tables : tuple of tuple of Reference
        A site's own tables before the shipped one; the first that speaks of a measurement is used.
    person : Person
        Of whom the scan is.
    contrast : str
        ``T1``, ``T2``, ``STIR`` or ``unknown``.
    tesla : float or None
        Field strength.
    """

    tables: tuple[tuple[Reference, ...], ...] = field(default_factory=lambda: (shipped_references(),))
    person: Person = Person()
    contrast: str = "unknown"
    tesla: float | None = None

    @property
    def own_tables(self) -> tuple[tuple[Reference, ...], ...]:
        """Tables that are not the shipped one."""
        return tuple(table for table in self.tables if table is not shipped_references())

    def _fitting(
        self, structure: Structure, level: str, name: str, method: str, unit: str
    ) -> Iterator[list[Reference]]:
        """Rows about a measurement, table by table."""
        key = structure, name, method, unit
        for table in self.tables:
            yield [
                r
                for r in table
                if (r.structure, r.name, r.method, r.unit) == key
                and r.covers(level)
                and r.suits(self.person, self.contrast, self.tesla)
            ]

    def range_of(self, structure: Structure, level: str, name: str, method: str, unit: str) -> Reference | None:
        """The range of a measurement: of the first table that has one, the row that fits most precisely; or None."""
        for rows in self._fitting(structure, level, name, method, unit):
            ranges = [r for r in rows if not r.grade]
            if ranges:
                return max(ranges, key=lambda r: r.specificity)
        return None

    def grades_of(self, structure: Structure, level: str, name: str, method: str, unit: str) -> tuple[Reference, ...]:
        """Cut-offs of a measurement by rising bounds: those of the first table that has any."""
        for rows in self._fitting(structure, level, name, method, unit):
            grades = [r for r in rows if r.grade]
            if grades:
                best = max(r.specificity for r in grades)
                chosen = [r for r in grades if r.specificity == best]
                return tuple(sorted(chosen, key=lambda r: -math.inf if r.low is None else r.low))
        return ()


@cache
def shipped_references() -> tuple[Reference, ...]:
    """The table that comes with the software.

    Raises
    ------
    FileNotFoundError
        If it is missing.
    ReferenceTableError
        If it is damaged.
    """
    return load_references(resource("ReferenceRanges", "lumbar.csv"))


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
        unit=_one_of(cells["unit"], "unit", {u: u for u in _UNITS}),
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
