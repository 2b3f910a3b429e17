"""The dural sac's curve for the printed page, drawn as lines and letters and not as pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..anatomy.reference import References
from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile
from ..case.measurement import Measurement
from ..case.result import CaseResult
from .words import number, quantity

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

__all__ = ["CanalPlot"]

_INK, _SOFT, _RULE = "#15212a", "#5c666d", "#c5ccd1"
_LINE, _DOUBT, _CUT_OFF, _RANGE = "#0072B2", "#D55E00", "#5B2C83", "#d9dfe3"
_AXIS, _TITLE = 40.0, 22.0
_HALF_MARK = 7.0


@dataclass(frozen=True)
class CanalPlot:
    """Area and AP diameter of the sac from the top down.

    Attributes
    ----------
    result : CaseResult
        The case, with a profile of the canal.
    profile : CanalProfile
        That profile.
    font, bold : str
        Names of registered fonts.
    """

    result: CaseResult
    profile: CanalProfile
    font: str
    bold: str

    @property
    def key(self) -> str:
        """What lines and shades mean, with the sources."""
        words = ["Dural sac, perpendicular to its centre line, every 2 mm; numbers at the discs."]
        if any(s.flag for s in self.profile.sections):
            words.append("Orange, broken: doubtful.")
        ranges: dict[str, None] = {}
        cut_offs: dict[str, None] = {}
        for m in self.result.measurements:
            if m.structure is Structure.CANAL and m.name in ("area", "AP diameter"):
                key = m.structure, m.level, m.name, m.method, m.unit
                found = self.result.references.range_of(*key)
                if found is not None and None not in found.limits:
                    ranges[f"{m.level}: {found.text}"] = None
                for row in self.result.references.grades_of(*key):
                    if row.high is not None:
                        cut_offs[f"{quantity(row.high, m.unit)} ({row.short})"] = None
        if ranges:
            words.append(f"Grey: middle 95 % of {'; '.join(ranges)}.")
        if cut_offs:
            words.append(f"Upright broken lines: {', '.join(cut_offs)}.")
        return " ".join(words)

    def draw(self, page: Canvas, left: float, bottom: float, width: float, height: float) -> None:
        """Draw into a box of the page; points."""
        distances = [s.distance for s in self.profile.sections]
        top, foot = min(distances), max(distances)

        def at(distance: float) -> float:
            return bottom + 12 + (foot - distance) / max(foot - top, 1e-6) * (height - 12 - _TITLE)

        each = (width - _AXIS - 10) / 2
        for level, distance in self.profile.levels:
            disc = "-" in level
            page.setFont(self.bold if disc else self.font, 5.8)
            page.setFillColor(_INK if disc else _SOFT)
            page.drawRightString(left + _AXIS - 4, at(distance) - 2, level)
            page.setStrokeColor(_RULE)
            page.setLineWidth(0.5 if disc else 0.25)
            page.line(left + _AXIS, at(distance), left + width, at(distance))
        panels = (("area", "area", "Sac area, mm²"), ("ap", "AP diameter", "Sac AP diameter, mm"))
        for column, (attribute, name, heading) in enumerate(panels):
            x0 = left + _AXIS + column * (each + 10)
            self._panel(page, attribute, name, heading, x0, each, at, bottom)

    def _panel(
        self, page: Canvas, attribute: str, name: str, heading: str, x0: float, width: float, at, bottom: float
    ) -> None:
        values = [v for _, v in self.profile.curve(attribute)]
        full = 1.1 * max(values, default=1.0)

        def across(value: float) -> float:
            return x0 + min(max(value, 0.0), full) / full * width

        page.setFillColor(_INK)
        page.setFont(self.bold, 6.8)
        page.drawString(x0, at(self.profile.sections[0].distance) + 8, heading)
        items = [m for m in self.result.measurements if m.structure is Structure.CANAL and m.name == name]
        places = dict(self.profile.levels)
        for item in items:
            if item.level in places:
                _marks(page, item, self.result.references, across, at, places[item.level])
        page.setLineWidth(1.1)
        for first, second in zip(self.profile.sections, self.profile.sections[1:], strict=False):
            ends = [getattr(s, attribute) for s in (first, second)]
            if None in ends:
                continue
            page.setStrokeColor(_DOUBT if first.flag or second.flag else _LINE)
            page.setDash([2, 1.5] if first.flag or second.flag else [])
            page.line(across(ends[0]), at(first.distance), across(ends[1]), at(second.distance))
        page.setDash([])
        self._values(page, items, places, across, at)
        self._axis(page, x0, width, full, bottom)

    def _values(self, page: Canvas, items: list[Measurement], places: dict[str, float], across, at) -> None:
        """The levels' values: a dot, its interval, and the number at discs."""
        for item in items:
            if item.value is None or item.level not in places:
                continue
            y, colour = at(places[item.level]), _DOUBT if item.flag else _LINE
            page.setStrokeColor(colour)
            page.setFillColor("#ffffff" if item.flag else colour)
            page.setLineWidth(0.8)
            if item.lower is not None and item.upper is not None:
                page.line(across(item.lower), y, across(item.upper), y)
            page.circle(across(item.value), y, 1.7, stroke=1, fill=1)
            if "-" in item.level:
                page.setFillColor(_INK)
                page.setFont(self.font, 5.6)
                page.drawString(across(item.value) + 3.5, y + 1.5, number(item.value, item.unit))

    def _axis(self, page: Canvas, x0: float, width: float, full: float, bottom: float) -> None:
        """A scale of round numbers below the panel."""
        step = next((s for s in (2.5, 5, 10, 25, 50, 100, 200, 500) if full / s <= 5), 1000)
        page.setStrokeColor(_SOFT)
        page.setFillColor(_SOFT)
        page.setLineWidth(0.5)
        page.line(x0, bottom + 10, x0 + width, bottom + 10)
        page.setFont(self.font, 5.6)
        for n in range(int(full / step) + 1):
            x = x0 + n * step / full * width
            page.line(x, bottom + 10, x, bottom + 8)
            page.drawCentredString(x, bottom + 2, f"{n * step:g}")


def _marks(page: Canvas, item: Measurement, references: References, across, at, distance: float) -> None:
    """Range and cut-offs of one level."""
    key = item.structure, item.level, item.name, item.method, item.unit
    upper, lower = at(distance - _HALF_MARK), at(distance + _HALF_MARK)
    found = references.range_of(*key)
    if found is not None and None not in found.limits:
        low, high = map(across, found.limits)
        page.setFillColor(_RANGE)
        page.rect(low, lower, high - low, upper - lower, stroke=0, fill=1)
    page.setStrokeColor(_CUT_OFF)
    page.setLineWidth(0.9)
    for number_of, row in enumerate(references.grades_of(*key)):
        if row.high is not None:
            page.setDash([1, 1.2] if number_of % 2 == 0 else [3, 1.5])
            page.line(across(row.high), lower, across(row.high), upper)
    page.setDash([])
