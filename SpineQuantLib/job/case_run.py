"""The analysis of a volume that lies in another program's memory, with the folders that this takes."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..case.errors import EngineError, OutputError
from ..images.gather import gathered
from .engine import WORKER, Engine
from .events import JobEvent, ResultEvent
from .request import JobRequest
from .runner import Job, JobState

__all__ = ["CaseRun"]


class CaseRun:
    """One analysis: the volume is written to a folder of its own, the job runs, and the folder goes when all is well.

    No method waits, except for writing the volume and for :meth:`close`.

    Parameters
    ----------
    name : str
        Of the volume; gives the case its name.
    write : callable
        Writes the volume to the path of an ``.nrrd`` file and returns whether that worked.
    choices : mapping
        What the user chose, by the names of :class:`~SpineQuantLib.job.request.JobRequest`.
    cases : Path or None
        Folder in which the case is kept, under a name that is free; None keeps it only until :meth:`close`.
    scratch : Path or None
        Where temporary folders are made; None takes the system's place.
    files : sequence of Path
        The DICOM files that the volume was loaded from. They are then analysed instead of a copy of the volume, so
        that results can refer to them.
    python, environment, worker, engine
        See :class:`~SpineQuantLib.job.runner.Job`.

    Raises
    ------
    OutputError
        If the volume cannot be written.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Path], bool],
        choices: Mapping[str, Any],
        *,
        cases: Path | None = None,
        scratch: Path | None = None,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
        worker: str = WORKER,
        engine: Engine | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        name = re.sub(r"[^\w.-]+", "_", name).strip("._") or "volume"
        self._folder = Path(tempfile.mkdtemp(prefix="SpineQuant-", dir=scratch))
        try:
            source = gathered(files, self._folder / name) if files else self._written(write, name)
        except BaseException:
            self._remove()
            raise
        output = self._folder / "case" if cases is None else _free(cases, name)
        request = JobRequest(source=source, output=output, **choices)
        self._job = Job(request, python=python, environment=environment, worker=worker, engine=engine)
        self._job.start()

    def _written(self, write: Callable[[Path], bool], name: str) -> Path:
        source = self._folder / f"{name}.nrrd"
        if not write(source):
            raise OutputError(f"the volume cannot be written to {source}; is there room on the disk?")
        return source

    @property
    def running(self) -> bool:
        """Whether it has not come to its end yet."""
        return self._job.outcome is None

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of what libraries printed; empty while it runs."""
        return self._job.outcome.log if self._job.outcome else ()

    def poll(self) -> list[JobEvent]:
        """Return what the child has said since the last call, and move the job on."""
        return self._job.poll()

    def cancel(self) -> None:
        """Ask the child to end; it does within two seconds while it is polled."""
        self._job.cancel()

    def result(self) -> ResultEvent | None:
        """Return the result, or None where the run was cancelled.

        Raises
        ------
        EngineError
            If the run failed: why, and where the files of the attempt are, which stay for a look.
        RuntimeError
            If it is still running.
        """
        outcome = self._job.outcome
        if outcome is None:
            raise RuntimeError("The analysis is still running.")
        if outcome.state is JobState.FAILED:
            raise EngineError(f"{outcome.reason} The files of the attempt are in {self._folder}.")
        return outcome.result

    def close(self) -> None:
        """End the run if need be, waiting up to two seconds, and remove its folder.

        A failed run's files stay where :meth:`result` said, and a case that was to be kept lies elsewhere.
        """
        if self._job.end().state is not JobState.FAILED:
            self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _free(parent: Path, name: str) -> Path:
    """Folder for a new case; an earlier one of the same name is left alone."""
    number, folder = 1, parent / name
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder
