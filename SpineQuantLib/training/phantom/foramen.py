"""Intervertebral foramina of the phantom: a keyhole outline, extruded from the medial to the lateral pedicle border."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...anatomy.structures import Side
from .arch import pedicle
from .column import Column
from .frames import Sampler
from .proportions import UPPER, is_cervical
from .skeleton import Disc
from .spec import PhantomSpec

__all__ = ["Foramen", "build_foramina"]

_CLEARANCE = 0.6
_NOTCH = 0.6
"""Millimetres of cortex between a pedicle's border and the foramen."""
_BULB, _SLOT = 8.6, 5.2
"""Width of the keyhole behind the upper body and behind the disc, before any narrowing."""
_NECK_BULB, _NECK_SLOT = 5.8, 4.9
_CHEST_BULB, _CHEST_SLOT = 7.4, 5.2
"""The same from C2 to C7, and from T1 to T7."""
_OBLIQUE = 0.8
"""Millimetres by which a cervical foramen runs forwards for each that it runs outwards (39°)."""
_SETBACK = 1.5
"""Millimetres in front of the posterior walls to which the middle of a cervical foramen reaches, beside the bodies."""
_NERVE, _NECK_NERVE = 2.6, 1.8
_RECESS, _NECK_RECESS = 5.0, 2.0
_TABLE = 241


@dataclass(frozen=True)
class Foramen:
    """The foramen of one level on one side, in the frame of its disc.

    Its outline in the sagittal plane of that frame is the same from the medial to the lateral border of the pedicles:
    in front the posterior walls and the bulging disc, behind the articular process, above and below the pedicles.

    Attributes
    ----------
    disc : Disc
        Its level.
    side : Side
        The patient's side.
    medial, lateral : float
        Distance of its ends from the median plane, millimetres.
    up : np.ndarray
        (n,) heights at which the outline is known, upwards.
    front, back : np.ndarray
        (n,) posterior position of its anterior and posterior border there; of an oblique foramen, halfway along it.
    oblique : float
        Millimetres by which it runs forwards for each that it runs outwards; its sagittal sections are all alike.
    nerve : float
        Radius of the nerve root of a mean adult.
    recess : float
        Millimetres of fat beyond both of its ends.
    """

    disc: Disc
    side: Side
    medial: float
    lateral: float
    up: np.ndarray
    front: np.ndarray
    back: np.ndarray
    oblique: float = 0.0
    nerve: float = _NERVE
    recess: float = _RECESS

    @property
    def height(self) -> float:
        """Extent from pedicle to pedicle, along the disc's centre line."""
        return float(self.up[-1] - self.up[0])

    @property
    def width(self) -> float:
        """Greatest AP extent at any one height."""
        return float(np.max(self.back - self.front))

    @property
    def area(self) -> float:
        """Area inside the outline."""
        return float(np.trapezoid(np.maximum(self.back - self.front, 0.0), self.up))

    def depth(self, points: Sampler, *, extend: float = 0.0) -> np.ndarray:
        """Millimetres inside the foramen, negative outside; exact at its surface, nearly so close to it.

        Parameters
        ----------
        points : Sampler
            Where.
        extend : float
            Millimetres by which it is made longer at both ends, for the fat that fills the recess beside it.
        """
        out, posterior, up = self.along(points)
        front, back = (np.interp(up, self.up, v).astype(np.float32) for v in (self.front, self.back))
        # Distances along the AP axis overstate the distance to a sloping border.
        slope = np.abs(np.interp(up, self.up, self._slope)).astype(np.float32)
        depth = np.minimum(posterior - front, back - posterior) / np.sqrt(
            1.0 + slope * slope + np.float32(self.oblique**2)
        )
        np.minimum(depth, up - np.float32(self.up[0]), out=depth)
        np.minimum(depth, np.float32(self.up[-1]) - up, out=depth)
        np.minimum(depth, out - np.float32(self.medial - extend), out=depth)
        return np.minimum(depth, np.float32(self.lateral + extend) - out)

    def along(self, points: Sampler) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Outwards, posterior and up of points as seen from the section halfway along the foramen's course."""
        left, posterior, up = points.coordinates(self.disc.frame)
        out = left if self.side is Side.LEFT else -left
        return out, posterior - self.shift_at(out) if self.oblique else posterior, up

    def shift_at(self, out: np.ndarray | float) -> np.ndarray | float:
        """Millimetres by which the section at a distance from the median plane lies behind the one halfway along."""
        return self.oblique * ((self.medial + self.lateral) / 2 - out)

    @cached_property
    def _slope(self) -> np.ndarray:
        return np.gradient(self.back - self.front, self.up)

    def corners(self, extend: float = 0.0) -> np.ndarray:
        """(8, 3) body-frame corners of a box around it, made longer at both ends as in :meth:`depth`."""
        sign = 1.0 if self.side is Side.LEFT else -1.0
        return self.disc.frame.to_body(
            np.array(
                [
                    [sign * x, y + self.shift_at(x), z]
                    for x in (self.medial - extend, self.lateral + extend)
                    for y in (self.front.min(), self.back.max())
                    for z in (self.up[0], self.up[-1])
                ]
            )
        )

    @property
    def root(self) -> tuple[float, float]:
        """Posterior and up of the middle of the nerve root, in the upper part of the keyhole."""
        n = int(0.72 * len(self.up))
        return float((self.front[n] + self.back[n]) / 2), float(self.up[n])


def build_foramina(column: Column, spec: PhantomSpec) -> tuple[Foramen, ...]:
    """Right and left foramen of every level, top down."""
    return tuple(
        _foramen(disc, side, spec.foraminal_stenosis.get((disc.level, side), 0.0), spec.body_scale)
        for disc in column.discs
        for side in (Side.RIGHT, Side.LEFT)
    )


def _foramen(disc: Disc, side: Side, narrowed: float, scale: float) -> Foramen:
    upper, lower = pedicle(disc.upper), pedicle(disc.lower)
    medial, lateral = (upper.medial + lower.medial) / 2, (upper.lateral + lower.lateral) / 2
    sign = 1.0 if side is Side.LEFT else -1.0
    beside = sign * (medial + lateral) / 2
    roof = disc.upper.frame.to_body(np.array([beside, disc.upper.ap / 2 + 4.0, upper.low]))
    floor = disc.lower.frame.to_body(np.array([beside, disc.lower.ap / 2 + 4.0, lower.high]))
    top, bottom = (float(disc.frame.to_local(p)[2]) for p in (roof, floor))
    up = np.linspace(bottom + _NOTCH, top - _NOTCH, _TABLE)
    share = np.linspace(0.0, 1.0, _TABLE)
    wall = _wall(disc, up) + _CLEARANCE
    neck = is_cervical(disc.upper.name)
    if neck:
        wall = wall - _CLEARANCE - _SETBACK * scale
    step = np.clip((share - 0.34) / 0.24, 0.0, 1.0)
    bulb, slot = _widths(disc.upper.name)
    full = (slot + (bulb - slot) * step * step * (3.0 - 2.0 * step)) * scale * (1.0 - narrowed)
    # Where the isthmus gives way, the loose arch no longer bounds the foramen behind: it grows as long as the slip.
    full = full + disc.upper.lysis
    width = full * (1.0 - np.abs(2.0 * share - 1.0) ** 3) ** (1.0 / 3.0)
    # The round ends close around the middle of the keyhole, not around its front.
    front = wall + (full - width) / 2
    margin = disc.ap / 2 + disc.bulge_at(np.array([beside]))[0] + _CLEARANCE
    reached = (np.abs(up) < disc.height / 2 + 0.5) & (disc.bulge > 0) & (not neck)
    course = (_OBLIQUE, _NECK_NERVE, _NECK_RECESS) if neck else (0.0, _NERVE, _RECESS)
    borders = np.where(reached, np.maximum(front, margin), front), front + width
    return Foramen(disc, side, medial, lateral, up, *borders, *course)


def _widths(upper: str) -> tuple[float, float]:
    """Width of a mean adult's keyhole behind the upper body and behind the disc."""
    if is_cervical(upper):
        return _NECK_BULB, _NECK_SLOT
    return (_CHEST_BULB, _CHEST_SLOT) if upper in UPPER else (_BULB, _SLOT)


def _wall(disc: Disc, up: np.ndarray) -> np.ndarray:
    """Posterior position of the foremost free place behind the bodies' corners, per height in the disc's frame."""
    lines = []
    for body, lower_end in ((disc.upper, True), (disc.lower, False)):
        ends = np.array([body.rim(lower_end, True), body.frame.to_body(np.array([0.0, body.ap / 2, 0.0]))])
        local = disc.frame.to_local(ends)
        share = (up - local[0, 2]) / (local[1, 2] - local[0, 2])
        lines.append((share, local[0, 1] + np.clip(share, 0.0, None) * (local[1, 1] - local[0, 1])))
    (above, first), (below, second) = lines
    between = disc.height + 3.0
    blend = np.clip(up / between + 0.5, 0.0, 1.0)
    smooth = second + (first - second) * blend * blend * (3.0 - 2.0 * blend)
    return np.where(above >= 0, np.maximum(first, smooth), np.where(below >= 0, np.maximum(second, smooth), smooth))
