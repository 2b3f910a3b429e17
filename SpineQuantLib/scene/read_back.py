"""What a reader drew in the scene, read back exactly: a label map in reading order on the case's own grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..anatomy.labels import parse_segment_id
from ..case.errors import InputError
from ..case.grid import Grid, lps_to_ras
from .host import import_slicer

__all__ = ["labels_of"]

_EXACT = 1e-2
"""Share of a voxel by which a label map may be off the case's grid: headers round, resampling does not."""


def labels_of(segmentation_node: Any, grid: Grid) -> np.ndarray:
    """Label map of a segmentation, whatever its axes and extent are after editing.

    Parameters
    ----------
    segmentation_node : vtkMRMLSegmentationNode
        Its segments carry the ids of :mod:`SpineQuantLib.anatomy.labels`.
    grid : Grid
        Grid of the case, in reading order.

    Returns
    -------
    np.ndarray
        uint16 (nk, nj, ni) in reading order; voxels are moved, never interpolated.

    Raises
    ------
    InputError
        If it lies under a transform, was resampled, holds a segment that is not of a case, or segments overlap.
    """
    if segmentation_node.GetParentTransformNode() is not None:
        raise InputError("the segmentation lies under a transform; take it out, so that it lies where it was measured")
    slicer = import_slicer()
    segmentation = segmentation_node.GetSegmentation()
    name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    layers: dict[str, tuple[Any, list[tuple[int, int, str]]]] = {}
    for n in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(n)
        labelmap = segment.GetRepresentation(name)
        if labelmap is None or labelmap.IsEmpty():
            continue
        _, own = layers.setdefault(labelmap.GetAddressAsString(""), (labelmap, []))
        own.append((segment.GetLabelValue(), _value(segmentation.GetNthSegmentID(n)), segment.GetName()))
    out = np.zeros(grid.shape, np.uint16)
    for labelmap, own in layers.values():
        voxels, place = _on_grid(labelmap, grid)
        drawn = _meant(voxels, own)
        overlap = drawn[out[place] > 0] if out.any() else drawn[:0]
        if overlap.any():
            value = int(overlap[overlap > 0][0])
            title = next(title for _, other, title in own if other == value)
            raise InputError(
                f"'{title}' overlaps another segment in {np.count_nonzero(overlap == value)} voxels; a voxel can "
                "belong to one structure only. Draw with 'Modify other segments: Overwrite all'"
            )
        np.maximum(out[place], drawn, out=out[place])
    return out


def _meant(voxels: np.ndarray, own: list[tuple[int, int, str]]) -> np.ndarray:
    """Label values (uint16) of stored voxels, which several segments may share.

    Parameters
    ----------
    voxels : np.ndarray
        What is stored.
    own : list of tuple
        Stored value, label value (0 where it is none of a case), and title of each segment.

    Raises
    ------
    InputError
        If something is drawn in a segment that is none of the case's.
    """
    # One pass through the volume for all segments together.
    values = np.zeros(max(int(voxels.max(initial=0)), *(stored for stored, _, _ in own)) + 1, np.uint16)
    for stored, value, title in own:
        values[stored] = value
        if value == 0 and (voxels == stored).any():
            raise InputError(
                f"the segment '{title}' is none of the case's; move what was drawn in it to the segment of its level, "
                "or remove it"
            )
    return values[voxels]


def _value(segment_id: str) -> int:
    """Label value of a segment by its id; 0 where it is not of a case."""
    try:
        return parse_segment_id(segment_id)
    except ValueError:
        return 0


def _on_grid(labelmap: Any, grid: Grid) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Voxels of a label map in the order of a grid, and the part of the grid that they cover.

    Raises
    ------
    InputError
        If its voxels are not voxels of the grid.
    """
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    extent = labelmap.GetExtent()
    size = [extent[2 * a + 1] - extent[2 * a] + 1 for a in range(3)]
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(size[::-1])
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    to_ras = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    # Indices (i, j, k) of the label map's first and last voxel and along its axes, as indices (k, j, i) of the grid.
    first = np.array(extent[::2], float)
    corners = first + np.vstack((np.zeros(3), np.diag(np.maximum(np.array(size) - 1, 1))))
    ras = corners @ to_ras[:3, :3].T + to_ras[:3, 3]
    index = grid.to_index(lps_to_ras(ras))
    steps = (index[1:] - index[0]) / np.maximum(np.array(size) - 1, 1)[:, None]
    whole = np.rint(steps)
    drift = np.abs(steps - whole) * np.array(size)[:, None]
    permutes = (np.abs(whole).sum(axis=0) == 1).all() and (np.abs(whole).sum(axis=1) == 1).all()
    if not permutes or drift.max() > _EXACT or np.abs(index[0] - np.rint(index[0])).max() > _EXACT:
        raise InputError(
            "the segmentation does not lie on the grid of the volume that was analysed; set its reference geometry "
            "back to that volume"
        )
    # whole[a] says along which axis of the grid, and which way, axis a of the label map runs.
    axes = np.abs(whole).argmax(axis=1)
    order = [2 - int(np.flatnonzero(axes == axis)[0]) for axis in range(3)]
    turned = voxels.transpose(order)
    start = np.rint(index[0]).astype(int)
    place, inside = [], []
    for axis in range(3):
        a = int(np.flatnonzero(axes == axis)[0])
        forward = whole[a, axis] > 0
        if not forward:
            turned = np.flip(turned, axis)
        low = start[axis] if forward else start[axis] - size[a] + 1
        begin, end = max(low, 0), min(low + size[a], grid.shape[axis])
        place.append(slice(begin, max(end, begin)))
        inside.append(slice(begin - low, max(end, begin) - low))
    outside = turned.copy()
    outside[tuple(inside)] = 0
    if outside.any():
        raise InputError("something is drawn outside of the volume that was analysed; erase it there")
    return turned[tuple(inside)], tuple(place)
