"""Nodes of a case that follow a correction: they stay the same nodes, with other values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import SimpleITK as sitk

from ..case.result import CaseResult
from ..case.spine import NamedSpine
from .build import SceneNodes, Tables, connect
from .hierarchy import place, subject_hierarchy
from .host import import_slicer
from .markups import add_markup, fill_markup, fits_markup, shown_together
from .segmentation import ATTRIBUTE_PREFIX, TAGGED, add_segments, labels_on, segment_of
from .tables import fill_table

__all__ = ["ensure_segment", "show_result", "show_segmentation"]


def show_result(scene: Any, nodes: SceneNodes, result: CaseResult) -> SceneNodes:
    """Let tables, plots and markups show a corrected case.

    Nodes keep their ids, and points that lie where they should are not touched, so that this may be called while a
    reader drags. A markup whose measurement has no value any more is removed, and one that is new is added. What a
    reader has deleted from the scene stays deleted, except for markups.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    nodes : SceneNodes
        Nodes of the case.
    result : CaseResult
        The case as it is now.

    Returns
    -------
    SceneNodes
        The nodes of the case after that.
    """
    for key, (_, columns) in Tables.of(result).columns.items():
        node = scene.GetNodeByID(nodes.tables.get(key, ""))
        if node is not None:
            fill_table(node, columns)
    nodes = replace(nodes, markups=_markups(scene, nodes, result))
    connect(scene, nodes)
    return nodes


def _markups(scene: Any, nodes: SceneNodes, result: CaseResult) -> dict[str, str]:
    """Markups of the measurements as they are now: node id by key."""
    hierarchy = subject_hierarchy(scene)
    out: dict[str, str] = {}
    folders = _folders(scene, hierarchy, nodes, result)
    for group in shown_together(result.measurements):
        node = scene.GetNodeByID(nodes.markups.get(group[0].key, ""))
        if node is not None and (not fits_markup(node, group) or node.GetID() in out.values()):
            node = None
        if node is None:
            node = add_markup(scene, group)
            place(hierarchy, node, folders.get(group[0].structure.value, nodes.study))
        else:
            fill_markup(node, group)
        out |= {m.key: node.GetID() for m in group}
    for node_id in {*nodes.markups.values()} - {*out.values()}:
        node = scene.GetNodeByID(node_id)
        if node is not None:
            scene.RemoveNode(node)
    return out


def _folders(scene: Any, hierarchy: Any, nodes: SceneNodes, result: CaseResult) -> dict[str, int]:
    """Items in the subject hierarchy under which markups of each structure lie so far."""
    structures = {m.key: m.structure.value for m in result.measurements}
    out = {}
    for key, node_id in nodes.markups.items():
        node = scene.GetNodeByID(node_id)
        item = hierarchy.GetItemByDataNode(node) if node is not None else hierarchy.GetInvalidItemID()
        if key in structures and item != hierarchy.GetInvalidItemID():
            out.setdefault(structures[key], hierarchy.GetItemParent(item))
    return out


def show_segmentation(scene: Any, nodes: SceneNodes, result: CaseResult, native: sitk.Image) -> None:
    """Let the segmentation show the labels of a case as they are now, after undo, redo or renamed levels.

    Segments of objects that there are no more are removed; the node and its display stay.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    nodes : SceneNodes
        Nodes of the case.
    result : CaseResult
        The case as it is now.
    native : sitk.Image
        The volume on its own grid.
    """
    node = scene.GetNodeByID(nodes.segmentation)
    if node is None:
        return
    provenance = {key: value for key in TAGGED if (value := node.GetAttribute(ATTRIBUTE_PREFIX + key))}
    modified = node.StartModify()
    node.GetSegmentation().RemoveAllSegments()
    add_segments(node, result.spine, labels_on(result.spine, native), provenance)
    node.EndModify(modified)


def ensure_segment(scene: Any, nodes: SceneNodes, spine: NamedSpine, value: int) -> str:
    """Id of the segment of an object, added empty where the case has none, for a reader to draw what was missed.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    nodes : SceneNodes
        Nodes of the case.
    spine : NamedSpine
        Says what the value is called in this case.
    value : int
        Label value, for example of :func:`~SpineQuantLib.anatomy.labels.foramen_value`.
    """
    slicer = import_slicer()
    segmentation = scene.GetNodeByID(nodes.segmentation).GetSegmentation()
    label = spine.label(value)
    if segmentation.GetSegment(label.segment_id) is None:
        segment = segment_of(label, {})
        name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
        segment.AddRepresentation(name, slicer.vtkOrientedImageData())
        segmentation.AddSegment(segment, label.segment_id)
    return label.segment_id
