"""The dural sac along its whole course: area and AP diameter against the way down, with the levels marked."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..anatomy.reference import References
from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile, CanalSection
from ..case.measurement import Measurement
from ..case.result import CaseResult
from .canvas import DPI, Picture, save_figure
from .words import quantity

__all__ = ["draw_canal"]

_WIDTH, _HEIGHT = 1000, 760
_LINE, _DOUBT, _CUT_OFF, _RANGE = "#0072B2", "#D55E00", "#5B2C83", "#9AA7B1"
_PANELS = (
    ("area", "area", "mm2", "Dural sac area, mm²"),
    ("ap", "AP diameter", "mm", "Dural sac AP diameter, mm"),
)
_HALF_MARK = 7.0
"""Millimetres along the way that a range or cut-off of a level is drawn up and down from it."""


def _stretches(profile: CanalProfile, quantity_name: str) -> list[tuple[bool, list[tuple[float, float]]]]:
    """(value, distance) of sections one after the other, in stretches that are sure or doubtful; gaps split them."""
    out: list[tuple[bool, list[tuple[float, float]]]] = []

    def kind(s: CanalSection) -> str:
        return "absent" if getattr(s, quantity_name) is None else "doubtful" if s.flag else "sure"

    last: tuple[float, float] | None = None
    for name, run in groupby(profile.sections, key=kind):
        if name == "absent":
            last = None
            continue
        points = [(float(getattr(s, quantity_name)), s.distance) for s in run]
        # Stretches share an end, so that the curve has no holes where only its kind changes.
        out.append((name == "doubtful", [*([last] if last else []), *points]))
        last = points[-1]
    return out


def _marks(
    axes: Axes, item: Measurement, distance: float, references: References, told: dict[str, str], shaded: set[str]
) -> None:
    """Range and cut-offs of a level, where a source has some; each source is in the legend once."""
    key = item.structure, item.level, item.name, item.method, item.unit
    ends = [distance - _HALF_MARK, distance + _HALF_MARK]
    found = references.range_of(*key)
    if found is not None and None not in found.limits:
        words = f"middle 95 %, {found.short}" if found.mean is not None else f"range, {found.short}"
        label = None if words in shaded else words
        shaded.add(words)
        axes.fill_betweenx(ends, *found.limits, color=_RANGE, alpha=0.28, lw=0, label=label)
        if found.mean is not None:
            axes.plot([found.mean] * 2, ends, color=_RANGE, lw=1.6)
    for row in references.grades_of(*key):
        if row.high is None:
            continue
        words = f"{quantity(row.high, item.unit)}, {row.short}"
        label = None if words in told else words
        told.setdefault(words, (":", "--", "-.")[len(told) % 3])
        axes.plot([row.high] * 2, ends, color=_CUT_OFF, lw=1.8, ls=told[words], label=label)


def _values(axes: Axes, items: dict[str, Measurement], places: dict[str, float]) -> None:
    """Values of the levels with their intervals."""
    for level, item in items.items():
        if item.value is None or level not in places:
            continue
        at, colour = places[level], _DOUBT if item.flag else _LINE
        if item.lower is not None and item.upper is not None:
            axes.plot([item.lower, item.upper], [at, at], color=colour, lw=1.2)
        axes.plot(item.value, at, "s" if item.flag else "o", color=colour, mfc="white" if item.flag else colour, ms=5)


def _panel(axes: Axes, result: CaseResult, profile: CanalProfile, panel: tuple[str, str, str, str]) -> None:
    attribute, name, ucum, heading = panel
    places = dict(profile.levels)
    items = {m.level: m for m in result.measurements if m.structure is Structure.CANAL and m.name == name}
    told: dict[str, str] = {}
    shaded: set[str] = set()
    for level, item in items.items():
        if level in places:
            _marks(axes, item, places[level], result.references, told, shaded)
    drawn: set[bool] = set()
    for doubtful, points in _stretches(profile, attribute):
        words = "doubtful stretch" if doubtful else "measured every 2 mm"
        axes.plot(
            *zip(*points, strict=True),
            color=_DOUBT if doubtful else _LINE,
            ls="--" if doubtful else "-",
            lw=1.8,
            label=None if doubtful in drawn else words,
        )
        drawn.add(doubtful)
    _values(axes, items, places)
    known = [(v, d) for d, v in profile.curve(attribute)]
    smallest = next((m for m in result.measurements if m.name == f"smallest {name}" and m.value is not None), None)
    if smallest is not None and known:
        at = min(known, key=lambda point: (abs(point[0] - smallest.value), point[1]))[1]
        axes.annotate(
            f"smallest: {quantity(smallest.value, ucum)}\nat {smallest.level}",
            (smallest.value, at),
            xytext=(0.985, at),
            textcoords=axes.get_yaxis_transform(),
            fontsize=8.5,
            ha="right",
            va="center",
            arrowprops={"arrowstyle": "-", "color": "#5c666d", "lw": 0.8, "shrinkB": 5},
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "#c5ccd1", "lw": 0.6},
            parse_math=False,
        )
    axes.set_title(heading, fontsize=10.5, loc="left")
    axes.set_xlim(left=0, right=1.12 * max((v for v, _ in known), default=1.0))
    axes.grid(axis="x", color="#e3e6e9", lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, frameon=False)


def draw_canal(result: CaseResult, folder: Path) -> Picture | None:
    """Area and AP diameter of the sac from the top down, superior on top; None where no section was measured.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    profile = result.canal_profile
    if profile is None or not profile.curve("area"):
        return None
    figure = Figure(figsize=(_WIDTH / DPI, _HEIGHT / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    both = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.085, right=0.99, top=0.965, bottom=0.135, wspace=0.04)
    for axes, panel in zip(both, _PANELS, strict=True):
        _panel(axes, result, profile, panel)
        for level, distance in profile.levels:
            disc = "-" in level
            axes.axhline(distance, color="#8a949b", lw=0.8 if disc else 0.4, ls="-" if disc else ":", zorder=0)
    both[0].set_yticks([d for _, d in profile.levels], [level for level, _ in profile.levels])
    for text, (level, _) in zip(both[0].get_yticklabels(), profile.levels, strict=True):
        text.set_fontweight("bold" if "-" in level else "normal")
    distances = [s.distance for s in profile.sections]
    both[0].set_ylim(max(distances) + 2, min(distances) - 2)
    both[0].set_ylabel("along the sac, from the top down", fontsize=9)
    save_figure(figure, folder / "canal.png", "white")
    doubts = list(dict.fromkeys(s.flag for s in profile.sections if s.flag and s.area is not None))
    doubt = f" Orange and broken: {'; '.join(doubts)}." if doubts else ""
    return Picture(
        "canal",
        "Dural sac along the spine",
        "Sections perpendicular to the centre line of the dural sac (not of the bony canal). Points with bars are the "
        "values of the levels with their intervals; bands and upright broken lines are ranges and cut-offs, named with "
        f"their source.{doubt}",
        "Area and AP diameter of the dural sac plotted from the top of the view down to the sacrum, with the levels "
        "marked; the numbers are in the table and in canal_profile.csv.",
        _WIDTH,
        _HEIGHT,
    )
