"""The states that a case went through in one session: what was edited when, and what can be taken back."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ..case.correction import Acceptance, Edit
from ..case.measurement import Measurement
from .state import State, changed_rows

__all__ = ["Timeline"]


class Timeline:
    """States one after the other, of which one is the present one.

    Parameters
    ----------
    first : State
        As the case was opened; it is what is on disk.
    """

    def __init__(self, first: State) -> None:
        self._states = [first]
        self._place = 0
        self._saved = first
        self._began = self._last = time.monotonic()

    @property
    def now(self) -> State:
        """The present state."""
        return self._states[self._place]

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before."""
        return self._place > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a state after."""
        return self._place + 1 < len(self._states)

    @property
    def changed(self) -> bool:
        """Whether the present state is another one than that on disk."""
        return self.now is not self._saved

    def edit(
        self, rater: str, after: State, kind: str, what: str, before: dict[str, Any], told: dict[str, Any]
    ) -> tuple[Measurement, ...]:
        """Make a state the present one; what had been taken back before is gone.

        Parameters
        ----------
        rater : str
            Who edited.
        after : State
            The state, without the edit in its history.
        kind, what, before, told
            As in :class:`~SpineQuantLib.case.correction.Edit`; ``told`` is what is true after it.

        Returns
        -------
        tuple of Measurement
            Rows that are new or differ.
        """
        rows, changes = changed_rows(self.now, after)
        moment = time.monotonic()
        seconds = round(moment - self._last, 1)
        edit = Edit(rater, _utc_now(), seconds, kind, what, before, told, changes)
        self._last = moment
        self._states = [*self._states[: self._place + 1], after.with_edit(edit)]
        self._place += 1
        return rows

    def go(self, steps: int) -> tuple[Measurement, ...]:
        """Make another state the present one, so many steps later, or earlier; returns the rows that differ."""
        before = self.now
        self._place += steps
        self._last = time.monotonic()
        return changed_rows(before, self.now)[0]

    def sign(self, rater: str) -> Acceptance:
        """Put a name on all edits that named nobody, and return who accepts the case now."""
        # In all states, because what is edited from now on may be signed by somebody else.
        self._states = [_named(state, rater) for state in self._states]
        return Acceptance(rater, _utc_now(), round(time.monotonic() - self._began, 1))

    def written(self, before: State, after: State) -> None:
        """A state is on disk as another one, which takes its place."""
        self._saved = after
        self._states = [after if state is before else state for state in self._states]


def _named(state: State, rater: str) -> State:
    """The state with a rater's name on edits that name nobody; the same state where there are none."""
    if all(edit.rater for edit in state.result.edits):
        return state
    edits = tuple(edit if edit.rater else replace(edit, rater=rater) for edit in state.result.edits)
    return replace(state, result=replace(state.result, edits=edits))


def _utc_now() -> datetime:
    """Now, to the second as it is written down."""
    return datetime.now(timezone.utc).replace(microsecond=0)
