"""What a case is at one moment of its review. States are never changed; an edit makes a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..anatomy.structures import Side, Structure
from ..case.correction import Change, Edit
from ..case.measurement import Measurement
from ..case.result import CaseResult

__all__ = ["State", "changed_rows", "identity", "place_may_change", "same", "single_rows"]


@dataclass(frozen=True, eq=False)
class State:
    """A case between two edits.

    Attributes
    ----------
    result : CaseResult
        The case; ``result.edits`` are those in force.
    automatic : mapping of str to Measurement
        By key: what the software had measured, of every row that is corrected now.
    by_hand : frozenset of str
        Keys of rows whose line or contour a reader placed. They stay until the object itself is edited.
    """

    result: CaseResult
    automatic: Mapping[str, Measurement] = field(default_factory=dict)
    by_hand: frozenset[str] = frozenset()

    @property
    def rows(self) -> dict[str, Measurement]:
        """Rows of the table by key, in order."""
        return {m.key: m for m in self.result.measurements}

    def with_rows(self, rows: Iterable[Measurement], by_hand: Iterable[str] | None = None) -> State:
        """The state with other rows; of those that are not corrected any more the automatic one is forgotten."""
        rows = tuple(rows)
        known = {m.key: m for m in self.result.measurements if m.source == "automatic"} | dict(self.automatic)
        corrected = {m.key for m in rows if m.source == "corrected"}
        automatic = {key: m for key, m in known.items() if key in corrected}
        hand = self.by_hand if by_hand is None else frozenset(by_hand)
        return State(replace(self.result, measurements=rows), automatic, hand & corrected)

    def original(self, key: str) -> Measurement | None:
        """What the software had measured; None where it had no such row."""
        if key in self.automatic:
            return self.automatic[key]
        row = self.rows.get(key)
        return row if row is not None and row.source == "automatic" else None

    def with_edit(self, edit: Edit) -> State:
        """The state after one more edit; who accepted the case before has not seen it."""
        return replace(self, result=replace(self.result, edits=(*self.result.edits, edit), accepted=None))


def same(a: float | None, b: float | None, tolerance: float = 1e-9) -> bool:
    """Whether two values are the same, within a share of the larger of one and the first."""
    if a is None or b is None:
        return a is b
    return abs(a - b) <= tolerance * max(abs(a), 1.0)


def changed_rows(before: State, after: State) -> tuple[tuple[Measurement, ...], tuple[Change, ...]]:
    """Rows that are new or differ, in the table's order, and the changes of their values."""
    old = before.rows
    rows = tuple(m for m in after.result.measurements if old.get(m.key) != m)
    changes = []
    for m in rows:
        value = old[m.key].value if m.key in old else None
        if not same(value, m.value):
            changes.append(Change(m.key, value, m.value, m.unit))
    return rows, tuple(changes)


Identity = tuple[Structure, Side | None, str, str]


def identity(row: Measurement) -> Identity:
    """Which quantity a row holds, whatever its level."""
    return row.structure, row.side, row.name, row.method


def single_rows(rows: Iterable[Measurement]) -> dict[Identity, str]:
    """Key of every row whose quantity occurs once in a table, whatever its level."""
    keys: dict[Identity, list[str]] = {}
    for m in rows:
        keys.setdefault(identity(m), []).append(m.key)
    return {identity: found[0] for identity, found in keys.items() if len(found) == 1}


def place_may_change(row: Measurement) -> bool:
    """Whether the row's level says where something was found: the smallest section of the sac, the greatest curve."""
    return row.structure is Structure.SPINE or row.name.startswith("smallest")
