"""How the vertebrae stand to each other: lordosis, kyphosis, slope, coronal curve, slip.

Angles lie between endplates: planes fitted robustly to the middle of each. The sagittal and the coronal plane are those
of the two vertebrae, see :mod:`.angles`. Slip is read between the posterior corners that face each other, along the
upper endplate of the lower vertebra (Taillard's measure; Meyerding's grades are quarters of that endplate).

People lie in a scanner: slip, kyphosis and coronal curves are smaller than when they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..anatomy.levels import SACRUM_VALUE, split_level, vertebra_value
from ..anatomy.structures import Structure
from ..case.grid import lps_to_ras
from ..case.measurement import Geometry, Measurement
from ..case.spine import NamedSpine
from .angles import coronal_angle, sagittal_angle, slope
from .axis import AXIS, NO_UPPER_ENDPLATE
from .frames import Frame, unit
from .landmarks import Landmarks
from .rows import CUT, NO_BORDER, Subject, few_slices, line

__all__ = [
    "COBB",
    "GREATEST",
    "SLIP",
    "SUPINE",
    "SUPINE_SLOPE",
    "UPPER_ENDPLATES",
    "measure_alignment",
    "meyerding",
    "whole_spine",
]

COBB = "Cobb"
UPPER_ENDPLATES = "upper endplates"
GREATEST = "greatest between endplates"
SLIP = "posterior corners, supine"
SUPINE_SLOPE = "supine, to the scanner's axial plane"
SUPINE = "supine MRI underestimates slip"
_SLIPPED = 3.0
"""Millimetres from which a step between two posterior walls is called a slip; raters differ by less."""
_MEYERDING = ("I", "II", "III", "IV", "V")
_APART = 2
_HALF_WIDTH = 22.0
_UPPER, _LOWER = 0, 1


@dataclass(frozen=True, eq=False)
class _End:
    """An endplate: of which vertebra, its upward normal, and its posterior and anterior end (2, 3); LPS."""

    name: str
    frame: Frame
    normal: np.ndarray
    points: np.ndarray


def measure_alignment(landmarks: Landmarks) -> list[Measurement]:
    """Angles and slips of one spine.

    Lordosis has a row wherever a lumbar vertebra is in view, kyphosis T4–T12 and cervical lordosis only where both of
    their ends are.
    """
    spine = landmarks.spine
    rows = []
    if any(name.startswith("L") for name in spine.vertebrae):
        rows.append(_between(landmarks, "lordosis", ("L1", _UPPER), ("S1", _UPPER), 1.0))
    for level in spine.levels:
        upper, lower = split_level(level)
        rows.append(_between(landmarks, "segmental angle", (upper, _UPPER), (lower, _UPPER), 1.0, UPPER_ENDPLATES))
    if "S1" in spine.vertebrae:
        rows.append(_slope(landmarks))
    if {"T4", "T12"} <= set(spine.vertebrae):
        rows.append(_between(landmarks, "thoracic kyphosis", ("T4", _UPPER), ("T12", _LOWER), -1.0))
    if {"C2", "C7"} <= set(spine.vertebrae):
        rows.append(_between(landmarks, "cervical lordosis", ("C2", _LOWER), ("C7", _LOWER), 1.0))
    rows.append(_coronal(landmarks))
    for level in spine.levels:
        rows += _slip(landmarks, level)
    return rows


def _end(landmarks: Landmarks, name: str, which: int) -> _End | str:
    """An endplate of a vertebra, or why it has no angle."""
    if name not in landmarks.spine.vertebrae:
        return f"{name} is not in view"
    if name == AXIS and which is _UPPER:
        return NO_UPPER_ENDPLATE
    frame, section, corners = landmarks.frame(name), landmarks.section(name), landmarks.corners(name)
    if frame is None or section is None or corners is None:
        return f"{name} not seen"
    if section.cut:
        return f"{name} {CUT}"
    if frame.endplates is None:
        return f"too little of the endplates of {name} is seen"
    ends = (corners.upper_back, corners.upper_front) if which is _UPPER else (corners.lower_back, corners.lower_front)
    return _End(name, frame, frame.endplates[which], section.plane.to_lps(np.array(ends)))


def _doubts(landmarks: Landmarks, *names: str) -> list[str]:
    fields, frames = [landmarks.fields[name] for name in names], [landmarks.frame(name) for name in names]
    beside = [f.cut_beside(at.centre) for f, at in zip(fields, frames, strict=True) if f is not None and at is not None]
    cut = [CUT] if any(beside) else []
    return [*cut, *few_slices(*fields)]


def _bracket(upper: _End, lower: _End) -> Geometry:
    """Along the upper endplate to the front, and along the lower one back: what the angle lies between."""
    return Geometry.of("curve", lps_to_ras(np.array([*upper.points, *lower.points[::-1]])))


def _between(
    landmarks: Landmarks, name: str, top: tuple[str, int], foot: tuple[str, int], sign: float, method: str = COBB
) -> Measurement:
    """Angle between two endplates (vertebra, which of the two), seen from the side."""
    subject = Subject(Structure.SPINE, f"{top[0]}-{foot[0]}")
    upper, lower = _end(landmarks, *top), _end(landmarks, *foot)
    if isinstance(upper, str) or isinstance(lower, str):
        reasons = [end for end in (upper, lower) if isinstance(end, str)]
        return subject.absent(name, method, "deg", "; ".join(dict.fromkeys(reasons)))
    angle = sign * sagittal_angle(upper.frame, upper.normal, lower.frame, lower.normal)
    flags = _doubts(landmarks, upper.name, lower.name)
    return subject.row(name, method, "deg", angle, flags=flags, geometry=_bracket(upper, lower))


def _slope(landmarks: Landmarks) -> Measurement:
    """How far S1's upper endplate leans forwards in the scanner."""
    subject, column = Subject(Structure.SPINE, "S1"), ("sacral slope", SUPINE_SLOPE, "deg")
    end = _end(landmarks, "S1", _UPPER)
    if isinstance(end, str):
        return subject.absent(*column, end)
    geometry = Geometry.of("line", lps_to_ras(end.points))
    return subject.row(*column, slope(end.frame, end.normal), flags=_doubts(landmarks, "S1"), geometry=geometry)


def _coronal(landmarks: Landmarks) -> Measurement:
    """Greatest angle in the coronal plane between an upper endplate and a lower one at least two vertebrae below."""
    spine, column = landmarks.spine, ("coronal Cobb angle", GREATEST, "deg")
    whole = Subject(Structure.SPINE, whole_spine(spine))
    bodies = [name for name in spine.vertebrae if vertebra_value(name) != SACRUM_VALUE]
    tops = [_end(landmarks, name, _UPPER) for name in bodies]
    feet = [_end(landmarks, name, _LOWER) for name in bodies]
    best: tuple[float, _End, _End] | None = None
    for n, top in enumerate(tops):
        for foot in feet[n + _APART :]:
            if isinstance(top, str) or isinstance(foot, str):
                continue
            angle = coronal_angle(top.frame, top.normal, foot.frame, foot.normal)
            if best is None or abs(angle) > abs(best[0]):
                best = angle, top, foot
    if best is None:
        return whole.absent(*column, "fewer than three whole vertebral bodies in a row are seen")
    angle, top, foot = best
    subject = Subject(Structure.SPINE, f"{top.name}-{foot.name}")
    flags = _doubts(landmarks, top.name, foot.name)
    return subject.row(*column, angle, flags=flags, geometry=_plates(top, foot))


def _plates(top: _End, foot: _End) -> Geometry:
    """Both endplates from right to left, as seen from the front, joined at the left."""
    out = []
    for end, (first, last) in ((top, (-1.0, 1.0)), (foot, (1.0, -1.0))):
        along = unit(end.frame.left - (end.frame.left @ end.normal) * end.normal)
        middle = end.points.mean(axis=0)
        out += [middle + sign * _HALF_WIDTH * along for sign in (first, last)]
    return Geometry.of("curve", lps_to_ras(np.array(out)))


def _slip(landmarks: Landmarks, level: str) -> list[Measurement]:
    """Step between the posterior corners of a level, in mm and as a share of the lower endplate."""
    subject = Subject(Structure.SPINE, level)
    columns = (("slip", SLIP, "mm"), ("slip ratio", SLIP, "%"))
    plane, above, below = landmarks.facing(level)
    if plane is None or above is None or below is None:
        missing = [n for n, c in zip(split_level(level), (above, below), strict=True) if c is None]
        return [subject.absent(*column, f"{' and '.join(missing)} not seen whole") for column in columns]
    plate = below.upper_endplate
    extent = float(np.linalg.norm(plate))
    if extent < 1.0:
        return [subject.absent(*column, NO_BORDER) for column in columns]
    forwards = float((above.lower_back - below.upper_back) @ plate) / extent
    foot = below.upper_back + forwards * plate / extent
    flags = _doubts(landmarks, *split_level(level))
    if abs(forwards) >= _SLIPPED:
        flags.append(SUPINE)
    values = forwards, 100.0 * forwards / extent
    rows = [
        subject.row(*column, value, flags=flags, geometry=line(plane, (below.upper_back, foot)))
        for column, value in zip(columns, values, strict=True)
    ]
    return [replace(row, grade=meyerding(*values)) for row in rows]


def meyerding(slip: float, share: float) -> str:
    """Meyerding's grade of a forward slip; nothing below the step that raters tell from none."""
    if slip < _SLIPPED:
        return ""
    return f"Meyerding {_MEYERDING[min(int(share // 25.0), 4)]} (Surg Gynecol Obstet 1932;54:371)"


def whole_spine(spine: NamedSpine) -> str:
    """Name of all that is in view, for example ``T11-S1``, for rows that are about no level."""
    return "-".join(dict.fromkeys((spine.vertebrae[0], spine.vertebrae[-1]))) if spine.vertebrae else ""
