"""Levels renamed in one step: labels, rows, scores and reasons, and what the names rest on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..anatomy.labels import CANAL_VALUE, CORD_VALUE, describe, disc_value, foramen_value
from ..anatomy.levels import column_with, is_unnamed, split_level, vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.canal_profile import CanalProfile
from ..case.direct import CrossCheck
from ..case.errors import InputError
from ..case.measurement import Measurement
from ..case.result import CaseResult
from ..case.spine import NamedSpine, Naming
from ..uncertainty.crosscheck import contradiction
from .derived import formulas_for
from .state import State, identity, place_may_change, same, single_rows
from .verdict import reassessed

__all__ = ["NeedsConfirmationError", "in_new_names", "names_of", "new_names", "renamed_state", "table_under_new_names"]

_NO_INTERVAL = re.compile(r"no interval: [^;]+")
_NAME = re.compile(r"(?<![A-Za-z0-9])([CTLSV]\d{1,2})(?![A-Za-z0-9])")


class NeedsConfirmationError(InputError):
    """What was asked for contradicts what the committee saw, and must be confirmed."""


def new_names(spine: NamedSpine, lowest_disc: str) -> tuple[str, ...]:
    """Names of the vertebrae, top down, when the lowest disc between two of them has a name.

    Raises
    ------
    InputError
        If it is no level between two neighbouring, named vertebrae, or there are not so many above it.
    """
    try:
        upper, lower = split_level(lowest_disc.strip())
        if is_unnamed(vertebra_value(upper)):
            raise ValueError(f"'{lowest_disc}' names no vertebrae")
    except ValueError as error:
        raise InputError(f"{error}; give the lowest disc in view as, for example, L5-S1") from error
    names = column_with(upper, lower)
    names = names[: names.index(lower) + 1]
    if len(spine.vertebrae) < 2:
        raise InputError("there is no disc between two vertebrae in this case, so nothing can be named by it")
    if len(spine.vertebrae) > len(names):
        raise InputError(
            f"{len(spine.vertebrae)} vertebrae are in view, but only {len(names)} reach from C1 down to {lower}; "
            "check the name given for the lowest disc"
        )
    return names[-len(spine.vertebrae) :]


def renamed_state(state: State, lowest_disc: str, confirmed: bool) -> State:
    """The state with renamed labels and scores; its rows are still to be measured and named.

    Left and right are not touched: they follow from the patient's coordinates.

    Raises
    ------
    InputError
        If the names are impossible.
    NeedsConfirmationError
        If the body that the case holds for S1 would become another one, and that was not confirmed.
    """
    result = state.result
    spine = result.spine
    names = new_names(spine, lowest_disc)
    old, new = spine.vertebrae[-1], names[-1]
    if old == "S1" and new != "S1" and not confirmed:
        raise NeedsConfirmationError(
            f"the body that this case holds for S1 would become {new}; confirm this if S1 was taken one too high"
        )
    mapping = dict(zip(spine.vertebrae, names, strict=True))
    after = replace(
        spine,
        labels=_relabelled(spine, mapping),
        vertebrae=names,
        naming=_naming(state, names, lowest_disc),
    )

    def told(text: str) -> str:
        # Notes on the input are not about levels; in them T2 is a contrast.
        return text if text in result.input.notes else in_new_names(text, mapping)

    profile = result.canal_profile and CanalProfile(
        tuple(replace(s, level=told(s.level), flag=told(s.flag)) for s in result.canal_profile.sections)
    )
    assessment = reassessed(result.assessment, spine, after, told)
    check = result.cross_check and result.cross_check.renamed(told)
    return replace(
        state,
        result=replace(result, spine=after, assessment=assessment, canal_profile=profile, cross_check=check),
    )


def in_new_names(text: str, mapping: Mapping[str, str]) -> str:
    """A text in which vertebrae, alone or in a level, have other names; all at once, so that none is renamed twice."""
    return _NAME.sub(lambda match: mapping.get(match.group(1), match.group(1)), text)


def _relabelled(spine: NamedSpine, mapping: dict[str, str]) -> np.ndarray:
    """Labels with the values of the new names; all at once, so that none is renamed twice."""
    table = np.arange(int(spine.labels.max(initial=0)) + 1, dtype=np.uint16)
    for value in np.unique(spine.labels[spine.labels > 0]):
        label = describe(int(value))
        if value in (CANAL_VALUE, CORD_VALUE):
            continue
        name = mapping[label.level.split("-")[0]]
        table[value] = {
            Structure.VERTEBRA: vertebra_value,
            Structure.DISC: disc_value,
            Structure.FORAMEN: lambda upper, side=label.side: foramen_value(upper, side or Side.RIGHT),
        }[label.structure](name)
    return table[spine.labels]


def _naming(state: State, names: tuple[str, ...], lowest_disc: str) -> Naming:
    """What the new names rest on, and what the committee saw otherwise."""
    first = next((e for e in state.result.edits if e.kind == "levels"), None)
    spine = state.result.spine
    seen = tuple(first.before["vertebrae"]) if first else spine.vertebrae
    counted = first.before["naming"] if first else None
    by_hand = f"the lowest disc in view between two bodies was set to {lowest_disc} by hand"
    if counted and names == seen:
        return Naming(bool(counted["named"]), counted["method"], tuple(counted["evidence"]), tuple(counted["doubts"]))
    doubts = []
    if seen[-1] == "S1" and names[-1] != "S1":
        doubts.append(f"the committee takes a body in view for S1, while the lowest disc was set to {lowest_disc}")
    if seen[-1] != "S1" and names[-1] == "S1":
        doubts.append("the committee recognises no S1 in view; the name rests on the level set by hand")
    mapping = dict(zip(spine.vertebrae, names, strict=True))
    kept = [e for e in spine.naming.evidence if not e.startswith(("counted upwards", "the lowest disc in view"))]
    # What was said about S1 was said about the body that the committee took for it.
    kept = [in_new_names(text, mapping) if "edge of the view" in text else text for text in kept]
    return Naming(True, "set by hand", (by_hand, *kept), tuple(doubts))


def table_under_new_names(before: State, after: State, fresh: list[Measurement]) -> State:
    """Rows of a renamed spine.

    Parameters
    ----------
    before : State
        Under the old names.
    after : State
        The renamed state.
    fresh : list of Measurement
        Everything measured on the renamed spine: the rows that there are, their order, their flags.
    """
    mapping = dict(zip(before.result.spine.vertebrae, after.result.spine.vertebrae, strict=True))
    old = {_moved(m, mapping).key: m for m in before.result.measurements}
    same_name = before.rows
    single = single_rows(same_name.values())
    placed = set(before.by_hand)
    for formula in formulas_for(same_name):
        if placed.intersection(formula.inputs):
            placed.add(formula.key)
    rows, automatic, hand = [], {}, set()
    for m in fresh:
        was = old.get(m.key)
        if place_may_change(m) and (was is None or was.key not in before.by_hand):
            # A lordosis L1–S1 between other bodies, or the smallest section of a longer sac, is another number.
            was = was or same_name.get(m.key) or same_name.get(single.get(identity(m), ""))
            original = before.original(was.key) if was is not None else None
            if original is None:
                rows.append(m)
            elif same(original.value, m.value):
                rows.append(replace(m, lower=original.lower, upper=original.upper, spread=original.spread))
            else:
                automatic[m.key] = _moved(original, mapping) if m.key in old else original
                rows.append(replace(m, source="corrected", automatic=original.value, accuracy=None))
            continue
        if was is None:
            rows.append(m)
            continue
        original = before.automatic.get(was.key, was)
        # S1 is measured by rules of its own, so that what is beside it may get another value under another name.
        if was.key not in placed and same(original.value, m.value):
            rows.append(replace(m, lower=original.lower, upper=original.upper, spread=original.spread))
            continue
        automatic[m.key] = _moved(original, mapping)
        if was.source == "corrected":
            rows.append(replace(_moved(was, mapping), flag=was.flag if was.value is None else m.flag))
        else:
            rows.append(replace(m, source="corrected", automatic=original.value, accuracy=None))
        if was.key in before.by_hand:
            hand.add(m.key)
    rows = [_with_remarks(m, old.get(m.key), after.result.cross_check) for m in rows]
    result = replace(after.result, measurements=tuple(rows))
    return State(result, automatic, frozenset(hand))


def _with_remarks(row: Measurement, was: Measurement | None, check: CrossCheck | None) -> Measurement:
    """The row with what was said of its value after it had been measured, where it still has that value.

    That is what the second reading says against it, and why it has no interval.
    """
    if was is None or not same(was.value, row.value):
        return row
    said = _NO_INTERVAL.findall(was.flag)
    for reading in check.readings if check is not None else ():
        about = (reading.structure, reading.level, None, reading.name, reading.method)
        words = contradiction(reading)
        if about == (row.structure, row.level, row.side, row.name, row.method) and words and words in was.flag:
            said.append(words)
    missing = [words for words in said if words not in row.flag]
    return replace(row, flag="; ".join(filter(None, (row.flag, *missing)))) if missing else row


def _moved(row: Measurement, mapping: dict[str, str]) -> Measurement:
    return replace(row, level=in_new_names(row.level, mapping))


def names_of(result: CaseResult) -> dict[str, Any]:
    """What the levels are called and why, as the history keeps it."""
    naming = result.spine.naming
    return {
        "vertebrae": list(result.spine.vertebrae),
        "naming": {
            "named": naming.named,
            "method": naming.method,
            "evidence": list(naming.evidence),
            "doubts": list(naming.doubts),
        },
    }
