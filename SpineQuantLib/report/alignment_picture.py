"""How the vertebrae stand to each other: angles drawn between their endplates, from the side and from the front."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from .anatomy_pictures import outline
from .canvas import Canvas, Panel, Picture
from .material import Material
from .views import Box
from .words import quantity

__all__ = ["draw_alignment"]

_SCALE = 3.0
_SIDE_NAMES = ("lordosis", "thoracic kyphosis", "cervical lordosis", "sacral slope")
_FRONT_NAME = "coronal Cobb angle"
_COLOURS = {"lordosis": "#F0E442", "thoracic kyphosis": "#F0E442", "cervical lordosis": "#F0E442"}
_SLOPE, _SLIP, _CORONAL = "#56B4E9", "#E69F00", "#F0E442"
_LEAST_SLIP = 3.0
"""Millimetres from which a slip is pointed out, as in its grade."""
_EXTENSION = 9.0


def _found(material: Material, *names: str) -> list[Measurement]:
    """Measured angles that were drawn somewhere."""
    return [
        m
        for m in material.result.measurements
        if m.structure is Structure.SPINE and m.name in names and m.value is not None and m.geometry is not None
    ]


def _plate(panel: Panel, ends: np.ndarray, colour: str) -> None:
    """An endplate (2, 2) with a stroke beyond both ends."""
    along = (ends[1] - ends[0]) / max(float(np.linalg.norm(ends[1] - ends[0])), 1e-6) * _EXTENSION
    panel.curves([np.array([ends[0] - along, ends[1] + along])], colour, 1.8)


def _angle(panel: Panel, item: Measurement, colour: str) -> None:
    """Both endplates that an angle lies between, or the one that slopes."""
    points = panel.view.project(np.array(item.geometry.points))[:, :2]
    for start in range(0, len(points) - 1, 2):
        _plate(panel, points[start : start + 2], colour)


def _side(panel: Panel, material: Material) -> list[str]:
    """Angles and slips from the side; returns them in words."""
    words = []
    for item in _found(material, *_SIDE_NAMES):
        _angle(panel, item, _COLOURS.get(item.name, _SLOPE))
        level = "" if item.name == "sacral slope" else f"{item.level} "
        words.append(f"{level}{item.name} {quantity(item.value, item.unit)}")
    for item in _found(material, "segmental angle"):
        points = panel.view.project(np.array(item.geometry.points))[:, :2]
        front = points[points[:, 0].argmin()]
        panel.text(front[0] - 5, float(points[:, 1].mean()), quantity(item.value, item.unit), size=8, align="right")
    for item in _found(material, "slip"):
        if abs(item.value) >= _LEAST_SLIP:
            points = panel.view.project(np.array(item.geometry.points))[:, :2]
            panel.segment(points, _SLIP, 2.0)
            panel.text(points[:, 0].max() + 4, points[:, 1].mean(), f"slip {item.value:.1f} mm", _SLIP, 9, "left")
            words.append(f"{item.level} slip {quantity(item.value, item.unit)}")
    return words


def draw_alignment(material: Material, folder: Path) -> Picture | None:
    """The spine from the side and from the front with its angles; None where none was measured.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if not _found(material, *_SIDE_NAMES, "segmental angle", _FRONT_NAME):
        return None
    side, front = material.middle, material.front
    field = material.field(side)
    whole = front.box
    views = [(side, field), (front, Box(whole.left - 4, whole.right + 4, field.top, field.bottom))]
    canvas = Canvas(views, _SCALE, 2, ("From the side", "From the front"))
    for panel in canvas.panels:
        panel.image(material.result.image, material.window)
        outline(panel, material, thin=True)
        panel.letters()
    canvas.panels[0].scale_bar()
    words = _side(canvas.panels[0], material)
    for item in _found(material, _FRONT_NAME):
        _angle(canvas.panels[1], item, _CORONAL)
        words.append(f"{item.level} coronal Cobb angle {quantity(item.value, item.unit)}")
    told = "; ".join(words) or "no angle of the whole spine"
    return canvas.save(
        folder,
        "alignment",
        "Alignment",
        f"Supine. {told}. Numbers in front of the spine are the segmental angles between the upper endplates of "
        "neighbouring vertebrae. From the front the patient's right is on the left; the sheet follows the spine.",
        f"The spine from the side and from the front with the endplates that angles were read between: {told}.",
    )
