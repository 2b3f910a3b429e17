"""Classes of Slicer's modules where no desktop has put them into the namespace ``slicer``."""

from __future__ import annotations

import sys
import types

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.scene import host


def test_logics_are_found_in_the_packages_of_their_modules(monkeypatch):
    """``PythonSlicer`` starts no modules: their classes lie in packages named after module and kind."""
    slicer = types.ModuleType("slicer")
    for module, name in (("Markups", "vtkSlicerMarkupsLogic"), ("Terminologies", "vtkSlicerTerminologiesModuleLogic")):
        package = types.ModuleType(f"vtkSlicer{module}ModuleLogicPython")
        setattr(package, name, type(name, (), {}))
        monkeypatch.setitem(sys.modules, package.__name__, package)
        assert host._logic_class(slicer, name) is getattr(package, name)


def test_a_slicer_without_them_says_so():
    with pytest.raises(EngineError, match="offers no vtkSlicerPlotsLogic"):
        host._logic_class(types.ModuleType("slicer"), "vtkSlicerPlotsLogic")
