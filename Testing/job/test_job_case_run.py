"""A volume from another program's memory: written, analysed, and nothing left but what was asked for."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from SpineQuantLib.case.errors import EngineError, OutputError
from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.job.case_run import CaseRun
from SpineQuantLib.job.requirements import missing_requirements, read_requirements

PATIENCE = 30.0
ECHO = """
output.mkdir(parents=True)
(output / "request.json").write_text(json.dumps({**request, "voxels": Path(request["source"]).read_text()}))
say("result", folder=str(output), verdict="pass", reasons=[])
"""


@pytest.fixture
def begin(tmp_path, make_worker):
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(body: str, name: str = "L-spine T2", choices=None, **options) -> CaseRun:
        write = options.pop("write", lambda path: bool(path.write_text("voxels")))
        return CaseRun(name, write, choices or {}, scratch=scratch, **make_worker(body), **options)

    run.scratch = scratch
    return run


def finish(run: CaseRun) -> None:
    end = time.monotonic() + PATIENCE
    while run.running:
        assert time.monotonic() < end
        run.poll()
        time.sleep(0.02)


def test_result_lies_in_scratch_until_it_was_taken(begin):
    run = begin(ECHO, choices={"device": "cpu", "lowest_disc": "L4-L5", "contrast": None})
    finish(run)
    result = run.result()
    assert result.verdict is Verdict.PASS
    found = json.loads((result.folder / "request.json").read_text())
    assert (found["voxels"], found["device"], found["lowest_disc"]) == ("voxels", "cpu", "L4-L5")
    assert begin.scratch in result.folder.parents
    run.close()
    assert list(begin.scratch.iterdir()) == []


def test_kept_cases_do_not_replace_each_other(begin, tmp_path):
    cases = tmp_path / "cases"
    folders = []
    for _ in range(3):
        run = begin(ECHO, cases=cases)
        finish(run)
        folders.append(run.result().folder)
        run.close()
    assert folders == [cases / "L-spine_T2", cases / "L-spine_T2-2", cases / "L-spine_T2-3"]
    assert all((folder / "request.json").exists() for folder in folders)
    assert list(begin.scratch.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a/b\\c:d", "...", "Wirbelsäule", "x" * 40 + "\n"])
def test_any_name_stays_in_the_folder(begin, tmp_path, name):
    run = begin(ECHO, name=name, cases=tmp_path / "cases")
    finish(run)
    assert run.result().folder.parent == tmp_path / "cases"
    run.close()


def test_failure_keeps_the_files_and_says_where(begin):
    run = begin('say("error", exit_code=4, message="This is a CT.")\nsys.exit(4)')
    finish(run)
    with pytest.raises(EngineError, match=r"This is a CT\.") as caught:
        run.result()
    run.close()
    (kept,) = begin.scratch.iterdir()
    assert str(kept) in str(caught.value)
    assert [path.name for path in kept.iterdir()] == ["L-spine_T2.nrrd"]


def test_cancelled_leaves_nothing(begin):
    run = begin("time.sleep(600)")
    with pytest.raises(RuntimeError, match="running"):
        run.result()
    run.cancel()
    finish(run)
    assert run.result() is None
    run.close()
    assert list(begin.scratch.iterdir()) == []


def test_close_ends_what_still_runs(begin):
    run = begin("time.sleep(600)")
    run.close()
    assert not run.running
    assert list(begin.scratch.iterdir()) == []


def test_volume_that_cannot_be_written(begin):
    with pytest.raises(OutputError, match="written"):
        begin(ECHO, write=lambda _: False)
    assert list(begin.scratch.iterdir()) == []


def test_missing_packages_are_found_without_importing_them(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# comment\n\nnumpy>=1.0\nno-such-package-of-ours>=1 # why\nnumpy>=999\n", encoding="utf-8")
    requirements = read_requirements(Path(path))
    assert requirements == ["numpy>=1.0", "no-such-package-of-ours>=1", "numpy>=999"]
    assert missing_requirements(requirements) == ["no-such-package-of-ours>=1", "numpy>=999"]
