"""Lines and curves that show where a value was measured, for a reader to check and to correct.

Which measurements get a markup: those that have a value and a geometry with enough points, that is two for a line,
two for a curve and three for a closed curve. Several measurements read from one and the same geometry (area and
perimeter of a contour) share one markup, named by the first and described by all. Volumes, ratios, signals and
whatever else was measured without a geometry are in the tables alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..anatomy.structures import Structure
from ..case.measurement import Geometry, Measurement
from .host import import_slicer
from .segmentation import ATTRIBUTE_PREFIX

__all__ = [
    "MARKUP_STRUCTURES",
    "MEASUREMENTS_ATTRIBUTE",
    "add_markup",
    "control_points",
    "fill_markup",
    "fits_markup",
    "measurement_keys",
    "points_of",
    "shown_together",
    "thinned",
]

MARKUP_STRUCTURES = (Structure.DISC, Structure.CANAL, Structure.FORAMEN, Structure.VERTEBRA, Structure.SPINE)
"""Order of the folders of markups."""

MEASUREMENTS_ATTRIBUTE = f"{ATTRIBUTE_PREFIX}Measurements"
"""Node attribute with the keys of the measurements that a markup shows, separated by spaces."""

_NODES = {
    "line": ("vtkMRMLMarkupsLineNode", 2),
    "curve": ("vtkMRMLMarkupsCurveNode", 2),
    "closed curve": ("vtkMRMLMarkupsClosedCurveNode", 3),
}

# Stronger shades of the structures' own hues, to stand out from a segment's fill.
_COLOURS = {
    Structure.DISC: (0.65, 1.0, 0.85),
    Structure.CANAL: (0.75, 0.95, 1.0),
    Structure.FORAMEN: (1.0, 0.55, 0.75),
    Structure.VERTEBRA: (1.0, 0.9, 0.35),
    Structure.SPINE: (1.0, 1.0, 1.0),
}

_GLYPH_MM = 1.2
_FADING_MM = (5.0, 15.0)
_CURVE_TOLERANCE_MM = 0.02
_ROUNDING_MM = 1e-6
_FEW_POINTS = 60
"""So many points can be dragged one by one. What is drawn by hand has fewer, so that no point of it is lost."""


def _kind(geometry: Geometry) -> tuple[str, int]:
    if geometry.kind not in _NODES:
        raise ValueError(f"'{geometry.kind}' is not a geometry that can be drawn; known are {', '.join(_NODES)}")
    return _NODES[geometry.kind]


def shown_together(measurements: Sequence[Measurement]) -> list[tuple[Measurement, ...]]:
    """Measurements that get a markup, those of one geometry together, in order.

    Raises
    ------
    ValueError
        If a geometry is of an unknown kind.
    """
    groups: dict[Geometry, list[Measurement]] = {}
    for m in measurements:
        if m.value is not None and m.geometry is not None and len(m.geometry.points) >= _kind(m.geometry)[1]:
            groups.setdefault(m.geometry, []).append(m)
    return [tuple(group) for group in groups.values()]


def thinned(points: np.ndarray, tolerance: float = _CURVE_TOLERANCE_MM) -> np.ndarray:
    """Points of a polyline without those that lie on the line between their neighbours (Douglas and Peucker 1973).

    A contour has hundreds of points, too many to drag; ends stay, and no point is moved.

    Parameters
    ----------
    points : np.ndarray
        (n, 3), millimetres.
    tolerance : float
        No dropped point lies farther than this from the line that is left, millimetres.
    """
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    open_spans = [(0, len(points) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        along = points[last] - points[first]
        inner = points[first + 1 : last] - points[first]
        length = float(along @ along)
        share = np.clip(inner @ along / length, 0.0, 1.0) if length else np.zeros(len(inner))
        distance = np.linalg.norm(inner - share[:, None] * along, axis=1)
        worst = int(distance.argmax())
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            open_spans += [(first, middle), (middle, last)]
    return points[keep]


def control_points(geometry: Geometry) -> np.ndarray:
    """Points (n, 3) to drag: those of a long contour thinned, those that a reader placed as they are."""
    return _control_points(geometry).copy()


@lru_cache(maxsize=4096)
def _control_points(geometry: Geometry) -> np.ndarray:
    """Worked out once: most geometries outlive many edits."""
    points = np.array(geometry.points)
    if geometry.kind == "line":
        return points[:2]
    # A closed curve joins its last point to its first by itself.
    closed = geometry.kind == "closed curve"
    if closed and np.allclose(points[0], points[-1]):
        points = points[:-1]
    if len(points) <= _FEW_POINTS:
        return points
    return thinned(np.vstack((points, points[:1])))[:-1] if closed else thinned(points)


def _describe(group: Sequence[Measurement]) -> str:
    def words(m: Measurement) -> str:
        interval = f" [{m.lower:.2f}, {m.upper:.2f}]" if m.lower is not None and m.upper is not None else ""
        method = f" ({m.method})" if m.method else ""
        before = "none" if m.automatic is None else f"{m.automatic:.2f}"
        corrected = f"; corrected, automatic value {before}" if m.source == "corrected" else ""
        return f"{m.name}{method}: {m.value:.2f}{interval} {m.unit}{corrected}{'; ' + m.flag if m.flag else ''}"

    return "\n".join(words(m) for m in group)


def add_markup(scene: Any, group: Sequence[Measurement]) -> Any:
    """Add the markup of measurements that share one geometry.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    group : sequence of Measurement
        As from :func:`shown_together`.

    Returns
    -------
    vtkMRMLMarkupsLineNode or vtkMRMLMarkupsCurveNode or vtkMRMLMarkupsClosedCurveNode
        Named by the key of the first measurement, control points in RAS millimetres. Curves run straight
        from point to point, so that a contour encloses the area that was measured.
    """
    slicer = import_slicer()
    first = group[0]
    node = scene.AddNewNodeByClass(_kind(first.geometry)[0], first.key)
    fill_markup(node, group)
    # Slicer then says the length again whenever a reader drags a point. It could say the area of a contour too, but
    # it fits a surface for that, which makes every drag sluggish; one click in Markups turns it on where it is wanted.
    if any(m.unit == "mm" for m in group):
        node.GetMeasurement("length").SetEnabled(True)
    node.CreateDefaultDisplayNodes()
    _style(slicer, node.GetDisplayNode(), first)
    node.AddDefaultStorageNode()
    return node


def fits_markup(node: Any, group: Sequence[Measurement]) -> bool:
    """Whether a markup is of the kind that measurements are shown by."""
    return node.IsA(_kind(group[0].geometry)[0])


def fill_markup(node: Any, group: Sequence[Measurement]) -> None:
    """Let a markup show measurements that share one geometry.

    Points that lie where they should already are not touched, so that a drag that goes on is not disturbed. A markup
    whose size is not the value, as the frame of a mean of heights, is locked: to drag it would change nothing.
    """
    first = group[0]
    modified = node.StartModify()
    # A second result in one scene keeps the stable names; only ids must differ.
    node.SetName(first.key)
    node.SetAttribute(MEASUREMENTS_ATTRIBUTE, " ".join(m.key for m in group))
    if first.geometry.kind != "line":
        node.SetCurveTypeToLinear()
    wanted = control_points(first.geometry)
    shown = points_of(node)
    if shown.shape != wanted.shape or not np.allclose(shown, wanted, rtol=0, atol=_ROUNDING_MM):
        _place(node, wanted)
        for n in range(node.GetNumberOfControlPoints()):
            node.SetNthControlPointLabel(n, "")
    node.SetLocked(not any(m.can_be_moved for m in group))
    node.EndModify(modified)
    # Last: MRML writes lengths into the description of a node whose points moved.
    node.SetDescription(_describe(group))


def measurement_keys(node: Any) -> tuple[str, ...]:
    """Keys of the measurements that a markup shows; none where it is not of SpineQuant."""
    return tuple((node.GetAttribute(MEASUREMENTS_ATTRIBUTE) or "").split())


def _place(node: Any, wanted: np.ndarray) -> None:
    """Put the control points of a markup at points (n, 3) of its own, all at once."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(numpy_to_vtk(wanted, deep=True))
    parent = node.GetParentTransformNode()
    if parent is not None:
        to_world = vtk.vtkGeneralTransform()
        parent.GetTransformToWorld(to_world)
        own, points = points, vtk.vtkPoints()
        points.SetDataTypeToDouble()
        to_world.TransformPoints(own, points)
    node.SetControlPointPositionsWorld(points)


def points_of(node: Any) -> np.ndarray:
    """Placed control points (n, 3) of a markup, RAS millimetres of the volume that was measured.

    Where a study lies under a transform, its volume, masks and markups move together, and nothing was corrected.
    """
    slicer = import_slicer()
    placed = [
        n
        for n in range(node.GetNumberOfControlPoints())
        if node.GetNthControlPointPositionStatus(n) == slicer.vtkMRMLMarkupsNode.PositionDefined
    ]
    points = np.zeros((len(placed), 3))
    for row, n in enumerate(placed):
        node.GetNthControlPointPosition(n, points[row])
    return points


def _style(slicer: Any, display: Any, measurement: Measurement) -> None:
    """Small, quiet glyphs without text: dozens of labels would hide the picture."""
    display.SetSelectedColor(*_COLOURS[measurement.structure])
    display.SetColor(*_COLOURS[measurement.structure])
    display.SetGlyphType(slicer.vtkMRMLMarkupsDisplayNode.Circle2D)
    display.SetUseGlyphScale(False)
    display.SetGlyphSize(_GLYPH_MM if measurement.geometry.kind == "line" else _GLYPH_MM / 2)
    display.SetCurveLineSizeMode(slicer.vtkMRMLMarkupsDisplayNode.UseLineDiameter)
    display.SetLineDiameter(_GLYPH_MM / 3)
    # Lines beside the slice keep their colour as far as one slice of usual thickness.
    display.SetLineColorFadingStart(_FADING_MM[0])
    display.SetLineColorFadingEnd(_FADING_MM[1])
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(False)
