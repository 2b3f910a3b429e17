"""Pictures of the segmentation and of what was measured: sagittal slices, levels, foramina."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..anatomy.labels import CANAL_VALUE, describe, disc_value, foramen_value
from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from .canvas import Canvas, Panel, Picture
from .material import Material
from .views import Box, View, sagittal
from .words import quantity, title

__all__ = ["draw_foramina", "draw_level", "draw_middle", "draw_parasagittal", "outline"]

_SAGITTAL_SCALE = 3.0
_LEVEL_SCALE = 3.6
_DISC_BOX = Box(-34, 34, -28, 44)
_SAC_BOX = Box(-34, 34, -46, 26)
_SIDE_BOX = (68.0, 72.0)
_IN_PLANE = 1.0
_LEAST_LINE = 1.0
"""Millimetres below which a bulge or a slip is too short to draw."""
_HEIGHT_LINES = ("anterior height", "middle height", "posterior height")
_FORAMEN_SCALE = 4.2
_FORAMEN_BOX = 46.0


def outline(panel: Panel, material: Material, *, thin: bool = False) -> dict[int, np.ndarray]:
    """Draw the contours of every object on a panel; returns the points (n, 2) of those that it shows."""
    shown = {}
    for item in material.objects:
        patch = material.patch(item.value)
        curves = panel.view.contours(patch) if patch is not None else []
        if curves:
            panel.curves(curves, item.colour, 0.7 if thin else 1.3)
            shown[item.value] = np.concatenate(curves)
    return shown


def _pair(material: Material, view: View, box: Box, scale: float, titles: tuple[str, str]) -> Canvas:
    """The same view twice, bare and for drawing on."""
    canvas = Canvas([(view, box), (view, box)], scale, 2, titles)
    for panel in canvas.panels:
        panel.image(material.result.image, material.window)
        panel.letters()
    canvas.panels[0].scale_bar()
    return canvas


def _with_line(material: Material, structure: Structure, name: str) -> list[Measurement]:
    """Measurements of a quantity that have a value and a straight line."""
    return [
        m
        for m in material.result.measurements
        if m.structure is structure
        and m.name.lower() == name
        and m.value is not None
        and m.geometry is not None
        and m.geometry.kind == "line"
    ]


def _disc_heights(material: Material) -> list[Measurement]:
    """Disc heights to write beside the discs, of one method only.

    Fyllos' is the mean of the three lines that are drawn; without it the first method of the table.
    """
    found = [
        m
        for m in material.result.measurements
        if m.structure is Structure.DISC and m.name == "height" and m.value is not None
    ]
    methods = [m.method for m in found]
    chosen = "Fyllos" if "Fyllos" in methods else next(iter(methods), "")
    return [m for m in found if m.method == chosen]


def _name_objects(panel: Panel, shown: dict[int, np.ndarray]) -> None:
    """Names of vertebrae inside their contours."""
    for value, points in shown.items():
        label = describe(value)
        if label.structure is Structure.VERTEBRA:
            box = Box.of(points)
            panel.text((box.left + box.right) / 2, (box.top + box.bottom) / 2, label.level, size=10)


def _discs(panel: Panel, material: Material, shown: dict[int, np.ndarray], measured: list[Measurement]) -> None:
    """Name of each disc in front of it, with its height where one was drawn."""
    heights = {m.level: m.value for m in measured}
    for value, points in shown.items():
        label = material.spine.label(value)
        if label.structure is not Structure.DISC:
            continue
        front = points[points[:, 0].argmin()]
        x = front[0] - 3
        panel.text(x, front[1] - 2.2, label.level, label.colour, 8.5, "right")
        if label.level in heights:
            panel.text(x, front[1] + 2.6, f"{heights[label.level]:.1f} mm", size=8.5, align="right")


def draw_middle(material: Material, folder: Path) -> Picture:
    """Mid-sagittal sheet, bare and with contours, names, disc heights and sac diameters.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    view = material.middle
    way = "follows the curve of the spine" if material.is_curved else "straight slice"
    titles = ("Mid-sagittal", "Contours and measured lines")
    canvas = _pair(material, view, material.field(view), _SAGITTAL_SCALE, titles)
    panel = canvas.panels[1]
    shown = outline(panel, material)
    heights = _disc_heights(material)
    lines = [m for name in _HEIGHT_LINES for m in _with_line(material, Structure.DISC, name)]
    diameters = _with_line(material, Structure.CANAL, "ap diameter")
    for item in (*lines, *diameters):
        panel.segment(view.project(np.array(item.geometry.points))[:, :2])
    _name_objects(panel, shown)
    _discs(panel, material, shown, heights)
    for item in diameters:
        ends = view.project(np.array(item.geometry.points))[:, :2]
        back = ends[ends[:, 0].argmax()]
        panel.text(back[0] + 3, back[1], f"{item.value:.1f} mm", describe(CANAL_VALUE).colour, 8.5, "left")
    words = [f"{title(m[0].structure, '', None)} {m[0].name} ({m[0].method})" for m in (heights, diameters) if m]
    numbers = f" Numbers: {'; '.join(words)}." if words else ""
    if lines or diameters:
        numbers += " Measured lines are projected onto the slice."
    return canvas.save(
        folder,
        "midsagittal",
        "Mid-sagittal",
        f"Through the middle of the dural sac ({way}). Anterior is on the left.{numbers}",
        "Mid-sagittal slice of the spine, once bare and once with the contours of "
        f"{', '.join(material.spine.vertebrae) or 'no vertebra'}, of the discs and of the dural sac.",
    )


def draw_parasagittal(material: Material, side: Side, folder: Path) -> Picture | None:
    """The slice that shows most of one side's foramina, bare and with contours; None where none was found.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    view = material.parasagittal(side)
    if view is None:
        return None
    titles = (f"Parasagittal, {side} foramina", "Contours")
    canvas = _pair(material, view, material.field(view), _SAGITTAL_SCALE, titles)
    panel = canvas.panels[1]
    shown = outline(panel, material)
    _name_objects(panel, shown)
    _discs(panel, material, shown, [])
    levels = [material.spine.label(v).level for v in shown if describe(v).structure is Structure.FORAMEN]
    return canvas.save(
        folder,
        f"parasagittal_{side}",
        f"Parasagittal, {side}",
        f"The slice that shows most of the patient's {side} foramina (here {', '.join(levels)}). "
        "Anterior is on the left.",
        f"Parasagittal slice through the {side} foramina, once bare and once with contours.",
    )


def _covered(material: Material, view: View, box: Box) -> Box:
    """A box of an axial view, no wider than the slices reach at its centre."""
    index = view.index[view.index.shape[0] // 2, :, 0]
    reached = np.flatnonzero((index >= -0.5) & (index <= material.grid.shape[0] - 0.5))
    if len(reached) < 2:
        return box
    x = view.start[0] + reached[[0, -1]] * view.step[1]
    return Box(max(box.left, float(x[0])), min(box.right, float(x[1])), box.top, box.bottom)


def _side_lines(panel: Panel, material: Material, level: str) -> list[str]:
    """Draw what was measured of a disc and sac from the side; returns the lengths in words."""
    numbers = []
    wanted = (
        *((Structure.DISC, name) for name in (*_HEIGHT_LINES, "posterior bulge")),
        *((Structure.CANAL, "AP diameter"), (Structure.SPINE, "slip")),
    )
    for structure, name in wanted:
        for item in material.find(structure, level):
            if item.name != name or item.value is None or item.geometry is None or item.geometry.kind != "line":
                continue
            if name in ("slip", "posterior bulge") and abs(item.value) < _LEAST_LINE:
                continue
            # The greatest bulge lies in a sagittal plane of its own.
            if item.method.startswith("greatest"):
                continue
            panel.segment(panel.view.project(np.array(item.geometry.points))[:, :2], width=1.3)
            numbers.append(f"{name} {quantity(item.value, item.unit)}")
    return numbers


def _measured_sac(panel: Panel, material: Material, level: str) -> list[str]:
    """Draw contour and diameters of the sac as they were measured in a panel's plane; returns them in words."""
    numbers = []
    for item in material.find(Structure.CANAL, level):
        if item.geometry is None or item.value is None:
            continue
        points = panel.view.project(np.array(item.geometry.points))
        if np.abs(points[:, 2]).max() > _IN_PLANE:
            continue
        if item.geometry.kind == "line":
            panel.segment(points[:, :2])
        else:
            panel.curves([points[[*range(len(points)), 0], :2]], "#ffffff", 1.0, ":")
        numbers.append(f"{item.name} {quantity(item.value, item.unit)}")
    return numbers


def _beside(material: Material, upper: str) -> tuple[View, Box] | None:
    """The mid-sagittal sheet around a disc; None where there is no such disc."""
    patch = material.patch(disc_value(upper))
    if patch is None:
        return None
    centre = np.argwhere(patch.occupancy > 0.5).mean(axis=0) + patch.start
    x, y, _ = material.middle.project_index(centre)[0]
    # A little to the back, where the sac is.
    return material.middle, Box.around(x + 8, y, *_SIDE_BOX)


def draw_level(material: Material, upper: str, level: str, folder: Path) -> Picture | None:
    """One level: from the side with what was measured, along the disc bare and with contours, and across the sac.

    None where neither disc nor sac tells where the level is.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    along, across = material.disc_plane(upper), material.sac_plane(level)
    side = _beside(material, upper)
    panels = [(along, _DISC_BOX, "Along the disc"), (along, _DISC_BOX, "With contours")]
    panels.append((across, _SAC_BOX, "Across the sac, as measured"))
    shown = [(view, _covered(material, view, box), words) for view, box, words in panels if view is not None]
    if not shown:
        return None
    if side:
        shown.insert(0, (*side, f"{level}, from the side"))
    canvas = Canvas([(v, b) for v, b, _ in shown], _LEVEL_SCALE, len(shown), [words for *_, words in shown])
    for panel, (_, _, words) in zip(canvas.panels, shown, strict=True):
        panel.image(material.result.image, material.window)
        if words != panels[0][2]:
            outline(panel, material)
        panel.letters()
    canvas.panels[0].scale_bar()
    lengths = _side_lines(canvas.panels[0], material, level) if side else []
    numbers = _measured_sac(canvas.panels[-1], material, level) if across is not None else []
    drawn = f" Drawn in white: dural sac {', '.join(numbers)}." if numbers else ""
    drawn += f" From the side: {', '.join(lengths)}." if lengths else ""
    planes = [*(["in the plane of the disc"] if along else []), *(["across the dural sac"] if across else [])]
    return canvas.save(
        folder,
        f"level_{level}",
        level,
        f"Planes {' and '.join(planes)}, interpolated between the slices. Axial: the patient's right is on the left."
        f"{drawn}",
        f"{level} from the side and in axial planes, with contours.{drawn}",
    )


def draw_foramina(material: Material, folder: Path) -> Picture | None:
    """Each foramen on its own slice, the patient's right on the left; None where none was found.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    tiles = []
    for upper, level in zip(material.spine.vertebrae, material.spine.levels, strict=False):
        slices = [material.foramen_slice(upper, level, side) for side in Side]
        if any(k is not None for k in slices):
            tiles += [(upper, level, side, k) for side, k in zip(Side, slices, strict=True)]
    if not tiles:
        return None
    views = [_foramen_view(material, upper, side, k) for upper, _, side, k in tiles]
    titles = [_foramen_title(material, level, side, k) for _, level, side, k in tiles]
    canvas = Canvas(views, _FORAMEN_SCALE, 4, titles)
    for panel, (_, _, _, k) in zip(canvas.panels, tiles, strict=True):
        if k is None:
            panel.text(panel.box.left + panel.box.width / 2, panel.box.top + panel.box.height / 2, "not found")
            continue
        panel.image(material.result.image, material.window)
        outline(panel, material)
        panel.letters()
    canvas.panels[0].scale_bar()
    return canvas.save(
        folder,
        "foramina",
        "Foramina",
        "Each foramen on the sagittal slice on which it was measured, right before left. Anterior is on the left. "
        f"Each tile is {_FORAMEN_BOX:.0f} mm wide.",
        f"Tiles of {len(tiles)} foramina with their contours, titled with level, side and area.",
    )


def _foramen_view(material: Material, upper: str, side: Side, k: int | None) -> tuple[View, Box]:
    """Sagittal view and box around a foramen; the whole slice's middle where there is none."""
    view = sagittal(material.grid, 0 if k is None else k)
    patch = material.patch(foramen_value(upper, side))
    if patch is None:
        box = view.box
        return view, Box.around((box.left + box.right) / 2, (box.top + box.bottom) / 2, _FORAMEN_BOX, _FORAMEN_BOX)
    centre = np.argwhere(patch.occupancy > 0.5).mean(axis=0) + patch.start
    x, y, _ = view.project_index(centre)[0]
    return view, Box.around(x, y, _FORAMEN_BOX, _FORAMEN_BOX)


def _foramen_title(material: Material, level: str, side: Side, k: int | None) -> str:
    """Level, side, and the area where it was measured."""
    areas = [m for m in material.find(Structure.FORAMEN, level, side) if m.name == "area" and m.value is not None]
    return f"{level} {side}" + (f", {areas[0].value:.0f} mm²" if areas and k is not None else "")
