"""What publications, or a site's own cohort, report for a measurement: tables of ranges and of cut-offs.

A table is a CSV file with one statement a row, in the format of ``Resources/ReferenceRanges/lumbar.csv`` (described in
``docs/reference-ranges.md``). A row speaks of a measurement only where structure, level, name, method and unit are
those of the measurement, and only of people and scans of the kind it was made from; every row names its source. Ranges
are what others found in their groups of people, not limits of health.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from .reference_row import LEVEL_GROUPS, MAX_AGE, Person, Reference, Sex
from .reference_table import (
    OPTIONAL_COLUMNS,
    QUANTILES,
    REQUIRED_COLUMNS,
    ReferenceTableError,
    load_references,
    save_references,
)
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
    person: Person = field(default_factory=Person)
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
