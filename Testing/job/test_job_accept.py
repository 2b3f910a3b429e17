"""An accepted case in a child process: asked for in a file, written by the real worker, or left as it was."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from SpineQuantLib.case.errors import EngineError, OutputError
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantLib.case.record import read_record
from SpineQuantLib.job.accept_run import AcceptRun
from SpineQuantLib.job.engine import Engine
from SpineQuantLib.job.request import AcceptRequest, JobRequest, RequestError, read_request
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.review.stamp import stamp

PATIENCE = 60.0


def test_both_kinds_of_request_travel_as_files(tmp_path):
    wanted = AcceptRequest(tmp_path / "Entwurf é", tmp_path / "case", "ab" * 32, (tmp_path / "1.dcm",))
    wanted.write(tmp_path / "accept.json")
    assert read_request(tmp_path / "accept.json") == wanted
    other = JobRequest(tmp_path / "a.nrrd", tmp_path / "case")
    other.write(tmp_path / "analyse.json")
    assert read_request(tmp_path / "analyse.json") == other


@pytest.mark.parametrize("change", [{"task": "forget"}, {"stamp": 3}, {"files": "1.dcm"}, {"files": [1]}, {"more": 1}])
def test_a_wrong_request_is_refused(tmp_path, change):
    request = AcceptRequest(tmp_path / "draft", tmp_path / "case", "ab")
    with pytest.raises(RequestError):
        AcceptRequest.from_json(json.dumps({**json.loads(request.to_json()), **change}))


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Path:
    """A whole case folder."""
    import importlib.util

    path = Path(__file__).parents[1] / "review" / "conftest.py"
    spec = importlib.util.spec_from_file_location("accept_cases", path)
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    import SimpleITK as sitk

    place = tmp_path_factory.mktemp("accept")
    phantom = make.make_phantom(make.PhantomSpec(size=(16, 112, 96), spacing=(4.4, 1.2, 1.2), seed=3))
    sitk.WriteImage(phantom.image, str(place / "spine.nrrd"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write_report", "write_pdf", "write_workbook"):
            patch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
        make.write_phantom_case(phantom, place / "spine.nrrd", place / "case")
    return place / "case"


def finish(run: AcceptRun) -> list:
    said, end = [], time.monotonic() + PATIENCE
    while run.running:
        assert time.monotonic() < end
        said += run.poll()
        time.sleep(0.02)
    return said


def test_the_real_worker_writes_the_case(case, tmp_path):
    review = CaseReview.open(case)
    row = next(m for m in review.measurements if m.can_be_moved and m.unit == "mm")
    review.move(row.key, [[x + 0.4 * n for x in p] for n, p in enumerate(row.geometry.points)])
    engine = Engine(sys.executable, dict(os.environ))
    run = AcceptRun(review.sign("A. Reader"), engine, scratch=tmp_path)
    said = finish(run)
    review.written(run.signed, run.check())
    engine.close()
    assert not review.changed
    assert review.stamp == stamp(case)
    assert {e.stage for e in said if isinstance(e, ProgressEvent)} >= {"files", "scene", "report"}
    assert read_record(case / "case.json").accepted.rater == "A. Reader"
    assert CaseReview.open(case).row(row.key) == review.row(row.key)
    assert list(tmp_path.iterdir()) == [], "the draft goes"
    assert [path.name for path in case.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("os._exit(9)", EngineError, "exit code 9"),
        ("say('error', exit_code=5, message='the disk is full'); sys.exit(5)", OutputError, "the disk is full"),
        ("time.sleep(60)", EngineError, "Not done after 0.5 s"),
    ],
)
def test_a_failure_leaves_the_case_as_it_was(case, tmp_path, body, kind, words):
    before = {path: path.read_bytes() for path in case.rglob("*") if path.is_file()}
    home = tmp_path / "workers"
    home.mkdir()
    say = "def say(event, **values): print(json.dumps({'event': event, **values}), flush=True)"
    (home / "served.py").write_text(f"import json, os, sys, time\n{say}\n{body}\n", encoding="utf-8")
    engine = Engine(sys.executable, {**os.environ, "PYTHONPATH": str(home)}, worker="served")
    signed = CaseReview.open(case).sign("B. Reader")
    run = AcceptRun(signed, engine, scratch=home, timeout=0.5 if "sleep" in body else 60.0)
    finish(run)
    with pytest.raises(kind, match=words):
        run.check()
    engine.close()
    assert {path: path.read_bytes() for path in case.rglob("*") if path.is_file()} == before
    assert not list(home.glob("SpineQuant-accept-*"))
