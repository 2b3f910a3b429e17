"""The extension as its CMake files package it, and its panel in a stand-in for Slicer's desktop."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

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


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a volume ``spine.nrrd``, its ``case`` as the pipeline writes it, and what the networks would say."""
    make = _module("review_cases", ROOT / "Testing" / "review" / "conftest.py")
    place = tmp_path_factory.mktemp("finished")
    spec = make.PhantomSpec(
        size=(16, 128, 112), spacing=(4.4, 1.1, 1.1), centre=(0.0, 18.0, -38.0), orientation="LAS", seed=11
    )
    phantom = make.make_phantom(spec)
    sitk.WriteImage(phantom.image, str(place / "spine.nrrd"))
    result = make.write_phantom_case(phantom, place / "spine.nrrd", place / "case")
    opinion = make.opinion_of(result.spine)
    np.savez(place / "opinion.npz", probabilities=opinion.probabilities, members=opinion.members)
    return place


@pytest.fixture(scope="session")
def able() -> None:
    """Skip where Qt or MRML cannot run."""
    pytest.importorskip("PySide6", reason="PySide6-Essentials is not installed", exc_type=ImportError)
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from slicer_desktop import missing

    if reason := missing():
        pytest.skip(reason)


@pytest.fixture
def desktop(able: None, tmp_path: Path) -> Iterator[Any]:
    """Slicer's desktop with the module, its scene empty."""
    from slicer_desktop import Desktop

    desktop = Desktop(tmp_path, ROOT / "SpineQuant" / "SpineQuant.py")
    yield desktop
    desktop.close()


@pytest.fixture
def use_engine(finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Any], None]:
    """Give a logic the engine without networks, in a real child process."""
    monkeypatch.setenv("PANEL_ACCEPT", str(tmp_path / "accept"))
    monkeypatch.setenv("PANEL_CASE", str(finished / "case"))
    monkeypatch.setenv("PANEL_OPINION", str(finished / "opinion.npz"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "Testing" / "host"))

    def use(logic: Any) -> None:
        from SpineQuantLib.job.engine import Engine

        logic._engine = Engine(sys.executable, dict(os.environ), worker="panel_engine")

    return use


@pytest.fixture
def panel(desktop: Any, use_engine: Callable[[Any], None]) -> Any:
    """The module's panel, opened, with that engine."""
    panel = desktop.open_module()
    use_engine(panel.logic)
    return panel


@pytest.fixture
def add_volume(desktop: Any, finished: Path) -> Callable[..., Any]:
    """Add the analysed volume to the scene under a name."""
    from SpineQuantLib.scene.volume import add_volume

    image = sitk.ReadImage(str(finished / "spine.nrrd"))
    return lambda name="spine": add_volume(desktop.host.scene, image, name)


@pytest.fixture
def analysed(desktop: Any, panel: Any, add_volume: Callable[..., Any], finished: Path) -> Any:
    """The panel with the case of the volume open, as after Apply."""
    node = add_volume()
    folder = Path(desktop.app.defaultScenePath) / "SpineQuant" / "spine"
    shutil.copytree(finished / "case", folder)
    panel._open(folder, node)
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    return panel
