"""Measurements of intervertebral discs.

All lengths lie in the disc's own mid-sagittal plane: through its centre, spanned by its AP axis and by the normal of
the plane that halves the angle between its two surfaces. Heights are read along that normal, from surface to surface,
at places between the disc's anterior and posterior margin. The margins are the mean positions of the corners of the
two neighbouring endplates, so that a bulge does not move them, or the disc's own ends where it is shorter or the
bodies are not seen.

* *Anterior* and *posterior height*: 10 % of the way between the margins inside them; *middle height*: half-way.
* *Hurxthal*: the height in the disc's centre line, which is the middle height. *Dabbs*: the mean of anterior and
  posterior height. *Fyllos*: the mean of anterior, middle and posterior height (Spahn et al. 2024,
  doi:10.1055/a-1994-0879).
* *Mean height*: the mean of 41 heights from 10 % to 90 % of the way, perpendicular to the curve halfway up.
* *Depth*: along the AP axis, from the mean anterior to the mean posterior end of the middle 40 % of the disc's height,
  a bulge included.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial

from ..anatomy.levels import split_level
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
    ("mean height", MID_SAGITTAL, "mm"),
    ("depth", MID_SAGITTAL, "mm"),
    ("area", MID_SAGITTAL, "mm2"),
)
_CORNER = 5.0
"""Millimetres of a body's outline next to the disc that are searched for its corners."""
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
    depth = _depth(section)
    profile = Profile(section, *_margins(landmarks, level, section, depth))
    return [*_in_section(subject, profile, depth, flags), _volume(subject, field)]


def _all_absent(subject: Subject, reason: str) -> list[Measurement]:
    return [subject.absent(*column, reason) for column in (*_COLUMNS, ("volume", SOFT_VOXELS, "mm3"))]


def _volume(subject: Subject, field: Field) -> Measurement:
    column = ("volume", SOFT_VOXELS, "mm3")
    if field.touches_edge(_SIDEWAYS + _IN_PLANE):
        return subject.absent(*column, CUT)
    return subject.row(*column, field.volume_mm3)


def _depth(section: Section) -> Ends:
    """Posterior and anterior end (2,) of the disc, each the mean over the middle of its height."""
    back, front = section.extent(0)
    middle = section.centroid[1]
    height = section.area / max(front - back, 1e-6)
    rows = [
        chord
        for share in np.linspace(-0.2, 0.2, 9)
        if (chord := section.chord(np.array([0.0, middle + share * height]), np.array([1.0, 0.0]))) is not None
    ]
    if not rows:
        return np.array([back, middle]), np.array([front, middle])
    ends = np.mean(np.array(rows)[:, :, 0], axis=0)
    return np.array([ends[0], middle]), np.array([ends[1], middle])


def _margins(landmarks: Landmarks, level: str, section: Section, depth: Ends) -> tuple[float, float]:
    """Posterior and anterior margin along the section's AP axis."""
    back, front = float(depth[0][0]), float(depth[1][0])
    surfaces = _surfaces(section, back, front)
    if surfaces is None:
        return back, front
    corners = []
    for name, surface, towards in zip(split_level(level), surfaces, (1.0, -1.0), strict=True):
        field = landmarks.fields[name]
        body = cut(field, section.plane) if field is not None else None
        if body is None:
            return back, front
        beyond = towards * (body.contour[:, 1] - surface(body.contour[:, 0]))
        facing = body.contour[beyond <= _CORNER]
        if not len(facing):
            return back, front
        corners.append((facing[:, 0].min(), facing[:, 0].max()))
    endplate_back, endplate_front = np.mean(corners, axis=0)
    inner = max(back, float(endplate_back)), min(front, float(endplate_front))
    # Bodies that hardly cover the disc are no guide to where its margins are.
    return inner if inner[1] - inner[0] > 0.6 * (front - back) else (back, front)


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
