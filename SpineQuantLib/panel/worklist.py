"""A folder of cases to go through, those that the committee disagrees on most first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..case.errors import InputError, SpineQuantError
from ..case.opinion import Verdict
from ..case.record import read_record

__all__ = ["WorkItem", "Worklist"]


@dataclass(frozen=True)
class WorkItem:
    """A case of the folder.

    Attributes
    ----------
    folder : Path
        Where it lies.
    verdict : Verdict
        Its verdict.
    doubt : float
        The members' disagreement over the whole case, 0 to 1; 1 where it is not known.
    accepted : str
        Who has accepted it; empty where nobody has.
    """

    folder: Path
    verdict: Verdict
    doubt: float
    accepted: str


class Worklist:
    """Cases in order, and one of them at which a reader is.

    Parameters
    ----------
    folder : Path
        Folder of case folders.

    Attributes
    ----------
    items : tuple of WorkItem
        Sorted by disagreement, the greatest first.
    unreadable : tuple of str
        Folders that are cases but could not be read, with the reason.
    position : int
        Index of the present case; starts at the first that nobody has accepted.

    Raises
    ------
    InputError
        If the folder holds no case that can be read.
    """

    def __init__(self, folder: Path) -> None:
        items, unreadable = [], []
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder")
        for record in sorted(folder.glob("*/case.json")):
            if record.parent.name.startswith("."):
                continue
            try:
                items.append(_item(record))
            except SpineQuantError as error:
                unreadable.append(f"{record.parent.name}: {error}")
        if not items:
            raise InputError(f"{folder} holds no cases; choose the folder in which the case folders lie")
        self.folder = folder
        self.items = tuple(sorted(items, key=lambda item: (-item.doubt, item.folder.name)))
        self.unreadable = tuple(unreadable)
        self.position = next((n for n, item in enumerate(self.items) if not item.accepted), 0)

    @property
    def current(self) -> WorkItem:
        """The case at which the reader is."""
        return self.items[self.position]

    def step(self, by: int) -> WorkItem:
        """Go forwards or backwards, no farther than the ends."""
        self.position = min(max(self.position + by, 0), len(self.items) - 1)
        return self.current

    @property
    def words(self) -> str:
        """Where the reader is: ``2 of 7 · L-spine · review · accepted by MK``."""
        item = self.current
        parts = [f"{self.position + 1} of {len(self.items)}", item.folder.name, str(item.verdict)]
        return " · ".join([*parts, *([f"accepted by {item.accepted}"] if item.accepted else [])])


def _item(path: Path) -> WorkItem:
    record = read_record(path)
    whole = next((s for s in record.scores if s.structure is None), None)
    doubt = whole.entropy if whole is not None and whole.entropy is not None else 1.0
    return WorkItem(path.parent, record.verdict, doubt, record.accepted.rater if record.accepted else "")
