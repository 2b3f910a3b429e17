"""Plots level by level: disc heights and foramina, against ranges and cut-offs where a source has some."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..anatomy.reference import References
from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from ..case.result import CaseResult
from .canvas import DPI, Picture, save_figure
from .words import quantity

__all__ = ["draw_profiles"]

_SERIES = (("#0072B2", "o", "-"), ("#D55E00", "s", "--"), ("#009E73", "^", "-."), ("#CC79A7", "D", ":"))
"""Colour (Okabe–Ito), marker and line of the series, in turn; the marker tells them apart without colour."""
_RANGE, _CUT_OFF = "#9AA7B1", "#5B2C83"
_PANELS = (
    (Structure.DISC, ("height",), "Fyllos", "Disc height (Fyllos), mm"),
    (Structure.DISC, ("anterior height", "middle height", "posterior height"), "", "Disc heights, mm"),
    (Structure.FORAMEN, ("area",), "", "Foramen area, mm²"),
    (Structure.FORAMEN, ("height",), "", "Foramen height, mm"),
)
"""Structure, quantities, the method that is preferred where there are several, and heading."""


def _chosen(result: CaseResult, structure: Structure, names: tuple[str, ...], preferred: str) -> list[Measurement]:
    """Measured values of one panel: of each quantity one method only, because methods differ by millimetres."""
    out = []
    for name in names:
        items = [m for m in result.measurements if m.structure is structure and m.name == name and m.value is not None]
        methods = [m.method for m in items]
        method = preferred if preferred in methods else next(iter(methods), "")
        out += [m for m in items if m.method == method]
    return out


def _series(measurements: list[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements grouped by what a reader may compare: one quantity, one side."""
    out: dict[str, list[Measurement]] = {}
    for item in measurements:
        words = str(item.side) if item.side else item.name
        out.setdefault(words, []).append(item)
    return out


def _background(axes: Axes, items: list[Measurement], used: list[str], references: References) -> None:
    """Range and cut-offs of each level; every source once in the legend."""
    told: set[str] = set()
    ranges = {m.level: references.range_of(m.structure, m.level, m.name, m.method, m.unit) for m in items}
    for level, found in ranges.items():
        if found is None or None in found.limits:
            continue
        at = used.index(level)
        words = f"middle 95 %, {found.short}" + (", all levels together" if found.is_pooled else "")
        label = None if words in told else words
        told.add(words)
        ends = [at - 0.42, at + 0.42]
        axes.fill_between(ends, *found.limits, color=_RANGE, alpha=0.28, lw=0, label=label)
        if found.mean is not None:
            axes.plot(ends, [found.mean] * 2, color=_RANGE, lw=1.6)
    cut_offs: dict[tuple[float, str], list[int]] = {}
    for m in items:
        for row in references.grades_of(m.structure, m.level, m.name, m.method, m.unit):
            if row.high is not None:
                cut_offs.setdefault((row.high, row.short), []).append(used.index(m.level))
    for number, ((high, short), at) in enumerate(sorted(cut_offs.items())):
        style = (":", "--", "-.")[number % 3]
        words = f"{quantity(high, items[0].unit)}, {short}"
        # Only along the levels that the source speaks of.
        axes.plot([min(at) - 0.45, max(at) + 0.45], [high] * 2, color=_CUT_OFF, lw=1.2, ls=style, label=words)


def _plot(axes: Axes, items: list[Measurement], places: tuple[str, ...], heading: str, references: References) -> None:
    """One panel: a line per series with its intervals, flagged points ringed."""
    used = [p for p in places if any(m.level == p for m in items)]
    series = _series(items)
    if len({m.name for m in items}) == 1:
        _background(axes, items, used, references)
    for number, (name, own) in enumerate(series.items()):
        colour, marker, line = _SERIES[number % len(_SERIES)]
        points = sorted((m for m in own if m.level in used), key=lambda m: used.index(m.level))
        # A little aside, so that the intervals of two series do not hide each other.
        x = [used.index(m.level) + 0.1 * (number - (len(series) - 1) / 2) for m in points]
        y = [m.value for m in points]
        axes.plot(x, y, color=colour, marker=marker, ls=line, lw=1.4, ms=5, label=name)
        for at, item in zip(x, points, strict=True):
            if item.lower is not None and item.upper is not None:
                axes.plot([at, at], [item.lower, item.upper], color=colour, lw=1.0, alpha=0.7)
        ringed = [(at, m.value) for at, m in zip(x, points, strict=True) if m.flag]
        if ringed:
            axes.plot(*zip(*ringed, strict=True), "o", mfc="none", mec="#000000", mew=0.8, ms=10)
    axes.set_title(heading, fontsize=10.5, loc="left")
    axes.set_xticks(range(len(used)), used, fontsize=8.5, rotation=0 if len(used) < 8 else 45)
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8.5)
    axes.grid(axis="y", color="#e3e6e9", lw=0.7)
    axes.set_axisbelow(True)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    axes.legend(fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def draw_profiles(result: CaseResult, folder: Path) -> Picture | None:
    """Values level by level, a panel per quantity; None where nothing was measured.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    panels = []
    for structure, names, preferred, heading in _PANELS:
        items = [m for m in _chosen(result, structure, names, preferred) if m.level in result.spine.levels]
        if items:
            panels.append((items, heading))
    if not panels:
        return None
    rows = -(-len(panels) // 2)
    width, height = 1000, 340 * rows + 20
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.04, right=0.99, top=1 - 26 / height, bottom=90 / height, wspace=0.1, hspace=0.5 if rows > 1 else 0
    )
    for axes, (items, heading) in zip(grid, panels, strict=False):
        _plot(axes, items, result.spine.levels, heading, result.references)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    save_figure(figure, folder / "profiles.png", "white")
    return Picture(
        "profiles",
        "Level by level",
        "Values from the top down with their intervals; a ring marks a flagged value. Bands are ranges, broken lines "
        "are cut-offs, named with their source; where there is none, no source speaks of that quantity by that method.",
        "Plots along the levels: " + ", ".join(heading for _, heading in panels) + "; the numbers are in the table.",
        width,
        height,
    )
