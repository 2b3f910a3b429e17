"""A corrected row: its new value, looked up again, with the automatic one beside it."""

from __future__ import annotations

from dataclasses import replace

from ..case.measurement import Geometry, Measurement
from ..measure.rows import Subject
from ..report.ranges import with_ranges
from .state import State, same

__all__ = ["corrected", "in_ranges", "with_value"]


def with_value(row: Measurement, value: float | None, geometry: Geometry | None, reason: str = "") -> Measurement:
    """The row with another value: plausibility, range and grade as the software itself would give them.

    Parameters
    ----------
    row : Measurement
        What is measured.
    value : float or None
        New value; None where it cannot be given.
    geometry : Geometry or None
        Where it is read now.
    reason : str
        Why there is no value.
    """
    subject = Subject(row.structure, row.level, row.side)
    if value is None:
        return subject.absent(row.name, row.method, row.unit, reason)
    return subject.row(row.name, row.method, row.unit, value, geometry=geometry)


def corrected(state: State, fresh: Measurement) -> Measurement:
    """A row as it is after an edit: the automatic one where that is what it is again, else marked as corrected.

    An interval is about the software's own errors; it does not hold for what a reader drew, and is left out.
    """
    original = state.original(fresh.key)
    if original is not None and same(original.value, fresh.value):
        return replace(original, geometry=fresh.geometry)
    value = original.value if original is not None else None
    return replace(fresh, source="corrected", automatic=value, lower=None, upper=None, accuracy=None)


def in_ranges(before: State, after: State) -> State:
    """Range and grade of every row that changed, looked up as the pipeline does."""
    old = before.rows
    rows = [
        m if old.get(m.key) == m else with_ranges([m], after.result.references)[0] for m in after.result.measurements
    ]
    return after.with_rows(rows)
