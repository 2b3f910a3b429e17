"""Measurements of the dural sac at discs and bodies, perpendicular to its own centre line.

At each disc the section lies where the centre line crosses the disc's mid-plane, at each vertebral body where it
crosses the body's. In the section the *AP diameter* runs through the centroid in the mid-sagittal direction of that
disc or body, the *transverse diameter* is the widest extent at right angles to it.

*Compression ratio* at a disc: 1 − value / mean of the values at the middle of the two bodies beside it, as the Spinal
Cord Toolbox does for the cord. *Space for the cord*: AP diameter of the sac less that of the cord in the same section.
"""

from __future__ import annotations

import numpy as np

from ..anatomy.levels import split_level
from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile
from ..case.measurement import Measurement
from .canal_curve import CanalCurve
from .field import Field
from .landmarks import Landmarks
from .rows import CUT, NOT_SEEN, Subject, length, line, slipped
from .section import cut

__all__ = ["CORD_SPACE", "PERPENDICULAR", "measure_canal", "measure_compression", "measure_smallest", "profile_of"]

PERPENDICULAR = "perpendicular to centre line"
CORD_SPACE = ("space for the cord", "AP less cord AP", "mm")
_TRANSVERSE = ("transverse diameter", PERPENDICULAR, "mm")
_COLUMNS = (
    ("area", PERPENDICULAR, "mm2"),
    ("AP diameter", PERPENDICULAR, "mm"),
    _TRANSVERSE,
)
_COMPRESSION = {"area": "area against mid-bodies", "AP diameter": "AP diameter against mid-bodies"}
_SMALLEST = (("smallest area", PERPENDICULAR, "mm2"), ("smallest AP diameter", PERPENDICULAR, "mm"))
_ENDS = "the dural sac is not seen at this level"
_GAP = "the dural sac is not seen everywhere between the highest and the lowest level: it may be smaller there"


def measure_canal(landmarks: Landmarks, curve: CanalCurve, level: str) -> list[Measurement]:
    """Area, AP and transverse diameter of the dural sac at a disc (``L4-L5``) or body (``L4``)."""
    subject = Subject(Structure.CANAL, level)
    if landmarks.sac is None or landmarks.centre_line is None:
        reason = NOT_SEEN if landmarks.sac is None else "too little of the dural sac is seen"
        return [subject.absent(*column, reason) for column in _COLUMNS]
    frame, note = landmarks.frame_or_between(level)
    if frame is None:
        return [subject.absent(*column, note) for column in _COLUMNS]
    place = curve.at(level)
    if place is None or place.section is None or place.section.cut:
        reason = CUT if place is not None and place.section is not None else _ENDS
        return [subject.absent(*column, reason) for column in _COLUMNS]
    plane = place.section.plane
    found = (
        (place.section.area, plane.geometry("closed curve", place.section.contour[:-1])),
        (length(place.depth), line(plane, place.depth)),
        (length(place.width), line(plane, place.width)),
    )
    flags = [*([note] if note else []), *place.doubts, *slipped(landmarks, level)]
    rows = [
        subject.row(*column, value, flags=flags, geometry=geometry)
        for column, (value, geometry) in zip(_COLUMNS, found, strict=True)
    ]
    cord = landmarks.cord
    return [*rows, _space(subject, cord, rows[1], curve, flags)] if cord is not None else rows


def _space(subject: Subject, cord: Field, depth: Measurement, curve: CanalCurve, flags: list[str]) -> Measurement:
    place = curve.at(subject.level)
    inside = cut(cord, place.section.plane) if place is not None and place.section is not None else None
    if inside is None or inside.cut or depth.value is None:
        return subject.absent(*CORD_SPACE, "the spinal cord is not seen at this level")
    return subject.row(
        *CORD_SPACE, depth.value - length(inside.chord(inside.centroid, np.array([0.0, 1.0]))), flags=flags
    )


def measure_compression(curve: CanalCurve, level: str, at_disc: list[Measurement]) -> list[Measurement]:
    """How much smaller the sac is at a disc than at the middle of the two bodies beside it, from the disc's rows."""
    subject = Subject(Structure.CANAL, level)
    rows = []
    for name, method in _COMPRESSION.items():
        column = ("compression ratio", method, "%")
        here = next(row for row in at_disc if row.name == name)
        beside = [curve.value(body, name) for body in split_level(level)]
        missing = [body for body, value in zip(split_level(level), beside, strict=True) if value is None]
        if here.value is None:
            rows.append(subject.absent(*column, here.flag))
        elif missing:
            rows.append(subject.absent(*column, f"the dural sac is not measured at {' and '.join(missing)}"))
        else:
            ratio = 100.0 * (1.0 - here.value / float(np.mean([v for v in beside if v is not None])))
            flags = [*([here.flag] if here.flag else []), *_doubts_of(curve, split_level(level))]
            rows.append(subject.row(*column, ratio, flags=flags))
    return rows


def _doubts_of(curve: CanalCurve, bodies: tuple[str, str]) -> list[str]:
    """Reasons to doubt the sections behind bodies, each with the body that it is about."""
    places = [(body, curve.at(body)) for body in bodies]
    return [f"{body}: {doubt}" for body, place in places if place is not None for doubt in place.doubts]


def measure_smallest(landmarks: Landmarks, curve: CanalCurve, whole: str) -> list[Measurement]:
    """Smallest area and AP diameter of the sac; the level of a row is the disc or body nearest to the place.

    ``whole`` stands for the spine in view where there is no such place.
    """
    rows = []
    for column in _SMALLEST:
        name = column[0].removeprefix("smallest ")
        place = curve.smallest(name)
        if place is None or place.section is None:
            rows.append(Subject(Structure.CANAL, whole).absent(*column, curve.reason))
            continue
        plane = place.section.plane
        if name == "area":
            geometry = plane.geometry("closed curve", place.section.contour[:-1])
        else:
            geometry = line(plane, place.depth)
        level = curve.nearest(place)
        flags = [*place.doubts, *slipped(landmarks, level), *([_GAP] if curve.interrupted else [])]
        rows.append(Subject(Structure.CANAL, level).row(*column, place.value(name), flags=flags, geometry=geometry))
    return rows


def profile_of(curve: CanalCurve) -> CanalProfile | None:
    """The curve as it travels; None where there is no sac."""
    return CanalProfile(curve.sections) if curve.places else None
