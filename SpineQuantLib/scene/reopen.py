"""Brings a case folder back into a scene that already holds the volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from ..anatomy.reference import References
from ..case.canal_profile import read_canal_profile
from ..case.errors import InputError
from ..case.measurement import Measurement
from ..case.opinion import Score
from .build import (
    PLOT_ATTRIBUTE,
    SEGMENTATION_ROLE,
    TABLE_ATTRIBUTE,
    VOLUME_ROLE,
    SceneNodes,
    Tables,
    add_parts,
)
from .hierarchy import case_item, place, subject_hierarchy
from .host import import_slicer, vtk_messages
from .markups import measurement_keys
from .segmentation import ATTRIBUTE_PREFIX, TAGGED

__all__ = ["add_case_folder", "case_folder_of", "find_cases", "is_unaccepted", "mark_case", "stamp_of", "vertebrae_of"]

_PROFILE = "canal_profile.csv"
_FOLDER = f"{ATTRIBUTE_PREFIX}CaseFolder"
_STAMP = f"{ATTRIBUTE_PREFIX}CaseStamp"
_VERTEBRAE = f"{ATTRIBUTE_PREFIX}Vertebrae"
_UNACCEPTED = f"{ATTRIBUTE_PREFIX}Unaccepted"

_FILL_OPACITY = 0.35


def add_case_folder(
    scene: Any,
    folder: Path,
    volume_node: Any,
    measurements: Sequence[Measurement],
    scores: Sequence[Score],
    references: References | None = None,
) -> SceneNodes:
    """Add segmentation, tables, plots and markups of a case, as :func:`~SpineQuantLib.scene.build.add_case` does.

    Every node is new, and none refers to a file of the folder, which may be removed afterwards.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    folder : Path
        Case folder; ``segmentation.seg.nrrd`` and, where there is one, ``canal_profile.csv`` are read from it.
    volume_node : vtkMRMLScalarVolumeNode
        The volume that was analysed.
    measurements : sequence of Measurement
        From ``measurements.json``.
    scores : sequence of Score
        From ``case.json``.
    references : References, optional
        Ranges, for the plot of disc heights.

    Returns
    -------
    SceneNodes
        Ids of the nodes.

    Raises
    ------
    InputError
        If the segmentation cannot be read; nothing is added then.
    """
    profile = read_canal_profile(folder / _PROFILE) if (folder / _PROFILE).is_file() else None
    segmentation = _add_segmentation(scene, folder / "segmentation.seg.nrrd", volume_node)
    hierarchy = subject_hierarchy(scene)
    study = case_item(hierarchy, {}, volume_node, volume_node.GetName())
    place(hierarchy, volume_node, study)
    place(hierarchy, segmentation, study)
    return add_parts(scene, Tables(measurements, scores, profile, references), volume_node, segmentation, study)


def find_cases(scene: Any) -> list[SceneNodes]:
    """The cases that a scene holds, oldest first; a stored scene that was opened again is taken up with this.

    A case is a segmentation of SpineQuant with the tables, plots and markups that refer to it. What a reader removed
    is missing.
    """
    out = []
    hierarchy = subject_hierarchy(scene)
    for segmentation in _nodes(scene, "vtkMRMLSegmentationNode"):
        if not segmentation.GetAttribute(f"{ATTRIBUTE_PREFIX}Software"):
            continue
        own = segmentation.GetID()
        tables, markups, plots = {}, {}, {}
        volume = ""
        for kind in ("vtkMRMLTableNode", "vtkMRMLMarkupsNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode"):
            for node in _nodes(scene, kind):
                if node.GetNodeReferenceID(SEGMENTATION_ROLE) != own:
                    continue
                volume = volume or node.GetNodeReferenceID(VOLUME_ROLE) or ""
                if table := node.GetAttribute(TABLE_ATTRIBUTE):
                    tables[table] = node.GetID()
                if plot := node.GetAttribute(PLOT_ATTRIBUTE):
                    plots[plot] = (*plots.get(plot, ()), node.GetID())
                markups |= dict.fromkeys(measurement_keys(node), node.GetID())
        item = hierarchy.GetItemByDataNode(segmentation)
        study = hierarchy.GetItemParent(item) if item != hierarchy.GetInvalidItemID() else item
        out.append(SceneNodes(volume, own, tables, markups, study, plots))
    return out


def _nodes(scene: Any, kind: str) -> list[Any]:
    found = scene.GetNodesByClass(kind)
    # The collection is handed over with one reference too many.
    found.UnRegister(None)
    return [found.GetItemAsObject(n) for n in range(found.GetNumberOfItems())]


def mark_case(
    scene: Any, nodes: SceneNodes, folder: Path, stamp: str, vertebrae: Sequence[str] = (), unaccepted: bool = True
) -> None:
    """Write into a scene where a case lies and what of it is shown, for when the scene is stored elsewhere.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    nodes : SceneNodes
        The case.
    folder : Path
        Where it lies.
    stamp : str
        State of the folder that the scene goes back to.
    vertebrae : sequence of str
        Names in the scene, top down, which a reader may have changed since.
    unaccepted : bool
        Whether the scene may hold what the folder does not: corrections or drawings that nobody has accepted.
    """
    node = scene.GetNodeByID(nodes.segmentation)
    if node is not None:
        node.SetAttribute(_FOLDER, str(folder.resolve()))
        node.SetAttribute(_STAMP, stamp)
        node.SetAttribute(_VERTEBRAE, " ".join(vertebrae))
        node.SetAttribute(_UNACCEPTED, "yes" if unaccepted else "no")


def stamp_of(scene: Any, nodes: SceneNodes) -> str:
    """Which state of a case the scene was stored with; empty where it does not say."""
    node = scene.GetNodeByID(nodes.segmentation)
    return (node.GetAttribute(_STAMP) or "") if node is not None else ""


def is_unaccepted(scene: Any, nodes: SceneNodes) -> bool:
    """Whether a stored scene may hold corrections that nobody had accepted; also where it does not say."""
    node = scene.GetNodeByID(nodes.segmentation)
    return node is not None and node.GetAttribute(_UNACCEPTED) != "no"


def vertebrae_of(scene: Any, nodes: SceneNodes) -> tuple[str, ...]:
    """Names of the vertebrae with which the scene was stored, top down; none where it does not say."""
    node = scene.GetNodeByID(nodes.segmentation)
    return tuple((node.GetAttribute(_VERTEBRAE) or "").split()) if node is not None else ()


def case_folder_of(scene: Any, nodes: SceneNodes | None = None) -> Path | None:
    """Folder of a case of a stored scene that was opened, or None where it is neither beside nor where it was.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    nodes : SceneNodes, optional
        The case, whose own mark is followed first; without it only ``scene.mrb`` of a case folder is known.
    """
    node = scene.GetNodeByID(nodes.segmentation) if nodes is not None else None
    places = [node.GetAttribute(_FOLDER)] if node is not None else []
    if url := scene.GetURL():
        places.append(str(Path(url).parent))
    return next((Path(place) for place in places if place and (Path(place) / "case.json").is_file()), None)


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
    _tell_provenance(node)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity2DFill(_FILL_OPACITY)
    node.AddDefaultStorageNode()
    return node


def _tell_provenance(node: Any) -> None:
    """Say of the node what its segments say of themselves: a .seg.nrrd holds no attributes of the node."""
    import vtk

    tags: Any = vtk.reference("")
    segment = node.GetSegmentation().GetNthSegment(0)
    for key in TAGGED:
        if segment.GetTag(ATTRIBUTE_PREFIX + key, tags):
            node.SetAttribute(ATTRIBUTE_PREFIX + key, str(tags))
