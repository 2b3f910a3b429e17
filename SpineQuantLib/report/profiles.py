"""A plot of the measurements along the spine: disc heights, dural sac, foramina, level by level."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from ..case.result import CaseResult
from .canvas import DPI, Picture, save_figure

__all__ = ["draw_profiles"]

_SERIES = (("#0072B2", "o", "-"), ("#D55E00", "s", "--"), ("#009E73", "^", "-."), ("#CC79A7", "D", ":"))
"""Colour (Okabe–Ito), marker and line of the series, in turn; the marker tells them apart without colour."""
_PANELS = (
    (Structure.DISC, "height", "Disc height, mm"),
    (Structure.CANAL, "area", "Dural sac area, mm²"),
    (Structure.CANAL, "ap diameter", "Dural sac AP diameter, mm"),
    (Structure.FORAMEN, "area", "Foramen area, mm²"),
)


def _places(result: CaseResult) -> list[str]:
    """Vertebrae and the levels between them, from the top down."""
    levels = [*result.spine.levels, ""]
    return [place for pair in zip(result.spine.vertebrae, levels, strict=True) for place in pair if place]


def _series(measurements: list[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements grouped by what a reader may compare: one method, one side."""
    out: dict[str, list[Measurement]] = {}
    for item in measurements:
        if item.value is None:
            continue
        words = [str(item.side)] if item.side else []
        if item.name.lower() not in ("height", "area", "ap diameter"):
            words.append(item.name)
        out.setdefault(", ".join([*words, item.method]), []).append(item)
    return out


def _plot(axes: Axes, series: dict[str, list[Measurement]], places: list[str], title: str) -> None:
    """One panel: a line per series with its intervals, flagged points ringed."""
    used = [p for p in places if any(m.level == p for items in series.values() for m in items)]
    for number, (name, items) in enumerate(series.items()):
        colour, marker, line = _SERIES[number % len(_SERIES)]
        points = sorted((m for m in items if m.level in used), key=lambda m: used.index(m.level))
        # A little aside, so that the intervals of two series do not hide each other.
        x = [used.index(m.level) + 0.08 * (number - (len(series) - 1) / 2) for m in points]
        y = [m.value for m in points]
        axes.plot(x, y, color=colour, marker=marker, ls=line, lw=1.4, ms=5, label=name)
        for at, item in zip(x, points, strict=True):
            if item.lower is not None and item.upper is not None:
                axes.plot([at, at], [item.lower, item.upper], color=colour, lw=1.0, alpha=0.7)
        ringed = [(at, m.value) for at, m in zip(x, points, strict=True) if m.flag]
        if ringed:
            axes.plot(*zip(*ringed, strict=True), "o", mfc="none", mec="#000000", ms=11)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xticks(range(len(used)), used, fontsize=8, rotation=0 if len(used) < 8 else 45)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#d7dade", lw=0.7)
    axes.set_axisbelow(True)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    axes.legend(fontsize=7.5, frameon=False, loc="best")


def draw_profiles(result: CaseResult, folder: Path) -> Picture | None:
    """Measurements along the levels, a panel per quantity; None where nothing was measured.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    panels = []
    for structure, word, title in _PANELS:
        items = [m for m in result.measurements if m.structure is structure and word == m.name.lower()]
        series = _series(items)
        if series:
            panels.append((series, title))
    if not panels:
        return None
    rows = -(-len(panels) // 2)
    width, height = 1000, 270 * rows + 20
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    places = _places(result)
    for axes, (series, title) in zip(grid, panels, strict=False):
        _plot(axes, series, places, title)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    save_figure(figure, folder / "profiles.png", "white")
    return Picture(
        "profiles",
        "Along the spine",
        "Values from the top down with their intervals; a ring marks a flagged value. Each line is one method.",
        "Line plots along the levels: " + ", ".join(title for _, title in panels) + "; the numbers are in the table.",
        width,
        height,
    )
