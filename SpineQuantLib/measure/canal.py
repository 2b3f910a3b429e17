"""Measurements of the dural sac, perpendicular to its own centre line.

At each disc the section lies where the centre line crosses the disc's mid-plane, at each vertebral body where it
crosses the body's. In the section the *AP diameter* runs through the centroid in the mid-sagittal direction of that
disc or body, the *transverse diameter* is the widest extent at right angles to it.
"""

from __future__ import annotations

import numpy as np

from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from .frames import Frame, unit
from .landmarks import Landmarks
from .rows import CUT, NOT_SEEN, Subject, length, line
from .section import Plane, Section, cut

__all__ = ["PERPENDICULAR", "measure_canal"]

PERPENDICULAR = "perpendicular to centre line"
_COLUMNS = (
    ("area", PERPENDICULAR, "mm2"),
    ("AP diameter", PERPENDICULAR, "mm"),
    ("transverse diameter", PERPENDICULAR, "mm"),
)
_REACH = 35.0
_ENDS = "the dural sac is not seen at this level"


def measure_canal(landmarks: Landmarks, level: str) -> list[Measurement]:
    """Area, AP and transverse diameter of the dural sac at a disc (``L4-L5``) or body (``L4``)."""
    subject = Subject(Structure.CANAL, level)
    if landmarks.sac is None or landmarks.centre_line is None:
        reason = NOT_SEEN if landmarks.sac is None else "too little of the dural sac is seen"
        return [subject.absent(*column, reason) for column in _COLUMNS]
    frame, note = landmarks.frame_or_between(level)
    if frame is None:
        return [subject.absent(*column, note) for column in _COLUMNS]
    section = _section(landmarks, frame)
    if section is None or section.cut:
        return [subject.absent(*column, _ENDS if section is None else CUT) for column in _COLUMNS]
    plane = section.plane
    front_back, sideways = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    depth = section.chord(section.centroid, front_back)
    width = section.widest(sideways)
    found = (
        (section.area, plane.geometry("closed curve", section.contour[:-1])),
        (length(depth), line(plane, depth)),
        (length(width), line(plane, width)),
    )
    flags = [note] if note else []
    return [
        subject.row(*column, value, flags=flags, geometry=geometry)
        for column, (value, geometry) in zip(_COLUMNS, found, strict=True)
    ]


def _section(landmarks: Landmarks, frame: Frame) -> Section | None:
    """Section of the sac where its centre line crosses the mid-plane of a disc or body."""
    if landmarks.sac is None or landmarks.centre_line is None:
        return None
    crossing = landmarks.centre_line.crossing(frame.centre, frame.up)
    if crossing is None:
        return None
    place, tangent = crossing
    anterior = unit(frame.anterior - (frame.anterior @ tangent) * tangent)
    if not anterior.any():
        return None
    return cut(landmarks.sac, Plane(place, np.cross(tangent, anterior), anterior), reach=_REACH)
