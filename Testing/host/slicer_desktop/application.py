"""``slicer.app`` with a layout manager whose views are real MRML logics, drawn off-screen on request."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from PySide6 import QtCore, QtWidgets

from SpineQuantLib.scene.host import SceneHost, import_slicer

__all__ = ["Application", "LayoutManager", "load_beside"]


def load_beside(name: str) -> Any:
    """A file of the folder above as a module."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _SliceWidget:
    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()


class _View:
    """A view of another kind: its node, and nothing drawn until asked."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def mrmlTableViewNode(self) -> Any:
        return self._node

    def mrmlViewNode(self) -> Any:
        return self._node

    def threeDView(self) -> _View:
        return self

    def resetFocalPoint(self) -> None:
        """Nothing is drawn."""


class LayoutManager:
    """The views of the current layout, made by MRML's own layout logic."""

    def __init__(self, host: SceneHost) -> None:
        slicer = import_slicer()
        self._host = host
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(host.scene)
        self._slices: dict[str, _SliceWidget] = {}
        self.layout = 0

    def layoutLogic(self) -> Any:
        return self._logic

    def setLayout(self, number: int) -> None:
        self.layout = number
        self._logic.GetLayoutNode().SetViewArrangement(number)

    def _follow(self) -> None:
        slicer, scene = import_slicer(), self._host.scene
        found = {}
        for n in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
            node = scene.GetNthNodeByClass(n, "vtkMRMLSliceNode")
            name = node.GetLayoutName()
            widget = self._slices.get(name)
            if widget is None or widget.mrmlSliceNode() is not node:
                logic = slicer.vtkMRMLSliceLogic()
                logic.SetMRMLApplicationLogic(self._host.application_logic)
                logic.SetMRMLScene(scene)
                logic.SetSliceNode(node)
                self._host.application_logic.GetSliceLogics().AddItem(logic)
                node.SetDimensions(420, 420, 1)
                widget = _SliceWidget(logic)
            found[name] = widget
        self._slices = found

    def sliceViewNames(self) -> tuple[str, ...]:
        self._follow()
        return tuple(self._slices)

    def sliceWidget(self, name: str) -> _SliceWidget | None:
        self._follow()
        return self._slices.get(name)

    def mrmlSliceLogics(self) -> Any:
        return self._host.application_logic.GetSliceLogics()

    def _nth(self, kind: str, n: int) -> _View | None:
        node = self._host.scene.GetNthNodeByClass(n, kind)
        return _View(node) if node else None

    def plotWidget(self, n: int) -> _View | None:
        return self._nth("vtkMRMLPlotViewNode", n)

    def tableWidget(self, n: int) -> _View | None:
        return self._nth("vtkMRMLTableViewNode", n)

    def threeDWidget(self, n: int) -> _View | None:
        return self._nth("vtkMRMLViewNode", n)

    @property
    def threeDViewCount(self) -> int:
        return self._host.scene.GetNumberOfNodesByClass("vtkMRMLViewNode")

    def close(self) -> None:
        """Let go of the scene."""
        for widget in self._slices.values():
            widget.sliceLogic().SetMRMLScene(None)
        self._slices = {}
        self._logic.SetMRMLScene(None)

    def picture(self, name: str, size: tuple[int, int] = (420, 420)) -> np.ndarray:
        """What a slice view shows, uint8 (rows, columns, 3)."""
        view = load_beside("slice_view")
        return view.draw_view(self._host, self.sliceWidget(name).sliceLogic(), size)[0]


class Application:
    """``slicer.app``."""

    applicationName = "Slicer"

    def __init__(self, host: SceneHost, folder: Path) -> None:
        self._host, self._layout = host, LayoutManager(host)
        self.temporaryPath = str(folder / "temporary")
        self.defaultScenePath = str(folder / "documents")
        for path in (self.temporaryPath, self.defaultScenePath):
            Path(path).mkdir(parents=True, exist_ok=True)
        self.started: list[Any] = []
        self.majorVersion, self.minorVersion = 5, 12

    def connect(self, signal: str, slot: Any) -> None:
        assert signal == "startupCompleted()"
        self.started.append(slot)

    def layoutManager(self) -> LayoutManager:
        return self._layout

    def applicationLogic(self) -> Any:
        return self._host.application_logic

    def processEvents(self, flags: Any = QtCore.QEventLoop.AllEvents) -> None:
        QtWidgets.QApplication.processEvents(flags, 20)

    def testingEnabled(self) -> bool:
        return False

    def setOverrideCursor(self, _cursor: Any) -> None:
        """No cursor off-screen."""

    def restoreOverrideCursor(self) -> None:
        """No cursor off-screen."""

    def clipboard(self) -> Any:
        return QtWidgets.QApplication.clipboard()

    @staticmethod
    def environment() -> dict[str, str]:
        """The environment that Slicer was started in."""
        return dict(os.environ)
