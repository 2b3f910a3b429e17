"""Pictures of doubt: where the members of the committee differ, and what each said about a flagged object."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from skimage.measure import find_contours

from ..anatomy.labels import CANAL_VALUE, disc_value
from ..anatomy.levels import SACRUM_VALUE, vertebra_value
from ..anatomy.structures import NetworkClass, Side, Structure
from ..case.opinion import Score, Verdict
from .canvas import Canvas, Picture
from .material import Material
from .views import Box, View, axial_slice, sagittal
from .words import title

__all__ = ["draw_disagreement", "draw_members", "flagged", "members_stem"]

_MEMBER_STYLES = (
    ("#FFFFFF", "-"),
    ("#E69F00", "--"),
    ("#56B4E9", "-."),
    ("#CC79A7", ":"),
    ("#F0E442", (0, (1, 4))),
)
"""Colour (Okabe–Ito) and line style of the members, in turn; the style tells them apart without colour. The first is
drawn first and solid, so that those on top of it let it show through."""
_PANEL_PIXELS = 280
_BOX = {Structure.VERTEBRA: 76.0, Structure.DISC: 70.0, Structure.CANAL: 56.0, Structure.FORAMEN: 50.0}
_OVERVIEW_SCALE = 1.9


def flagged(scores: Iterable[Score]) -> list[Score]:
    """Scores of single objects that are not a pass: failed ones first, then by disagreement."""
    found = [s for s in scores if s.structure and s.level and s.verdict is not Verdict.PASS]
    return sorted(found, key=lambda s: (s.verdict is not Verdict.FAIL, -(s.entropy or 0.0)))


def members_stem(score: Score) -> str:
    """File name, without its ending, of the picture of the members' contours of an object."""
    return "_".join(["members", str(score.structure), *([str(score.side)] if score.side else []), score.level])


def _focus(material: Material, score: Score) -> np.ndarray | None:
    """Index (k, j, i) of the middle of what a score is about; None where the case does not hold it."""
    values = [
        o.value
        for o in material.objects
        if o.structure is score.structure and o.level == score.level and o.side is score.side
    ]
    if values:
        return _middle(material, values[0])
    if score.structure is not Structure.CANAL:
        return None
    upper, *lower = score.level.split("-")
    neighbour = _middle(material, disc_value(upper) if lower else vertebra_value(upper))
    sac = material.patch(CANAL_VALUE)
    if neighbour is None or sac is None:
        return None
    # The sac is one object from top to bottom: its stretch beside the disc or body is what the score is about.
    row = round(float(neighbour[1])) - sac.start[1]
    if not 0 <= row < sac.occupancy.shape[1] or not (sac.occupancy[:, row] > 0.5).any():
        return None
    k, i = np.argwhere(sac.occupancy[:, row] > 0.5).mean(axis=0)
    return np.array([k + sac.start[0], row + sac.start[1], i + sac.start[2]])


def _middle(material: Material, value: int) -> np.ndarray | None:
    """Index (k, j, i) of the middle of an object."""
    patch = material.patch(value)
    if patch is None:
        return None
    return np.argwhere(patch.occupancy > 0.5).mean(axis=0) + patch.start


def _network_class(score: Score) -> NetworkClass:
    """Channel of the networks that holds a score's structure."""
    if score.structure is Structure.VERTEBRA:
        return NetworkClass.SACRUM if vertebra_value(score.level) == SACRUM_VALUE else NetworkClass.BODY
    return {
        Structure.DISC: NetworkClass.DISC,
        Structure.CANAL: NetworkClass.CANAL,
        Structure.FORAMEN: NetworkClass.FORAMEN,
    }[score.structure]


def _member_curves(view: View, member: np.ndarray, channel: NetworkClass) -> list[np.ndarray]:
    """Border of one member's most probable class on a native slice, in picture millimetres."""
    mask = view.sample((member == channel).astype(np.float32), order=0)
    curves = find_contours(np.pad(mask, 1), 0.5)
    return [(curve[:, ::-1] - 1) * view.step[::-1] + view.start for curve in curves]


def draw_members(material: Material, score: Score, folder: Path) -> Picture | None:
    """What each member said about one object, sagittal and axial; None where the case does not hold the object.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    centre = _focus(material, score)
    if centre is None:
        return None
    size = _BOX[score.structure]
    views = [sagittal(material.grid, round(float(centre[0]))), axial_slice(material.grid, round(float(centre[1])))]
    boxes = [Box.around(*view.project_index(centre)[0, :2], size, size) for view in views]
    name = title(score.structure, score.level, score.side)
    titles = (f"{name}, sagittal", "axial")
    canvas = Canvas(list(zip(views, boxes, strict=True)), _PANEL_PIXELS / size, 2, titles, strip=26)
    channel = _network_class(score)
    members = material.result.members
    styles = [_MEMBER_STYLES[n % len(_MEMBER_STYLES)] for n in range(len(members))]
    for panel in canvas.panels:
        panel.image(material.result.image, material.window)
        for member, (colour, style) in zip(members, styles, strict=True):
            panel.curves(_member_curves(panel.view, member, channel), colour, 1.4, style)
        panel.letters()
    canvas.panels[0].scale_bar()
    canvas.legend([(f"member {n + 1}", *style) for n, style in enumerate(styles)])
    return canvas.save(
        folder,
        members_stem(score),
        f"{name[0].upper()}{name[1:]}: what each member said",
        f"{score.verdict}: {score.reason}" if score.reason else str(score.verdict),
        f"Contours of the {len(members)} members of the committee around the {name}, sagittal and axial.",
    )


def draw_disagreement(material: Material, folder: Path) -> Picture:
    """Where the members differ, over the mid-sagittal slice and those through the foramina.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    choices = [
        (material.parasagittal(Side.RIGHT), "right foramina"),
        (material.middle, "mid-sagittal"),
        (material.parasagittal(Side.LEFT), "left foramina"),
    ]
    shown = [(view, words) for view, words in choices if view is not None]
    panels = [(view, material.field(view)) for view, _ in shown]
    canvas = Canvas(panels, _OVERVIEW_SCALE, len(panels), [words.capitalize() for _, words in shown], strip=26)
    for panel in canvas.panels:
        panel.image(material.result.image, material.window)
        panel.heat(material.result.assessment.disagreement, 255)
        panel.letters()
    canvas.panels[0].scale_bar()
    canvas.colour_bar("all agree", "evenly split")
    return canvas.save(
        folder,
        "disagreement",
        "Where the members differ",
        "Bright where the committee is split; unmarked where all members agree.",
        f"Disagreement of the committee over {len(shown)} sagittal slices.",
    )
