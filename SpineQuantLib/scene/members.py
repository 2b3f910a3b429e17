"""Each network's own contour of one object, to see where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from ..anatomy.structures import CLASSES_OF, Structure
from ..case.grid import from_reading_order, lps_to_ras
from ..case.result import CaseResult
from .host import import_slicer
from .volume import ijk_to_ras, vtk_image

__all__ = ["remove_members", "show_members"]

# Okabe and Ito's colours without those of the structures' fills; lines of several colours stay apart on grey.
_COLOURS = ((0.94, 0.89, 0.26), (0.90, 0.62, 0.0), (0.34, 0.71, 0.91), (0.80, 0.47, 0.65), (1.0, 1.0, 1.0))
_MARGIN_MM = 6.0
_LINE = 2


def _box(result: CaseResult, value: int | None, level: str) -> tuple[slice, ...] | None:
    """Part of the volume around an object; of the sac the part at a level. None where it is not in the case."""
    labels, spacing = result.spine.labels, result.spine.grid.spacing
    found = np.argwhere(labels == value) if value is not None else np.empty((0, 3), int)
    if not len(found):
        return None
    low, high = found.min(axis=0), found.max(axis=0) + 1
    points = [p for m in result.measurements if m.level == level and m.geometry for p in m.geometry.points]
    if level and (high - low)[1] * spacing[1] > 80.0 and points:
        rows = result.spine.grid.to_index(lps_to_ras(np.array(points)))[:, 1]
        low[1], high[1] = int(rows.min()), int(rows.max()) + 1
    margin = np.ceil(_MARGIN_MM / np.array(spacing)).astype(int)
    low, high = np.maximum(low - margin, 0), np.minimum(high + margin, labels.shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def show_members(
    scene: Any, result: CaseResult, native: sitk.Image, structure: Structure, value: int | None, level: str
) -> str:
    """Add a segmentation with one outline for each member of the committee.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    result : CaseResult
        The case.
    native : sitk.Image
        The volume on its own grid.
    structure, value, level
        The object: its structure, its label value, and its level, to which the long sac is cut.

    Returns
    -------
    str
        Id of the node; empty where the object is not in the case or no member saw it.
    """
    box = _box(result, value, level) if structure in CLASSES_OF else None
    if box is None:
        return ""
    masks = [np.isin(member[box], CLASSES_OF[structure]) for member in result.members]
    if not any(mask.any() for mask in masks):
        return ""
    slicer = import_slicer()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Networks' contours")
    node.SetSourceRepresentationToBinaryLabelmap()
    node.SetSaveWithScene(False)
    representation = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    for n, mask in enumerate(masks):
        whole = np.zeros(result.spine.grid.shape, np.uint8)
        whole[box] = mask
        image = from_reading_order(result.spine.grid.image(whole), native)
        labelmap = vtk_image(sitk.GetArrayViewFromImage(image), slicer.vtkOrientedImageData())
        labelmap.SetGeometryFromImageToWorldMatrix(ijk_to_ras(image))
        segment = slicer.vtkSegment()
        segment.SetName(f"Network {n + 1}")
        segment.SetColor(*_COLOURS[n % len(_COLOURS)])
        segment.AddRepresentation(representation, labelmap)
        node.GetSegmentation().AddSegment(segment, f"member_{n + 1}")
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(False)
    display.SetVisibility3D(False)
    display.SetSliceIntersectionThickness(_LINE)
    return node.GetID()


def remove_members(scene: Any, node_id: str) -> None:
    """Take such a segmentation away again, where it is still there."""
    node = scene.GetNodeByID(node_id) if node_id else None
    if node is not None:
        scene.RemoveNode(node)
