"""Several volumes one after the other, in one process that keeps its networks loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ..case.errors import SpineQuantError
from ..case.progress import ProgressEvent
from .case_run import CaseRun
from .events import JobEvent, ResultEvent, StageEvent
from .remaining import SecondsLeft

__all__ = ["CaseQueue", "Entry", "EntryState"]


class EntryState(str, Enum):
    """Where an entry of the queue stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


@dataclass(eq=False)
class Entry:
    """One volume in the queue.

    Attributes
    ----------
    name : str
        Of the volume, for people.
    start : callable
        Starts its analysis; called when its turn comes.
    state : EntryState
        Where it stands.
    stage, message : str
        What happens now.
    fraction : float
        Share of the case that is done, 0 to 1.
    result : ResultEvent or None
        Where the case lies, once finished.
    reason : str
        Why it failed.
    """

    name: str
    start: Callable[[], CaseRun]
    state: EntryState = EntryState.WAITING
    stage: str = ""
    message: str = ""
    fraction: float = 0.0
    result: ResultEvent | None = None
    reason: str = ""
    run: CaseRun | None = None
    left: SecondsLeft = field(default_factory=SecondsLeft)

    @property
    def ended(self) -> bool:
        """Whether it has come to its one end."""
        return self.state in (EntryState.FINISHED, EntryState.CANCELLED, EntryState.FAILED)


class CaseQueue:
    """Runs entries in the order they were added; no method waits but :meth:`close`."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    @property
    def current(self) -> Entry | None:
        """The entry that runs."""
        return next((e for e in self.entries if e.state is EntryState.RUNNING), None)

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return any(not e.ended for e in self.entries)

    def add(self, name: str, start: Callable[[], CaseRun]) -> Entry:
        """Put a volume at the end; it starts at the next :meth:`poll` that finds nothing running."""
        entry = Entry(name, start)
        self.entries.append(entry)
        return entry

    def poll(self) -> list[tuple[Entry, JobEvent]]:
        """Move on, and return what was said since the last call."""
        entry = self.current or self._begin()
        if entry is None or entry.run is None:
            return []
        events = entry.run.poll()
        for event in events:
            _note(entry, event)
        if not entry.run.running:
            _conclude(entry)
        return [(entry, event) for event in events]

    def cancel(self, entry: Entry | None = None) -> None:
        """Ask one entry to end, or all; a running one ends within two seconds while :meth:`poll` is called."""
        for each in [entry] if entry is not None else self.entries:
            if each.state is EntryState.WAITING:
                each.state = EntryState.CANCELLED
            elif each.state is EntryState.RUNNING and each.run is not None:
                each.run.cancel()

    def close(self) -> None:
        """End everything and wait for it, at most two seconds."""
        self.cancel()
        entry = self.current
        if entry is not None and entry.run is not None:
            entry.run.close()
            entry.state = EntryState.CANCELLED

    def _begin(self) -> Entry | None:
        entry = next((e for e in self.entries if e.state is EntryState.WAITING), None)
        if entry is None:
            return None
        try:
            entry.run = entry.start()
            entry.state = EntryState.RUNNING
        except (SpineQuantError, OSError, RuntimeError) as error:
            # Told by the entry: the next one shall have its turn all the same.
            entry.state, entry.reason = EntryState.FAILED, str(error)
        return entry


def _note(entry: Entry, event: JobEvent) -> None:
    if isinstance(event, ProgressEvent):
        entry.stage, entry.fraction = event.stage, event.fraction
        entry.message = event.message or event.stage
        entry.left.report(event.fraction, event.seconds)
    elif isinstance(event, StageEvent):
        entry.stage = event.stage


def _conclude(entry: Entry) -> None:
    try:
        entry.result = entry.run.result()
    except SpineQuantError as error:
        entry.state, entry.reason = EntryState.FAILED, str(error)
    else:
        entry.state = EntryState.FINISHED if entry.result else EntryState.CANCELLED
