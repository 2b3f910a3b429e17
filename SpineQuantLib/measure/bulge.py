"""How far a disc reaches beyond the line through the corners of its two bodies.

The corner line joins the two corners that face the disc, in front or behind, in a sagittal plane of the disc. Behind,
planes through the middle and halfway to the right and to the left end of the disc are looked at, in front the one
through the middle. The bulge is the greatest distance of the disc's outline beyond the line, at right angles to it;
where the disc stays behind the line, that of the middle half of its height, which is negative.

The *greatest* posterior bulge is the greatest in five planes from halfway to the right to halfway to the left end of
the disc. It has a *place* where it stands out from both of its sides: by half a millimetre from what lies on either
side up to three quarters of the way to the end. Farther out the bodies' edges are round, and every disc reaches beyond
them. The place is the distance of the bulge's top from the middle plane, positive to the left: the mean of the places
around the greatest that are lower by less than half a millimetre, weighted by how much less. Corners are found in five
planes and interpolated in two, since the rims of the endplates run smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from .field import Field
from .landmarks import Landmarks
from .rows import NO_BORDER, Subject, line
from .section import Ends, Plane, Section, cut

__all__ = ["CORNER_LINE", "GREATEST_BULGE", "measure_bulge"]

CORNER_LINE = "corner line"
GREATEST_BULGE = "greatest beyond corner line"
_GREATEST = ("posterior bulge", GREATEST_BULGE, "mm")
_PLACE = ("place of posterior bulge", f"{GREATEST_BULGE}, left positive", "mm")
_QUARTER = 0.25
_NO_WIDTH = "width of the disc not known"
_MIDDLE = (0.25, 0.75)
_SLIPPED = 3.0
_SLIP = "the bodies have slipped: the line leans, and part of what stands out is the step"
_LOW = "the disc is lower than two pixels here: a thin edge of it may be lost between them"
_PIXELS = 2.0
_WITH_CORNERS = (-0.375, -0.25, 0.0, 0.25, 0.375)
"""Planes in which corners are found, as a share of the width to the left of the middle."""
_ACROSS = np.linspace(_WITH_CORNERS[0], _WITH_CORNERS[-1], 7)
_FEWEST = 3
_WIDE = 1.45
"""Width of a disc over its depth, as in most people."""
_SOUGHT = 0.25
"""Share of the width to either side up to which the greatest bulge is sought."""
_NOTABLE = 1.0
"""Millimetres of bulge from which it has a place; less than that voxels and readers do not tell from none."""
_TOP = 0.5
"""Millimetres by which a bulge stands out from its sides, and below the greatest down to which its top reaches."""
_NO_TOP = f"no posterior bulge of {_NOTABLE:g} mm or more that stands out from its sides"
_ZONES = ((0.15, "in the middle"), (0.45, "{} of the middle"), (np.inf, "{}"))
"""Up to which share of the half-width a place is called what."""
_PLACES: tuple[tuple[str, Side | None], ...] = (
    ("anterior bulge", None),
    ("posterior bulge", None),
    ("posterior bulge", Side.RIGHT),
    ("posterior bulge", Side.LEFT),
)


@dataclass(frozen=True, eq=False)
class _Line:
    """A corner line in a sagittal plane of the disc: the lower and the upper corner (2,) that it joins."""

    low: np.ndarray
    high: np.ndarray

    @property
    def length(self) -> float:
        """Millimetres from corner to corner."""
        return float(np.linalg.norm(self.high - self.low))

    @property
    def upright(self) -> bool:
        """Whether the corners lie one above the other, with room between them."""
        return self.length >= 1e-3 and self.high[1] > self.low[1]

    @property
    def slipped(self) -> bool:
        """Whether it leans because the bodies have slipped."""
        return abs(float(self.high[0] - self.low[0])) >= _SLIPPED


@dataclass(frozen=True, eq=False)
class _Found:
    """A bulge: millimetres, the section that shows it, and the line from the corner line to the disc's outline."""

    value: float
    section: Section
    ends: Ends
    notes: tuple[str, ...]


def measure_bulge(
    landmarks: Landmarks,
    level: str,
    width: float | None,
    depth: float,
    reason: str,
    flags: list[str],
    *,
    everywhere: bool = True,
) -> list[Measurement]:
    """Anterior and posterior bulge of one disc.

    Parameters
    ----------
    landmarks : Landmarks
        The spine.
    level : str
        Its name.
    width : float or None
        Width of the disc in mm, by which the planes beside the middle are placed; None where it is not known.
    depth : float
        Depth of the disc in mm, which tells how far to search where the view cuts the width.
    reason : str
        Why nothing at all can be measured; empty where something can.
    flags : list of str
        Reasons to doubt every row.
    everywhere : bool
        Also the greatest posterior bulge and its place.
    """
    rows = []
    for name, side in _PLACES:
        subject = Subject(Structure.DISC, level, side)
        why = reason or (_NO_WIDTH if side and width is None else "")
        aside = 0.0 if side is None or width is None else _QUARTER * width * (1.0 if side is Side.LEFT else -1.0)
        found = why or _in_plane(landmarks, level, aside, front=name.startswith("anterior"))
        if isinstance(found, str):
            rows.append(subject.absent(name, CORNER_LINE, "mm", found))
        else:
            rows.append(_row(subject, (name, CORNER_LINE, "mm"), found, flags))
    return [*rows, *_greatest(landmarks, level, width or _WIDE * depth, reason, flags)] if everywhere else rows


def _row(subject: Subject, column: tuple[str, str, str], found: _Found, flags: list[str]) -> Measurement:
    geometry = line(found.section.plane, found.ends)
    return subject.row(*column, found.value, flags=[*flags, *found.notes], geometry=geometry)


def _greatest(landmarks: Landmarks, level: str, width: float, reason: str, flags: list[str]) -> list[Measurement]:
    """The greatest posterior bulge of a disc, and where it is."""
    subject = Subject(Structure.DISC, level)
    found = reason or _behind(landmarks, level, width)
    if isinstance(found, str):
        return [subject.absent(*column, found) for column in (_GREATEST, _PLACE)]
    shares, values = np.array([share for share, _ in found]), np.array([bulge.value for _, bulge in found])
    best = int(np.argmax(np.where(np.abs(shares) <= _SOUGHT, values, -np.inf)))
    greatest = _row(subject, _GREATEST, found[best][1], flags)
    sides = values[:best], values[best + 1 :]
    stands_out = all(len(side) and values[best] - side.min() >= _TOP for side in sides)
    if values[best] < _NOTABLE or not stands_out:
        return [greatest, subject.absent(*_PLACE, _NO_TOP)]
    place = _top(shares, values, best)
    row = subject.row(*_PLACE, place * width, flags=[*flags, *found[best][1].notes])
    return [greatest, replace(row, grade=_zone(place))]


def _top(shares: np.ndarray, values: np.ndarray, best: int) -> float:
    """Place of a bulge's top, as a share of the width to the left."""
    stands = np.clip(values - (values[best] - _TOP), 0.0, _TOP)
    ends = np.flatnonzero(stands == 0)
    first, last = max(ends[ends < best], default=-1) + 1, min(ends[ends > best], default=len(stands))
    weights = stands[first:last]
    return float(weights @ shares[first:last] / weights.sum())


def _zone(share: float) -> str:
    """A place in words."""
    words = next(words for limit, words in _ZONES if abs(2.0 * share) < limit)
    return words.format("left" if share > 0 else "right")


def _behind(landmarks: Landmarks, level: str, width: float) -> list[tuple[float, _Found]] | str:
    """Posterior bulges in planes all across the disc, by their shares of the width; or why there are too few."""
    known = {share: _corner_line(landmarks, level, share * width, front=False) for share in _WITH_CORNERS}
    if isinstance(reason := known[0.0], str):
        return reason
    lines = {share: found for share, found in known.items() if not isinstance(found, str)}
    frame, field = landmarks.frame(level), landmarks.fields[level]
    if len(lines) < _FEWEST or frame is None or field is None:
        return "the corners of the bodies are seen in fewer than three planes"
    shares = np.array(sorted(lines))
    corners = CubicSpline(shares, np.array([[lines[share].low, lines[share].high] for share in shares]))
    out = []
    for share in (share for share in _ACROSS.tolist() if shares[0] <= share <= shares[-1]):
        plane = Plane(frame.centre + share * width * frame.left, frame.anterior, frame.up)
        section = cut(field, plane) if share else landmarks.section(level)
        if section is None or section.cut:
            continue
        found = _beyond(section, _Line(*corners(share)), field, front=False)
        if not isinstance(found, str):
            out.append((share, found))
    return out if any(abs(share) <= _SOUGHT for share, _ in out) else NO_BORDER


def _corner_line(landmarks: Landmarks, level: str, aside: float, *, front: bool) -> _Line | str:
    """Line through the corners of the bodies that face the disc in front or behind, or why there is none."""
    _, above, below = landmarks.facing(level, aside)
    if above is None or below is None:
        return "the bodies above and below are not both seen"
    found = _Line(*((below.upper_front, above.lower_front) if front else (below.upper_back, above.lower_back)))
    return found if found.upright else "the corners of the bodies lie beside each other"


def _in_plane(landmarks: Landmarks, level: str, aside: float, *, front: bool) -> _Found | str:
    """Bulge in the plane so many millimetres to the left of the middle, or why there is none."""
    found = _corner_line(landmarks, level, aside, front=front)
    if isinstance(found, str):
        return found
    plane, field = landmarks.facing(level, aside)[0], landmarks.fields[level]
    section = (cut(field, plane) if aside else landmarks.section(level)) if field is not None and plane else None
    return NO_BORDER if section is None or field is None else _beyond(section, found, field, front=front)


def _beyond(section: Section, corners: _Line, field: Field, *, front: bool) -> _Found | str:
    """How far a section of the disc reaches beyond a corner line."""
    if not corners.upright:
        return NO_BORDER
    along = (corners.high - corners.low) / corners.length
    out = np.array([along[1], -along[0]]) * (1.0 if front else -1.0)
    outline = section.contour[:-1]
    outline = outline[((outline - section.centroid) @ out) > 0]
    distance, share = (outline - corners.low) @ out, (outline - corners.low) @ along / corners.length
    middle = (share >= _MIDDLE[0]) & (share <= _MIDDLE[1])
    if not middle.any():
        return NO_BORDER
    candidates = np.flatnonzero(middle) if distance[middle].max() < 0 else np.arange(len(outline))
    n = int(candidates[np.argmax(distance[candidates])])
    foot = outline[n] - distance[n] * out
    low = corners.length < _PIXELS * float(np.sort(field.spacing)[1])
    notes = (*([_SLIP] if corners.slipped else []), *([_LOW] if low else []))
    return _Found(float(distance[n]), section, (foot, outline[n]), notes)
