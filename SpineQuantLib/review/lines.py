"""A line or contour that a reader moved gives a new value, and what is computed from it follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..case.errors import InputError
from ..case.grid import lps_to_ras
from ..case.measurement import Geometry, Measurement
from ..measure.alignment import meyerding
from .derived import formulas_for
from .rows import corrected, with_value
from .sac import SMALLEST, follow_sac
from .shapes import check_points
from .state import State

__all__ = ["follow", "move_line", "reset_rows"]

_SLIP = ("slip", "slip ratio")
_SIGNED = ("slip", "anterior bulge", "posterior bulge")


def _kind_of(state: State, row: Measurement) -> str:
    """Kind of geometry that the row is read from; of one without a value that of its fellows at other levels.

    Raises
    ------
    InputError
        If it cannot be measured with a line or contour.
    """
    if row.can_be_moved:
        return row.geometry.kind
    if row.value is None:
        about = (row.structure, row.name, row.method)
        for other in state.result.measurements:
            if (other.structure, other.name, other.method) == about and other.can_be_moved:
                return other.geometry.kind
    sources = next((f.inputs for f in formulas_for(state.rows) if f.key == row.key), ())
    advice = f"correct {', '.join(sources)} instead" if sources else "edit the mask instead"
    raise InputError(f"{row.key} is not the size of one line or contour; {advice}")


def move_line(state: State, key: str, points: np.ndarray) -> State:
    """The state after the line or contour of a row was moved.

    Parameters
    ----------
    state : State
        Before.
    key : str
        Key of the row; all rows that are read from the same geometry follow.
    points : np.ndarray
        (n, 3) RAS millimetres.

    Raises
    ------
    InputError
        If there is no such row, it cannot be measured so, or the points are unfit.
    """
    rows = state.rows
    if key not in rows:
        raise InputError(f"the case has no measurement '{key}'; it may have been renamed, take the keys from its table")
    row = rows[key]
    geometry = check_points(_kind_of(state, row), points)
    _check_in_view(state, np.array(geometry.points))
    moved = {key} | {m.key for m in _twins(state, row) if m.can_be_moved}
    for name in moved:
        old = rows[name]
        rows[name] = corrected(state, with_value(old, _signed(old, geometry), geometry))
    after = state.with_rows(rows.values(), state.by_hand | moved)
    return follow(state, follow_sac(state, after, moved), moved)


def _twins(state: State, row: Measurement) -> list[Measurement]:
    """Rows that are read from the same geometry; the sac's smallest section is sought anew and is none of them."""
    if row.geometry is None:
        return []
    rows = state.result.measurements
    return [m for m in rows if m.geometry == row.geometry and (m is row or not m.name.startswith(SMALLEST))]


def _signed(old: Measurement, geometry: Geometry) -> float | None:
    """Size of a geometry; of a slip or bulge below zero where its line points the other way than for a positive one."""
    size = geometry.size(old.unit)
    if size is None or old.name not in _SIGNED or old.value is None or old.geometry is None:
        return size
    was, now = (np.subtract(g.points[1], g.points[0]) for g in (old.geometry, geometry))
    return float(np.copysign(size, old.value * (1.0 if was @ now >= 0 else -1.0)))


def _check_in_view(state: State, points: np.ndarray) -> None:
    grid = state.result.spine.grid
    index = grid.to_index(lps_to_ras(points))
    if ((index < -1.0) | (index > np.array(grid.shape))).any():
        raise InputError("a point lies outside of the volume; put all points inside")


def follow(before: State, after: State, moved: set[str]) -> State:
    """Work out again what is computed from rows that changed."""
    rows, old = after.rows, before.rows
    changed = set(moved)
    for formula in formulas_for(rows):
        if formula.key in moved or not changed.intersection(formula.inputs):
            continue
        inputs = [rows[key] for key in formula.inputs]
        own = old.get(formula.key, rows[formula.key])
        missing = ", ".join(m.key for m in inputs if m.value is None)
        if missing:
            fresh = with_value(own, None, None, f"not measured: {missing}")
        else:
            was = [old[key].value if key in old else None for key in formula.inputs]
            value = formula.value([m.value for m in inputs], was, own.value)
            geometry = formula.geometry([m.geometry for m in inputs]) if formula.geometry else own.geometry
            fresh = with_value(own, value, geometry, "what it follows from was not measured before")
        rows[formula.key] = corrected(before, fresh)
        changed.add(formula.key)
    for key in changed:
        rows |= _graded(rows, key)
    return after.with_rows(rows.values())


def _graded(rows: dict[str, Measurement], key: str) -> dict[str, Measurement]:
    """A slip and its share with Meyerding's grade; other rows have theirs from tables."""
    row = rows.get(key)
    if row is None or row.name not in _SLIP:
        return {}
    pair = {m.name: m for m in rows.values() if m.name in _SLIP and (m.level, m.method) == (row.level, row.method)}
    slip, share = (pair[name].value if name in pair else None for name in _SLIP)
    grade = meyerding(slip, share) if slip is not None and share is not None else ""
    return {m.key: replace(m, grade=grade) for m in pair.values()}


def reset_rows(state: State, key: str) -> State:
    """The state in which a row, and all that share its line, are as the software had measured them.

    Raises
    ------
    InputError
        If there is no such row, or it is not corrected.
    """
    rows = state.rows
    if key not in rows:
        raise InputError(f"the case has no measurement '{key}'")
    if key not in state.automatic:
        raise InputError(f"{key} is as the software measured it")
    group = {m.key for m in _twins(state, rows[key]) if m.key in state.automatic} | {key}
    for name in group:
        rows[name] = state.automatic[name]
    after = state.with_rows(rows.values(), state.by_hand - group)
    return follow(state, follow_sac(state, after, group), group)
