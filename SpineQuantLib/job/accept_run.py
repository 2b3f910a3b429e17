"""An accepted case that is written by a child process while its reader goes on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..case.errors import EngineError, ExitCode, OutputError
from ..review.accepting import Signed
from ..review.draft import write_draft, written_stamp
from .engine import Engine
from .events import JobEvent
from .request import AcceptRequest
from .runner import Job, JobState

__all__ = ["AcceptRun"]

_TOLD = {ExitCode.INPUT, ExitCode.UNSUITABLE, ExitCode.OUTPUT}
"""Ends that the child gave a reason for; in others it is the process that failed, and the case could be written."""


class AcceptRun:
    """The writing of one case; no method waits, except for the draft, which takes a tenth of a second, and the last.

    Parameters
    ----------
    signed : Signed
        The case; :meth:`~SpineQuantLib.review.case_review.CaseReview.written` is to be told when it is written.
    engine : Engine
        Lends the process.
    files : sequence of Path
        The DICOM images that were analysed, where they are now; none where they are still where they were.
    scratch : Path or None
        Where temporary folders are made; None takes the system's place.
    timeout : float
        Seconds after which the child is taken for hung.

    Raises
    ------
    OutputError
        If the draft cannot be written.
    """

    def __init__(
        self,
        signed: Signed,
        engine: Engine,
        *,
        files: Sequence[Path] = (),
        scratch: Path | None = None,
        timeout: float = 600.0,
    ) -> None:
        self.signed = signed
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="SpineQuant-accept-", dir=scratch))
        except OSError as error:
            raise OutputError(f"cannot write {scratch or tempfile.gettempdir()}: {error.strerror or error}") from error
        try:
            write_draft(signed, self._folder / "draft")
        except BaseException:
            self._remove()
            raise
        request = AcceptRequest(self._folder / "draft", signed.folder, signed.stamp, tuple(files))
        self._job = Job(request, engine=engine, timeout=timeout)
        self._job.start()

    @property
    def running(self) -> bool:
        """Whether it has not come to its end yet."""
        return self._job.outcome is None

    def poll(self) -> list[JobEvent]:
        """Return what the child has said since the last call, and move the job on."""
        return self._job.poll()

    def check(self) -> str:
        """Return if the case folder is written whole, and let go of the draft in any case.

        Returns
        -------
        str
            Stamp of the folder as it was written.

        Raises
        ------
        OutputError
            If it could not be written, with the child's reason; the folder is as it was.
        EngineError
            If the child failed for a reason of its own; the folder is as it was, or is the new one.
        RuntimeError
            If it is still running.
        """
        outcome = self._job.outcome
        if outcome is None:
            raise RuntimeError("The case is still being written.")
        try:
            if outcome.state is not JobState.FINISHED:
                kind = OutputError if outcome.exit_code in _TOLD else EngineError
                raise kind(outcome.reason)
            return written_stamp(self._folder / "draft")
        finally:
            self._remove()

    def close(self) -> None:
        """End the child if need be, waiting up to two seconds; the case folder is then the old one or the new one."""
        self._job.end()
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
