"""What the CMake files package is complete, and works where Slicer puts it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGED = ("SpineQuantLib", "Resources/Models", "Resources/ReferenceRanges", "Resources/Terminologies")


def files_of_the_project(root: Path, *folders: str) -> set[str]:
    """Files that git knows or would take, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a git checkout")
    return {name for name in listed.split("\0") if name and (root / name).is_file()}


def test_every_file_is_packaged_at_its_place(root, installed):
    library = files_of_the_project(root, *PACKAGED)
    module = {name.removeprefix("SpineQuant/") for name in files_of_the_project(root, "SpineQuant")}
    expected = library | (module - {"CMakeLists.txt"})
    found = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    assert "SpineQuantLib/job/worker.py" in expected
    assert found == expected


def test_nothing_in_the_module_takes_the_place_of_something_in_the_library(root):
    """Both have a folder Resources, and Slicer lays them over each other."""
    module = {name.removeprefix("SpineQuant/") for name in files_of_the_project(root, "SpineQuant")}
    assert not module & files_of_the_project(root, "SpineQuantLib", "Resources")


def test_packaged_files_are_the_same(root, installed):
    for path in installed.rglob("*.py"):
        name = path.relative_to(installed)
        source = root / name if name.parts[0] == "SpineQuantLib" else root / "SpineQuant" / name
        assert path.read_bytes() == source.read_bytes(), name


def run_installed(installed: Path, code: str) -> str:
    """Run code as Slicer would: the folder of scripted modules is on the path, nothing else of the project is."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=installed.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_library_is_a_top_level_import_beside_the_module(installed):
    code = "import SpineQuantLib.job.runner as runner, pathlib; print(pathlib.Path(runner.__file__).parents[2])"
    assert Path(run_installed(installed, code)).samefile(installed)


@pytest.mark.parametrize("folder", ["Models", "ReferenceRanges", "Terminologies"])
def test_installed_library_finds_what_it_reads(root, installed, folder):
    if not files_of_the_project(root, f"Resources/{folder}"):
        pytest.skip(f"this checkout has nothing in Resources/{folder}")
    code = f"from SpineQuantLib.anatomy.resources import resource; print(resource({folder!r}))"
    assert Path(run_installed(installed, code)).samefile(installed / "Resources" / folder)


def test_no_package_called_testing(installed):
    """Other extensions have one, and they collide."""
    assert not [path for path in installed.rglob("*") if path.name == "Testing"]


def test_minimum_cmake_is_one_that_slicer_builds_with(root):
    """5.10 asks for 3.20.6, 5.12 for 3.28; an extension that asks for more than Slicer cannot be built with it."""
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    least = re.search(r"cmake_minimum_required\(VERSION (\d+)\.(\d+)\.(\d+)", text)
    assert tuple(map(int, least.groups())) <= (3, 20, 6)
