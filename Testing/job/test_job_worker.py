"""The worker tells a case's story, and turns errors into exit codes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from SpineQuantLib.case.errors import ExitCode, InputError, OutputError
from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantLib.job.child import child_environment
from SpineQuantLib.job.events import ErrorEvent, NoteEvent, ResultEvent, StageEvent, parse_event
from SpineQuantLib.job.request import JobRequest
from SpineQuantLib.job.runner import JobState, run_job
from SpineQuantLib.job.worker import work


def told(request: JobRequest, analysis) -> tuple[ExitCode, list]:
    events: list = []
    return work(request, analysis, events.append), events


def test_a_stage_is_announced_once(request_for_job):
    steps = [
        ProgressEvent("read", 0.0),
        ProgressEvent("read", 0.1, "DICOM", 0.4),
        ProgressEvent("segment", 0.2, "", 1.0),
    ]

    def analysis(_, progress):
        for step in steps:
            progress(step)
        return SimpleNamespace(
            input=SimpleNamespace(notes=("Slice distances differ.",), remarks=("Also found: T1.",)),
            assessment=SimpleNamespace(verdict=Verdict.PASS, reasons=()),
        )

    code, events = told(request_for_job, analysis)
    assert code is ExitCode.OK
    assert events == [
        StageEvent("read", 0.0, 0.0),
        *steps[:2],
        StageEvent("segment", 0.2, 1.0),
        steps[2],
        NoteEvent("Slice distances differ."),
        NoteEvent("Also found: T1."),
        ResultEvent(request_for_job.output, Verdict.PASS),
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("The file is empty."), ExitCode.INPUT),
        (OutputError("The disk is full."), ExitCode.OUTPUT),
        (MemoryError(), ExitCode.ENGINE),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
    ],
)
def test_errors_become_exit_codes(request_for_job, error, code):
    def analysis(*_):
        raise error

    returned, events = told(request_for_job, analysis)
    assert returned is code
    assert [type(event) for event in events] == [ErrorEvent]
    assert events[0].exit_code == code
    assert str(error) in events[0].message
    assert events[0].message


def test_a_mistake_of_ours_is_not_hidden(request_for_job):
    def analysis(*_):
        raise IndexError("slice 17")

    with pytest.raises(IndexError, match="slice 17"):
        told(request_for_job, analysis)


def run_worker(tmp_path: Path, pipeline: str, *options: str, stdin=subprocess.DEVNULL) -> subprocess.CompletedProcess:
    """Run the real worker with a pipeline of our own in place of the engine."""
    (tmp_path / "with_pipeline.py").write_text(
        textwrap.dedent(
            """
            import sys, types
            import SpineQuantLib
            pipeline = types.ModuleType("SpineQuantLib.pipeline")
            exec(open(sys.argv.pop(1), encoding="utf-8").read(), pipeline.__dict__)
            sys.modules[pipeline.__name__] = SpineQuantLib.pipeline = pipeline
            from SpineQuantLib.job.worker import main
            sys.exit(main())
            """
        ),
        encoding="utf-8",
    )
    prelude = (
        "import os, time\nclass AnalyzeOptions:\n    def __init__(self, **options): self.__dict__.update(options)\n"
    )
    (tmp_path / "pipeline.txt").write_text(prelude + textwrap.dedent(pipeline), encoding="utf-8")
    JobRequest(tmp_path / "in.nii", tmp_path / "case").write(tmp_path / "request.json")
    command = [sys.executable, "with_pipeline.py", "pipeline.txt", "request.json", *options]
    return subprocess.run(
        command, cwd=tmp_path, env=child_environment(), stdin=stdin, capture_output=True, timeout=60, check=False
    )


def test_standard_output_carries_events_alone(tmp_path):
    """Neither a library's print nor one from C gets in between."""
    done = run_worker(
        tmp_path,
        """
        def analyze(source, output, options, progress):
            print("from Python")
            os.system("echo from a shell")
            os.write(1, b"from C")
            from SpineQuantLib.case.errors import UnsuitableError
            raise UnsuitableError(f"{source.name} is a CT; SpineQuant reads MRI.")
        """,
    )
    assert done.returncode == ExitCode.UNSUITABLE
    events = [parse_event(line) for line in done.stdout.decode().splitlines()]
    assert events == [ErrorEvent(ExitCode.UNSUITABLE, "in.nii is a CT; SpineQuant reads MRI.")]
    assert all(words in done.stderr for words in (b"from Python", b"from a shell", b"from C"))


@pytest.mark.parametrize(
    ("module", "words"), [("torch", "extension PyTorch"), ("skimage", "scikit-image"), ("monai", "monai")]
)
def test_missing_package_says_what_to_install(tmp_path, module, words):
    body = f"raise ModuleNotFoundError('No module named {module}', name='{module}.nn')"
    done = run_worker(tmp_path, f"def analyze(source, output, options, progress):\n    {body}")
    event = parse_event(done.stdout.decode())
    assert done.returncode == ExitCode.ENGINE
    assert words in event.message
    assert "pip install" in event.message


def test_traceback_of_a_mistake_is_on_standard_error(tmp_path):
    done = run_worker(tmp_path, "def analyze(source, output, options, progress):\n    return {}['level']")
    assert done.returncode == ExitCode.UNEXPECTED
    assert done.stdout == b""
    assert b"KeyError: 'level'" in done.stderr


BUSY = """
def analyze(source, output, options, progress):
    (output.parent / "begun").touch()
    try:
        while True:
            time.sleep(0.01)
    finally:
        (output.parent / "tidied").touch()
"""


def test_worker_ends_in_order_when_its_parent_lets_go(tmp_path):
    parent = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)"
    with subprocess.Popen([sys.executable, "-c", parent, tmp_path / "begun"], stdout=subprocess.PIPE) as lets_go:
        done = run_worker(tmp_path, BUSY, "--attached", stdin=lets_go.stdout)
    assert done.returncode == ExitCode.INTERRUPTED
    assert parse_event(done.stdout.decode()) == ErrorEvent(ExitCode.INTERRUPTED, "Interrupted.")
    assert (tmp_path / "tidied").exists()
    assert b"Traceback" not in done.stderr


def test_worker_that_is_not_attached_does_not_mind(tmp_path):
    """From a shell with no input it runs to its end."""
    body = "def analyze(source, output, options, progress):\n    time.sleep(0.3)\n    raise MemoryError"
    assert run_worker(tmp_path, body).returncode == ExitCode.ENGINE


def test_request_that_cannot_be_read(tmp_path):
    command = [sys.executable, "-m", "SpineQuantLib.job.worker", str(tmp_path / "none.json")]
    done = subprocess.run(command, env=child_environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode == ExitCode.USAGE
    assert "none.json" in parse_event(done.stdout.decode()).message


def test_a_request_offers_what_the_pipeline_takes():
    """Neither side has a choice that the other does not know, and what is not chosen is left to the pipeline."""
    pipeline = pytest.importorskip("SpineQuantLib.pipeline", exc_type=ImportError, reason="the engine is not installed")
    requested = {field.name for field in fields(JobRequest)} - {"source", "output"}
    assert requested == {field.name for field in fields(pipeline.AnalyzeOptions)}
    options = JobRequest(Path("in.nii"), Path("out")).options()
    assert pipeline.AnalyzeOptions(**options) == pipeline.AnalyzeOptions()


def test_missing_input_through_the_whole_engine(tmp_path):
    pytest.importorskip("SpineQuantLib.pipeline", exc_type=ImportError, reason="the engine is not installed")
    outcome = run_job(JobRequest(tmp_path / "no such.nii.gz", tmp_path / "case"), timeout=120)
    assert (outcome.state, outcome.exit_code) == (JobState.FAILED, ExitCode.INPUT), outcome
    assert "no such.nii.gz" in outcome.reason
    assert not (tmp_path / "case").exists()
