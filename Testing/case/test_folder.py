"""A case folder is there completely or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from SpineQuantLib.case.errors import OutputError
from SpineQuantLib.case.folder import new_case_folder

CHILD = """
import sys, time
from pathlib import Path
from SpineQuantLib.case.folder import new_case_folder
with new_case_folder(Path(sys.argv[1]), overwrite=True) as folder:
    (folder / "case.json").write_text("new")
    print("inside", flush=True)
    time.sleep(60)
"""


def make_case(path: Path, text: str) -> None:
    with new_case_folder(path) as folder:
        (folder / "case.json").write_text(text)


def test_a_finished_block_leaves_the_folder_and_nothing_else(tmp_path: Path) -> None:
    make_case(tmp_path / "a" / "case", "1")
    assert (tmp_path / "a" / "case" / "case.json").read_text() == "1"
    assert os.listdir(tmp_path / "a") == ["case"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_an_error_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), new_case_folder(tmp_path / "case") as folder:
        (folder / "case.json").write_text("half")
        raise error
    assert os.listdir(tmp_path) == []


def test_an_existing_case_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    place = tmp_path / "case"
    make_case(place, "old")
    with pytest.raises(OutputError, match="exists already"), new_case_folder(place):
        pass
    with pytest.raises(RuntimeError), new_case_folder(place, overwrite=True):
        raise RuntimeError
    assert (place / "case.json").read_text() == "old"
    with new_case_folder(place, overwrite=True) as folder:
        (folder / "case.json").write_text("new")
    assert (place / "case.json").read_text() == "new"
    assert os.listdir(tmp_path) == ["case"]


def test_a_folder_that_is_no_case_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(OutputError, match="not a case folder"), new_case_folder(tmp_path / "thesis", overwrite=True):
        pass
    assert (tmp_path / "thesis" / "chapter.txt").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="choose another"), new_case_folder(tmp_path / "file" / "case"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_run_leaves_the_old_case_and_the_next_run_tidies_up(tmp_path: Path) -> None:
    place = tmp_path / "case"
    make_case(place, "old")
    with subprocess.Popen([sys.executable, "-c", CHILD, str(place)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "inside\n"
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    assert (place / "case.json").read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2
    make_case(tmp_path / "other", "x")
    with new_case_folder(place, overwrite=True) as folder:
        (folder / "case.json").write_text("new")
    assert sorted(os.listdir(tmp_path)) == ["case", "other"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX process ids")
def test_a_case_moved_aside_by_a_killed_run_comes_back(tmp_path: Path) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    time.sleep(0.05)
    place = tmp_path / "case"
    make_case(place, "old")
    place.rename(tmp_path / f".case.{gone.stdout.strip()}.abcd1234.old")
    with pytest.raises(OutputError, match="exists already"), new_case_folder(place):
        pass
    assert (place / "case.json").read_text() == "old"
