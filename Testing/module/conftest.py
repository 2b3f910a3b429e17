"""The extension as its CMake files package it, with a stand-in for Slicer's build tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def build_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configured build tree: ``lib/qt-scripted-modules`` as installed, and ``metadata.txt``."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    build = tmp_path_factory.mktemp("build")
    stub = Path(__file__).with_name("slicer_stub")
    # No compiler is asked for: everything in the extension is Python.
    command = ["cmake", "-S", ROOT, "-B", build, f"-DSlicer_DIR={stub}", "-DBUILD_TESTING=ON"]
    languages = ["-DCMAKE_C_COMPILER_WORKS=1", "-DCMAKE_CXX_COMPILER_WORKS=1"]
    done = subprocess.run([*command, *languages], capture_output=True, text=True, check=False, timeout=120)
    if "CMAKE_C_COMPILER not set" in done.stderr or "No CMAKE_C" in done.stderr:
        pytest.skip("cmake finds no C compiler, which project() asks for")
    assert done.returncode == 0, done.stderr
    return build


@pytest.fixture(scope="session")
def installed(build_tree: Path) -> Path:
    """The folder of scripted modules of the installed extension."""
    return build_tree / "lib" / "qt-scripted-modules"
