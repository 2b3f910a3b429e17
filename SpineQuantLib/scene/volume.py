"""A volume as an MRML node, on its own grid and with its own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from ..case.grid import Grid, lps_to_ras
from .host import import_slicer

__all__ = ["add_volume", "ijk_to_ras", "vtk_image"]

_WINDOW_PERCENTILES = (1.0, 99.5)


def ijk_to_ras(image: sitk.Image) -> Any:
    """vtkMatrix4x4 from an image's own voxel indices ``(i, j, k)`` to RAS millimetres."""
    import vtk

    lps = Grid.of(image).matrix[:, [2, 1, 0, 3]]
    ras = np.vstack((lps_to_ras(lps[:3].T).T, lps[3]))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(ras.ravel().tolist())
    return matrix


def vtk_image(array: np.ndarray, image: Any) -> Any:
    """Fill a vtkImageData with an array (nk, nj, ni), copied, with unit spacing and origin 0; returns the image."""
    from vtk.util.numpy_support import numpy_to_vtk

    scalars = numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(scalars)
    return image


def _storable(array: np.ndarray) -> np.ndarray:
    """The array in a type that VTK and NRRD have: integers keep theirs where they can, the rest is float32."""
    if array.dtype.kind in "iu" and array.dtype.itemsize <= 4:
        return array
    if array.dtype.kind in "iu" and array.size and array.min() >= -(2**31) and array.max() < 2**31:
        return array.astype(np.int32)
    return array.astype(np.float32)


def add_volume(scene: Any, image: sitk.Image, name: str) -> Any:
    """Add a volume to a scene, with a window that suits MR images.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    image : SimpleITK.Image
        3D image with one component, in its own axis order.
    name : str
        Name of the node.

    Returns
    -------
    vtkMRMLScalarVolumeNode
        Integers of up to 32 bit keep their type, everything else becomes float32.
    """
    slicer = import_slicer()
    import vtk

    array = _storable(sitk.GetArrayViewFromImage(image))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(ijk_to_ras(image))
    node.SetAndObserveImageData(vtk_image(array, vtk.vtkImageData()))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    low, high = np.percentile(array, _WINDOW_PERCENTILES)
    display.SetWindowLevelMinMax(float(low), float(high if high > low else low + 1))
    node.AddDefaultStorageNode()
    slicer.vtkMRMLVolumeArchetypeStorageNode.SafeDownCast(node.GetStorageNode()).SetUseCompression(1)
    return node
