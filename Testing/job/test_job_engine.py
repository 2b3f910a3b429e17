"""One process for many cases, the queue in front of it, the batch behind it, and whether it is well; all real."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from SpineQuantLib.case.errors import ExitCode, InputError
from SpineQuantLib.job.batch import find_images, run_batch, write_summary
from SpineQuantLib.job.case_queue import CaseQueue, EntryState
from SpineQuantLib.job.case_run import CaseRun
from SpineQuantLib.job.engine import Engine
from SpineQuantLib.job.health import Device, Health, HealthCheck
from SpineQuantLib.job.remaining import SecondsLeft, duration
from SpineQuantLib.job.request import JobRequest
from SpineQuantLib.job.runner import Job, JobState, run_job

PATIENCE = 60.0

SERVES = """
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, {home!r})
from SpineQuantLib.case.errors import EngineError, InputError
from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.job import worker

class Told:
    notes, remarks = (), ()
    verdict, reasons = Verdict.REVIEW, ("members differ",)

def analysis(request, progress):
    print(os.getpid(), file=sys.stderr, flush=True)
    name = request.source.name
    if "unreadable" in name: raise InputError("the file is empty")
    if "memory" in name: raise EngineError("out of memory")
    if "dies" in name: os._exit(7)
    if "slow" in name: time.sleep(600)
    request.output.mkdir(parents=True)
    case = Told(); case.input = Told; case.assessment = Told
    return case

worker._analyze = analysis
sys.exit(worker.main(sys.argv[1:]))
"""


@pytest.fixture
def engine(tmp_path: Path):
    home = Path(__file__).resolve().parents[2]
    (tmp_path / "serving.py").write_text(SERVES.format(home=str(home)), encoding="utf-8")
    engine = Engine(sys.executable, {**os.environ, "PYTHONPATH": str(tmp_path)}, worker="serving")
    yield engine
    engine.close()


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Callable:
    def run(name: str, **choices):
        request = JobRequest(tmp_path / name, tmp_path / "out" / name, **choices)
        return run_job(request, engine=engine, timeout=PATIENCE)

    return run


def gone(pid: int) -> bool:
    end = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_one_process_serves_many_cases(run, engine):
    first = run("a.nii")
    pid = engine.pid
    second, third = run("unreadable.nii"), run("b.nii")
    assert [o.state for o in (first, second, third)] == [JobState.FINISHED, JobState.FAILED, JobState.FINISHED]
    assert second.reason == "the file is empty"
    assert second.exit_code == ExitCode.INPUT
    assert first.log[0] == third.log[0] == str(pid)
    assert engine.pid == pid
    engine.close()
    assert gone(pid)


@pytest.mark.parametrize("name", ["memory.nii", "dies.nii"])
def test_after_a_failure_of_its_own_it_starts_afresh(run, engine, name):
    run("a.nii")
    pid = engine.pid
    outcome = run(name)
    assert outcome.state is JobState.FAILED
    assert ("out of memory" if "memory" in name else "exit code 7") in outcome.reason
    assert engine.pid is None
    assert gone(pid)
    assert run("b.nii").state is JobState.FINISHED
    assert engine.pid not in (None, pid)


def test_cancel_ends_the_process_and_the_next_case_gets_another(run, engine, tmp_path):
    job = Job(JobRequest(tmp_path / "slow.nii", tmp_path / "out"), engine=engine)
    job.start()
    end = time.monotonic() + PATIENCE
    while not job._log:
        assert time.monotonic() < end
        job.poll()
        time.sleep(0.02)
    pid = job.pid
    began = time.monotonic()
    assert job.end().state is JobState.CANCELLED
    assert time.monotonic() - began < 2.2
    assert gone(pid)
    assert run("b.nii").state is JobState.FINISHED


def test_a_process_that_died_while_idle_is_replaced(run, engine):
    run("a.nii")
    psutil.Process(engine.pid).kill()
    end = time.monotonic() + PATIENCE
    while engine.pid is not None:
        assert time.monotonic() < end
    assert run("b.nii").state is JobState.FINISHED


def test_it_rests_after_a_while(run, engine):
    run("a.nii")
    pid = engine.pid
    engine.rest()
    assert engine.pid == pid
    engine._idle_seconds = 0.0
    engine.rest()
    assert engine.pid is None
    assert gone(pid)


def test_a_request_that_cannot_be_read_costs_only_itself(engine, run, tmp_path):
    child = engine.take()
    child.send(str(tmp_path / "no such request.json"))
    lines: list[str] = []
    end = time.monotonic() + PATIENCE
    while not any('"end"' in line for line in lines):
        assert time.monotonic() < end
        lines += [line for _, line in child.lines()]
        time.sleep(0.02)
    assert any("cannot be read" in line for line in lines)
    engine.give_back(child, ExitCode.USAGE)
    assert run("a.nii").state is JobState.FINISHED


def test_the_queue_goes_on_after_a_failure(engine, tmp_path):
    queue = CaseQueue()

    def start(name: str) -> CaseRun:
        def write(path: Path) -> bool:
            path.write_bytes(b"")
            return name != "full"

        return CaseRun(name, write, {}, cases=tmp_path / "cases", scratch=tmp_path, engine=engine)

    entries = [queue.add(name, lambda name=name: start(name)) for name in ("a", "full", "dies", "slow", "b", "c")]
    queue.cancel(entries[4])
    end = time.monotonic() + PATIENCE
    while queue.busy:
        assert time.monotonic() < end
        queue.poll()
        if entries[3].state is EntryState.RUNNING:
            queue.cancel(entries[3])
        time.sleep(0.02)
    assert [str(e.state) for e in entries] == ["finished", "failed", "failed", "cancelled", "cancelled", "finished"]
    assert "is there room on the disk" in entries[1].reason
    assert "exit code 7" in entries[2].reason


def test_dicom_files_are_handed_over_and_gathered(engine, tmp_path):
    files = []
    for n in range(3):
        files.append(tmp_path / f"{n}" / "same name")
        files[-1].parent.mkdir()
        files[-1].write_bytes(bytes([n]))
    run = CaseRun(
        "series", lambda _: pytest.fail("no copy is written"), {}, scratch=tmp_path, engine=engine, files=files
    )
    source = run._job.request.source
    assert [p.read_bytes() for p in sorted(source.iterdir())] == [b"\x00", b"\x01", b"\x02"]
    run.close()
    assert all(file.is_file() for file in files), "the originals stay"
    assert not source.exists()


def test_a_batch_makes_a_case_of_each_image(engine, tmp_path):
    images = tmp_path / "images"
    (images / "study").mkdir(parents=True)
    (images / "study" / "slice").write_bytes(b"")
    for name in ("a.nii.gz", "a.nrrd", "unreadable.nii", "notes.txt"):
        (images / name).write_bytes(b"")
    sources = find_images(images)
    assert [p.name for p in sources] == ["a.nii.gz", "a.nrrd", "study", "unreadable.nii"]
    rows = run_batch(sources, tmp_path / "out", engine, timeout=PATIENCE)
    assert [(r.name, str(r.state), r.verdict) for r in rows] == [
        ("a", "finished", "review"),
        ("a-2", "finished", "review"),
        ("study", "finished", "review"),
        ("unreadable", "failed", ""),
    ]
    write_summary(rows, tmp_path / "summary.csv")
    with (tmp_path / "summary.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert table[3]["reasons"] == "the file is empty"
    assert Path(table[0]["folder"]) == tmp_path / "out" / "a"


def test_a_folder_without_images_is_told(tmp_path):
    with pytest.raises(InputError, match="holds neither images"):
        find_images(tmp_path)


def test_health_of_a_real_python():
    check = HealthCheck(sys.executable, timeout=PATIENCE * 3)
    end = time.monotonic() + PATIENCE * 3
    while check.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    pytest.importorskip("torch", reason="the engine is not installed")
    assert check.health.well, check.health.problem
    assert check.health.torch
    cpu = check.health.devices[-1]
    assert cpu.name == "cpu"
    assert cpu.total == psutil.virtual_memory().total
    assert 0 < cpu.free <= cpu.total


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("print('hello')", "hello"),
        ("import time; time.sleep(60)", "did not answer"),
    ],
)
def test_a_python_that_is_not_well_says_why(tmp_path, body, words):
    (tmp_path / "asked.py").write_text(body, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    timeout = 1.0 if "sleep" in body else PATIENCE
    check = HealthCheck(sys.executable, environment, timeout=timeout, module="asked")
    end = time.monotonic() + PATIENCE
    while check.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert not check.health.well
    assert words in check.health.problem


def test_a_python_that_is_not_there_says_so():
    check = HealthCheck("/no/such/python")
    assert "could not be started" in check.poll().problem


def test_devices_in_words():
    gigabyte = 1 << 30
    assert (
        Device("cuda:1", "NVIDIA A4000", 16 * gigabyte, 14 * gigabyte).words == "GPU 1: NVIDIA A4000, 14 of 16 GB free"
    )
    assert Device("cpu", "CPU", 32 * gigabyte, 20 * gigabyte).words == "CPU, 20 of 32 GB free"
    missing = Health.from_json(
        '{"python": "3.12", "missing": ["monai>=1.5"], "problem": "", "devices": [], "torch": ""}'
    )
    assert missing.problem == "Packages are missing: monai>=1.5."
    assert not missing.well


def test_time_left_follows_the_pace():
    left = SecondsLeft()
    left.report(0.01, 5.0)
    assert left.now() is None
    left.report(0.1, 10.0)
    left.report(0.2, 20.0)
    assert left.now() == pytest.approx(80.0, abs=1.0)
    left.report(0.98, 98.0)
    assert left.now() == pytest.approx(2.0, abs=1.0)
    assert [duration(x) for x in (45, 185, 3900)] == ["45 s", "3 min", "1 h 5 min"]
