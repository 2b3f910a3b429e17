"""Cross-sections of the dural sac along its whole centre line.

Sections lie 2 mm apart and at the middle plane of every disc and body. A section is doubtful where it is less than
half as large as the sac 8 to 30 mm above and below it, or as the sections of the neighbouring levels: severe stenosis,
or a sac of which not all was recognised; and where its outline is ragged. At the upper end, where nothing lies above to
compare with, a section of less than half the size of what lies below is one that the view may not hold whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..anatomy.levels import SACRUM_VALUE, vertebra_value
from ..case.canal_profile import CanalSection
from ..case.grid import lps_to_ras
from .centreline import CentreLine
from .field import Field
from .frames import unit
from .landmarks import Landmarks
from .rows import CUT, NOT_SEEN, RAGGED, length, solid
from .section import Ends, Plane, Section, cross, cut

__all__ = ["NARROW", "TAPERED", "CanalCurve", "Place"]

NARROW = "less than half as large as above and below: severe stenosis, or not all of the sac was recognised"
TAPERED = "at the upper end of the sac in view and less than half as large as below: perhaps not all of it is seen"
_NARROW_SHARE = 0.5
_NARROW_REACH = (8.0, 30.0)
"""Millimetres along the sac between a section and those that it is compared with."""
_STEP = 2.0
_REACH = 35.0
_END = 3.0
"""Millimetres from the ends of the sac in which a section is a cap and not the sac."""
_ANTERIOR = np.array([0.0, -1.0, 0.0])
_FRONT_BACK, _SIDEWAYS = np.array([0.0, 1.0]), np.array([1.0, 0.0])


@dataclass(frozen=True, eq=False)
class Place:
    """A cross-section of the sac at one place of its centre line.

    Attributes
    ----------
    distance : float
        Millimetres along the centre line, downwards from its upper end.
    centre : np.ndarray
        LPS millimetres of the centre line there.
    section : Section or None
        Outline; its plane's axes point to the left and to the front. None where the sac is missing.
    level : str
        Disc or body whose middle plane lies here, or empty.
    doubts : tuple of str
        Reasons to doubt it.
    """

    distance: float
    centre: np.ndarray
    section: Section | None
    level: str = ""
    doubts: tuple[str, ...] = field(default_factory=tuple)

    @property
    def whole(self) -> bool:
        """Whether there is a section that the field of view does not cut."""
        return self.section is not None and not self.section.cut

    @cached_property
    def depth(self) -> Ends | None:
        """Ends of the AP diameter in the section's plane."""
        return self.section.chord(self.section.centroid, _FRONT_BACK) if self.section is not None else None

    @cached_property
    def width(self) -> Ends | None:
        """Ends of the transverse diameter in the section's plane."""
        return self.section.widest(_SIDEWAYS) if self.section is not None else None

    def value(self, name: str) -> float:
        """``area`` in mm², ``AP diameter`` or ``transverse diameter`` in mm; NaN where there is none."""
        if self.section is None:
            return np.nan
        if name == "area":
            return self.section.area
        return length(self.depth if name == "AP diameter" else self.width)


class CanalCurve:
    """Cross-sections of the sac of one spine.

    Parameters
    ----------
    landmarks : Landmarks
        The spine.
    between : bool
        Also between the discs and bodies; without, the curve has their places alone and costs a fraction.

    Attributes
    ----------
    reason : str
        Why there is none.
    """

    def __init__(self, landmarks: Landmarks, *, between: bool = True) -> None:
        self.reason = NOT_SEEN if landmarks.sac is None else "too little of the dural sac is seen"
        self._landmarks = landmarks
        self._between = between

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """From the top down; empty where there is no sac. Cut when asked for: not every measurement needs them."""
        landmarks = self._landmarks
        if landmarks.sac is None or landmarks.centre_line is None:
            return ()
        return tuple(_judged(_along(landmarks, landmarks.sac, landmarks.centre_line, self._between)))

    def at(self, level: str) -> Place | None:
        """The place of a disc or body; None where the centre line does not reach it."""
        return next((p for p in self.places if p.level == level), None)

    def value(self, level: str, name: str) -> float | None:
        """A value at a disc or body; None where there is no whole section."""
        place = self.at(level)
        return place.value(name) if place is not None and place.whole else None

    def nearest(self, place: Place) -> str:
        """Disc or body nearest to a place along the sac."""
        return min((p for p in self.places if p.level), key=lambda p: abs(p.distance - place.distance)).level

    def smallest(self, name: str) -> Place | None:
        """Where the sac is smallest between the highest and the lowest level seen; None where there is none.

        Above the highest level the sac leaves the view or thins out at its end, which is no stenosis.
        """
        levels = [p for p in self.places if p.level and not _sacral(p.level)]
        if not levels:
            return None
        first, last = max(levels[0].distance, _END), levels[-1].distance
        inner = [p for p in self.places if p.whole and first <= p.distance <= last and TAPERED not in p.doubts]
        return min(inner, key=lambda p: p.value(name), default=None)

    @property
    def interrupted(self) -> bool:
        """Whether a section is missing between the highest and the lowest level at which the sac is seen."""
        whole = [n for n, p in enumerate(self.places) if p.level and p.whole and not _sacral(p.level)]
        return bool(whole) and any(p.section is None for p in self.places[whole[0] : whole[-1]])

    @property
    def sections(self) -> tuple[CanalSection, ...]:
        """The sections as they are stored, from the top down."""
        out = []
        for place in self.places:
            flag = "; ".join(place.doubts) if place.whole else CUT if place.section is not None else NOT_SEEN
            values = [place.value(n) if place.whole else None for n in ("area", "AP diameter", "transverse diameter")]
            r, a, s = (float(c) for c in lps_to_ras(place.centre))
            out.append(CanalSection(place.distance, (r, a, s), *values, place.level, flag))
        return tuple(out)


def _sacral(level: str) -> bool:
    return "-" not in level and vertebra_value(level) == SACRUM_VALUE


def _along(landmarks: Landmarks, sac: Field, line: CentreLine, between: bool) -> list[Place]:
    """Every place from the top down; the front of one between two levels is that of these two."""
    arc = line.arc
    known: list[tuple[float, np.ndarray]] = []
    places: list[Place] = []
    for name in landmarks.column:
        frame, _ = landmarks.frame_or_between(name)
        crossing = line.crossing(frame.centre, frame.up) if frame is not None else None
        if crossing is None or frame is None:
            continue
        point, tangent = crossing
        n = int(np.argmin(np.linalg.norm(line.points - point, axis=1)))
        distance = float(arc[-1] - arc[n] - (point - line.points[n]) @ line.tangents[n])
        known.append((distance, frame.anterior))
        places.append(Place(distance, point, _section(sac, point, tangent, frame.anterior), name))
    known.sort(key=lambda pair: pair[0])
    at, fronts = [d for d, _ in known] or [0.0], np.array([f for _, f in known] or [_ANTERIOR])
    for distance in np.arange(_STEP, arc[-1] - 1e-6, _STEP) if between else ():
        n = int(np.argmin(np.abs(arc[-1] - arc - distance)))
        front = np.array([np.interp(distance, at, fronts[:, c]) for c in range(3)])
        places.append(Place(float(distance), line.points[n], _section(sac, line.points[n], line.tangents[n], front)))
    return sorted(places, key=lambda p: p.distance)


def _section(sac: Field, point: np.ndarray, tangent: np.ndarray, front: np.ndarray) -> Section | None:
    """Section of the sac perpendicular to its centre line, with the axes left and front."""
    anterior = unit(front - (front @ tangent) * tangent)
    if not anterior.any():
        return None
    return cut(sac, Plane(point, cross(tangent, anterior), anterior), reach=_REACH)


def _judged(places: Sequence[Place]) -> list[Place]:
    """The places with reasons to doubt them."""
    distance = np.array([p.distance for p in places])
    area = np.array([p.value("area") if p.whole else np.nan for p in places])
    levels = [n for n, p in enumerate(places) if p.level and p.whole]
    low, high = _NARROW_REACH
    out = []
    for n, place in enumerate(places):
        if not place.whole or place.section is None:
            out.append(place)
            continue
        notes = [RAGGED] if not solid(place.section) else []
        above = area[(distance >= distance[n] - high) & (distance <= distance[n] - low) & np.isfinite(area)]
        below = area[(distance >= distance[n] + low) & (distance <= distance[n] + high) & np.isfinite(area)]
        # The sac tapers downwards, so the largest section counts there.
        narrow = len(above) and len(below) and area[n] < _NARROW_SHARE * min(np.median(above), below.max())
        if n in levels:
            m = levels.index(n)
            beside = [area[levels[k]] for k in (m - 1, m + 1) if 0 <= k < len(levels)]
            narrow = narrow or (len(beside) == 2 and area[n] < _NARROW_SHARE * min(beside))
        if narrow:
            notes.append(NARROW)
        elif not len(above) and len(below) and area[n] < _NARROW_SHARE * np.median(below):
            notes.append(TAPERED)
        out.append(replace(place, doubts=tuple(notes)))
    return out
