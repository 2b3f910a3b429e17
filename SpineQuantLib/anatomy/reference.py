"""What the literature reports for a measurement, as short text with its source.

The numbers lie in ``Resources/ReferenceRanges/lumbar.csv``. A row is used where its structure, level, name and
method are those of the measurement; ``*`` in the column of the level stands for any. They are what others found in
their groups of people with their ways to measure, not limits of health.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from .resources import resource
from .structures import Structure

__all__ = ["Reference", "reference_for", "reference_text", "references"]

_TABLE = ("ReferenceRanges", "lumbar.csv")
_SHOWN_UNIT = {"mm2": "mm²", "mm3": "mm³", "deg": "°", "1": ""}


@dataclass(frozen=True)
class Reference:
    """One row of the table of reference values.

    Attributes
    ----------
    structure, level, name, method
        Which measurement it is about; ``level`` may be ``*``.
    mean, sd : float or None
        Mean and standard deviation of the group.
    unit : str
        UCUM unit of all numbers.
    low, high : float or None
        Bounds of what the source calls normal.
    group : str
        Who was measured, in a few words.
    source : str
        Where it is published.
    """

    structure: Structure
    level: str
    name: str
    method: str
    mean: float | None
    sd: float | None
    unit: str
    low: float | None
    high: float | None
    group: str
    source: str

    @property
    def text(self) -> str:
        """The row in words, for example ``7.4 ± 1.0 mm (49 manual masks)``."""
        unit = _SHOWN_UNIT.get(self.unit, self.unit)
        words = []
        if self.mean is not None:
            digits = 0 if self.mean >= 100 else 1
            words.append(f"{self.mean:.{digits}f}" + (f" ± {self.sd:.{digits}f}" if self.sd is not None else ""))
        elif self.low is not None and self.high is not None:
            words.append(f"{self.low:g}–{self.high:g}")
        elif self.low is not None:
            words.append(f"≥ {self.low:g}")
        elif self.high is not None:
            words.append(f"≤ {self.high:g}")
        return " ".join(filter(None, [*words, unit, f"({self.group})"]))


@cache
def references() -> tuple[Reference, ...]:
    """All rows of the table.

    Raises
    ------
    FileNotFoundError
        If the table is missing.
    ValueError
        If a row holds something that is not a number, no number at all, or no source.
    """
    path = resource(*_TABLE)
    with path.open(encoding="utf-8", newline="") as file:
        rows = []
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                numbers = {key: float(row[key]) if row[key] else None for key in ("mean", "sd", "low", "high")}
                words = {key: row[key] for key in ("level", "name", "method", "unit", "group", "source")}
                rows.append(Reference(structure=Structure(row["structure"]), **words, **numbers))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {line}: {error}") from error
            if not row["source"] or all(numbers[key] is None for key in ("mean", "low", "high")):
                raise ValueError(f"{path}, line {line}: a reference needs a number and a source")
    return tuple(rows)


def reference_for(structure: Structure, level: str, name: str, method: str) -> Reference | None:
    """The reference value of a measurement, that of its own level before that of any level, or None."""
    fitting = [
        r
        for r in references()
        if (r.structure, r.name, r.method) == (structure, name, method) and r.level in (level, "*")
    ]
    return min(fitting, key=lambda r: r.level == "*", default=None)


def reference_text(structure: Structure, level: str, name: str, method: str) -> str:
    """Text for the column ``reference`` of a measurement; empty where the literature has nothing of the kind."""
    found = reference_for(structure, level, name, method)
    return found.text if found else ""
