"""Measurements of vertebral bodies.

Anterior, middle and posterior height and the depth, read in the body's own mid-sagittal plane as for a disc: along
the normal of the plane that halves the angle between its endplates, at 90 %, 50 % and 10 % of its AP extent.
"""

from __future__ import annotations

from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from .landmarks import Landmarks
from .profile import HEIGHT_NAMES, Profile
from .rows import CUT, MID_SAGITTAL, NO_BORDER, NOT_SEEN, Subject, length, line
from .section import cut

__all__ = ["measure_vertebra"]

_NAMES = (*HEIGHT_NAMES, "depth")


def measure_vertebra(landmarks: Landmarks, name: str) -> list[Measurement]:
    """Anterior, middle and posterior height and the depth of one vertebral body."""
    subject = Subject(Structure.VERTEBRA, name)
    field = landmarks.fields[name]
    frame = landmarks.frame(name)
    section = cut(field, frame.mid_sagittal) if field is not None and frame is not None else None
    if field is None or section is None or section.cut:
        reason = NOT_SEEN if field is None else NO_BORDER if section is None else CUT
        return [subject.absent(quantity, MID_SAGITTAL, "mm", reason) for quantity in _NAMES]
    profile = Profile(section)
    found = {**profile.heights, "depth": profile.depth}
    flags = [CUT] if field.touches_edge((0,)) else []
    return [
        subject.row(
            quantity,
            MID_SAGITTAL,
            "mm",
            length(found[quantity]),
            flags=flags,
            geometry=line(section.plane, found[quantity]),
        )
        for quantity in _NAMES
    ]
