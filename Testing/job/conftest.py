"""Workers that behave badly on purpose, each a real module that a real child process runs."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from SpineQuantLib.job.request import JobRequest

PRELUDE = """
import json, os, signal, subprocess, sys, threading, time
from pathlib import Path
request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
output = Path(request["output"])
def say(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)
def result():
    output.mkdir(parents=True, exist_ok=True)
    say("result", folder=str(output), verdict="review", reasons=["members differ"])
"""


@pytest.fixture
def request_for_job(tmp_path: Path) -> JobRequest:
    return JobRequest(source=tmp_path / "in put é.nii.gz", output=tmp_path / "case")


@pytest.fixture
def make_worker(tmp_path: Path) -> Callable[[str], dict]:
    """Write a worker and return how to run it: keyword arguments for ``Job`` and ``run_job``."""
    home = tmp_path / "workers"
    home.mkdir()

    def make(body: str) -> dict:
        name = f"worker_{len(list(home.iterdir()))}"
        (home / f"{name}.py").write_text(PRELUDE + textwrap.dedent(body), encoding="utf-8")
        return {"worker": name, "python": sys.executable, "environment": {**os.environ, "PYTHONPATH": str(home)}}

    return make
