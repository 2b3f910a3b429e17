"""How far a disc reaches beyond the line through the corners of its two bodies.

The corner line joins the two corners that face the disc, in front or behind, in a sagittal plane of the disc. Behind,
planes through the middle and halfway to the right and to the left end of the disc are looked at, in front the one
through the middle. The bulge is the greatest distance of the disc's outline beyond the line, at right angles to it;
where the disc stays behind the line, that of the middle half of its height, which is negative.
"""

from __future__ import annotations

import numpy as np

from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from .landmarks import Landmarks
from .rows import NO_BORDER, Subject, line
from .section import Ends, Section, cut

__all__ = ["CORNER_LINE", "measure_bulge"]

CORNER_LINE = "corner line"
_QUARTER = 0.25
_MIDDLE = (0.25, 0.75)
_SLIPPED = 3.0
_SLIP = "the bodies have slipped: the line leans, and part of what stands out is the step"
_PLACES: tuple[tuple[str, Side | None], ...] = (
    ("anterior bulge", None),
    ("posterior bulge", None),
    ("posterior bulge", Side.RIGHT),
    ("posterior bulge", Side.LEFT),
)


def measure_bulge(
    landmarks: Landmarks, level: str, width: float | None, reason: str, flags: list[str]
) -> list[Measurement]:
    """Anterior and posterior bulge of one disc.

    Parameters
    ----------
    landmarks : Landmarks
        The spine.
    level : str
        Its name.
    width : float or None
        Width of the disc in mm, by which the right and the left plane are placed; None where it is not known.
    reason : str
        Why nothing at all can be measured; empty where something can.
    flags : list of str
        Reasons to doubt every row.
    """
    rows = []
    for name, side in _PLACES:
        subject = Subject(Structure.DISC, level, side)
        why = reason or ("width of the disc not known" if side and width is None else "")
        if why:
            rows.append(subject.absent(name, CORNER_LINE, "mm", why))
            continue
        aside = 0.0 if side is None or width is None else _QUARTER * width * (1.0 if side is Side.LEFT else -1.0)
        found = _bulge(landmarks, level, aside, front=name.startswith("anterior"))
        if isinstance(found, str):
            rows.append(subject.absent(name, CORNER_LINE, "mm", found))
            continue
        value, section, ends, leaning = found
        notes = [*flags, *([_SLIP] if leaning else [])]
        rows.append(subject.row(name, CORNER_LINE, "mm", value, flags=notes, geometry=line(section.plane, ends)))
    return rows


def _bulge(landmarks: Landmarks, level: str, aside: float, *, front: bool) -> tuple[float, Section, Ends, bool] | str:
    """Distance beyond the corner line, the section, the line that shows it, whether the bodies slipped; or why not."""
    plane, above, below = landmarks.facing(level, aside)
    field = landmarks.fields[level]
    if above is None or below is None:
        return "the bodies above and below are not both seen"
    section = (cut(field, plane) if aside else landmarks.section(level)) if field is not None and plane else None
    if section is None:
        return NO_BORDER
    low, high = (below.upper_front, above.lower_front) if front else (below.upper_back, above.lower_back)
    along = high - low
    length = float(np.linalg.norm(along))
    if length < 1e-3 or along[1] <= 0:
        return "the corners of the bodies lie beside each other"
    along = along / length
    out = np.array([along[1], -along[0]]) * (1.0 if front else -1.0)
    outline = section.contour[:-1]
    outline = outline[((outline - section.centroid) @ out) > 0]
    distance, share = (outline - low) @ out, (outline - low) @ along / length
    middle = (share >= _MIDDLE[0]) & (share <= _MIDDLE[1])
    if not middle.any():
        return NO_BORDER
    candidates = np.flatnonzero(middle) if distance[middle].max() < 0 else np.arange(len(outline))
    n = int(candidates[np.argmax(distance[candidates])])
    foot = outline[n] - distance[n] * out
    slipped = abs(float(high[0] - low[0])) >= _SLIPPED
    return float(distance[n]), section, (foot, outline[n]), slipped
