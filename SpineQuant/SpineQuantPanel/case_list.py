"""A folder of cases to go through: which of them is shown, and which comes next."""

from pathlib import Path


class CaseList:
    """The folder that was opened, or none. A case that cannot be opened is told of once and then stepped over.

    :param opened: opens a case folder in the panel; returns whether it is the one that is shown now.
    """

    def __init__(self, opened) -> None:
        self._open = opened
        self._list = None
        self._passed = set()

    def load(self, folder: Path) -> tuple[str, ...]:
        """Take a folder up, and open its first case that nobody has accepted.

        :returns: Cases that cannot be read and are left out, with the reason.
        :raises InputError: if there is no case in it.
        """
        from SpineQuantLib.panel.worklist import Worklist

        self._list, self._passed = Worklist(folder), set()
        self._open(self._list.current.folder)
        return self._list.unreadable

    def step(self, by: int) -> None:
        """Open the next case, or the one before; the place in the list is that of the last that could be opened."""
        place = self._next(by)
        if place is None:
            return
        folder = self._list.items[place].folder
        if self._open(folder):
            self._list.position, self._passed = place, set()
        else:
            self._passed.add(folder)

    def more(self, by: int) -> bool:
        """Whether there is a case in a direction."""
        return self._next(by) is not None

    def _next(self, by: int) -> int | None:
        items = self._list.items if self._list is not None else ()
        place = self._list.position + by if items else 0
        while 0 <= place < len(items):
            if items[place].folder not in self._passed:
                return place
            place += by
        return None

    def words(self, case) -> str:
        """Where the reader is. It is the open case that is named, wherever it came from: that is what is accepted."""
        if self._list is None or case is None:
            return ""
        return self._list.words if case.folder == self._list.current.folder else case.folder.name

    def reread(self) -> None:
        """Take over who has accepted which case since."""
        from SpineQuantLib.panel.worklist import Worklist

        if self._list is None:
            return
        here = self._list.current.folder
        self._list = Worklist(self._list.folder)
        places = [item.folder for item in self._list.items]
        self._list.position = places.index(here) if here in places else 0
