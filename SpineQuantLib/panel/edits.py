"""What readers changed, in their words."""

from __future__ import annotations

from collections.abc import Mapping

from ..case.correction import Edit
from ..case.measurement import Measurement
from ..report.words import number, title, unit

__all__ = ["words_of_edit"]


def words_of_edit(edit: Edit, rows: Mapping[str, Measurement]) -> str:
    """One edit for the list of changes: ``L4-L5 dural sac, AP diameter: 14.1 → 16.1 mm · M. Keller``.

    Parameters
    ----------
    edit : Edit
        Of the history.
    rows : mapping of str to Measurement
        Rows of the table by key; an edit of one that was renamed since keeps the name that it had.
    """
    key, _, done = edit.what.partition(" ")
    row = rows.get(key)
    words = edit.what[:1].upper() + edit.what[1:]
    if edit.kind in ("line", "reset") and row is not None:
        ends = (edit.before.get("value"), edit.after.get("value"))
        before, after = ("none" if x is None else number(x, row.unit) for x in ends)
        quantity = f"{title(row.structure, row.level, row.side)}, {row.name}"
        words = f"{quantity} {done}: {before} → {after} {unit(row.unit)}".rstrip()
    return f"{words} · {edit.rater}" if edit.rater else words
