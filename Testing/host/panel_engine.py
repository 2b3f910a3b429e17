"""An engine without networks, for tests of the panel: a real child process with the real worker around it.

Run as ``python -m panel_engine --serve`` in place of the worker. What it does is said by the name of the volume:
``slow…`` takes a minute, ``dies…`` ends without a word, ``full…`` finds the disk full, ``broken…`` lacks a package,
anything else gives the case of the folder in PANEL_CASE. ``--cli`` runs the command line, with the networks' opinion
taken from PANEL_OPINION; so does a volume whose name begins with ``true``.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from SpineQuantLib import writing
from SpineQuantLib.case.errors import EngineError, OutputError
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantLib.case.record import read_record
from SpineQuantLib.job import worker
from SpineQuantLib.job.request import AcceptRequest, JobRequest


def without_networks() -> None:
    """Let the pipeline take an opinion from a file instead of asking the committee."""
    from SpineQuantLib import pipeline
    from SpineQuantLib.case.grid import Grid
    from SpineQuantLib.case.opinion import CommitteeOpinion

    def ask(_committee: Any, image: Any, *_: Any, **__: Any) -> CommitteeOpinion:
        with np.load(os.environ["PANEL_OPINION"]) as stored:
            return CommitteeOpinion(Grid.of(image), stored["probabilities"], stored["members"])

    pipeline.ask_committee = ask


def analysis(request: JobRequest | AcceptRequest, progress: Callable[[ProgressEvent], None]) -> Any:
    """What the real analysis would do, as the volume's name wants it; accepted cases are written as ever."""
    if isinstance(request, AcceptRequest):
        return accept(request, progress)
    name = request.source.name
    print(f"process {os.getpid()} analyses {name}", file=sys.stderr, flush=True)
    if name.startswith("true"):
        without_networks()
        return REAL(request, progress)
    if name.startswith("dies"):
        os._exit(9)
    if name.startswith("full"):
        raise OutputError(f"cannot write {request.output}: the disk is full; free some space")
    if name.startswith("broken"):
        raise EngineError("PyTorch is missing. In Slicer, install the extension PyTorch.")
    began, steps = time.monotonic(), 1200 if name.startswith("slow") else 4
    for n in range(steps):
        done = 0.08 + 0.8 * n / steps
        progress(ProgressEvent("segment", done, f"network {1 + 5 * n // steps} of 5", time.monotonic() - began))
        time.sleep(0.05)
    shutil.copytree(os.environ["PANEL_CASE"], request.output)
    record = read_record(request.output / "case.json")
    told = SimpleNamespace(verdict=record.verdict, reasons=record.reasons)
    return SimpleNamespace(input=SimpleNamespace(notes=(), remarks=("Also found: T1.",)), assessment=told)


def accept(request: AcceptRequest, progress: Callable[[ProgressEvent], None]) -> Any:
    """Write a case, without report; before, what the file PANEL_ACCEPT says: ``dies``, ``full``, or seconds to wait."""
    place = Path(os.environ.get("PANEL_ACCEPT", "/nowhere"))
    wanted = place.read_text(encoding="utf-8") if place.is_file() else "0"
    if wanted == "dies":
        os._exit(9)
    if wanted == "full":
        raise OutputError(f"cannot write {request.output}: the disk is full; free some space")
    progress(ProgressEvent("files", 0.0, "writing masks and tables", 0.0))
    time.sleep(float(wanted))
    for name in ("write_report", "write_pdf", "write_workbook"):
        setattr(writing, name, lambda *_: None)
    return REAL(request, progress)


REAL = worker._analyze

if __name__ == "__main__":
    if sys.argv[1] == "--cli":
        from SpineQuantLib.cli.main import main

        without_networks()
        sys.argv[1:] = sys.argv[2:]
        sys.exit(main())
    worker._analyze = analysis
    sys.exit(worker.main(sys.argv[1:]))
