"""The child: reads a request, analyses or writes the case, and says how far it is on standard output.

Run as ``python -m SpineQuantLib.job.worker REQUEST``, or with ``--serve`` and then one path of a request a line on
standard input, which keeps the networks loaded between cases. Standard output carries events alone; whatever libraries
print goes to standard error. The exit code is one of :class:`~SpineQuantLib.case.errors.ExitCode`.
"""

from __future__ import annotations

import _thread
import argparse
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..case.errors import EngineError, ExitCode, SpineQuantError
from ..case.progress import ProgressEvent
from ..case.result import CaseResult
from .events import EndEvent, ErrorEvent, JobEvent, NoteEvent, ResultEvent, StageEvent
from .request import AcceptRequest, JobRequest, read_request

__all__ = ["Analysis", "main", "serve", "work"]

Request = JobRequest | AcceptRequest
Analysis = Callable[[Request, Callable[[ProgressEvent], None]], CaseResult]
"""Does what a request asks for, calling back with its progress."""

_LAST_SECONDS = 5.0  # for an analysis that does not react when its parent is gone
_DISTRIBUTIONS = {"skimage": "scikit-image", "jinja2": "Jinja2"}


def work(request: Request, analysis: Analysis, send: Callable[[JobEvent], None]) -> ExitCode:
    """Do what one request asks for, and tell its story.

    Parameters
    ----------
    request : JobRequest
        What to do.
    analysis : callable
        Does it.
    send : callable
        Takes each event.

    Returns
    -------
    ExitCode
        Of the process. Errors that nobody foresaw come through, so that their traceback is on standard error.
    """
    stages: list[str] = []

    def progress(event: ProgressEvent) -> None:
        if event.stage not in stages:
            stages.append(event.stage)
            send(StageEvent(event.stage, event.fraction, event.seconds))
        send(event)

    try:
        case = analysis(request, progress)
    except SpineQuantError as error:
        send(ErrorEvent(error.exit_code, str(error)))
        return error.exit_code
    except MemoryError:
        send(ErrorEvent(ExitCode.ENGINE, "Memory ran out. Close other programs or take a machine with more."))
        return ExitCode.ENGINE
    except KeyboardInterrupt:
        send(ErrorEvent(ExitCode.INTERRUPTED, "Interrupted."))
        return ExitCode.INTERRUPTED
    for note in (*case.input.notes, *case.input.remarks):
        send(NoteEvent(note))
    send(ResultEvent(request.output, case.assessment.verdict, case.assessment.reasons))
    return ExitCode.OK


def serve(requests: Iterator[Path], analysis: Analysis, send: Callable[[JobEvent], None]) -> ExitCode:
    """Analyse one request after another, and say after each how it ended.

    Parameters
    ----------
    requests : iterator of Path
        Request files.
    analysis, send
        As in :func:`work`.

    Returns
    -------
    ExitCode
        Of the process: an interruption or a failure of the engine itself ends it, so that a new one starts afresh.
    """
    for path in requests:
        try:
            code = work(read_request(path), analysis, send)
        except SpineQuantError as error:
            send(ErrorEvent(error.exit_code, str(error)))
            code = error.exit_code
        send(EndEvent(code))
        if code in (ExitCode.ENGINE, ExitCode.INTERRUPTED):
            return code
    return ExitCode.OK


def _analyze(request: Request, progress: Callable[[ProgressEvent], None]) -> CaseResult:
    # Imported here, so that a missing package of the engine is told as an event and not as a traceback.
    try:
        if isinstance(request, AcceptRequest):
            from ..review.draft import accept_draft

            return accept_draft(request.draft, request.output, request.stamp, request.files, progress)
        from .. import pipeline

        return pipeline.analyze(
            request.source, request.output, pipeline.AnalyzeOptions(**request.options()), progress=progress
        )
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == __name__.partition(".")[0]:
            raise
        raise EngineError(_how_to_install(package)) from error


def _how_to_install(package: str) -> str:
    if package == "torch":
        return (
            "PyTorch is missing. In Slicer, install the extension PyTorch and let its module PyTorch Utils choose the "
            f'build for this machine; elsewhere: "{sys.executable}" -m pip install torch'
        )
    distribution = _DISTRIBUTIONS.get(package, package)
    return (
        f"The Python package {distribution} is missing. "
        f'Install it with: "{sys.executable}" -m pip install {distribution}'
    )


def _event_channel() -> Callable[[JobEvent], None]:
    """Keep standard output for events: from here on file descriptor 1 is standard error."""
    sys.stdout.flush()
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n", buffering=1)
    os.dup2(2, 1)

    def send(event: JobEvent) -> None:
        channel.write(event.to_json() + "\n")

    return send


def _end_with_parent(heard: queue.SimpleQueue[str] | None = None) -> None:
    """Interrupt the analysis when standard input ends: the parent closed it, or is gone; lines before go to a queue."""
    # A shell's background jobs ignore the interrupt, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def watch() -> None:
        # Unbuffered: a thread that holds the buffer's lock at the interpreter's end would abort it.
        rest = b""
        while some := os.read(0, 1024):
            *lines, rest = (rest + some).split(b"\n")
            for line in lines if heard is not None else ():
                heard.put(line.decode("utf-8").strip())
        _thread.interrupt_main()
        time.sleep(_LAST_SECONDS)
        os._exit(ExitCode.INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: list[str] | None = None) -> int:
    """Run the request named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m SpineQuantLib.job.worker", description="Analyse one case.")
    parser.add_argument("request", type=Path, nargs="?", help="request.json")
    parser.add_argument("--attached", action="store_true", help="end when standard input is closed")
    parser.add_argument("--serve", action="store_true", help="take paths of requests from standard input")
    chosen = parser.parse_args(arguments)
    if (chosen.request is None) != chosen.serve:
        parser.error("name a request, or --serve")
    send = _event_channel()
    try:
        if chosen.serve:
            heard: queue.SimpleQueue[str] = queue.SimpleQueue()
            _end_with_parent(heard)
            return serve(map(Path, iter(heard.get, None)), _analyze, send)
        if chosen.attached:
            _end_with_parent()
        return work(read_request(chosen.request), _analyze, send)
    except SpineQuantError as error:
        send(ErrorEvent(error.exit_code, str(error)))
        return error.exit_code
    except KeyboardInterrupt:
        send(ErrorEvent(ExitCode.INTERRUPTED, "Interrupted."))
        return ExitCode.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
