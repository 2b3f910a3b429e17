"""A child process whose two streams are read line by line without ever waiting for them."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import IO

from .tree import ProcessTree

__all__ = ["ChildProcess", "Stream", "child_environment"]

_LONGEST_LINE = 1 << 20
_LIBRARY_HOME = Path(__file__).resolve().parents[2]


class Stream(Enum):
    """Where a line came from."""

    OUT = "stdout"
    ERR = "stderr"


def child_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a Python that imports this library and speaks UTF-8 whatever the machine's locale.

    Parameters
    ----------
    base : mapping or None
        Variables to start from, taken as they are: inside Slicer ``slicer.util.startupEnvironment()``. None takes this
        process's own, less those by which one Python would mislead another.
    """
    if base is None:
        base = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    paths = [str(_LIBRARY_HOME), *filter(None, [base.get("PYTHONPATH")])]
    return {**base, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


class ChildProcess:
    """A started process; nothing here waits.

    Its standard input stays open as long as the parent wants it to go on: closing it asks the child to end in order,
    and a parent that dies closes it too.

    Raises
    ------
    OSError
        When the program cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **_APART,
        )
        self.tree = ProcessTree(self._process.pid)
        self._lines: queue.SimpleQueue[tuple[Stream, str]] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, pipe), daemon=True)
            for stream, pipe in ((Stream.OUT, self._process.stdout), (Stream.ERR, self._process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Number of the process that was started."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def silent(self) -> bool:
        """Whether both streams have ended, so that no further line can come."""
        return not any(reader.is_alive() for reader in self._readers)

    def lines(self) -> list[tuple[Stream, str]]:
        """Return the lines that have come since the last call, without their ends."""
        found = []
        while True:
            try:
                found.append(self._lines.get_nowait())
            except queue.Empty:
                return found

    def send(self, line: str) -> None:
        """Write a line to the child's standard input.

        Raises
        ------
        OSError
            When the child is gone.
        """
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def ask_to_end(self) -> None:
        """Close the child's standard input."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            # What could not be sent to a dead child is told by its exit code.
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def close(self) -> None:
        """Let go of the pipes.

        One that a reader still waits at stays open: a process that left the tree holds its other end, and closing it
        here would wait for that process.
        """
        self.ask_to_end()
        for reader, pipe in zip(self._readers, (self._process.stdout, self._process.stderr), strict=True):
            if not reader.is_alive() and pipe is not None:
                pipe.close()

    def _read(self, stream: Stream, pipe: IO[bytes]) -> None:
        while line := pipe.readline(_LONGEST_LINE):
            self._lines.put((stream, line.decode("utf-8", errors="replace").rstrip("\r\n")))


# A group of its own, so that the whole of it can be ended and a Ctrl+C in the shell reaches the parent alone, which
# then ends the child in order. On Windows also without a console window.
_APART: dict = (
    {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    if sys.platform == "win32"
    else {"start_new_session": True}
)
