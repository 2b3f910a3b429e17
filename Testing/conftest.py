"""What tests of several rooms need to know about the machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# One of several processes inherits the width of their parent's terminal; tests set their own or have none.
os.environ.pop("COLUMNS", None)

_DRAW = """
import vtk
window, renderer, grab = vtk.vtkRenderWindow(), vtk.vtkRenderer(), vtk.vtkWindowToImageFilter()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
window.Render()
grab.SetInput(window)
grab.Update()
print(grab.GetOutput().GetPointData().GetScalars().GetTuple(0))
"""


_SHARING = {"module", "pipeline", "report", "review", "scene", "segment", "studies"}
"""Rooms whose files share what was made once, as an analysed case; they stay in one process."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Share the tests out among processes, where there are several: by room where its files share, else by file."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        room = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(room if room in _SHARING else item.path.name))


@pytest.fixture(scope="session")
def off_screen() -> None:
    """Skip where VTK cannot draw without a display; asked in a child, because VTK ends the process that tries."""
    child = subprocess.run([sys.executable, "-c", _DRAW], capture_output=True, text=True, check=False)
    if "(255.0, 0.0, 0.0)" not in child.stdout:
        pytest.skip("VTK cannot draw here: install libegl1 and libgl1-mesa-dri")
