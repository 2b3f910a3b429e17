"""Measurements of vertebral bodies.

Anterior, middle and posterior height and the depth, read in the body's own mid-sagittal plane as for a disc: along
the normal of the plane that halves the angle between its endplates, 10 % of the depth inside its ends and at half of
it. The depth lies between the mean corners of both endplates along the AP axis, the width runs from right to left
halfway between the endplates. The wedge angle lies between the endplates and is positive where the body is higher in
front.

Deformity after Genant et al. 1993 (doi:10.1002/jbmr.5650080915), in per cent of lost height: *wedge*, the anterior
against the posterior height; *biconcave*, the middle against the posterior; *crush*, the posterior against the mean of
the bodies above and below. Where nothing is lost the number is negative.

C2 has a dens in place of an upper endplate: of it there are the depth of the lower endplate and the volume, dens
included; what needs two endplates is absent, and it is no body to compare its neighbour with.
"""

from __future__ import annotations

import numpy as np

from ..anatomy.levels import SACRUM_VALUE, vertebra_value
from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from .angles import sagittal_angle
from .axis import AXIS, NO_UPPER_ENDPLATE
from .field import Field
from .landmarks import Landmarks
from .profile import HEIGHT_NAMES, Profile, body_depth
from .rows import (
    CUT,
    MID_PLANE,
    MID_SAGITTAL,
    NO_BORDER,
    NOT_SEEN,
    SOFT_VOXELS,
    Subject,
    doubts,
    few_slices,
    length,
    line,
)
from .section import Ends, Plane, cut

__all__ = ["ENDPLATES", "measure_vertebra"]

ENDPLATES = "endplates"
_LENGTHS = tuple((name, MID_SAGITTAL, "mm") for name in (*HEIGHT_NAMES, "depth"))
_WIDTH = ("width", MID_PLANE, "mm")
_VOLUME = ("volume", SOFT_VOXELS, "mm3")
_WEDGE = ("wedge angle", ENDPLATES, "deg")
_DEFORMITY = {
    "Genant wedge": "anterior height",
    "Genant biconcave": "middle height",
    "Genant crush": "posterior height",
}


def measure_vertebra(landmarks: Landmarks, name: str) -> list[Measurement]:
    """Heights, depth, width, volume, wedge angle and deformity of one vertebral body."""
    subject = Subject(Structure.VERTEBRA, name)
    field, frame, section = landmarks.fields[name], landmarks.frame(name), landmarks.section(name)
    reason = NOT_SEEN if field is None else NO_BORDER if section is None else CUT if section.cut else ""
    if reason or field is None or frame is None or section is None:
        columns = (*_LENGTHS, _WIDTH, _VOLUME, _WEDGE, *(("deformity", method, "%") for method in _DEFORMITY))
        return [subject.absent(*column, reason) for column in columns]
    flags = doubts(field, section)
    found = _ends(landmarks, name)
    rows = [_length(subject, column, section.plane, found.get(column[0]), flags) for column in _LENGTHS]
    if name == AXIS:
        rows += [subject.absent(*_WIDTH, NO_UPPER_ENDPLATE), _volume(subject, field, flags)]
        columns = (_WEDGE, *(("deformity", method, "%") for method in _DEFORMITY))
        return [*rows, *(subject.absent(*column, NO_UPPER_ENDPLATE) for column in columns)]
    rows += [_width(landmarks, subject, field, flags), _volume(subject, field, flags)]
    if frame.endplates:
        angle = sagittal_angle(frame, frame.endplates[0], frame, frame.endplates[1])
        rows.append(subject.row(*_WEDGE, angle, flags=[*flags, *few_slices(field)]))
    else:
        rows.append(subject.absent(*_WEDGE, "too little of the endplates is seen"))
    return [*rows, *_deformities(landmarks, subject, found, flags)]


def _length(
    subject: Subject, column: tuple[str, str, str], plane: Plane, ends: Ends | None, flags: list[str]
) -> Measurement:
    if ends is None and subject.level == AXIS:
        return subject.absent(*column, NO_UPPER_ENDPLATE)
    return subject.row(*column, length(ends), flags=flags, geometry=line(plane, ends))


def _ends(landmarks: Landmarks, name: str) -> dict[str, Ends | None]:
    """Ends of heights and depth in the plane of the body's section; empty where it is not whole."""
    section, corners = landmarks.section(name), landmarks.corners(name)
    if section is None or corners is None or section.cut:
        return {}
    depth = body_depth(section, corners, lower_only=name == AXIS)
    if name == AXIS:
        return {"depth": depth}
    return {**Profile(section, float(depth[0][0]), float(depth[1][0])).heights, "depth": depth}


def _width(landmarks: Landmarks, subject: Subject, field: Field, flags: list[str]) -> Measurement:
    frame = landmarks.frame(subject.level)
    outline = cut(field, frame.across) if frame is not None and not field.touches_edge((0,)) else None
    if outline is None or outline.cut:
        return subject.absent(*_WIDTH, CUT if field.touches_edge((0,)) or outline is not None else NO_BORDER)
    ends = outline.widest(np.array([1.0, 0.0]))
    return subject.row(*_WIDTH, length(ends), flags=flags, geometry=line(outline.plane, ends))


def _volume(subject: Subject, field: Field, flags: list[str]) -> Measurement:
    if field.touches_edge((0, 1, 2)):
        return subject.absent(*_VOLUME, CUT)
    return subject.row(*_VOLUME, field.volume_mm3, flags=flags)


def _deformities(
    landmarks: Landmarks, subject: Subject, found: dict[str, Ends | None], flags: list[str]
) -> list[Measurement]:
    posterior = length(found["posterior height"])
    rows = []
    for method, height in _DEFORMITY.items():
        column = ("deformity", method, "%")
        whole, reason = (posterior, "") if method != "Genant crush" else _beside(landmarks, subject.level)
        if reason:
            rows.append(subject.absent(*column, reason))
        else:
            rows.append(subject.row(*column, 100.0 * (1.0 - length(found[height]) / whole), flags=flags))
    return rows


def _beside(landmarks: Landmarks, name: str) -> tuple[float, str]:
    """Mean posterior height of the bodies above and below, or why there is none."""
    bodies = landmarks.spine.vertebrae
    n = bodies.index(name)
    heights = []
    for m in (n - 1, n + 1):
        if not 0 <= m < len(bodies):
            return np.nan, "no body above and below to compare with"
        if vertebra_value(bodies[m]) == SACRUM_VALUE:
            return np.nan, "S1 is no body to compare with"
        if bodies[m] == AXIS:
            return np.nan, "C2 is no body to compare with"
        ends = _ends(landmarks, bodies[m]).get("posterior height")
        if ends is None:
            return np.nan, f"posterior height of {bodies[m]} not measured"
        heights.append(length(ends))
    return float(np.mean(heights)), ""
