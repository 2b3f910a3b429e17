"""Slice views of a scene without the desktop: what Slicer's displayable managers draw, as an array of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from SpineQuantLib.scene.host import SceneHost, import_slicer, vtk_messages

_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager")


def _renderer(logic: Any, size: tuple[int, int]) -> tuple[Any, Any]:
    import vtk

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(*size)
    renderer = vtk.vtkRenderer()
    renderer.GetActiveCamera().ParallelProjectionOn()
    window.AddRenderer(renderer)
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    mapper = vtk.vtkImageMapper()
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    mapper.SetInputConnection(logic.GetImageDataConnection())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    renderer.AddViewProp(actor)
    return window, renderer


def draw_slice(
    host: SceneHost, volume_id: str, orientation: str, ras: np.ndarray, size: tuple[int, int] = (600, 600)
) -> tuple[np.ndarray, np.ndarray]:
    """Picture of the slice through a point, with segmentations and markups.

    Returns
    -------
    picture : np.ndarray
        uint8 (rows, columns, 3), row 0 at the top.
    ras_to_pixel : np.ndarray
        (4, 4) from homogeneous RAS millimetres to (column, row, depth, 1).
    """
    slicer = import_slicer()
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(host.application_logic)
    logic.SetMRMLScene(host.scene)
    host.application_logic.GetSliceLogics().AddItem(logic)
    # A view of a name that is taken would share the other's slice.
    node = logic.AddSliceNode(f"Picture{host.scene.GetNumberOfNodes()}")
    node.SetDimensions(*size, 1)
    node.SetOrientation(orientation)
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume_id)
    logic.FitSliceToBackground()
    node.JumpSliceByOffsetting(*ras)
    drawn = draw_view(host, logic, size)
    logic.SetMRMLScene(None)
    return drawn


def draw_view(host: SceneHost, logic: Any, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Picture of a slice view as it stands; returns what :func:`draw_slice` returns."""
    slicer = import_slicer()
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    node = logic.GetSliceNode()
    logic.ResizeSliceNode(*size)
    logic.UpdatePipeline()
    # A machine without a display makes VTK warn before it falls back on EGL or OSMesa.
    with vtk_messages():
        window, renderer = _renderer(logic, size)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(host.application_logic)
        for manager in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        group = slicer.vtkMRMLDisplayableManagerGroup()
        group.Initialize(factory, renderer)
        group.SetMRMLDisplayableNode(node)
        window.Render()
        window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.Update()
    pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(size[1], size[0], -1)[::-1, :, :3]
    group.SetMRMLDisplayableNode(None)
    xy = np.array([[node.GetXYToRAS().GetElement(r, c) for c in range(4)] for r in range(4)])
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    flip[1, 3] = size[1] - 1
    return pixels.copy(), flip @ np.linalg.inv(xy)
