"""Curves that a reader looks at first: the dural sac along the spine, and disc heights against what is usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..anatomy.reference import References
from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile
from ..case.measurement import Measurement
from .host import import_slicer
from .tables import Column

__all__ = ["DISC_HEIGHTS", "SAC_PROFILE", "add_plots", "disc_height_columns", "profile_columns"]

SAC_PROFILE = "canal profile"
DISC_HEIGHTS = "disc heights"

_METHOD = "Fyllos"


@dataclass(frozen=True)
class _Series:
    """One curve of a chart: column of its table, colour (Okabe–Ito), and whether it is drawn as points or a line."""

    column: str
    colour: tuple[float, float, float]
    points: bool
    dashed: bool = False


@dataclass(frozen=True)
class _Chart:
    title: str
    table: str
    x: str
    x_title: str
    y_title: str
    labels: str
    series: tuple[_Series, ...]


_BLUE, _ORANGE, _GREEN, _GREY = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0), (0.0, 0.62, 0.451), (0.45, 0.45, 0.45)

_CHARTS = {
    "canal area": _Chart(
        "Dural sac: area along the spine",
        SAC_PROFILE,
        "distance",
        "mm from the upper end",
        "mm²",
        "level",
        (_Series("area", _BLUE, False), _Series("area at levels", _BLUE, True)),
    ),
    "canal diameters": _Chart(
        "Dural sac: diameters along the spine",
        SAC_PROFILE,
        "distance",
        "mm from the upper end",
        "mm",
        "level",
        (
            _Series("AP diameter", _ORANGE, False),
            _Series("AP diameter at levels", _ORANGE, True),
            _Series("transverse diameter", _GREEN, False),
        ),
    ),
    "disc heights": _Chart(
        f"Disc heights ({_METHOD}) against the usual range",
        DISC_HEIGHTS,
        "position",
        "disc, from the top down",
        "mm",
        "level",
        (
            _Series("height", _BLUE, True),
            _Series("usual from", _GREY, False, True),
            _Series("usual to", _GREY, False, True),
        ),
    ),
}


def profile_columns(profile: CanalProfile | None) -> list[Column]:
    """Columns of the dural sac's profile, a row for each section from the top down; none without a profile."""
    if profile is None:
        return []
    sections = profile.sections
    at_level = [bool(s.level) for s in sections]

    def picked(values: list[float | None]) -> tuple[float | None, ...]:
        return tuple(v if here else None for v, here in zip(values, at_level, strict=True))

    areas, diameters = [s.area for s in sections], [s.ap for s in sections]
    return [
        Column("distance", "along the sac from its upper end in view", tuple(s.distance for s in sections), "mm"),
        # MRML's reader of tables stumbles over empty text.
        Column("level", "disc or body at whose middle the section lies", tuple(s.level or "-" for s in sections)),
        Column("area", "cross-section perpendicular to the sac", tuple(areas), "mm2"),
        Column("AP diameter", "front to back", tuple(diameters), "mm"),
        Column("transverse diameter", "right to left", tuple(s.transverse for s in sections), "mm"),
        Column("area at levels", "cross-section at discs and bodies", picked(areas), "mm2"),
        Column("AP diameter at levels", "front to back at discs and bodies", picked(diameters), "mm"),
    ]


def disc_height_columns(measurements: Sequence[Measurement], references: References | None) -> list[Column]:
    """Columns of disc heights with the usual range, a row for each disc from the top down; none without heights."""
    rows = [
        m
        for m in measurements
        if m.structure is Structure.DISC and (m.name, m.method) == ("height", _METHOD) and not m.side
    ]
    if not any(m.value is not None for m in rows):
        return []
    ranges = [references.range_of(m.structure, m.level, m.name, m.method, m.unit) if references else None for m in rows]
    limits = [r.limits if r is not None else (None, None) for r in ranges]
    return [
        Column("level", "disc", tuple(m.level for m in rows)),
        Column("position", "number from the top down", tuple(float(n) for n in range(1, len(rows) + 1))),
        Column("height", f"disc height, method {_METHOD}", tuple(m.value for m in rows), "mm"),
        Column("usual from", "lower end of the usual range", tuple(low for low, _ in limits), "mm"),
        Column("usual to", "upper end of the usual range", tuple(high for _, high in limits), "mm"),
    ]


def add_plots(scene: Any, tables: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Add the charts whose tables are there.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    tables : mapping of str to str
        Node ids by :data:`SAC_PROFILE` and :data:`DISC_HEIGHTS`.

    Returns
    -------
    dict of str to tuple of str
        By ``canal area``, ``canal diameters`` and ``disc heights``: ids of the chart and of its series.
    """
    return {
        key: _add_chart(scene, chart, scene.GetNodeByID(tables[chart.table]))
        for key, chart in _CHARTS.items()
        if chart.table in tables
    }


def _add_chart(scene: Any, chart: _Chart, table: Any) -> tuple[str, ...]:
    slicer = import_slicer()
    node = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", scene.GenerateUniqueName(chart.title))
    node.SetTitle(chart.title)
    node.SetXAxisTitle(chart.x_title)
    node.SetYAxisTitle(chart.y_title)
    ids = [node.GetID()]
    for wanted in chart.series:
        series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", scene.GenerateUniqueName(wanted.column))
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetXColumnName(chart.x)
        series.SetYColumnName(wanted.column)
        series.SetLabelColumnName(chart.labels)
        series.SetColor(*wanted.colour)
        _style(series, wanted)
        node.AddAndObservePlotSeriesNodeID(series.GetID())
        ids.append(series.GetID())
    return tuple(ids)


def _style(series: Any, wanted: _Series) -> None:
    kinds = import_slicer().vtkMRMLPlotSeriesNode
    if wanted.points:
        series.SetMarkerStyle(kinds.MarkerStyleCircle)
        series.SetLineStyle(kinds.LineStyleNone)
    else:
        series.SetMarkerStyle(kinds.MarkerStyleNone)
        series.SetLineStyle(kinds.LineStyleDash if wanted.dashed else kinds.LineStyleSolid)
