"""A process with everything it started, ended together."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

__all__ = ["ProcessTree"]


class ProcessTree:
    """The descendants of one process.

    A launcher (Slicer's Python is one) starts the real program and data loaders start helpers, so the process that
    was started is rarely the one that computes. A descendant whose parent has died can no longer be found through
    that parent; those seen earlier are therefore remembered.

    Parameters
    ----------
    pid : int
        The root. On POSIX it is expected to lead its own process group.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: set[psutil.Process] = set()
        with contextlib.suppress(psutil.NoSuchProcess):
            self._seen.add(psutil.Process(pid))

    def look(self) -> None:
        """Remember the descendants that live now."""
        for process in tuple(self._seen):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                self._seen.update(process.children(recursive=True))

    def kill(self) -> None:
        """End the root and all descendants at once; those that are gone already are passed over."""
        self.look()
        for process in self._seen:
            # psutil compares the time of birth, so a number that another process has taken over is safe.
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.kill()
        if hasattr(os, "killpg"):
            # Reaches helpers that were never seen because their parent died within moments of starting them.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
