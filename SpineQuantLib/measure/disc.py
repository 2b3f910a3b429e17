"""Measurements of intervertebral discs.

All lengths lie in the disc's own mid-sagittal plane: through its centre, spanned by its AP axis and by the normal of
the plane that halves the angle between its two surfaces. Heights are read along that normal, from surface to surface,
at places between the disc's anterior and posterior margin. The margins are the mean positions of the corners of the
two neighbouring endplates, so that a bulge does not move them, or the disc's own ends where it is shorter by more than
1.5 mm or the bodies are not seen.

* *Anterior* and *posterior height*: 10 % of the way between the margins inside them; *middle height*: half-way.
* *Hurxthal*: the height in the disc's centre line, which is the middle height. *Dabbs*: the mean of anterior and
  posterior height. *Fyllos*: the mean of anterior, middle and posterior height (Spahn et al. 2024,
  doi:10.1055/a-1994-0879).
* *Mean height*: the mean of 41 heights from 10 % to 90 % of the way, perpendicular to the curve halfway up.
* *Frobin*: the distance of the two facing anterior corners of the bodies, measured at right angles to the line that
  halves the angle between the bodies' midplanes (Frobin et al. 1997, Clin Biomech 12 Suppl 1), so that neither a slip
  nor a tilt counts; S1's upper endplate stands for its midplane, and C2's lower one for its own. Not divided by the
  depth and not converted to a standard angle, as the authors did for radiographs of people who stand.
* *Height index*: Fyllos' height over the depth of the body above.
* *Depth*: along the AP axis, from the mean anterior to the mean posterior end, each in the middle 40 % of the height
  that the disc has there, a bulge included. *Width*: the greatest extent from right to left halfway between the
  surfaces.
* *Wedge angle*: between the two endplates that face the disc, positive where it is higher in front.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial

from ..anatomy.levels import SACRUM_VALUE, split_level, vertebra_value
from ..anatomy.structures import Structure
from ..case.measurement import Geometry, Measurement
from .angles import coronal_angle, sagittal_angle
from .axis import AXIS
from .bulge import measure_bulge
from .field import Field
from .landmarks import Landmarks
from .profile import HEIGHT_NAMES, INSET, Profile, body_depth
from .rows import (
    CUT,
    MID_PLANE,
    MID_SAGITTAL,
    NO_BORDER,
    NOT_SEEN,
    SOFT_VOXELS,
    Subject,
    doubts,
    length,
    line,
)
from .section import Ends, Plane, Section, cut
from .signal import SignalReader

__all__ = ["FACING", "INDEX_METHOD", "measure_disc"]

FACING = "facing endplates"
INDEX_METHOD = "Fyllos over depth above"
_FROBIN = ("height", "Frobin", "mm")
_INDEX = ("height index", INDEX_METHOD, "1")
_WIDTH = ("width", MID_PLANE, "mm")
_WEDGE = ("wedge angle", FACING, "deg")
_VOLUME = ("volume", SOFT_VOXELS, "mm3")
_COLUMNS = (
    ("height", "Hurxthal", "mm"),
    ("height", "Dabbs", "mm"),
    ("height", "Fyllos", "mm"),
    ("anterior height", MID_SAGITTAL, "mm"),
    ("middle height", MID_SAGITTAL, "mm"),
    ("posterior height", MID_SAGITTAL, "mm"),
    ("mean height", MID_SAGITTAL, "mm"),
    ("depth", MID_SAGITTAL, "mm"),
    ("area", MID_SAGITTAL, "mm2"),
)
_CORNER = 5.0
"""Millimetres of a body's outline next to the disc that are searched for its corners."""
_LEAST_DEPTH = 1.0
_SHORTER = 1.5
"""Millimetres by which a disc may end before the endplates do: a thin edge is lost between voxels."""
_ONE_SIDED = 8.0
"""Degrees between a disc's surfaces, seen from the front, from which one section does not stand for the disc."""
_SLOPES = "higher on one side by {angle:.0f}° seen from the front: heights depend on where the section lies"
_SIDEWAYS, _IN_PLANE = (0,), (1, 2)


def measure_disc(
    landmarks: Landmarks, level: str, signals: SignalReader, *, everywhere: bool = True
) -> list[Measurement]:
    """Heights, depth, width, area, volume, wedge angle, bulges and signal ratio of one disc.

    Without ``everywhere`` the greatest posterior bulge and its place are left out.
    """
    subject = Subject(Structure.DISC, level)
    field = landmarks.fields[level]
    section = landmarks.section(level)
    reason = NOT_SEEN if field is None else NO_BORDER if section is None else CUT if section.cut else ""
    if reason or field is None or section is None:
        rows = [subject.absent(*column, reason) for column in (*_COLUMNS, _FROBIN, _INDEX, _WIDTH, _VOLUME, _WEDGE)]
        bulges = measure_bulge(landmarks, level, None, np.nan, reason, [], everywhere=everywhere)
        return [*rows, *bulges, subject.absent(*signals.column, reason)]
    flags = doubts(field, section)
    depth = _depth(section)
    profile = Profile(section, *_margins(landmarks, level, section, depth))
    heights = [*flags, *_one_sided(landmarks, level)]
    rows = _in_section(subject, profile, depth, heights)
    fyllos = next(row for row in rows if row.method == "Fyllos")
    width = _width(landmarks, subject, field, flags)
    return [
        *rows,
        _frobin(landmarks, subject, heights),
        _index(landmarks, subject, fyllos, heights),
        width,
        _volume(subject, field, flags),
        _wedge(landmarks, subject, flags),
        *measure_bulge(landmarks, level, width.value, length(depth), "", flags, everywhere=everywhere),
        signals.row(level, flags),
    ]


def _one_sided(landmarks: Landmarks, level: str) -> list[str]:
    """Reason to doubt the heights of one section of a disc that is wedged sideways, as in scoliosis."""
    frame = landmarks.frame(level)
    if frame is None or not frame.endplates:
        return []
    angle = abs(coronal_angle(frame, frame.endplates[0], frame, frame.endplates[1]))
    return [_SLOPES.format(angle=angle)] if angle >= _ONE_SIDED else []


def _volume(subject: Subject, field: Field, flags: list[str]) -> Measurement:
    if field.touches_edge(_SIDEWAYS + _IN_PLANE):
        return subject.absent(*_VOLUME, CUT)
    return subject.row(*_VOLUME, field.volume_mm3, flags=flags)


def _width(landmarks: Landmarks, subject: Subject, field: Field, flags: list[str]) -> Measurement:
    frame = landmarks.frame(subject.level)
    if field.touches_edge(_SIDEWAYS):
        return subject.absent(*_WIDTH, CUT)
    outline = cut(field, frame.across) if frame is not None else None
    if outline is None or outline.cut:
        return subject.absent(*_WIDTH, NO_BORDER if outline is None else CUT)
    ends = outline.widest(np.array([1.0, 0.0]))
    return subject.row(*_WIDTH, length(ends), flags=flags, geometry=line(outline.plane, ends))


def _index(landmarks: Landmarks, subject: Subject, height: Measurement, flags: list[str]) -> Measurement:
    above = split_level(subject.level)[0]
    body, corners = landmarks.section(above), landmarks.corners(above)
    seen = body is not None and corners is not None and not body.cut
    depth = length(body_depth(body, corners, lower_only=above == AXIS)) if seen else 0.0
    if height.value is None or depth < _LEAST_DEPTH:
        return subject.absent(*_INDEX, f"depth of {above} not measured" if height.value else height.flag)
    return subject.row(*_INDEX, height.value / depth, flags=flags)


def _frobin(landmarks: Landmarks, subject: Subject, flags: list[str]) -> Measurement:
    plane, above, below = landmarks.facing(subject.level)
    if plane is None or above is None or below is None:
        return subject.absent(*_FROBIN, "the bodies above and below are not both seen")
    upper, lower = split_level(subject.level)
    midplanes = (
        above.lower_endplate if upper == AXIS else above.midplane,
        below.upper_endplate if vertebra_value(lower) == SACRUM_VALUE else below.midplane,
    )
    halving = sum(m / max(float(np.linalg.norm(m)), 1e-9) for m in midplanes)
    halving = halving / max(float(np.linalg.norm(halving)), 1e-9)
    between = above.lower_front - below.upper_front
    across = np.array([-halving[1], halving[0]])
    # Drawn where the halving line passes between the corners, so that the line is as long as the height.
    foot = below.upper_front + (between @ halving) / 2 * halving
    ends = foot, foot + (between @ across) * across
    return subject.row(*_FROBIN, float(between @ across), flags=flags, geometry=line(plane, ends))


def _wedge(landmarks: Landmarks, subject: Subject, flags: list[str]) -> Measurement:
    above, below = (landmarks.frame(name) for name in split_level(subject.level))
    if above is not None and below is not None and above.endplates and below.endplates:
        angle = sagittal_angle(above, above.endplates[1], below, below.endplates[0])
        return subject.row(*_WEDGE, angle, flags=flags)
    own = landmarks.frame(subject.level)
    if own is None or not own.endplates:
        return subject.absent(*_WEDGE, "too little of the endplates is seen")
    angle = sagittal_angle(own, own.endplates[0], own, own.endplates[1])
    return subject.row(*_WEDGE, angle, flags=[*flags, "from the disc's own surfaces, a body is not seen"])


def _depth(section: Section) -> Ends:
    """Posterior and anterior end (2,) of the disc, each the mean over the middle of the height that it has there."""
    back, front = section.extent(0)
    middle = float(section.centroid[1])
    ends = _end(section, back, front, 0), _end(section, front, back, 1)
    return np.array([ends[0], middle]), np.array([ends[1], middle])


def _end(section: Section, margin: float, opposite: float, which: int) -> float:
    """Mean position of one end along the AP axis, over the middle 40 % of the height a tenth of the way inside it."""
    local = section.chord(np.array([margin + INSET * (opposite - margin), 0.0]), np.array([0.0, 1.0]))
    if local is None:
        return margin
    rows = local[0][1] + np.linspace(0.3, 0.7, 9) * (local[1][1] - local[0][1])
    chords = section.chords(np.column_stack([np.zeros(len(rows)), rows]), np.array([1.0, 0.0]))[which][:, 0]
    chords = chords[np.isfinite(chords)]
    return float(chords.mean()) if len(chords) else margin


def _margins(landmarks: Landmarks, level: str, section: Section, depth: Ends) -> tuple[float, float]:
    """Posterior and anterior margin along the section's AP axis."""
    ends = _endplate_ends(landmarks, level, section)
    if ends is None:
        return float(depth[0][0]), float(depth[1][0])
    # Not the ends of the depth: in the middle of its height a wedge is shorter than the endplates beside it.
    back, front = section.extent(0)
    inner = (
        back if back - ends[0] > _SHORTER else ends[0],
        front if ends[1] - front > _SHORTER else ends[1],
    )
    # Bodies that hardly cover the disc are no guide to where its margins are.
    return inner if inner[1] - inner[0] > 0.6 * (front - back) else (back, front)


def _endplate_ends(landmarks: Landmarks, level: str, section: Section) -> tuple[float, float] | None:
    """Mean posterior and anterior end of the two endplates that face the disc; None where a body is not seen."""
    _, above, below = landmarks.facing(level)
    if above is not None and below is not None:
        ends = (above.lower_back + below.upper_back) / 2, (above.lower_front + below.upper_front) / 2
        return float(ends[0][0]), float(ends[1][0])
    # A body that the field of view cuts has no midplane, but the end that faces the disc may be whole.
    surfaces = _surfaces(section, *section.extent(0))
    if surfaces is None:
        return None
    corners = []
    for body, surface, towards in zip(landmarks.bodies_beside(level), surfaces, (1.0, -1.0), strict=True):
        if body is None:
            return None
        beyond = towards * (body.contour[:, 1] - surface(body.contour[:, 0]))
        facing = body.contour[beyond <= _CORNER]
        if not len(facing):
            return None
        corners.append((facing[:, 0].min(), facing[:, 0].max()))
    back, front = np.mean(corners, axis=0)
    return float(back), float(front)


def _surfaces(section: Section, back: float, front: float) -> tuple[Polynomial, Polynomial] | None:
    """Straight lines along the disc's upper and lower surface, from the middle part of its depth."""
    profile = Profile(section, back, front)
    chords = np.array([c for share in np.linspace(0.2, 0.8, 13) if (c := profile.height(float(share))) is not None])
    if len(chords) < 5:
        return None
    upper, lower = (Polynomial.fit(chords[:, end, 0], chords[:, end, 1], 1) for end in (1, 0))
    return upper, lower


def _in_section(subject: Subject, profile: Profile, depth: Ends, flags: list[str]) -> list[Measurement]:
    section, plane = profile.section, profile.section.plane
    heights = profile.heights
    anterior, middle, posterior = (heights[name] for name in HEIGHT_NAMES)
    mean = profile.along_depth()
    found: dict[tuple[str, str], tuple[float, Geometry | None]] = {
        **{(name, MID_SAGITTAL): (length(ends), line(plane, ends)) for name, ends in heights.items()},
        ("height", "Hurxthal"): (length(middle), line(plane, middle)),
        ("height", "Dabbs"): (np.mean([length(anterior), length(posterior)]), _frame_of(plane, anterior, posterior)),
        ("height", "Fyllos"): (
            np.mean([length(anterior), length(middle), length(posterior)]),
            _frame_of(plane, anterior, middle, posterior),
        ),
        ("mean height", MID_SAGITTAL): (mean[0], plane.geometry("curve", mean[1])) if mean else (np.nan, None),
        ("depth", MID_SAGITTAL): (length(depth), line(plane, depth)),
        ("area", MID_SAGITTAL): (section.area, plane.geometry("closed curve", section.contour[:-1])),
    }
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
