"""Measurements of intervertebral discs.

All lengths lie in the disc's own mid-sagittal plane: through its centre, spanned by its AP axis and by the normal of
the plane that halves the angle between its two surfaces. With the depth the disc's extent along the AP axis,

* *anterior* and *posterior height* are read along that normal 10 % of the depth inside its ends, *middle height* at
  half of the depth;
* *Dabbs* is the mean of anterior and posterior height; *Fyllos* the mean of anterior, middle and posterior height;
* *Hurxthal* is the mean height along the disc's centre line, from 10 % to 90 % of the depth, perpendicular to it.
"""

from __future__ import annotations

import numpy as np

from ..anatomy.structures import Structure
from ..case.measurement import Geometry, Measurement
from .landmarks import Landmarks
from .profile import HEIGHT_NAMES, Profile
from .rows import CUT, MID_SAGITTAL, NO_BORDER, NOT_SEEN, Subject, length, line
from .section import Ends, Field, Plane, Section, cut

__all__ = ["SOFT_VOXELS", "measure_disc"]

SOFT_VOXELS = "soft voxels"
_COLUMNS = (
    ("height", "Hurxthal", "mm"),
    ("height", "Dabbs", "mm"),
    ("height", "Fyllos", "mm"),
    ("anterior height", MID_SAGITTAL, "mm"),
    ("middle height", MID_SAGITTAL, "mm"),
    ("posterior height", MID_SAGITTAL, "mm"),
    ("depth", MID_SAGITTAL, "mm"),
    ("area", MID_SAGITTAL, "mm2"),
)
_SIDEWAYS, _IN_PLANE = (0,), (1, 2)


def measure_disc(landmarks: Landmarks, level: str) -> list[Measurement]:
    """Height by three methods, single heights, depth, mid-sagittal area and volume of one disc."""
    subject = Subject(Structure.DISC, level)
    field = landmarks.fields[level]
    if field is None:
        return _all_absent(subject, NOT_SEEN)
    frame = landmarks.frame(level)
    section = cut(field, frame.mid_sagittal) if frame is not None else None
    if section is None:
        return _all_absent(subject, NO_BORDER)
    if section.cut:
        return _all_absent(subject, CUT)
    flags = [CUT] if field.touches_edge(_SIDEWAYS) else []
    return [*_in_section(subject, section, flags), _volume(subject, field)]


def _all_absent(subject: Subject, reason: str) -> list[Measurement]:
    return [subject.absent(*column, reason) for column in (*_COLUMNS, ("volume", SOFT_VOXELS, "mm3"))]


def _volume(subject: Subject, field: Field) -> Measurement:
    column = ("volume", SOFT_VOXELS, "mm3")
    if field.touches_edge(_SIDEWAYS + _IN_PLANE):
        return subject.absent(*column, CUT)
    return subject.row(*column, field.volume_mm3)


def _in_section(subject: Subject, section: Section, flags: list[str]) -> list[Measurement]:
    profile, plane = Profile(section), section.plane
    heights = profile.heights
    anterior, middle, posterior = (heights[name] for name in HEIGHT_NAMES)
    centre_line = profile.along_centre_line()
    found: dict[tuple[str, str], tuple[float, Geometry | None]] = {
        **{(name, MID_SAGITTAL): (length(ends), line(plane, ends)) for name, ends in heights.items()},
        ("height", "Dabbs"): (np.mean([length(anterior), length(posterior)]), _frame_of(plane, anterior, posterior)),
        ("height", "Fyllos"): (
            np.mean([length(anterior), length(middle), length(posterior)]),
            _frame_of(plane, anterior, middle, posterior),
        ),
        ("depth", MID_SAGITTAL): (length(profile.depth), line(plane, profile.depth)),
        ("area", MID_SAGITTAL): (section.area, plane.geometry("closed curve", section.contour[:-1])),
    }
    if centre_line is None:
        found["height", "Hurxthal"] = (np.nan, None)
    else:
        found["height", "Hurxthal"] = (centre_line[0], plane.geometry("curve", centre_line[1]))
    return [
        subject.row(name, method, unit, found[name, method][0], flags=flags, geometry=found[name, method][1])
        for name, method, unit in _COLUMNS
    ]


def _frame_of(plane: Plane, *heights: Ends | None) -> Geometry | None:
    """Closed curve through the ends of several heights, to show where a mean of them comes from."""
    if any(ends is None for ends in heights):
        return None
    kept = [ends for ends in heights if ends is not None]
    return plane.geometry("closed curve", np.array([*(e[0] for e in kept), *(e[1] for e in reversed(kept))]))
