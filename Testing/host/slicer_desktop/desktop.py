"""The desktop: put in place for a test, and taken away after it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Desktop", "missing"]

_ASK = "from PySide6 import QtWidgets, QtUiTools; QtWidgets.QApplication([]); print('ready')"


def missing() -> str:
    """Why the desktop cannot stand here, asked in a child because Qt ends the process that tries; empty if it can."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    child = subprocess.run(
        [sys.executable, "-c", _ASK], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    if "ready" in child.stdout:
        return ""
    last = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
    return (
        f"Qt cannot run here ({last}); install PySide6-Essentials, libegl1, libxkbcommon0, libdbus-1-3, libfontconfig1"
    )


class Desktop:
    """Slicer with an empty scene and one scripted module.

    Parameters
    ----------
    folder : Path
        For temporary files and documents.
    module : Path
        ``SpineQuant/SpineQuant.py``.

    Attributes
    ----------
    messages : list of (str, str)
        Kind and text of each message box that would have been shown.
    answers : list of bool
        What the user says to the next questions; with none left the answer is no.
    """

    def __init__(self, folder: Path, module: Path) -> None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from PySide6 import QtWidgets

        from SpineQuantLib.scene.host import import_slicer, new_host

        from .application import Application
        from .habits import make_ctk, make_qt
        from .widgets import WIDGETS

        self.qapplication = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
        self.qapplication.setStyle("Fusion")
        self.messages: list[tuple[str, str]] = []
        self.answers: list[bool] = []
        self.installed: list[list[str]] = []
        self.slicer = import_slicer()
        self.host = new_host()
        self.app = Application(self.host, folder)
        self.qt, self.ctk = make_qt(), make_ctk(WIDGETS)
        self._path, self._undo, self._widgets = module, [], []
        self._install(WIDGETS)
        sys.path.insert(0, str(module.parent))
        self._undo.append(lambda: sys.path.remove(str(module.parent)))
        self.module = importlib.import_module(module.stem)

    # What stands in place of what, and goes again.

    def _set(self, owner: Any, name: str, value: Any) -> None:
        if hasattr(owner, name):
            old = getattr(owner, name)
            self._undo.append(lambda: setattr(owner, name, old))
        else:
            self._undo.append(lambda: delattr(owner, name))
        setattr(owner, name, value)

    def _module(self, name: str, module: types.ModuleType) -> None:
        before = sys.modules.get(name)
        self._undo.append(lambda: sys.modules.pop(name) if before is None else sys.modules.update({name: before}))
        sys.modules[name] = module

    def _install(self, widgets: dict[str, type]) -> None:
        from .habits import habit, load_ui
        from .modules import make_i18n, make_scripted
        from .parameters import make_module

        slicer, util = self.slicer, sys.modules["slicer.util"]
        self._set(slicer, "mrmlScene", self.host.scene)
        self._set(slicer, "app", self.app)
        logics = {name.lower(): logic for name, logic in self._logics().items()}
        namespace = {k: types.SimpleNamespace(logic=lambda v=v: v) for k, v in logics.items()}
        self._set(slicer, "modules", types.SimpleNamespace(**namespace))
        self._set(slicer, "util", util)
        for name, kind in widgets.items():
            if name.startswith("qMRML"):
                self._set(slicer, name, habit(kind))
        self._module("qt", self.qt)
        self._module("ctk", self.ctk)
        for name, module in (
            ("i18n", make_i18n()),
            ("parameterNodeWrapper", make_module()),
            ("ScriptedLoadableModule", make_scripted()),
        ):
            self._module(f"slicer.{name}", module)
            self._set(slicer, name, module)
        self._set(util, "loadUI", lambda path: load_ui(path, widgets))
        self._set(util, "startupEnvironment", lambda: dict(os.environ))
        self._set(util, "exportNode", self._export)
        self._set(util, "mainWindow", lambda: None)
        self._set(util, "pip_install", lambda what: self.installed.append(str(what).split()))
        for kind in ("info", "warning", "error"):
            self._set(util, f"{kind}Display", lambda text, *_, kind=kind, **__: self.messages.append((kind, str(text))))
        for name in ("confirmOkCancelDisplay", "confirmYesNoDisplay", "confirmRetryCloseDisplay"):
            self._set(util, name, self._confirm)

    def _logics(self) -> dict[str, Any]:
        names = {n.removeprefix("vtkSlicer").removesuffix("Logic").removesuffix("Module"): n for n in self.host.logics}
        return {short: self.host.logics[n] for short, n in names.items() if not short.startswith("vtk")}

    def _confirm(self, text: str, *_: Any, **__: Any) -> bool:
        self.messages.append(("question", str(text)))
        return self.answers.pop(0) if self.answers else False

    def _export(self, node: Any, path: str, _properties: Any = None, world: bool = False) -> bool:
        """Write a volume; with its transform where it has one."""
        slicer = self.slicer
        copy = self.host.scene.AddNewNodeByClass(node.GetClassName(), "exported")
        copy.Copy(node) if not node.GetImageData() else copy.CopyContent(node, False)
        try:
            if world and node.GetParentTransformNode():
                import vtk

                copy.SetAndObserveImageData(node.GetImageData())
                matrix, world_matrix = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
                node.GetIJKToRASMatrix(matrix)
                node.GetParentTransformNode().GetMatrixTransformToWorld(world_matrix)
                vtk.vtkMatrix4x4.Multiply4x4(world_matrix, matrix, matrix)
                copy.SetIJKToRASMatrix(matrix)
            storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
            storage.SetFileName(str(path))
            return bool(storage.WriteData(copy))
        finally:
            self.host.scene.RemoveNode(copy)

    # What a person does.

    def open_module(self) -> Any:
        """The module's panel, set up and entered."""
        from .modules import Parent

        name = self._path.stem
        getattr(self.module, name)(Parent(name, self._path))
        for slot in self.app.started:
            slot()
        widget = getattr(self.module, f"{name}Widget")()
        self._widgets.append(widget)
        widget.setup()
        widget.parent._entered = True
        widget.enter()
        widget.parent.resize(460, 900)
        widget.parent.show()
        self.app.processEvents()
        return widget

    def wait(self, until: Callable[[], Any], seconds: float = 30.0) -> None:
        """Let the event loop run until something is so."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"not within {seconds} s"
            self.app.processEvents()
            time.sleep(0.005)

    def close_scene(self) -> None:
        """File › Close scene."""
        self.host.scene.Clear(0)
        self.app.processEvents()

    def grab(self, widget: Any, path: Path) -> Path:
        """Picture of a panel."""
        self._fit(widget.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        widget.parent.grab().save(str(path))
        return path

    def picture(self, widget: Any, path: Path, views: tuple[str, ...] = ("Yellow", "Red", "Green")) -> Path:
        """Picture of the panel beside its slice views, the first of them large."""
        from PySide6.QtGui import QImage, QPainter, QPixmap

        self._fit(widget.parent)
        left = widget.parent.grab()
        height = max(left.height(), 620)
        large, beside = (620, height), (308, (height - 4) // 2)
        canvas = QPixmap(left.width() + large[0] + beside[0] + 8, height)
        canvas.fill("black")
        painter = QPainter(canvas)
        painter.drawPixmap(0, 0, left)
        places = [(0, 0, large), (large[0] + 4, 0, beside), (large[0] + 4, beside[1] + 4, beside)]
        for name, (x, y, size) in zip(views, places, strict=False):
            pixels = self.app.layoutManager().picture(name, size)
            image = QImage(pixels.tobytes(), *size, 3 * size[0], QImage.Format_RGB888)
            painter.drawImage(left.width() + 4 + x, y, image)
        painter.end()
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.save(str(path))
        return path

    def _fit(self, panel: Any) -> None:
        """Make a panel as high as it wants to be; Slicer would let it scroll."""
        for _ in range(3):
            self.app.processEvents()
            wanted = panel.layout()
            panel.resize(460, max(wanted.minimumSize().height(), wanted.sizeHint().height()))

    def close(self) -> None:
        """Leave everything as it was."""
        for widget in self._widgets:
            widget.cleanup()
            widget.parent.close()
            widget.parent.deleteLater()
        self.app.processEvents()
        self.app.layoutManager().close()
        for name in [n for n in sys.modules if n.partition(".")[0] in {self._path.stem, f"{self._path.stem}Panel"}]:
            del sys.modules[name]
        self.host.close()
        for undo in reversed(self._undo):
            undo()
        self._undo = []
