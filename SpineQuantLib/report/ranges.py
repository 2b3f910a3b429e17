"""Measurements against published or own ranges: where a value stands, and what a source calls it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

from ..anatomy.reference import (
    MAX_AGE,
    Person,
    Reference,
    References,
    ReferenceTableError,
    load_references,
    save_references,
    shipped_references,
)
from ..case.errors import InputError, OutputError
from ..case.measurement import Measurement
from ..case.result import Contrast, InputInfo

__all__ = [
    "FOLDER",
    "Standing",
    "copy_tables",
    "load_tables",
    "person_of",
    "read_case_references",
    "references_for",
    "signed",
    "sources_of",
    "standing",
    "unused_rows",
    "with_ranges",
]

FOLDER = "ranges"
"""Folder of a case that holds the site's own tables that it was judged by."""
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Standing:
    """Where a value stands in a range.

    Attributes
    ----------
    reference : Reference
        The range.
    z : float or None
        Standard deviations from the mean; None where the source gives none, or put levels together.
    percentile : float or None
        Share of the source's group below the value, 0–100: from its quantiles, else from z on the assumption that the
        group is normally distributed. Beyond the outermost quantile it is that quantile's.
    place : str
        ``below``, ``within`` or ``above`` the usual (:attr:`Reference.limits`); empty where levels were put together
        or the source gives no limits.
    """

    reference: Reference
    z: float | None
    percentile: float | None
    place: str

    @property
    def text(self) -> str:
        """Range, z and percentile in words."""
        words = [self.reference.text]
        if self.z is not None:
            words.append(f"z {signed(self.z)}")
        if self.percentile is not None:
            words.append(_percentile(self.percentile))
        return ", ".join(words)


def signed(z: float) -> str:
    """A z score with its sign, to one decimal."""
    rounded = round(z, 1) + 0.0
    return f"{'−' if rounded < 0 else '+' if rounded > 0 else ''}{abs(rounded):.1f}"


def _percentile(percentile: float) -> str:
    if percentile < 1:
        return "below 1st percentile"
    if percentile > 99:
        return "above 99th percentile"
    number = round(percentile)
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} percentile"


def standing(measurement: Measurement, references: References) -> Standing | None:
    """Where a measurement stands; None where no range is known for it.

    An absent value has a range but no place in it.
    """
    m = measurement
    found = references.range_of(m.structure, m.level, m.name, m.method, m.unit)
    if found is None:
        return None
    if m.value is None:
        return Standing(found, None, None, "")
    low, high = found.limits
    normal = found.low is not None or found.high is not None
    # Bounds that a source calls normal hold level by level; mean and SD of several levels together rank no single one.
    if found.is_pooled and not normal:
        return Standing(found, None, None, "")
    place = ""
    if low is not None or high is not None:
        place = (
            "below"
            if low is not None and m.value < low
            else "above"
            if high is not None and m.value > high
            else "within"
        )
    z = (m.value - found.mean) / found.sd if found.mean is not None and found.sd is not None else None
    percentile = _among(m.value, found)
    if percentile is None and z is not None:
        percentile = 100 * _NORMAL.cdf(z)
    return Standing(found, z, percentile, place)


def _among(value: float, reference: Reference) -> float | None:
    """Percentile by linear interpolation between the source's quantiles; None where it gives fewer than two."""
    points = sorted((v, share) for share, v in reference.quantiles.items())
    if len(points) < 2:
        return None
    if value <= points[0][0]:
        return 100 * points[0][1]
    for (a, p), (b, q) in pairwise(points):
        if value <= b:
            return 100 * (p + (q - p) * (value - a) / (b - a))
    return 100 * points[-1][1]


def _grade(measurement: Measurement, references: References) -> str:
    """What the source of the cut-offs calls a value, with the source; empty where there is none."""
    m = measurement
    rows = references.grades_of(m.structure, m.level, m.name, m.method, m.unit)
    if m.value is None or not rows:
        return ""

    def row_of(value: float) -> Reference | None:
        return next((r for r in rows if _holds(r, value)), None)

    own = row_of(m.value)
    if own is not None and own.certain and (m.lower is None or m.lower < (own.low or 0.0)):
        own = None
    if own is None:
        return ""
    text = f"{own.grade} ({own.short})"
    if m.lower is None or m.upper is None:
        return text
    others = [r.grade for r in (row_of(m.lower), row_of(m.upper)) if r is not None and r is not own]
    between = [r.grade for r in rows if r.low is not None and m.lower < r.low < m.upper and r is not own]
    reached = list(dict.fromkeys([*others, *between]))
    if row_of(m.lower) is None or row_of(m.upper) is None:
        reached.append("no grade")
    return f"{text}; interval reaches {', '.join(reached)}" if reached else text


def _holds(row: Reference, value: float) -> bool:
    return (row.low is None or value >= row.low) and (row.high is None or value < row.high)


def with_ranges(measurements: Iterable[Measurement], references: References) -> tuple[Measurement, ...]:
    """Measurements with range and grade filled in, as far as a source speaks of them.

    A grade that a measurement already carries, by a rule that a table cannot state, is kept unless a table has one.

    Parameters
    ----------
    measurements : iterable of Measurement
        Rows, with or without earlier ranges, which are replaced.
    references : References
        Tables, person and scan.
    """
    out = []
    for m in measurements:
        found = standing(m, references)
        grade = _grade(m, references)
        known = bool(references.grades_of(m.structure, m.level, m.name, m.method, m.unit))
        out.append(replace(m, reference=found.text if found else "", grade=grade if known else m.grade))
    return tuple(out)


def sources_of(measurements: Iterable[Measurement], references: References) -> tuple[Reference, ...]:
    """Ranges and cut-offs that measurements refer to, one row for each source, in the order in which they occur."""
    found: dict[str, Reference] = {}
    for m in measurements:
        key = m.structure, m.level, m.name, m.method, m.unit
        own = references.range_of(*key)
        grades = (r for r in references.grades_of(*key) if f"({r.short})" in m.grade)
        for r in (*([own] if own else []), *grades):
            found.setdefault(r.source, r)
    return tuple(found.values())


def unused_rows(measurements: Sequence[Measurement], references: References) -> tuple[str, ...]:
    """What a site should know of its tables: rows whose quantity or method no measurement of the case has."""
    known = {(m.structure, m.name, m.method, m.unit) for m in measurements}
    out = []
    for table in references.own_tables:
        strangers = [r for r in table if (r.structure, r.name, r.method, r.unit) not in known]
        if strangers:
            r = strangers[0]
            out.append(
                f"{len(strangers)} of {len(table)} rows of the table {r.table} fit no measurement of this case, for "
                f"example {r.structure} {r.name} by the method “{r.method}” in {r.unit}"
            )
    return tuple(out)


def person_of(info: InputInfo, sex: str | None = None, age: float | None = None, height: float | None = None) -> Person:
    """Sex and age from the DICOM header where it has them; what is given by hand counts more.

    Parameters
    ----------
    info : InputInfo
        What was read.
    sex : str, optional
        ``F`` or ``M``.
    age : float, optional
        Years.
    height : float, optional
        Body height, centimetres.
    """
    header = info.dicom
    sex = sex or (header.get("PatientSex") if header.get("PatientSex") in ("F", "M") else None)
    age = _years(str(header.get("PatientAge", ""))) if age is None else age
    return Person(sex, None if age is None else min(float(age), MAX_AGE), height)


def _years(text: str) -> float | None:
    """Years of a DICOM age string (``054Y``, ``018M``, ``003W``, ``010D``); None where it is none."""
    number, unit = text[:-1], text[-1:]
    per_year = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}.get(unit)
    return int(number) / per_year if per_year and number.isdecimal() else None


def load_tables(paths: Iterable[Path]) -> tuple[tuple[Reference, ...], ...]:
    """A site's own tables of ranges.

    Raises
    ------
    InputError
        If a table cannot be used; with its line and what to change.
    """
    try:
        return tuple(load_references(path) for path in paths)
    except ReferenceTableError as error:
        raise InputError(str(error)) from error


def references_for(info: InputInfo, person: Person, own: tuple[tuple[Reference, ...], ...] = ()) -> References:
    """Tables that hold for a scan: a site's own in the order given, then the shipped one."""
    tesla = info.dicom.get("MagneticFieldStrength")
    tesla = float(tesla) if isinstance(tesla, int | float) else None
    return References((*own, shipped_references()), person, str(info.contrast), tesla)


def copy_tables(references: References, folder: Path) -> None:
    """Keep the site's own tables with the case, so that it can be judged again.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    if not references.own_tables:
        return
    try:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        for number, table in enumerate(references.own_tables, 1):
            save_references(table, folder / FOLDER / f"{number:02d}.csv")
    except OSError as error:
        raise OutputError(f"the tables of ranges cannot be written into {folder} ({error.strerror})") from error


def read_case_references(folder: Path) -> References:
    """Tables, person and scan of a finished case, from its folder.

    Raises
    ------
    InputError
        If ``case.json`` or a table of the case is missing or damaged.
    """
    try:
        record = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        person = record.get("person") or {}
        source = record["input"]
        info_dicom = source.get("dicom") or {}
        tables = sorted((folder / FOLDER).glob("*.csv"))
        own = tuple(load_references(path) for path in tables)
        tesla = info_dicom.get("MagneticFieldStrength")
        return References(
            (*own, shipped_references()),
            Person(person.get("sex"), person.get("age"), person.get("height")),
            Contrast(source["contrast"]).value,
            float(tesla) if isinstance(tesla, int | float) else None,
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder} does not say what its ranges depend on ({error}); analyse the case again"
        ) from error
