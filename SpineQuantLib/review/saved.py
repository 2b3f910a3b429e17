"""What another program saved into a case folder: a mask that was drawn on, lines that were dragged."""

from __future__ import annotations

import numpy as np

from ..case.errors import InputError
from ..case.measurement import Measurement
from .opening import OpenedCase
from .outside import read_label_map, read_markup, row_of_markup
from .shapes import follows

__all__ = ["is_elsewhere", "saved_labels", "saved_lines"]

_STORED = 0.03
"""Millimetres by which the corners of a stored contour may be off the row's own: it was thinned by 0.02 mm."""


def saved_labels(opened: OpenedCase) -> np.ndarray | None:
    """Labels of a segmentation that another program saved; see :meth:`CaseReview.saved_labels`."""
    written = opened.state.result.spine
    found = []
    for name in ("segmentation.seg.nrrd", "segmentation.nii.gz"):
        if (opened.folder / name).is_file():
            labels = read_label_map(opened.folder / name, written.grid)
            if not np.array_equal(labels, written.labels):
                found.append(labels)
    if len(found) == 2 and not np.array_equal(*found):
        raise InputError(
            f"segmentation.seg.nrrd and segmentation.nii.gz in {opened.folder} were both changed, each in another "
            "way; name the one that counts"
        )
    return found[0] if found else None


def saved_lines(opened: OpenedCase) -> list[tuple[str, np.ndarray]]:
    """Key and points of each markup at another place; see :meth:`CaseReview.saved_lines`."""
    out = []
    for path in sorted((opened.folder / "markups").glob("*.mrk.json")):
        # A markup that the reader put there besides is no measurement.
        if path.relative_to(opened.folder).as_posix() not in opened.record.files:
            continue
        markup = read_markup(path)
        row = row_of_markup(markup, opened.state.result.measurements)
        if is_elsewhere(row, markup.points):
            out.append((row.key, markup.points))
    return out


def is_elsewhere(row: Measurement, points: np.ndarray) -> bool:
    """Whether points (n, 3), RAS mm, lie elsewhere than the row's geometry as far as a stored markup can tell."""
    if row.geometry is None:
        return True
    own = np.array(row.geometry.points)
    if row.geometry.kind == "line":
        return len(points) != 2 or not np.allclose(points, own[:2], atol=_STORED)
    return not follows(own, points, _STORED, row.geometry.kind == "closed curve")
