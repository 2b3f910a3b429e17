"""Scenes are made where slicer-core is, and missing ones are explained."""

from __future__ import annotations

import subprocess
import sys

import pytest

from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.scene.host import current_host, import_slicer, new_host, vtk_messages


def test_library_is_importable_without_slicer():
    modules = (
        "build files hierarchy host markups plots provenance read_back reopen segmentation tables terminology update "
        "views volume"
    )
    imports = "; ".join(f"import SpineQuantLib.scene.{name}" for name in modules.split())
    code = f"import sys; sys.modules['slicer'] = None; sys.modules['vtk'] = None; {imports}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer", None)
    with pytest.raises(EngineError, match=r"spinequant\[mrml\]"):
        new_host()


def test_another_package_called_slicer_is_recognised(monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer", type(sys)("slicer"))
    with pytest.raises(EngineError, match="not 3D Slicer's"):
        import_slicer()


class _App:
    def __init__(self, logic):
        self._logic = logic

    def applicationLogic(self):  # noqa: N802
        return self._logic


def test_desktop_scene_is_used_and_left_alone(monkeypatch):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    with new_host() as desktop:
        monkeypatch.setattr(slicer, "app", _App(desktop.application_logic), raising=False)
        monkeypatch.setattr(slicer, "mrmlScene", desktop.scene, raising=False)
        before = desktop.scene.GetNumberOfNodes()
        with current_host() as host:
            assert host.scene is desktop.scene
            assert host.application_logic is desktop.application_logic
        assert desktop.scene.GetNumberOfNodes() == before > 0


def test_no_desktop_no_shared_scene():
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    with current_host() as first, current_host() as second:
        assert first.scene is not second.scene


def test_messages_are_collected_and_not_printed(capfd):
    vtk = pytest.importorskip("vtk")
    with vtk_messages() as messages:
        vtk.vtkImageData().GetScalarPointer(5, 5, 5)
        vtk.vtkOutputWindow.GetInstance().DisplayErrorText("ERROR: the disk is full\n\n")
    assert any("the disk is full" in m for m in messages)
    assert capfd.readouterr().err == ""
