"""Base classes of scripted modules, as ``slicer.ScriptedLoadableModule`` has them."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from .habits import habit

__all__ = ["Parent", "make_i18n", "make_scripted"]


class Parent:
    """What Slicer hands to a module: attributes to fill in."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, str(path)


class ScriptedLoadableModule:
    """Description of a module."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    """Panel of a module."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent or _Panel()
        self.layout = self.parent.layout()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False

    def setup(self) -> None:
        """Nothing to build but what the module adds."""

    def resourcePath(self, name: str) -> str:
        """Path of a file of the module."""
        import sys

        return str(Path(sys.modules[type(self).__module__].__file__).parent / "Resources" / name)

    def onReload(self) -> None:
        """The developer's Reload button; tests make a new panel instead."""


class _Panel(habit(QWidget)):
    """``qSlicerScriptedLoadableModuleWidget``: the page on which a panel stands."""

    def __init__(self) -> None:
        super().__init__()
        QVBoxLayout(self)
        self._entered = False

    def __getattribute__(self, name: str) -> Any:
        # A property of Slicer's class, which Qt's own QWidget lacks.
        if name == "isEntered":
            return self._entered
        return super().__getattribute__(name)


class ScriptedLoadableModuleLogic:
    """Logic of a module."""

    def __init__(self, _parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        """The scene's one node of the module's parameters."""
        import slicer

        for n in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode")):
            node = slicer.mrmlScene.GetNthNodeByClass(n, "vtkMRMLScriptedModuleNode")
            if node.GetAttribute("ModuleName") == self.moduleName:
                return node
        node = slicer.vtkMRMLScriptedModuleNode()
        node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        return slicer.mrmlScene.AddNode(node)


class ScriptedLoadableModuleTest:
    """Self-tests of a module; as in Slicer, which of them are run is for the module to say."""

    def setUp(self) -> None:
        """Nothing."""

    def delayDisplay(self, message: str, *_: Any) -> None:
        """Nobody is there to read it."""

    def runTest(self) -> None:
        """Slicer's own runs nothing, and says so in its log."""
        raise AssertionError(f"no test is defined in {type(self).__name__}")


def make_scripted() -> types.ModuleType:
    """A module ``slicer.ScriptedLoadableModule``."""
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    for kind in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(module, kind.__name__, kind)
    from slicer.util import VTKObservationMixin

    module.VTKObservationMixin = VTKObservationMixin
    return module


def make_i18n() -> types.ModuleType:
    """A module ``slicer.i18n`` that leaves every text as it is."""
    module = types.ModuleType("slicer.i18n")
    module.tr = lambda text: text
    module.translate = lambda _context, text: text
    return module
