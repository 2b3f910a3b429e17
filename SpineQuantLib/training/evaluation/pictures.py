"""Pictures of single cases: the committee's contours beside the annotators'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...anatomy.labels import CANAL_VALUE
from ...anatomy.structures import Structure
from ...case.grid import to_reading_order
from ...case.spine import NamedSpine
from ...report.canvas import Canvas, Panel
from ...report.views import Box, View, sagittal
from ..collect import LabelledVolume
from .predict import Prediction

__all__ = ["draw_case"]

_SCALE = 2.4
_MARGIN = 18.0
_STRIP = 24
_MANUAL = "#ffffff"
_MANUAL_STYLE = (0, (2.5, 1.5))


def draw_case(
    volume: LabelledVolume, prediction: Prediction, manual: NamedSpine, folder: Path, stem: str, words: str
) -> Path:
    """Mid-sagittal slice bare, the same with contours, and the slices that show most of the foramina on each side.

    Parameters
    ----------
    volume : LabelledVolume
        Whose image is drawn.
    prediction : Prediction
        Contours in the structures' colours.
    manual : NamedSpine
        Dashed white contours.
    folder : Path
        Where ``<stem>.png`` goes.
    stem, words : str
        File name and heading.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    image = to_reading_order(sitk.ReadImage(str(volume.image)))
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    spines = (prediction.spine, manual)
    drawn = np.logical_or(*(s.labels > 0 for s in spines))
    if not drawn.any():
        drawn = np.ones(array.shape, bool)
    views = [(sagittal(manual.grid, k), title) for k, title in _slices(spines, drawn)]
    box = _field(views[0][0], drawn)
    panels = [(views[0][0], box), *((view, box) for view, _ in views)]
    canvas = Canvas(panels, _SCALE, len(panels), [words, *(title for _, title in views)], strip=_STRIP)
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in ((0, 2), (0, 1)))
    near = array[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    window = tuple(float(v) for v in np.percentile(near, (1, 99)))
    for n, panel in enumerate(canvas.panels):
        panel.image(array, window if window[1] > window[0] else (window[0], window[0] + 1))
        panel.letters()
        if n:
            _contours(panel, prediction.spine, None)
            _contours(panel, manual, _MANUAL)
    canvas.panels[0].scale_bar()
    canvas.legend([("committee", "#e69f00", "-"), ("annotator", _MANUAL, _MANUAL_STYLE)])
    canvas.save(folder, stem, words, "", "")
    return folder / f"{stem}.png"


def _slices(spines: tuple[NamedSpine, NamedSpine], drawn: np.ndarray) -> list[tuple[int, str]]:
    """Slice numbers with titles: the middle, and on either side the one with most of the foramina."""
    sac = next((s.labels == CANAL_VALUE for s in spines if s.has(CANAL_VALUE)), drawn)
    weight = sac.sum(axis=(1, 2)).astype(float)
    middle = round(float((weight * np.arange(len(weight))).sum() / weight.sum()))
    foramina = sum(s.occupancy[Structure.FORAMEN].sum(axis=(1, 2)) for s in spines)
    out = [(middle, "Mid-sagittal")]
    for title, part in (("Right foramina", slice(0, middle)), ("Left foramina", slice(middle + 1, None))):
        side = foramina[part]
        if side.size and side.max() > 0:
            out.append((int(side.argmax()) + (part.start or 0), title))
    return out


def _field(view: View, drawn: np.ndarray) -> Box:
    rows, columns = np.nonzero(drawn.any(axis=0))
    (dy, dx), whole = view.step, view.box
    found = Box(columns.min() * dx, columns.max() * dx, rows.min() * dy, rows.max() * dy).grown(_MARGIN)
    return Box(
        max(found.left, whole.left),
        min(found.right, whole.right),
        max(found.top, whole.top),
        min(found.bottom, whole.bottom),
    )


def _contours(panel: Panel, spine: NamedSpine, colour: str | None) -> None:
    for item in spine.objects:
        patch = spine.patch(item.value)
        curves = panel.view.contours(patch) if patch is not None else []
        if curves:
            style = "-" if colour is None else _MANUAL_STYLE
            panel.curves(curves, colour or item.colour, 1.4 if colour is None else 1.0, style)
