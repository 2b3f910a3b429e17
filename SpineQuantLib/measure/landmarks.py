"""Where things are in one spine: the soft mask and the frame of each body and disc, the sac and its centre line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..anatomy.labels import CANAL_VALUE, CORD_VALUE, disc_value, foramen_value
from ..anatomy.levels import split_level, vertebra_value
from ..anatomy.structures import Side
from ..case.spine import NamedSpine
from . import frames
from .axis import AXIS, without_dens
from .centreline import CentreLine, trace
from .corners import Corners, corners_of
from .field import Field
from .frames import Frame
from .section import Plane, Section, cut

__all__ = ["Landmarks"]

_ARRAY_SIDEWAYS, _IN_SLICE = (0,), (1, 2)
_LEVELS_BESIDE = 3
"""Levels whose foramina tell where left is of what the view cuts."""
_NONE: Mapping[str, Field | None] = {}
_Estimate = tuple[Field, tuple[object, ...], Frame]
"""A frame with the field and everything else that it was estimated from."""


@dataclass(frozen=True, eq=False)
class _Known:
    """What landmarks leave to those of the same spine after an edit; not the landmarks, which would keep their own."""

    spine: NamedSpine
    fields: dict[str, Field | None]
    sac: Field | None
    centre_line: CentreLine | None
    estimates: dict[str, _Estimate]

    @classmethod
    def of(cls, landmarks: Landmarks) -> _Known:
        return cls(landmarks.spine, landmarks.fields, landmarks.sac, landmarks.centre_line, landmarks._estimates)


class Landmarks:
    """Fields and frames of one spine, each computed once.

    Bodies and discs form one column, top down: body, disc, body, … ; ``column`` holds their names (``L4``,
    ``L4-L5``).

    Parameters
    ----------
    spine : NamedSpine
        The spine.
    planes : Landmarks, optional
        Of another segmentation of the same spine with the same names: its frames and its centre line are taken, so
        that both are measured in the same planes. Endplates and corners remain the spine's own.
    known : Landmarks, optional
        Of the same spine before an edit. What comes out exactly as it was there is taken over and not worked out again.
    """

    def __init__(self, spine: NamedSpine, planes: Landmarks | None = None, *, known: Landmarks | None = None) -> None:
        self.spine = spine
        self._planes = planes
        self._known = _Known.of(known) if known is not None and known.spine.grid is spine.grid else None
        self._estimates: dict[str, _Estimate] = {}
        names: list[str] = []
        values: list[int] = []
        for n, vertebra in enumerate(spine.vertebrae):
            names.append(vertebra)
            values.append(vertebra_value(vertebra))
            if n < len(spine.levels):
                names.append(spine.levels[n])
                values.append(disc_value(vertebra))
        self.column = tuple(names)
        self._values = dict(zip(names, values, strict=True))
        self._frames: dict[str, Frame | None] = {}
        self._sections: dict[str, Section | None] = {}
        self._beside: dict[str, tuple[Section | None, Section | None]] = {}
        self._facing: dict[tuple[str, float], tuple[Plane | None, Corners | None, Corners | None]] = {}
        self._upright: dict[str, Corners | None] = {}
        self._pairs: dict[str, np.ndarray | None] = {}
        self._bodies: dict[str, Field | None] = {}

    @cached_property
    def fields(self) -> dict[str, Field | None]:
        """Soft mask of each body and disc by its name; None where it is not seen."""
        before = self._known.fields if self._known is not None else {}
        return {name: self._field(value, before.get(name), before) for name, value in self._values.items()}

    @cached_property
    def sac(self) -> Field | None:
        """Soft mask of the dural sac."""
        return self._field(CANAL_VALUE, self._known and self._known.sac, whole=True)

    def _field(
        self, value: int, before: Field | None, renamed: Mapping[str, Field | None] = _NONE, *, whole: bool = False
    ) -> Field | None:
        """Soft mask of a label; that of before, with all that was cut from it, where it is the same.

        Where levels were renamed, it is that of another name.
        """
        if before is not None and self._known is not None and self.spine.same_around(value, self._known.spine):
            return before
        field = Field.of(self.spine, value, whole=whole)
        return next((old for old in (before, *renamed.values()) if _same(field, old)), field)

    @cached_property
    def cord(self) -> Field | None:
        """Soft mask of the spinal cord; None where it is not labelled."""
        return Field.of(self.spine, CORD_VALUE)

    @cached_property
    def centre_line(self) -> CentreLine | None:
        """Centre line of the dural sac."""
        if self.sac is None or not self.sac.solid:
            return None
        theirs = self._planes.centre_line if self._planes is not None else None
        if theirs is None and self._known is not None and self.sac is self._known.sac:
            theirs = self._known.centre_line
        return theirs if theirs is not None else trace(self.sac)

    def seen(self, name: str) -> bool:
        """Whether a body or disc is among the labels and has a border."""
        field = self.fields[name]
        return field is not None and field.solid

    def body(self, name: str) -> Field | None:
        """Soft mask of a body or disc as its walls and endplates are read from it: of C2 that below its dens."""
        if name != AXIS:
            return self.fields[name]
        if name not in self._bodies:
            field = self.fields[name]
            self._bodies[name] = without_dens(field, self._up_hint(name)) if field is not None else None
        return self._bodies[name]

    def frame(self, name: str) -> Frame | None:
        """Frame of a body or disc from its own shape; None where it is not seen."""
        if name not in self._frames:
            self._frames[name] = self._estimate(name)
        return self._frames[name]

    def frame_or_between(self, name: str) -> tuple[Frame | None, str]:
        """Frame of a body or disc; where it is not seen, midway between its neighbours above and below.

        Returns
        -------
        frame : Frame or None
            None where the neighbours are missing too.
        note : str
            What was done, if it is not its own frame.
        """
        own = self.frame(name)
        if own is not None:
            return own, ""
        n = self.column.index(name)
        if 0 < n < len(self.column) - 1:
            above, below = self.column[n - 1], self.column[n + 1]
            frame_above, frame_below = self.frame(above), self.frame(below)
            if frame_above is not None and frame_below is not None:
                return frames.between(frame_above, frame_below), f"{name} not seen: taken midway {above} to {below}"
        return None, f"{name} not seen"

    def section(self, name: str) -> Section | None:
        """Outline of a body or disc in its own mid-sagittal plane; None where it is not seen."""
        if name not in self._sections:
            field, frame = self.fields[name], self.frame(name)
            found = field is not None and frame is not None
            self._sections[name] = cut(field, frame.mid_sagittal) if found else None
        return self._sections[name]

    def corners(self, name: str) -> Corners | None:
        """Corners of a body in its own mid-sagittal plane; None where it is not seen."""
        if name not in self._upright:
            body, frame = self.body(name), self.frame(name)
            section = cut(body, frame.mid_sagittal) if body is not None and frame is not None else None
            self._upright[name] = corners_of(section, np.array([0.0, 1.0])) if section is not None else None
        return self._upright[name]

    def facing(self, level: str, aside: float = 0.0) -> tuple[Plane | None, Corners | None, Corners | None]:
        """A level's sagittal plane, and the corners in it of the bodies above and below.

        Parameters
        ----------
        level : str
            For example ``L4-L5``.
        aside : float
            Millimetres by which the plane lies to the left of the middle of the disc.

        Returns
        -------
        plane : Plane or None
            None where neither the disc nor both bodies are seen.
        above, below : Corners or None
            None where a body is not seen, or is cut by the field of view within the plane.
        """
        if (level, aside) not in self._facing:
            self._facing[level, aside] = self._face(level, aside)
        return self._facing[level, aside]

    def _face(self, level: str, aside: float) -> tuple[Plane | None, Corners | None, Corners | None]:
        frame, _ = self.frame_or_between(level)
        if frame is None:
            return None, None, None
        plane = Plane(frame.centre + aside * frame.left, frame.anterior, frame.up)
        outlines = self.bodies_in(level, plane) if aside else self.bodies_beside(level)
        above, below = (
            self._corners(name, plane, outline) for name, outline in zip(split_level(level), outlines, strict=True)
        )
        return plane, above, below

    def bodies_beside(self, level: str) -> tuple[Section | None, Section | None]:
        """Outlines of the bodies above and below in the level's mid-sagittal plane."""
        if level not in self._beside:
            frame, _ = self.frame_or_between(level)
            self._beside[level] = self.bodies_in(level, frame.mid_sagittal) if frame is not None else (None, None)
        return self._beside[level]

    def bodies_in(self, level: str, plane: Plane) -> tuple[Section | None, Section | None]:
        """Outlines of the bodies above and below a level in a plane."""
        above, below = (self.body(name) for name in split_level(level))
        return cut(above, plane) if above is not None else None, cut(below, plane) if below is not None else None

    def _corners(self, name: str, plane: Plane, outline: Section | None) -> Corners | None:
        frame = self.frame(name)
        if outline is None or frame is None or outline.cut:
            return None
        return corners_of(outline, np.array([frame.up @ plane.u, frame.up @ plane.v]))

    def _estimate(self, name: str) -> Frame | None:
        field = self.fields[name]
        if field is None or not field.solid:
            return None
        theirs = self._planes.frame(name) if self._planes is not None else None
        if theirs is not None:
            return frames.seen_in(self.body(name) or field, theirs, upper_counts=name == "S1")
        behind = None
        if self.centre_line is not None:
            up = self._up_hint(name)
            crossing = self.centre_line.crossing(field.centroid, up)
            behind = crossing[0] if crossing else None
        disc = self.column[self.column.index(name) - 1] if name == "S1" and name != self.column[0] else ""
        above = self.frame(disc) if disc else None
        # The sacrum turns away from the column: the disc on it tells better where its endplate looks.
        up = above.up if above is not None else self._up_hint(name)
        cut_sideways = field.touches_edge(_ARRAY_SIDEWAYS)
        sideways = self._sideways(name) if cut_sideways else None
        basis = (up.tobytes(), *(None if v is None else v.tobytes() for v in (behind, sideways)), name)
        before = self._known.estimates.get(name) if self._known is not None else None
        if before is not None and before[0] is field and before[1] == basis:
            frame = before[2]
        else:
            frame = frames.estimate(
                self.body(name) or field,
                up,
                flat="-" in name,
                behind=behind,
                cut_sideways=cut_sideways,
                sideways=sideways,
                upper_counts=name == "S1",
                lower_counts=name == AXIS,
            )
        self._estimates[name] = field, basis, frame
        return frame

    def _sideways(self, name: str) -> np.ndarray | None:
        """Vector from right to left foramina of the levels next to a body or disc; None where no pair is seen.

        Several levels count, because a narrowed foramen has its middle farther back than the one across from it.
        """
        n = self.column.index(name)
        near = sorted(self.spine.levels, key=lambda level: abs(self.column.index(level) - n))
        apart = [vector for level in near if (vector := self._apart(level)) is not None][:_LEVELS_BESIDE]
        return np.sum(apart, axis=0) if apart else None

    def _apart(self, level: str) -> np.ndarray | None:
        """Vector from the right to the left foramen of a level.

        They may be cut sideways, too: what is left of them lies on the same line.
        """
        if level not in self._pairs:
            upper = split_level(level)[0]
            pair = [Field.of(self.spine, foramen_value(upper, side)) for side in (Side.RIGHT, Side.LEFT)]
            whole = [field for field in pair if field is not None and field.solid and not field.touches_edge(_IN_SLICE)]
            self._pairs[level] = whole[1].centroid - whole[0].centroid if len(whole) == len(pair) else None
        return self._pairs[level]

    def _up_hint(self, name: str) -> np.ndarray:
        """Unit vector along the column at one of its objects, from its neighbours' centroids."""
        n = self.column.index(name)
        reach = [self.column[m] for m in range(max(n - 2, 0), min(n + 3, len(self.column)))]
        here = reach.index(name)
        above = next((m for m in reversed(reach[:here]) if self.seen(m)), name)
        below = next((m for m in reach[here + 1 :] if self.seen(m)), name)
        top, bottom = self.fields[above], self.fields[below]
        if above != below and top is not None and bottom is not None:
            along = frames.unit(top.centroid - bottom.centroid)
            if along.any():
                return along
        field = self.fields[name]
        if self.centre_line is not None and field is not None:
            return self.centre_line.nearest(field.centroid)[1]
        return frames.SUPERIOR


def _same(field: Field | None, before: Field | None) -> bool:
    if field is None or before is None or (field.start, field.view) != (before.start, before.view):
        return False
    return np.array_equal(field.occupancy, before.occupancy)
