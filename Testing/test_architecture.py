"""The rooms of the house import only what they may, in the graph of imports and in a real process."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import SpineQuantLib

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with import-linter

ROOT = Path(__file__).resolve().parent.parent
NETWORK_PACKAGES = {"torch", "monai", "safetensors"}
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def imports_of(path: Path) -> Iterator[str]:
    """Absolute names of what a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


def loaded_by(modules: list[str]) -> set[str]:
    """Top-level names of all modules in a new Python process that imported some."""
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    return set(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split())


def modules_in(*rooms: str) -> list[str]:
    files = (file for room in rooms for file in (ROOT / "SpineQuantLib" / room).glob("**/*.py"))
    return [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]


def test_imports_keep_the_contracts():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "planted"),
    [
        ("anatomy/levels.py", "from ..case import grid"),
        ("case/grid.py", "from ..images import volume"),
        ("measure/disc.py", "from ..report import html"),
        ("segment/spine.py", "from .. import pipeline"),
        ("measure/disc.py", "import torch"),
        ("pipeline.py", "import torch"),
        ("training/phantom/__init__.py", "import torch"),
        ("scene/build.py", "from ..models import committee"),
        ("report/html.py", "import slicer"),
        ("scene/build.py", "import qt"),
        ("job/runner.py", "import pydicom"),
    ],
)
def test_the_contracts_notice(file, planted, tmp_path):
    shutil.copytree(ROOT / "SpineQuantLib", tmp_path / "SpineQuantLib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / "SpineQuantLib" / file
    target.write_text(f"{target.read_text(encoding='utf-8')}\n{planted}\n", encoding="utf-8")
    result = lint(tmp_path)
    assert result.returncode != 0
    assert "BROKEN" in result.stdout, result.stdout + result.stderr


def test_foundation_loads_nothing_heavy():
    loaded = loaded_by([*modules_in("anatomy", "case"), "SpineQuantLib.job.runner"])
    assert "SpineQuantLib" in loaded
    assert not loaded & (NETWORK_PACKAGES | {"pydicom", "highdicom", "slicer", "vtk", "matplotlib", "pandas"})


def test_the_desktop_never_loads_a_network():
    """Whatever the Slicer module imports from the library, at its top or when something is asked of it."""
    files = sorted((ROOT / "SpineQuant").glob("**/*.py"))
    names = {name for file in files for name in imports_of(file)}
    assert not {name.partition(".")[0] for name in names} & NETWORK_PACKAGES
    wanted = sorted(name for name in names if name.startswith("SpineQuantLib"))
    assert wanted
    assert not loaded_by(wanted) & NETWORK_PACKAGES


def test_the_command_line_answers_without_loading_a_network():
    assert not loaded_by(["SpineQuantLib.cli"]) & NETWORK_PACKAGES


def test_phantoms_are_drawn_without_networks():
    assert not loaded_by(modules_in("training/phantom")) & NETWORK_PACKAGES


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == SpineQuantLib.__version__


def _texts() -> Iterator[tuple[Path, str]]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known")
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT).decode().split("\0")
    for path in (ROOT / name for name in listed if name):
        if path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                yield path, data.decode("utf-8")


def test_no_path_of_one_machine():
    somewhere = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work|mnt|media|scratch)/\w|\b[A-Z]:\\\w")
    found = [f"{path.relative_to(ROOT)}: {m.group()}" for path, text in _texts() for m in somewhere.finditer(text)]
    assert found == []
