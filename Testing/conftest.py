"""What tests of several rooms need to know about the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


@pytest.fixture(scope="session")
def off_screen() -> None:
    """Skip where VTK cannot draw without a display; asked in a child, because VTK ends the process that tries."""
    child = subprocess.run([sys.executable, "-c", _DRAW], capture_output=True, text=True, check=False)
    if "(255.0, 0.0, 0.0)" not in child.stdout:
        pytest.skip("VTK cannot draw here: install libegl1 and libgl1-mesa-dri")
