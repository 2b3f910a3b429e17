"""Measurements of intervertebral foramina on the narrowest sagittal section.

Sections are parasagittal. Where slices are thick (at least one and a half times the pixel) and acquired within 30° of
sagittal, they are the acquired slices themselves, since a plane between two thick slices shows neither; otherwise
they are cut perpendicular to the level's right-left axis, one pixel apart. The foramen's extent from right to left
runs over the sections whose area is at least a quarter of the largest, which leaves out ends that fill voxels only
in part. Of the sections in the central half of that extent the one with the smallest area is measured; with one or
two slices, where nothing lies between two others, the largest.

The cranio-caudal axis is the normal of the level's disc within the section. *Height* is the outline's extent along
it; *width* the greatest AP extent at right angles to it, at any one height; *upper* and *lower width* the greatest in
the upper and in the lower third of the height. *Asymmetry* is the left one less the right one over their mean.
"""

from __future__ import annotations

import numpy as np

from ..anatomy.labels import foramen_value
from ..anatomy.levels import split_level
from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from .field import Field
from .frames import LEFT, SUPERIOR, Frame, unit
from .landmarks import Landmarks
from .rows import CUT, NO_BORDER, NOT_SEEN, Subject, length, line, slipped
from .sampling import BORDER
from .section import Ends, Plane, Section, cut
from .slices import THICK

__all__ = ["ASYMMETRY", "NARROWEST", "measure_asymmetry", "measure_foramen"]

NARROWEST = "narrowest sagittal section"
ASYMMETRY = "left less right over mean"
_COLUMNS = (
    ("area", NARROWEST, "mm2"),
    ("height", NARROWEST, "mm"),
    ("width", NARROWEST, "mm"),
    ("upper width", NARROWEST, "mm"),
    ("lower width", NARROWEST, "mm"),
)
_COMPARED = ("area", "height")
_SAGITTAL_COSINE = 0.866
_FULL = 0.25
_SECOND = 0.15
_NECK = 2.0
_DIVIDED = "almost divided, or in two: height and area depend on a thin bridge"
_ONE_SLICE = "seen on one slice only"
_PARTLY = "fills its slice only in part: area, height and widths may be too small"
_SMEARED = "runs obliquely through thick slices, which smear it: area and widths are not sure"
_LEANS = "climbs through thick slices, as where the spine leans sideways: height, area and widths are not sure"
_SHIFT = 1.5
"""Millimetres by which a foramen lies farther in front or behind from one slice to the next before that counts."""
_CLIMB = 2.1
"""The same upwards or downwards; upright spines have less than 2."""
_FEWEST_SLICES = 2
_MOST_SLICES = 3
_FILLED = 0.9
"""Share of a slice that its inner pixels have at least where the slice lies wholly within the foramen."""


def measure_foramen(landmarks: Landmarks, level: str, side: Side) -> list[Measurement]:
    """Area, height and widths of one foramen."""
    subject = Subject(Structure.FORAMEN, level, side)
    field = Field.of(landmarks.spine, foramen_value(split_level(level)[0], side))
    if field is None or not field.solid:
        return [subject.absent(*column, NOT_SEEN if field is None else NO_BORDER) for column in _COLUMNS]
    frame, _ = landmarks.frame_or_between(level)
    section, flags = _narrowest(field, frame or _upright(landmarks, field))
    if section is None or section.cut:
        return [subject.absent(*column, NO_BORDER if section is None else CUT) for column in _COLUMNS]
    if field.touches_edge((0,)):
        flags.append(CUT)
    if max(section.pieces, default=0.0) >= _SECOND * section.area or _neck(section) < _NECK:
        flags.append(_DIVIDED)
    flags += slipped(landmarks, level)
    flags += [*_filled(field, section), *_oblique(field, section)]
    plane = section.plane
    height, across = _height(section), np.array([1.0, 0.0])
    widths = (section.widest(across), section.widest(across, (2 / 3, 1.0)), section.widest(across, (0.0, 1 / 3)))
    found = (
        (section.area, plane.geometry("closed curve", section.contour[:-1])),
        (length(height), line(plane, height)),
        *((length(width), line(plane, width)) for width in widths),
    )
    return [
        subject.row(*column, value, flags=flags, geometry=geometry)
        for column, (value, geometry) in zip(_COLUMNS, found, strict=True)
    ]


def measure_asymmetry(level: str, right: list[Measurement], left: list[Measurement]) -> list[Measurement]:
    """How much larger the left foramen of a level is than the right one, from the rows of both."""
    subject = Subject(Structure.FORAMEN, level)
    rows = []
    for name in _COMPARED:
        column = (f"{name} asymmetry", ASYMMETRY, "%")
        one, other = (next(row for row in side if row.name == name) for side in (right, left))
        if one.value is None or other.value is None:
            sides = [f"{row.side}: {row.flag}" for row in (one, other) if row.value is None]
            rows.append(subject.absent(*column, "; ".join(sides)))
        else:
            flags = [f"{row.side}: {row.flag}" for row in (one, other) if row.flag]
            value = 200.0 * (other.value - one.value) / (other.value + one.value)
            rows.append(subject.row(*column, value, flags=flags))
    return rows


def _upright(landmarks: Landmarks, field: Field) -> Frame:
    """Frame of a level without disc or bodies: along the sac, or as the patient lies."""
    up = landmarks.centre_line.nearest(field.centroid)[1] if landmarks.centre_line is not None else SUPERIOR
    left = unit(LEFT - (LEFT @ up) * up)
    return Frame(field.centroid, np.cross(left, up), left, up)


def _narrowest(field: Field, frame: Frame) -> tuple[Section | None, list[str]]:
    """The section to measure, and what to say about it."""
    planes, slices = _planes(field, frame)
    sections = [section for plane in planes if (section := cut(field, plane)) is not None]
    if not sections:
        return None, []
    areas = np.array([section.area for section in sections])
    full = np.flatnonzero(areas >= _FULL * areas.max())
    first, last = int(full[0]), int(full[-1])
    count = last - first + 1
    if count <= 2:
        return sections[int(np.argmax(areas))], [_ONE_SLICE] if slices and count == 1 else []
    # Section n covers n to n + 1 of the extent; its middle has to lie in the central half.
    middle = (np.arange(count) + 0.5) / count
    central = first + np.flatnonzero((middle >= 0.25 - 1e-9) & (middle <= 0.75 + 1e-9))
    return sections[int(central[np.argmin(areas[central])])], []


def _filled(field: Field, section: Section) -> list[str]:
    """Reason to doubt a section of a thick slice that the foramen fills only in part: its outline is too small.

    Of many slices one lies wholly within it, and shares that are not full come from a doubtful border alone.
    """
    if not field.thick or field.slices > _MOST_SLICES:
        return []
    k = float(field.grid.to_index(section.plane.to_lps(section.centroid))[0])
    values = field.occupancy[int(np.clip(round(k), 0, len(field.occupancy) - 1))]
    values = values[values >= BORDER]
    return [_PARTLY] if len(values) and float(np.percentile(values, 75)) < _FILLED else []


def _oblique(field: Field, section: Section) -> list[str]:
    """Reasons to doubt sections of a tunnel that does not run straight through thick slices: they smear it."""
    if not field.thick or field.slices < _FEWEST_SLICES:
        return []
    points = field.points - field.centroid
    share = field.weights / field.weights.sum()
    across = points @ np.array(field.grid.directions[0])
    slice_mm, spread = float(field.spacing[0]), max(float(share @ across**2), 1e-6)
    forwards, upwards = (
        float(share @ (across * (points @ axis))) / spread * slice_mm for axis in (section.plane.u, section.plane.v)
    )
    if abs(upwards) >= _CLIMB:
        return [_LEANS]
    return [_SMEARED] if abs(forwards) >= _SHIFT else []


def _planes(field: Field, frame: Frame) -> tuple[list[Plane], bool]:
    """Candidate planes, right to left, and whether they are the acquired slices."""
    acquired = np.array(field.grid.directions[0])
    thick = field.spacing[0] >= THICK * field.spacing[1:].min()
    slices = bool(thick and abs(acquired @ frame.left) >= _SAGITTAL_COSINE)
    across = acquired * np.sign(acquired @ frame.left) if slices else frame.left
    up = unit(frame.up - (frame.up @ across) * across)
    anterior = np.cross(across, up)
    if slices:
        middle = (np.array(field.grid.shape) - 1) / 2
        origins = [field.grid.to_lps(np.array([k, middle[1], middle[2]])) for k in range(field.grid.shape[0])]
    else:
        step = float(field.spacing.min())
        offsets = (field.points - field.centroid) @ across
        count = int(np.ceil(np.ptp(offsets) / step)) + 1
        origins = [field.centroid + offset * across for offset in np.linspace(offsets.min(), offsets.max(), count)]
    return [Plane(origin, anterior, up) for origin in origins], slices


def _neck(section: Section) -> float:
    """Smallest AP extent in the middle of the height, mm."""
    low, high = section.extent(1)
    heights = low + np.linspace(0.2, 0.8, 25) * (high - low)
    back, front = section.chords(np.column_stack([np.zeros(len(heights)), heights]), np.array([1.0, 0.0]))
    return float((front - back)[:, 0].min())


def _height(section: Section) -> Ends:
    """Ends of the extent along the vertical axis, drawn midway between the highest and the lowest point."""
    low, high = section.extent(1)
    contour = section.contour
    middle = float(contour[[contour[:, 1].argmin(), contour[:, 1].argmax()], 0].mean())
    return np.array([middle, low]), np.array([middle, high])
