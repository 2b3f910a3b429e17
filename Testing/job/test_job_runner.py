"""Every end that a child process can come to, with real processes."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantLib.job.events import NoteEvent, ResultEvent
from SpineQuantLib.job.runner import Job, JobOutcome, JobState, run_job

# Far more than any of these need; a job that hangs fails its test instead of the whole run.
PATIENCE = 30.0

SPAWN = """
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
say("note", message=str(helper.pid))
"""
SPAWN_APART = SPAWN.replace('600)"]', '600)"], start_new_session=True')


def follow(job: Job) -> JobOutcome:
    job.start()
    end = time.monotonic() + PATIENCE
    while job.outcome is None:
        assert time.monotonic() < end, "the job came to no end"
        job.poll()
        time.sleep(0.02)
    return job.outcome


def gone(pid: int) -> bool:
    """Whether a process has ended, within the moments that the kernel takes for it."""
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


class Cancelled:
    """Cancels a job from another thread at its first note, and keeps what the notes said."""

    def __init__(self) -> None:
        self.flag = threading.Event()
        self.notes: list[str] = []

    def __call__(self, event) -> None:
        if isinstance(event, NoteEvent):
            self.notes.append(event.message)
            self.flag.set()


def test_events_arrive_in_order_and_the_result_with_them(request_for_job, make_worker):
    worker = make_worker(
        """
        say("progress", stage="read", fraction=0.1, message="Wirbelsäule", seconds=0.5)
        result()
        """
    )
    events = []
    outcome = run_job(request_for_job, on_event=events.append, timeout=PATIENCE, **worker)
    expected = ResultEvent(request_for_job.output, Verdict.REVIEW, ("members differ",))
    assert events == [ProgressEvent("read", 0.1, "Wirbelsäule", 0.5), expected]
    assert (outcome.state, outcome.result, outcome.reason, outcome.exit_code) == (JobState.FINISHED, expected, "", 0)


def test_progress_comes_while_the_child_still_works(request_for_job, make_worker):
    """The worker ends only after the parent has reacted to its first event."""
    signal_file = request_for_job.output.parent / "seen"
    worker = make_worker(
        """
        say("progress", stage="read", fraction=0.5, message="", seconds=0.0)
        while not (output.parent / "seen").exists():
            time.sleep(0.01)
        result()
        """
    )
    outcome = run_job(request_for_job, on_event=lambda _: signal_file.touch(), timeout=PATIENCE, **worker)
    assert outcome.state is JobState.FINISHED


def test_what_is_no_event_becomes_a_note_and_harms_nothing(request_for_job, make_worker):
    worker = make_worker(
        r"""
        sys.stdout.buffer.write(b"\xff\xfe caf\xe9\n{broken\n[1]\n\"text\"\n12\n")
        sys.stdout.buffer.write(b'{"event": "progress", "stage": "x", "fraction": 7, "message": "", "seconds": 0}\n')
        sys.stdout.buffer.write(b'{"event": "progress", "stage": 3}\n{"event": "unheard of"}\n')
        sys.stdout.buffer.flush()
        result()
        """
    )
    events = []
    outcome = run_job(request_for_job, on_event=events.append, timeout=PATIENCE, **worker)
    assert outcome.state is JobState.FINISHED
    assert [type(event) for event in events] == [NoteEvent] * 8 + [ResultEvent]
    assert "\ufffd\ufffd caf\ufffd" in outcome.log


def test_a_flood_on_standard_error_does_not_block(request_for_job, make_worker):
    worker = make_worker(
        """
        for number in range(20000):
            print("warning", number, file=sys.stderr)
        result()
        """
    )
    outcome = run_job(request_for_job, timeout=PATIENCE, **worker)
    assert outcome.state is JobState.FINISHED
    assert outcome.log[-1] == "warning 19999"
    assert len(outcome.log) < 1000


def test_error_event_is_the_reason(request_for_job, make_worker):
    worker = make_worker('say("error", exit_code=3, message="The file is empty. Copy it again."); sys.exit(3)')
    outcome = run_job(request_for_job, timeout=PATIENCE, **worker)
    assert outcome.state is JobState.FAILED
    assert (outcome.reason, outcome.exit_code) == ("The file is empty. Copy it again.", 3)


def test_unforeseen_error_names_itself(request_for_job, make_worker):
    outcome = run_job(request_for_job, timeout=PATIENCE, **make_worker("raise ZeroDivisionError('no slices')"))
    assert outcome.state is JobState.FAILED
    assert outcome.exit_code == 1
    assert "ZeroDivisionError: no slices" in outcome.reason
    assert any("Traceback" in line for line in outcome.log)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("result(); sys.exit(4)", "exit code 4"),
        ("pass", "without a result"),
        ('say("result", folder=str(output), verdict="pass", reasons=[])', "does not exist"),
    ],
    ids=["result but bad exit code", "good exit code but no result", "result but no folder"],
)
def test_finished_needs_result_exit_code_and_folder(request_for_job, make_worker, body, words):
    outcome = run_job(request_for_job, timeout=PATIENCE, **make_worker(body))
    assert outcome.state is JobState.FAILED
    assert outcome.result is None
    assert words in outcome.reason


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_killed_child_is_told_by_its_signal(request_for_job, make_worker):
    outcome = run_job(
        request_for_job, timeout=PATIENCE, **make_worker("result(); os.kill(os.getpid(), signal.SIGKILL)")
    )
    assert outcome.state is JobState.FAILED
    assert "SIGKILL" in outcome.reason


@pytest.mark.parametrize("python", ["/no/such/python", os.fspath(Path(__file__)), "", "a\0b"])
def test_python_that_cannot_be_started(request_for_job, python):
    outcome = run_job(request_for_job, python=python, timeout=PATIENCE)
    assert outcome.state is JobState.FAILED
    assert outcome.exit_code is None
    assert "could not be started" in outcome.reason


def test_worker_that_does_not_exist(request_for_job):
    outcome = run_job(request_for_job, worker="SpineQuantLib.job.nobody", timeout=PATIENCE)
    assert outcome.state is JobState.FAILED
    assert "nobody" in outcome.reason


def test_cancel_reaches_the_whole_tree(request_for_job, make_worker):
    """The child, its helper in the same group, and one in a session of its own, all deaf to requests."""
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    body = deaf + SPAWN + SPAWN_APART + "say('note', message=str(os.getpid()))\ntime.sleep(600)"
    notes: list[str] = []
    flag = threading.Event()

    def listen(event) -> None:
        notes.append(event.message)
        if len(notes) == 3:
            flag.set()

    outcome = run_job(request_for_job, on_event=listen, cancel=flag, timeout=PATIENCE, **make_worker(body))
    assert outcome.state is JobState.CANCELLED
    assert outcome.result is None
    assert len(notes) == 3
    assert all(gone(int(pid)) for pid in notes)


def test_cancel_does_not_wait(request_for_job, make_worker):
    """The desktop calls it from a button; the end comes while the timer goes on polling."""
    job = Job(request_for_job, **make_worker("say('note', message='here')\ntime.sleep(600)"))
    job.start()
    end = time.monotonic() + PATIENCE
    while not job.poll():
        assert time.monotonic() < end
        time.sleep(0.02)
    job.cancel()
    assert job.outcome is None
    assert job.end().state is JobState.CANCELLED
    assert gone(job.pid)


def test_cancel_lets_the_child_tidy_up(request_for_job, make_worker, monkeypatch):
    """A worker that listens for the end of its input is not killed before it has put things away."""
    # On a busy machine a second may be too short even for the quickest of workers.
    monkeypatch.setattr("SpineQuantLib.job.runner._ORDERLY_SECONDS", PATIENCE / 2)
    worker = make_worker(
        """
        say("note", message="working")
        while os.read(0, 1):
            pass
        (output.parent / "tidied").touch()
        sys.exit(130)
        """
    )
    listen = Cancelled()
    outcome = run_job(request_for_job, on_event=listen, cancel=listen.flag, timeout=PATIENCE, **worker)
    assert outcome.state is JobState.CANCELLED
    assert outcome.exit_code == 130
    assert (request_for_job.output.parent / "tidied").exists()


def test_cancelled_stays_cancelled_though_the_result_comes(request_for_job, make_worker):
    worker = make_worker("say('note', message='working')\nos.read(0, 1)\nresult()")
    listen = Cancelled()
    outcome = run_job(request_for_job, on_event=listen, cancel=listen.flag, timeout=PATIENCE, **worker)
    assert (outcome.state, outcome.result) == (JobState.CANCELLED, None)


def test_timeout_fails_and_says_so(request_for_job, make_worker):
    outcome = run_job(request_for_job, timeout=0.5, **make_worker("time.sleep(600)"))
    assert outcome.state is JobState.FAILED
    assert "0.5 s" in outcome.reason


def test_helpers_do_not_outlive_a_dead_child(request_for_job, make_worker):
    """The helper also holds the child's output open; the job ends all the same."""
    notes: list[NoteEvent] = []
    worker = make_worker(SPAWN + "os._exit(9)")
    outcome = run_job(request_for_job, on_event=notes.append, timeout=PATIENCE, **worker)
    assert outcome.state is JobState.FAILED
    assert outcome.exit_code == 9
    assert gone(int(notes[0].message))


def test_an_exception_of_the_listener_ends_the_child(request_for_job, make_worker):
    pids: list[int] = []

    def listen(event) -> None:
        pids.append(int(event.message))
        raise LookupError("the window is gone")

    worker = make_worker("say('note', message=str(os.getpid()))\ntime.sleep(600)")
    with pytest.raises(LookupError, match="window"):
        run_job(request_for_job, on_event=listen, timeout=PATIENCE, **worker)
    assert gone(pids[0])


def test_a_job_ends_once(request_for_job, make_worker):
    job = Job(request_for_job, **make_worker("result()"))
    first = follow(job)
    job.cancel()
    assert job.poll() == []
    assert job.end() is first
    with pytest.raises(RuntimeError, match="once"):
        job.start()


def test_cancel_before_start_runs_nothing(request_for_job, make_worker):
    job = Job(request_for_job, **make_worker("result()"))
    job.cancel()
    assert job.outcome.state is JobState.CANCELLED
    with pytest.raises(RuntimeError, match="once"):
        job.start()


def test_nothing_is_left_in_the_temporary_folder(request_for_job, make_worker, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    run_job(request_for_job, timeout=PATIENCE, **make_worker("result()"))
    run_job(request_for_job, timeout=PATIENCE, python="/no/such/python")
    assert list(scratch.iterdir()) == []


def test_child_is_not_misled_by_what_steers_this_python(request_for_job, monkeypatch):
    """``this`` is a module of the standard library that only prints."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    outcome = run_job(request_for_job, timeout=PATIENCE, worker="this")
    assert outcome.exit_code == 0
    assert any("Beautiful is better than ugly" in line for line in outcome.log)


def test_child_reads_and_writes_utf8_whatever_the_locale(request_for_job, make_worker):
    worker = make_worker(
        """
        print(request["source"], sys.stdout.encoding, open(os.devnull).encoding)
        """
    )
    worker["environment"].update(LC_ALL="C", LANG="C", PYTHONCOERCECLOCALE="0")
    outcome = run_job(request_for_job, timeout=PATIENCE, **worker)
    assert [line.lower() for line in outcome.log] == [f"{request_for_job.source} utf-8 utf-8".lower()]
