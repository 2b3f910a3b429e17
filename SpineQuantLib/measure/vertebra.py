"""Measurements of vertebral bodies.

Anterior, middle and posterior height and the depth, read in the body's own mid-sagittal plane as for a disc: along
the normal of the plane that halves the angle between its endplates, 10 % of the depth inside its ends and at half of
it. The depth is its extent along the AP axis.
"""

from __future__ import annotations

import numpy as np

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
    back, front = section.extent(0)
    middle = float(section.centroid[1])
    depth = (np.array([back, middle]), np.array([front, middle]))
    found = {**Profile(section, back, front).heights, "depth": depth}
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
