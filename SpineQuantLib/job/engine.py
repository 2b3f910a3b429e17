"""A Python with the networks, kept running between cases so that they are loaded once."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ..case.errors import ExitCode
from .child import ChildProcess, child_environment

__all__ = ["WORKER", "Engine"]

WORKER = "SpineQuantLib.job.worker"
"""Module that the child runs."""

_REUSABLE = {ExitCode.OK, ExitCode.USAGE, ExitCode.INPUT, ExitCode.UNSUITABLE, ExitCode.OUTPUT}
"""Ends after which the process is as good as new; after others, memory may be spent or a GPU in disorder."""

_ORDERLY_SECONDS = 1.0


class Engine:
    """Starts the child process, lends it to one job after the other, and ends it.

    Parameters
    ----------
    python : str or Path
        Interpreter that has the engine's packages.
    environment : mapping or None
        See :func:`~SpineQuantLib.job.child.child_environment`.
    worker : str
        Module that the child runs; it is given ``--serve`` and then the path of one request after another, a line
        each, on standard input.
    idle_seconds : float
        How long it is kept without work; its networks occupy memory meanwhile.
    """

    def __init__(
        self,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
        *,
        worker: str = WORKER,
        idle_seconds: float = 300.0,
    ) -> None:
        self.python = str(python)
        self._environment = environment
        self._worker = worker
        self._idle_seconds = idle_seconds
        self._idle: ChildProcess | None = None
        self._since = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Number of the process that waits for work; None where none does."""
        return self._idle.pid if self._idle is not None and self._idle.exit_code is None else None

    def take(self) -> ChildProcess:
        """A process that waits for a request: the one of the last case, or a new one.

        Raises
        ------
        OSError, ValueError
            If it cannot be started.
        """
        child, self._idle = self._idle, None
        if child is not None:
            if child.exit_code is None:
                child.lines()  # what was still said about the case before
                return child
            child.close()
        command = [self.python, "-m", self._worker, "--serve"]
        return ChildProcess(command, child_environment(self._environment))

    def give_back(self, child: ChildProcess, exit_code: int) -> None:
        """Take a process back that has ended a request with a code."""
        if exit_code in _REUSABLE and self._idle is None and not self._closed:
            self._idle, self._since = child, time.monotonic()
        else:
            _end(child, orderly=0.0)

    def rest(self) -> None:
        """Let the process go where it has waited too long; to be called now and then."""
        if self._idle is not None and time.monotonic() - self._since > self._idle_seconds:
            self._let_go()

    def close(self) -> None:
        """End the process that waits for work, which takes at most a second; one that works ends after its case."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        child, self._idle = self._idle, None
        if child is not None:
            _end(child, _ORDERLY_SECONDS)


def _end(child: ChildProcess, orderly: float) -> None:
    child.tree.look()
    child.ask_to_end()
    end = time.monotonic() + orderly
    while child.exit_code is None and time.monotonic() < end:
        time.sleep(0.01)
    child.tree.kill()
    child.close()
