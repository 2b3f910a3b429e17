"""``qt`` as PythonQt offers it: Qt properties are read and set as attributes, and may not be called.

Code that calls ``label.text()`` where desktop Slicer has the property ``label.text``, or sets one that does not exist,
fails here as it would fail there.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtUiTools import QUiLoader

__all__ = ["Habits", "habit", "load_ui", "make_ctk", "make_qt"]


@cache
def properties_of(kind: type) -> frozenset[str]:
    """Names of the Qt properties of a class, those declared in Python included."""
    meta = kind.staticMetaObject
    return frozenset(meta.property(n).name() for n in range(meta.propertyCount()))


class Habits:
    """Mixed into a Qt class: its properties become attributes."""

    def __getattribute__(self, name: str) -> Any:
        if name[0] != "_":
            if name == "name":
                return QtCore.QObject.objectName(self)
            if name == "connect":  # PySide puts its own on every object
                return lambda signal, slot: getattr(self, signal.partition("(")[0]).connect(slot)
            if name in properties_of(type(self)):
                return QtCore.QObject.property(self, name)
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name[0] == "_" or _Loader.busy:  # the loader hangs each child onto the form
            super().__setattr__(name, value)
        elif name in properties_of(type(self)):
            if not QtCore.QObject.setProperty(self, name, value):
                raise AttributeError(f"{type(self).__name__}.{name} cannot be set to {value!r}")
        else:
            raise AttributeError(f"{type(self).__name__} has no property {name!r}")

    def className(self) -> str:
        """Qt's name of the class."""
        return type(self).__name__

    def children(self) -> list:
        """All children; a method in PythonQt too."""
        return super().children()


@cache
def habit(kind: type) -> type:
    """The class with PythonQt's habits; what is no QObject has none."""
    if not isinstance(kind, type) or not issubclass(kind, QtCore.QObject) or issubclass(kind, Habits):
        return kind
    return type(kind.__name__, (Habits, kind), {"__module__": __name__})


class _Settings(dict):
    """``qt.QSettings``: one for the whole application, kept in memory."""

    def __call__(self, *_: Any) -> _Settings:
        return self

    def setValue(self, key: str, value: Any) -> None:
        self[key] = value

    def value(self, key: str, default: Any = None) -> Any:
        return self.get(key, default)

    def contains(self, key: str) -> bool:
        return key in self


class _Dialogs:
    """``qt.QFileDialog``: answers what a test laid ready, since nobody is there to choose."""

    def __init__(self) -> None:
        self.answer = ""

    def getSaveFileName(self, *_: Any) -> str:
        return self.answer

    def getOpenFileName(self, *_: Any) -> str:
        return self.answer

    def getExistingDirectory(self, *_: Any) -> str:
        return self.answer


class _Opened(list):
    """``qt.QDesktopServices``: remembers what would have been opened."""

    def openUrl(self, url: QtCore.QUrl) -> bool:
        self.append(url)
        return True


class _Qt(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        for module in (QtCore, QtGui, QtWidgets):
            if hasattr(module, name):
                return habit(getattr(module, name))
        raise AttributeError(f"qt has no {name}")


def make_qt() -> types.ModuleType:
    """A module ``qt``."""
    qt = _Qt("qt")
    qt.QSettings = _Settings()
    qt.QFileDialog = _Dialogs()
    qt.QDesktopServices = _Opened()
    return qt


def make_ctk(widgets: dict[str, type]) -> types.ModuleType:
    """A module ``ctk`` with the stand-ins whose names begin with it."""
    ctk = types.ModuleType("ctk")
    for name, kind in widgets.items():
        if name.startswith("ctk"):
            setattr(ctk, name, habit(kind))
    return ctk


class _Loader(QUiLoader):
    busy = False

    def __init__(self, custom: dict[str, type]) -> None:
        super().__init__()
        self._custom = custom

    def createWidget(self, name: str, parent: Any = None, title: str = "") -> QtWidgets.QWidget:
        kind = self._custom.get(name) or getattr(QtWidgets, name, None)
        if kind is None:
            raise RuntimeError(f"the form uses {name}, for which the host has no stand-in")
        widget = habit(kind)(parent)
        QtCore.QObject.setObjectName(widget, title)
        return widget


def load_ui(path: str, custom: dict[str, type]) -> QtWidgets.QWidget:
    """``slicer.util.loadUI``: the widget of a form, with stand-ins for Slicer's own classes."""
    file = QtCore.QFile(str(path))
    if not file.open(QtCore.QFile.ReadOnly):
        raise RuntimeError(f"Could not load UI file: {path}")
    loader = _Loader(custom)
    _Loader.busy = True
    try:
        widget = loader.load(file)
    finally:
        _Loader.busy = False
    if widget is None:
        raise RuntimeError(f"Could not load UI file: {path}: {loader.errorString()}")
    return widget
