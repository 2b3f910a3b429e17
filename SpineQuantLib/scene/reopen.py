"""Brings a case folder back into a scene that already holds the volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from ..case.errors import InputError
from ..case.measurement import Measurement
from ..case.opinion import Score
from .build import SceneNodes, add_markups, add_tables, connect
from .hierarchy import case_item, place, subject_hierarchy
from .host import import_slicer, vtk_messages

__all__ = ["add_case_folder"]

_FILL_OPACITY = 0.35


def add_case_folder(
    scene: Any, folder: Path, volume_node: Any, measurements: Sequence[Measurement], scores: Sequence[Score]
) -> SceneNodes:
    """Add segmentation, tables and markups of a case, arranged as :func:`~SpineQuantLib.scene.build.add_case` does.

    Every node is new, and none refers to a file of the folder, which may be removed afterwards.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    folder : Path
        Case folder; ``segmentation.seg.nrrd`` is read from it.
    volume_node : vtkMRMLScalarVolumeNode
        The volume that was analysed.
    measurements : sequence of Measurement
        From ``measurements.json``.
    scores : sequence of Score
        From ``case.json``.

    Returns
    -------
    SceneNodes
        Ids of the nodes.

    Raises
    ------
    InputError
        If the segmentation cannot be read; nothing is added then.
    """
    segmentation = _add_segmentation(scene, folder / "segmentation.seg.nrrd", volume_node)
    hierarchy = subject_hierarchy(scene)
    study = case_item(hierarchy, {}, volume_node, volume_node.GetName())
    place(hierarchy, volume_node, study)
    place(hierarchy, segmentation, study)
    tables = add_tables(scene, hierarchy, measurements, scores, study)
    markups = add_markups(scene, hierarchy, measurements, study)
    nodes = SceneNodes(volume_node.GetID(), segmentation.GetID(), tables, markups, study)
    connect(scene, nodes)
    return nodes


def _check_readable(path: Path) -> None:
    """A damaged file ends Slicer's own reader, and Slicer with it; ITK's says what is wrong."""
    try:
        sitk.ReadImage(str(path), imageIO="NrrdImageIO")
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path} cannot be read ({reason}); analyse the case again") from error


def _add_segmentation(scene: Any, path: Path, volume_node: Any) -> Any:
    slicer = import_slicer()
    _check_readable(path)
    name = scene.GenerateUniqueName(f"{volume_node.GetName()} spine")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    with vtk_messages() as messages:
        loaded = storage.ReadData(node)
    if not loaded or node.GetSegmentation().GetNumberOfSegments() == 0:
        scene.RemoveNode(node)
        reason = "; ".join(messages) or "it holds no segments"
        raise InputError(f"{path} cannot be read ({reason}); analyse the case again")
    node.SetName(name)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity2DFill(_FILL_OPACITY)
    node.AddDefaultStorageNode()
    return node
