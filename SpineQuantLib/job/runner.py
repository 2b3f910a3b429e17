"""Run one request in a child process, from Slicer, a batch or a test."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..case.errors import ExitCode
from .child import ChildProcess, Stream, child_environment
from .engine import WORKER, Engine
from .events import EndEvent, ErrorEvent, JobEvent, NoteEvent, ResultEvent, parse_event
from .request import AcceptRequest, JobRequest

__all__ = ["WORKER", "Job", "JobOutcome", "JobState", "run_job"]

_ORDERLY_SECONDS = 1.0  # for the child to tidy up after it was asked to end; the whole of a cancel stays below 2 s
_LAST_WORDS_SECONDS = 0.5  # for lines still under way when the process has ended
_LOOK_SECONDS = 1.0  # between two looks at what the child has started; a look costs milliseconds
_GIVE_UP_SECONDS = 2.0  # after which a process that even the kernel cannot end is left behind
_POLL_SECONDS = 0.02
_LOG_LINES = 200


class JobState(str, Enum):
    """How a job ended."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class JobOutcome:
    """The one end of a job.

    Attributes
    ----------
    state : JobState
        ``finished`` only with exit code 0, a result, and a case folder that exists.
    result : ResultEvent or None
        Where the case lies and what may be done with it; None unless finished.
    reason : str
        What went wrong and what to do; empty when finished.
    exit_code : int or None
        Of the child; negative for a signal; None when it could not be started.
    log : tuple of str
        The last lines that were no events, from both streams.
    seconds : float
        From start to end.
    """

    state: JobState
    result: ResultEvent | None
    reason: str
    exit_code: int | None
    log: tuple[str, ...]
    seconds: float


class Job:
    """A request on its way through a child process; no method waits.

    Call :meth:`start`, then :meth:`poll` every 100 ms or so (a ``QTimer`` in Slicer) until :attr:`outcome` is there.

    Parameters
    ----------
    request : JobRequest or AcceptRequest
        What to do.
    python : str or Path
        Interpreter that has the engine's packages.
    worker : str
        Module that the child runs.
    environment : mapping or None
        See :func:`~SpineQuantLib.job.child.child_environment`.
    timeout : float or None
        Seconds after which the job is ended as failed; None lets it run.
    engine : Engine or None
        Lends the process instead, and gets it back for the next job; ``python``, ``worker`` and ``environment`` are
        then its own.
    """

    def __init__(
        self,
        request: JobRequest | AcceptRequest,
        *,
        python: str | Path = sys.executable,
        worker: str = WORKER,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.request = request
        self.outcome: JobOutcome | None = None
        self._engine = engine
        self._said: int | None = None
        self._python = engine.python if engine is not None else str(python)
        self._worker = worker
        self._environment = environment
        self._timeout = timeout
        self._child: ChildProcess | None = None
        self._folder: Path | None = None
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._result: ResultEvent | None = None
        self._error: ErrorEvent | None = None
        self._stop: tuple[JobState, str] | None = None
        self._started = self._looked = self._kill_at = 0.0
        self._ended_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Number of the child process; None where there is none."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the child. A program that cannot be started is an outcome, not an exception.

        Raises
        ------
        RuntimeError
            When the job was started or cancelled before.
        """
        if self._started or self.outcome is not None:
            raise RuntimeError("A job runs once; make a new one.")
        self._started = self._looked = time.monotonic()
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="spinequant-job-"))
            request = self._folder / "request.json"
            self.request.write(request)
        except OSError as error:
            self._finish(JobState.FAILED, f"The folder for temporary files cannot be written: {error}.", None)
            return
        try:
            self._child = self._launch(request)
        except (OSError, ValueError) as error:
            reason = f"The Python at {self._python} could not be started: {error}. Choose another one."
            self._finish(JobState.FAILED, reason, None)

    def _launch(self, request: Path) -> ChildProcess:
        if self._engine is None:
            command = [self._python, "-m", self._worker, str(request), "--attached"]
            return ChildProcess(command, child_environment(self._environment))
        child = self._engine.take()
        # A child that died just now says so by its exit code, with what it printed; nothing is lost here.
        with contextlib.suppress(OSError):
            child.send(str(request))
        return child

    def poll(self) -> list[JobEvent]:
        """Return what the child has said since the last call, and move the job on."""
        if self.outcome is not None or self._child is None:
            return []
        now = time.monotonic()
        exit_code = self._child.exit_code
        if exit_code is None:
            self._supervise(self._child, now)
        elif self._ended_at is None:
            self._ended_at = now
            self._child.tree.kill()
        silent = self._child.silent
        events = [self._take(stream, line) for stream, line in self._child.lines()]
        if self._said is not None and self._stop is None:
            self._conclude(self._said)
        elif self._ended_at is not None and (silent or now - self._ended_at > _LAST_WORDS_SECONDS):
            self._conclude(exit_code)
        elif self._stop is not None and now > self._kill_at + _GIVE_UP_SECONDS:
            self._finish(self._stop[0], f"{self._stop[1]} Process {self._child.pid} could not be ended.", None)
        return events

    def cancel(self) -> None:
        """Ask the child to end, and end it within two seconds; :meth:`poll` must go on being called meanwhile."""
        if self._child is None and self.outcome is None:
            self._finish(JobState.CANCELLED, "Cancelled before it started.", None)
        self._end(JobState.CANCELLED, "Cancelled.")

    def end(self) -> JobOutcome:
        """Cancel and wait the two seconds that may take, for when nobody will call :meth:`poll` any more."""
        self.cancel()
        while self.outcome is None:
            self.poll()
            time.sleep(_POLL_SECONDS)
        return self.outcome

    def _end(self, state: JobState, reason: str) -> None:
        if self._child is None or self._stop is not None or self.outcome is not None:
            return
        self._stop = (state, reason)
        self._kill_at = time.monotonic() + _ORDERLY_SECONDS
        # Looked at before it is asked: what outlives its parent could not be found afterwards.
        self._child.tree.look()
        self._child.ask_to_end()

    def _supervise(self, child: ChildProcess, now: float) -> None:
        if self._timeout is not None and now - self._started > self._timeout:
            self._end(JobState.FAILED, f"Not done after {self._timeout:g} s, so it was ended.")
        if self._stop is not None and now >= self._kill_at:
            child.tree.kill()
        elif now - self._looked > _LOOK_SECONDS:
            self._looked = now
            child.tree.look()

    def _take(self, stream: Stream, line: str) -> JobEvent:
        if stream is Stream.OUT:
            try:
                event = parse_event(line)
            except ValueError:
                event = NoteEvent(line)
        else:
            event = NoteEvent(line)
        match event:
            case ResultEvent():
                self._result = event
            case ErrorEvent():
                self._error = event
            case EndEvent():
                self._said = event.exit_code
            case NoteEvent():
                self._log.append(event.message)
        return event

    def _conclude(self, exit_code: int | None) -> None:
        if self._stop is not None:
            self._finish(*self._stop, exit_code)
        elif reason := self._what_went_wrong(exit_code):
            self._finish(JobState.FAILED, reason, exit_code)
        else:
            self._finish(JobState.FINISHED, "", exit_code)

    def _what_went_wrong(self, exit_code: int | None) -> str:
        last = next((line.strip() for line in reversed(self._log) if line.strip()), "")
        if self._error is not None:
            return self._error.message
        if exit_code is not None and exit_code < 0:
            return f"The analysis was ended by {_signal_name(-exit_code)}; the machine may have run out of memory."
        if exit_code != ExitCode.OK:
            return f"The analysis ended unexpectedly with exit code {exit_code}. {last}".rstrip()
        if self._result is None:
            return f"The analysis ended without a result. {last}".rstrip()
        if not self._result.folder.is_dir():
            return f"The analysis reported a result, but {self._result.folder} does not exist."
        return ""

    def _finish(self, state: JobState, reason: str, exit_code: int | None) -> None:
        if self._child is not None and self._said is not None and self._stop is None and self._engine is not None:
            self._engine.give_back(self._child, self._said)
        elif self._child is not None:
            self._child.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        seconds = time.monotonic() - self._started if self._started else 0.0
        result = self._result if state is JobState.FINISHED else None
        self.outcome = JobOutcome(state, result, reason, exit_code, tuple(self._log), seconds)


def run_job(
    request: JobRequest,
    python: str | Path = sys.executable,
    on_event: Callable[[JobEvent], None] | None = None,
    timeout: float | None = None,
    cancel: threading.Event | None = None,
    *,
    worker: str = WORKER,
    environment: Mapping[str, str] | None = None,
    engine: Engine | None = None,
) -> JobOutcome:
    """Run a request to its end.

    Parameters
    ----------
    request, python, worker, environment, timeout, engine
        See :class:`Job`.
    on_event : callable or None
        Called in this thread with each event. An exception from it ends the child and comes through.
    cancel : threading.Event or None
        Set it from another thread to end the job.

    Returns
    -------
    JobOutcome
        How it ended; a failed job is an outcome, not an exception.
    """
    job = Job(request, python=python, worker=worker, environment=environment, timeout=timeout, engine=engine)
    job.start()
    try:
        while job.outcome is None:
            if cancel is not None and cancel.is_set():
                job.cancel()
            for event in job.poll():
                if on_event is not None:
                    on_event(event)
            time.sleep(_POLL_SECONDS)
    finally:
        outcome = job.end()
    return outcome


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
