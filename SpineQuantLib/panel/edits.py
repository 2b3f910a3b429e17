"""What readers changed, in their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..anatomy.structures import Side, Structure
from ..case.correction import Edit
from ..case.measurement import Measurement
from ..report.words import number, title, unit
from ..review.levels import in_new_names

__all__ = ["words_of_edit", "words_of_history"]


def words_of_history(edits: Sequence[Edit], rows: Mapping[str, Measurement]) -> list[str]:
    """Every edit for the list of changes, in order; what was edited has the name that its level has now.

    Parameters
    ----------
    edits : sequence of Edit
        The history, oldest first.
    rows : mapping of str to Measurement
        Rows of the table by key.
    """
    names: dict[str, str] = {}
    out = []
    for edit in reversed(edits):
        out.append(words_of_edit(edit, rows, names))
        if edit.kind == "levels":
            pairs = zip(edit.before["vertebrae"], edit.after["vertebrae"], strict=True)
            names = {old: names.get(new, new) for old, new in pairs}
    return out[::-1]


def words_of_edit(edit: Edit, rows: Mapping[str, Measurement], names: Mapping[str, str] | None = None) -> str:
    """One edit for the list of changes: ``L4-L5 dural sac, AP diameter: 14.1 → 16.1 mm · M. Keller``.

    Parameters
    ----------
    edit : Edit
        Of the history.
    rows : mapping of str to Measurement
        Rows of the table by key.
    names : mapping of str to str, optional
        What vertebrae that were renamed after the edit are called now.
    """
    names = names or {}
    # Of a renaming itself the names stay: they are what it is about.
    what = in_new_names(edit.what, names) if edit.kind == "mask" else edit.what
    words = what[:1].upper() + what[1:]
    if edit.kind in ("line", "reset"):
        words = _words_of_value(edit, rows, names) or words
    return f"{words} · {edit.rater}" if edit.rater else words


def _words_of_value(edit: Edit, rows: Mapping[str, Measurement], names: Mapping[str, str]) -> str:
    """What was done to a row, with its value before and after; empty where the edit names no row."""
    key, _, done = edit.what.partition(" ")
    structure, *rest = key.split("_")
    side = Side(rest.pop(0)) if rest and rest[0] in list(Side) else None
    if structure not in list(Structure) or len(rest) < 2:
        return ""
    level, name = in_new_names(rest[0], names), rest[1].replace("-", " ")
    row = rows.get("_".join([structure, *([side.value] if side else []), level, *rest[1:]]))
    # The table may have lost the row since; what changed with it says in which unit it was.
    ucum = row.unit if row is not None else next((c.unit for c in edit.changes if c.key == key), "")
    ends = (edit.before.get("value"), edit.after.get("value"))
    before, after = ("none" if x is None else number(x, ucum) for x in ends)
    about = f"{title(Structure(structure), level, side)}, {row.name if row is not None else name}"
    return f"{about} {done}: {before} → {after} {unit(ucum)}".rstrip()
