"""Puts an analysed case into a scene; the desktop and the shell both use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import SimpleITK as sitk

from ..anatomy.reference import References
from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile
from ..case.measurement import Measurement
from ..case.opinion import Score
from ..case.result import CaseResult
from .hierarchy import case_item, folder, place, subject_hierarchy
from .markups import MARKUP_STRUCTURES, add_markup, shown_together
from .plots import DISC_HEIGHTS, SAC_PROFILE, add_plots, disc_height_columns, profile_columns
from .provenance import provenance_of
from .segmentation import ATTRIBUTE_PREFIX, add_segmentation
from .tables import Column, add_table, measurement_columns, overview_columns, score_columns
from .volume import add_volume

__all__ = [
    "PLOT_ATTRIBUTE",
    "SEGMENTATION_ROLE",
    "TABLE_ATTRIBUTE",
    "VOLUME_ROLE",
    "SceneNodes",
    "Tables",
    "add_case",
    "add_markups",
    "add_parts",
    "add_tables",
    "connect",
]

VOLUME_ROLE = f"{ATTRIBUTE_PREFIX}volume"
"""Role of the reference from a table or markup to the volume it was measured on."""
SEGMENTATION_ROLE = f"{ATTRIBUTE_PREFIX}segmentation"
"""Role of the reference from a table or markup to the segmentation it was measured on."""
TABLE_ATTRIBUTE = f"{ATTRIBUTE_PREFIX}Table"
"""Node attribute that says which table of the case a node is, so that a stored scene can be taken up again."""
PLOT_ATTRIBUTE = f"{ATTRIBUTE_PREFIX}Plot"
"""Node attribute that says which plot of the case a chart or series belongs to."""


@dataclass(frozen=True)
class Tables:
    """What the tables and plots of a case show.

    Attributes
    ----------
    measurements, scores
        As in :class:`~SpineQuantLib.case.result.CaseResult` and its assessment.
    profile : CanalProfile or None
        The dural sac along its course.
    references : References or None
        Ranges, for the plot of disc heights.
    """

    measurements: Sequence[Measurement]
    scores: Sequence[Score]
    profile: CanalProfile | None = None
    references: References | None = None

    @classmethod
    def of(cls, result: CaseResult) -> Tables:
        """Those of a case."""
        return cls(result.measurements, result.assessment.scores, result.canal_profile, result.references)

    @property
    def columns(self) -> dict[str, tuple[str, Sequence[Column]]]:
        """Title and columns of each table by its key in :attr:`SceneNodes.tables`."""
        rows = self.measurements
        markups = {m.key: group[0].key for group in shown_together(rows) for m in group}
        wanted: dict[str, tuple[str, Sequence[Column]]] = {
            "measurements": ("Measurements", measurement_columns(rows, markups)),
            "findings": ("Findings", score_columns(self.scores)),
        }
        for structure in Structure:
            wanted[structure.value] = f"{structure.value.capitalize()} overview", overview_columns(rows, structure)
        wanted[SAC_PROFILE] = "Dural sac profile", profile_columns(self.profile)
        wanted[DISC_HEIGHTS] = "Disc heights", disc_height_columns(rows, self.references)
        return {key: (title, columns) for key, (title, columns) in wanted.items() if columns}


@dataclass(frozen=True)
class SceneNodes:
    """Ids of the nodes of one case. Hold these and not the nodes: the scene may be closed at any time.

    Attributes
    ----------
    volume, segmentation : str
        Node ids.
    tables : dict of str to str
        Node id by ``measurements``, ``findings``, ``canal profile``, ``disc heights``, and the name of each structure
        with an overview.
    markups : dict of str to str
        Node id by the key of each measurement that is shown; measurements of one geometry share a node.
    study : int
        Item in the subject hierarchy under which all of it lies.
    plots : dict of str to tuple of str
        By ``canal area``, ``canal diameters`` and ``disc heights``: ids of the chart and of its series.
    """

    volume: str
    segmentation: str
    tables: dict[str, str]
    markups: dict[str, str]
    study: int
    plots: dict[str, tuple[str, ...]] = field(default_factory=dict)


def add_case(
    scene: Any,
    result: CaseResult,
    volume_image: sitk.Image,
    *,
    volume_node: Any = None,
    settings: Mapping[str, Any] | None = None,
    time: datetime | None = None,
) -> SceneNodes:
    """Add volume, segmentation, tables and markups of a case, arranged in the subject hierarchy.

    Every node is new; what the scene held before is left as it was, so that a second run never overwrites what a
    reader corrected.

    Parameters
    ----------
    scene : vtkMRMLScene
        Empty or in use.
    result : CaseResult
        Analysed case.
    volume_image : SimpleITK.Image
        The input volume on its own grid, with its own numbers.
    volume_node : vtkMRMLScalarVolumeNode, optional
        The same volume where the scene has it already; used instead of adding it.
    settings : mapping of str to object, optional
        What the user chose, for the provenance.
    time : datetime, optional
        When the case was analysed; now if not given.

    Returns
    -------
    SceneNodes
        Ids of the nodes.

    Raises
    ------
    ValueError
        If the result does not lie on the volume's grid.
    EngineError
        If neither Slicer nor ``slicer-core`` is there.
    """
    hierarchy = subject_hierarchy(scene)
    name = _case_name(result)
    provenance = provenance_of(result, settings, time)
    if volume_node is None:
        volume_node = add_volume(scene, volume_image, scene.GenerateUniqueName(name))
    title = scene.GenerateUniqueName(f"{volume_node.GetName()} spine")
    segmentation = add_segmentation(scene, result.spine, volume_image, volume_node, title, provenance)
    study = case_item(hierarchy, result.input.dicom, volume_node, name)
    place(hierarchy, volume_node, study)
    place(hierarchy, segmentation, study)
    return add_parts(scene, Tables.of(result), volume_node, segmentation, study)


def add_parts(scene: Any, tables: Tables, volume_node: Any, segmentation: Any, study: int) -> SceneNodes:
    """Add tables, plots and markups of a case whose volume and segmentation the scene has."""
    hierarchy = subject_hierarchy(scene)
    table_ids = add_tables(scene, hierarchy, tables, study)
    plots = add_plots(scene, table_ids)
    if plots:
        parent = folder(hierarchy, study, "Plots")
        for key, ids in plots.items():
            for node in map(scene.GetNodeByID, ids):
                node.SetAttribute(PLOT_ATTRIBUTE, key)
                place(hierarchy, node, parent)
    markups = add_markups(scene, hierarchy, tables.measurements, study)
    nodes = SceneNodes(volume_node.GetID(), segmentation.GetID(), table_ids, markups, study, plots)
    connect(scene, nodes)
    return nodes


def connect(scene: Any, nodes: SceneNodes) -> None:
    """Let each table, plot and markup refer to the volume and the segmentation that it was measured on."""
    plots = (node_id for ids in nodes.plots.values() for node_id in ids)
    for node_id in {*nodes.tables.values(), *nodes.markups.values(), *plots}:
        node = scene.GetNodeByID(node_id)
        node.SetNodeReferenceID(VOLUME_ROLE, nodes.volume)
        node.SetNodeReferenceID(SEGMENTATION_ROLE, nodes.segmentation)


def _case_name(result: CaseResult) -> str:
    """Name of the input without folder and endings; of a DICOM series its description."""
    described = str(result.input.dicom.get("SeriesDescription", "")).strip()
    return described or result.input.path.name.split(".")[0] or "volume"


def add_tables(scene: Any, hierarchy: Any, tables: Tables, study: int) -> dict[str, str]:
    """Add all tables in a folder of their own; node ids as in :attr:`SceneNodes.tables`."""
    parent = folder(hierarchy, study, "Tables")
    out = {}
    for key, (title, columns) in tables.columns.items():
        node = add_table(scene, scene.GenerateUniqueName(title), columns)
        node.SetAttribute(TABLE_ATTRIBUTE, key)
        place(hierarchy, node, parent)
        out[key] = node.GetID()
    return out


def add_markups(scene: Any, hierarchy: Any, measurements: Sequence[Measurement], study: int) -> dict[str, str]:
    """Add all markups in a folder for each structure; node ids as in :attr:`SceneNodes.markups`."""
    groups = shown_together(measurements)
    parent = folder(hierarchy, study, "Markups")
    out = {}
    for structure in MARKUP_STRUCTURES:
        own = [group for group in groups if group[0].structure is structure]
        if not own:
            continue
        branch = folder(hierarchy, parent, structure.value)
        for group in own:
            node = add_markup(scene, group)
            place(hierarchy, node, branch)
            out |= {m.key: node.GetID() for m in group}
    return out
