"""The sac's profile and its smallest section after a reader corrected sections at discs or bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile
from ..case.measurement import Measurement
from .rows import with_value
from .state import State

__all__ = ["SMALLEST", "follow_sac"]

SMALLEST = "smallest "
"""How the names of rows begin whose level says where the sac is smallest."""
_SECTION = {"area": "area", "AP diameter": "ap", "transverse diameter": "transverse"}
"""Attribute of a section of the sac's profile by the name of the row at its level."""


def follow_sac(before: State, after: State, moved: set[str]) -> State:
    """The profile as the rows that moved say, and the smallest section worked out anew.

    Parameters
    ----------
    before, after : State
        Before and after rows of the sac, or others, were corrected or reset.
    moved : set of str
        Their keys.
    """
    sections = [m for key in sorted(moved) if (m := after.rows.get(key)) is not None and _is_section(m)]
    profile = after.result.canal_profile
    if profile is not None:
        for row in sections:
            fresh = {_SECTION[row.name]: row.value}
            profile = CanalProfile(tuple(replace(s, **fresh) if s.level == row.level else s for s in profile.sections))
        after = replace(after, result=replace(after.result, canal_profile=profile))
    for name in dict.fromkeys(row.name for row in sections):
        after = _with_smallest(before, after, name)
    return after


def _is_section(row: Measurement) -> bool:
    return row.structure is Structure.CANAL and row.name in _SECTION and row.value is not None


def _with_smallest(before: State, after: State, name: str) -> State:
    """The smallest of what the mask shows and of what the reader drew."""
    rows = after.rows
    small = next((m for m in rows.values() if m.name == f"{SMALLEST}{name}"), None)
    if small is None or small.key in after.by_hand or small.value is None:
        return after
    drawn = [m for m in rows.values() if _is_section(m) and m.name == name and m.key in after.by_hand]
    original = before.original(small.key)
    fresh = _undrawn(before, after, small, drawn)
    least = min(drawn, key=lambda m: m.value, default=None)
    if least is not None and (fresh is None or least.value < fresh.value):
        fresh = with_value(replace(small, level=least.level), least.value, least.geometry)
        fresh = replace(fresh, source="corrected")
    if fresh is None:
        return after
    if fresh.source != "automatic":
        fresh = replace(fresh, source="corrected", automatic=original.value if original else None)
        if original is not None:
            after = replace(after, automatic={**after.automatic, fresh.key: original})
    return after.with_rows(fresh if m is small else m for m in rows.values())


def _undrawn(before: State, after: State, small: Measurement, drawn: Sequence[Measurement]) -> Measurement | None:
    """The smallest section that no reader drew; None where there is none."""
    original = before.original(small.key)
    if original is not None and not any(edit.kind == "mask" for edit in before.result.edits):
        row: Measurement | None = original
    else:
        drawn_before = [m.geometry for m in before.rows.values() if m.key in before.by_hand]
        row = small if small.geometry not in drawn_before else None
    replaced = [o.geometry for m in drawn if (o := before.original(m.key)) is not None]
    if row is None or (row.geometry is not None and row.geometry in replaced):
        row = _from_profile(after, small, {m.level for m in drawn})
    if row is None:
        return None
    enlarged = [m for m in drawn if m.level == row.level and m.automatic is not None and m.value > m.automatic]
    if not enlarged:
        return row
    # It lies in the mask that the reader has just called too small here.
    flag = f"taken from the mask before {row.level} was corrected"
    return row if flag in row.flag else replace(row, flag="; ".join(filter(None, (row.flag, flag))))


def _from_profile(state: State, small: Measurement, drawn: set[str]) -> Measurement | None:
    """The smallest section of the profile but for those at some levels, without a contour of its own."""
    profile, attribute = state.result.canal_profile, _SECTION[small.name.removeprefix(SMALLEST)]
    if profile is None:
        return None
    levels = [s for s in profile.sections if s.level and not s.level.startswith("S")]
    if not levels:
        return None
    first, last = levels[0].distance, levels[-1].distance
    left = [
        s
        for s in profile.sections
        if first <= s.distance <= last and s.level not in drawn and getattr(s, attribute) is not None and not s.flag
    ]
    if not left:
        return None
    least = min(left, key=lambda s: getattr(s, attribute))
    nearest = min(levels, key=lambda s: abs(s.distance - least.distance)).level
    row = with_value(replace(small, level=nearest), getattr(least, attribute), None)
    return replace(row, source="corrected")
