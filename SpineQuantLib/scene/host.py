"""A place for MRML scenes to live in: Slicer's own where Slicer runs, and one built from ``slicer-core`` elsewhere."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ..case.errors import EngineError

__all__ = ["SceneHost", "current_host", "import_slicer", "new_host", "vtk_messages"]

_MODULE_LOGICS = (
    "vtkSlicerTerminologiesModuleLogic",
    "vtkSlicerSegmentationsModuleLogic",
    "vtkSlicerSubjectHierarchyModuleLogic",
    "vtkSlicerVolumesLogic",
    "vtkSlicerMarkupsLogic",
    "vtkSlicerTablesLogic",
    "vtkSlicerPlotsLogic",
)


def import_slicer() -> ModuleType:
    """The ``slicer`` module, of Slicer itself or of the package ``slicer-core``.

    Raises
    ------
    EngineError
        If there is neither.
    """
    try:
        import slicer
    except ImportError as error:
        raise EngineError(
            "MRML scenes need the package slicer-core, which cannot be imported "
            f"({error}). Install it with: pip install 'spinequant[mrml]' (Python 3.10 to 3.13)"
        ) from error
    if not hasattr(slicer, "vtkMRMLScene"):
        raise EngineError(
            "the installed package 'slicer' is not 3D Slicer's. Remove it and run: pip install 'spinequant[mrml]'"
        )
    return slicer


@dataclass
class SceneHost:
    """A scene with the logics that it needs; they live as long as this object does.

    Attributes
    ----------
    scene : vtkMRMLScene
        The scene.
    application_logic : vtkSlicerApplicationLogic
        Logic through which the module logics find each other.
    logics : dict of str to vtkMRMLAbstractLogic
        Module logics by class name; empty in Slicer itself, which keeps its own in ``slicer.modules``.
    """

    scene: Any
    application_logic: Any
    logics: dict[str, Any] = field(default_factory=dict)
    _resources: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> SceneHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Empty the scene and let everything go, where it was made by :func:`new_host`; Slicer's own is left alone."""
        self._resources.close()


def current_host() -> SceneHost:
    """Slicer's own scene where Slicer runs, and otherwise a new one.

    Raises
    ------
    EngineError
        If neither Slicer nor ``slicer-core`` is there.
    """
    slicer = import_slicer()
    if hasattr(slicer, "app") and getattr(slicer, "mrmlScene", None) is not None:
        return SceneHost(slicer.mrmlScene, slicer.app.applicationLogic())
    return new_host()


def new_host() -> SceneHost:
    """A new, empty scene that can hold, write and read volumes, segmentations, tables, markups and plots.

    Close it, or use it as a context manager, to free its memory and its temporary folder.

    Raises
    ------
    EngineError
        If neither Slicer nor ``slicer-core`` is there.
    """
    slicer = import_slicer()
    import vtk

    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    colours = application.GetColorLogic()
    colours.SetMRMLScene(scene)
    colours.AddDefaultColorNodes()
    application.SetModuleLogic("Colors", colours)

    logics = {}
    for name in _MODULE_LOGICS:
        logic = _logic_class(slicer, name)()
        logic.SetMRMLApplicationLogic(application)
        # The terminologies' logic complains that Slicer's stock contexts, which slicer-core does not have, are missing.
        with vtk_messages():
            logic.SetMRMLScene(scene)
        application.SetModuleLogic(name.removeprefix("vtkSlicer").removesuffix("Logic").removesuffix("Module"), logic)
        logics[name] = logic

    host = SceneHost(scene, application, logics)
    cache = host._resources.enter_context(tempfile.TemporaryDirectory(prefix="spinequant-scene-"))
    logics |= _file_logics(slicer, scene, application, cache)
    # Runs before the folder goes: displayable nodes must leave while the logics that observe them still live.
    host._resources.callback(scene.Clear, 1)
    return host


def _logic_class(slicer: ModuleType, name: str) -> type:
    """Class of a module's logic.

    Slicer's desktop puts these classes into its namespace while it starts its modules. Its ``PythonSlicer``, where the
    engine runs, starts none and has each of them in a package of its own.
    """
    if hasattr(slicer, name):
        return getattr(slicer, name)
    module = name.removeprefix("vtkSlicer").removesuffix("Logic").removesuffix("Module")
    package = f"vtkSlicer{module}ModuleLogicPython"
    try:
        return getattr(importlib.import_module(package), name)
    except (ImportError, AttributeError) as error:
        raise EngineError(
            f"this Slicer offers no {name} ({error}); use Slicer 5.10 or later, or another Python"
        ) from error


def _file_logics(slicer: ModuleType, scene: Any, application: Any, cache: str) -> dict[str, Any]:
    """Logics without which a scene can neither write nor read a bundle."""
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.SetMRMLApplicationLogic(application)
    remote.GetCacheManager().SetRemoteCacheDirectory(cache)
    data = slicer.vtkDataIOManagerLogic()
    data.SetMRMLScene(scene)
    data.SetMRMLApplicationLogic(application)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return {"vtkMRMLRemoteIOLogic": remote, "vtkDataIOManagerLogic": data}


@contextmanager
def vtk_messages() -> Iterator[list[str]]:
    """Collect what VTK would print to the error stream, one string per message; complete when the block ends."""
    import vtk

    before, loud = vtk.vtkOutputWindow.GetInstance(), vtk.vtkLogger.GetCurrentVerbosityCutoff()
    window = vtk.vtkStringOutputWindow()
    vtk.vtkOutputWindow.SetInstance(window)
    # The logger prints every message a second time, whatever the output window does with it.
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    messages: list[str] = []
    try:
        yield messages
    finally:
        vtk.vtkLogger.SetStderrVerbosity(loud)
        vtk.vtkOutputWindow.SetInstance(before)
        messages.extend(block.strip() for block in window.GetOutput().split("\n\n") if block.strip())
