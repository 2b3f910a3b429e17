"""Vertebral bodies and discs of the phantom: their sizes, their places, and the surfaces that bound them.

A body is bounded by a wall with a waist and by two endplates, each a plane with a dome-shaped hollow. A disc is what
lies between the lower endplate of one body and the upper endplate of the next, inside the disc's own outline, so
bodies and discs share their surfaces exactly. All lengths are millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq

from .frames import Frame, Points, Sampler

__all__ = ["INSET", "Body", "Disc"]

INSET = 0.1
"""Anterior and posterior heights are taken this share of the depth inside the anterior and posterior margin."""


def _gauge(left: np.ndarray, posterior: np.ndarray, rl: object, front: object, back: object) -> np.ndarray:
    """Outline of a body or disc seen from above: below 1 inside, growing in proportion to the distance from its centre.

    In front a half-ellipse, behind a flatter quartic, as the posterior wall is. ``rl``, ``front`` and ``back`` are the
    half-axes.
    """
    x = np.square(left / rl)
    y = np.square(posterior / np.where(posterior > 0, back, front))
    return np.sqrt(np.where(posterior > 0, np.sqrt(x * x + y * y), x + y))


def _wall_depth(gauge: np.ndarray, left: np.ndarray, posterior: np.ndarray) -> np.ndarray:
    """Millimetres to an outline along the ray from its centre, positive inside."""
    return (1.0 / np.maximum(gauge, 1e-3) - 1.0) * np.hypot(left, posterior)


_UNCUS_FROM = 0.6
"""Share of the half-width from which on the uncinate processes rise."""
_DENS_RADIUS, _DENS_LEAN, _DENS_FORWARD = 0.36, 0.12, 0.06
"""Of the dens: radius relative to its height, lean backwards, and distance before the body's middle, per depth."""


@dataclass(frozen=True)
class Body:
    """A vertebral body.

    Its local frame has its origin in the middle of the body and its left axis in both endplates.

    Attributes
    ----------
    name : str
        ``L4``; ``S2`` and below for the fused remnant.
    frame : Frame
        Where it lies.
    height : float
        Distance of the endplates' rim planes along the up axis through the origin.
    ap, rl : float
        Depth and width at the upper endplate.
    wedge : float
        Angle between the endplates in radians, positive where the body is taller in front.
    domes : tuple of float
        Depth of the hollow of the upper and the lower endplate.
    waist : float
        Share by which the wall is drawn in at mid-height, in front and at the sides; 0.4 of it behind.
    taper : float
        Share by which the outline is smaller at the lower endplate than at the upper one.
    lysis : float
        Millimetres by which the loose part of the arch stayed behind when the body slipped forwards; 0: a whole arch.
    dens : float
        Height of the dens above the upper rim plane (C2); 0: none.
    uncus : float
        Height of the lips at both sides of the upper endplate, the uncinate processes (C3 to C7); 0: none.
    """

    name: str
    frame: Frame
    height: float
    ap: float
    rl: float
    wedge: float
    domes: tuple[float, float]
    waist: float
    taper: float = 0.0
    lysis: float = 0.0
    dens: float = 0.0
    uncus: float = 0.0

    def _hollow(self, left: np.ndarray, posterior: np.ndarray, scale: float, dome: float) -> np.ndarray:
        """Depth of an endplate's hollow; negative beyond the rim, where the edge of the body is rounded off."""
        q = np.square(left * (2 / (self.rl * scale))) + np.square(posterior * (2 / (self.ap * scale)))
        return dome * (1.0 - q)

    def top(self, left: np.ndarray, posterior: np.ndarray) -> np.ndarray:
        """Local height of the upper endplate."""
        plane = self.height / 2 - np.tan(self.wedge / 2) * posterior
        plate = plane - self._hollow(left, posterior, 1.0, self.domes[0])
        if not self.uncus:
            return plate
        aside = np.clip((np.abs(left) * (2 / self.rl) - _UNCUS_FROM) / (1.0 - _UNCUS_FROM), 0.0, 1.0)
        return plate + self.uncus * aside * aside

    def bottom(self, left: np.ndarray, posterior: np.ndarray) -> np.ndarray:
        """Local height of the lower endplate."""
        plane = -self.height / 2 + np.tan(self.wedge / 2) * posterior
        return plane + self._hollow(left, posterior, 1.0 - self.taper, self.domes[1])

    def scale_at(self, up: np.ndarray) -> np.ndarray:
        """Size of the outline, without its waist, relative to the upper endplate."""
        return 1.0 - self.taper * np.clip(0.5 - up / self.height, 0.0, 1.0)

    def depth(self, points: Sampler) -> np.ndarray:
        """Millimetres inside the body, negative outside; exact at its surface, nearly so close to it."""
        left, posterior, up = points.coordinates(self.frame)
        drawn_in = self.waist * np.maximum(1.0 - np.square(up * (2 / self.height)), 0.0)
        scale = self.scale_at(up)
        side = scale * (1.0 - drawn_in)
        behind = scale * (1.0 - 0.4 * drawn_in)
        gauge = _gauge(left, posterior, side * (self.rl / 2), side * (self.ap / 2), behind * (self.ap / 2))
        depth = _wall_depth(gauge, left, posterior)
        np.minimum(depth, self.top(left, posterior) - up, out=depth)
        np.minimum(depth, up - self.bottom(left, posterior), out=depth)
        if self.dens:
            np.maximum(depth, self._dens_depth(left, posterior, up), out=depth)
        return depth

    def _dens_depth(self, left: np.ndarray, posterior: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Millimetres inside the dens: a round-ended peg that rises from the body and leans back a little."""
        radius = self.dens * _DENS_RADIUS
        low, high = self.height / 2 - radius, self.height / 2 + self.dens - radius
        along = np.clip(up, low, high)
        back = posterior + _DENS_FORWARD * self.ap - _DENS_LEAN * (along - low)
        return radius - np.sqrt(np.square(left) + np.square(back) + np.square(up - along))

    def apex(self, lower: bool) -> np.ndarray:
        """(3,) body-frame point in the middle of an endplate, at the bottom of its hollow."""
        zero = np.zeros(1)
        height = (self.bottom if lower else self.top)(zero, zero)[0]
        return self.frame.to_body(np.array([0.0, 0.0, height]))

    def rim(self, lower: bool, behind: bool) -> np.ndarray:
        """(3,) body-frame corner of the body in its median plane."""
        posterior = self.ap / 2 * (1.0 - self.taper if lower else 1.0) * (1 if behind else -1)
        up = (self.bottom if lower else self.top)(np.zeros(1), np.array([posterior]))[0]
        return self.frame.to_body(np.array([0.0, posterior, up]))

    @cached_property
    def corners(self) -> np.ndarray:
        """(8, 3) body-frame corners of a box around the body."""
        slope = np.tan(abs(self.wedge) / 2) * self.ap / 2
        half = np.array([self.rl / 2, self.ap / 2, self.height / 2 + slope]) + 1.0
        out = half * _SIGNS
        # What stands on the upper endplate.
        out[:, 2] += np.where(_SIGNS[:, 2] > 0, self.dens + self.uncus, 0.0)
        return self.frame.to_body(out)

    def height_at(self, share: float) -> float:
        """Height along the up axis in the median plane.

        Parameters
        ----------
        share : float
            Position from the anterior (0) to the posterior (1) margin of the upper endplate; 0.1, 0.5 and 0.9 are the
            anterior, middle and posterior height.
        """
        posterior = np.array([(share - 0.5) * self.ap])
        return float((self.top(np.zeros(1), posterior) - self.bottom(np.zeros(1), posterior))[0])


_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)


@dataclass(frozen=True)
class Disc:
    """The disc between two bodies.

    Its local frame has its origin in the middle of the disc; its up axis, the *centre line of the disc*, joins the
    apices of the two endplates and halves the angle between them.

    Attributes
    ----------
    upper, lower : Body
        Its neighbours.
    frame : Frame
        Where it lies.
    height : float
        Distance of the endplates along the centre line.
    ap, rl : float
        Depth and width without the bulge.
    bulge : float
        Millimetres by which it reaches behind its posterior margin in the median plane; 0.35 of it in front.
    """

    upper: Body
    lower: Body
    frame: Frame
    height: float
    ap: float
    rl: float
    bulge: float = 0.0

    @property
    def level(self) -> str:
        """Name of the level, for example ``L4-L5``."""
        return f"{self.upper.name}-{self.lower.name}"

    def bulge_at(self, left: np.ndarray) -> np.ndarray:
        """How far the posterior margin is pushed back, in millimetres."""
        return self.bulge * np.maximum(1.0 - np.square(left * (2 / self.rl)), 0.0)

    def _outline(self, points: Sampler) -> np.ndarray:
        """Millimetres inside the outline seen along the centre line."""
        left, posterior, _ = points.coordinates(self.frame)
        swell = self.bulge_at(left)
        gauge = _gauge(left, posterior, self.rl / 2, self.ap / 2 + 0.35 * swell, self.ap / 2 + swell)
        return _wall_depth(gauge, left, posterior)

    def _gaps(self, points: Sampler) -> tuple[np.ndarray, np.ndarray]:
        """Millimetres below the upper body's lower endplate and above the lower body's upper endplate."""
        left, posterior, up = points.coordinates(self.upper.frame)
        below = self.upper.bottom(left, posterior) - up
        left, posterior, up = points.coordinates(self.lower.frame)
        return below, up - self.lower.top(left, posterior)

    def depth(self, points: Sampler) -> np.ndarray:
        """Millimetres inside the disc, negative outside; exact at its surface, nearly so close to it."""
        below, above = self._gaps(points)
        return np.minimum(np.minimum(below, above), self._outline(points))

    def height_at(self, share: float) -> float:
        """Height along the up axis in the median plane, endplate to endplate.

        The disc's depth runs between its margins, the means of the corners of the two neighbouring endplates,
        without the bulge. The anterior and the posterior height are taken a tenth of the depth inside the margins
        (``share`` 0.1 and 0.9), the middle height at the half (0.5). Hurxthal's height is the middle one, Dabbs' the
        mean of anterior and posterior, Fyllos' the mean of all three.

        Parameters
        ----------
        share : float
            Position from the anterior (0) to the posterior (1) margin.
        """
        posterior = (share - 0.5) * self.ap

        def gap(up: float, which: int) -> float:
            return float(self._gaps(Points(self.frame.to_body(np.array([[0.0, posterior, up]]))))[which][0])

        reach = self.height + 15.0
        top = brentq(gap, -reach, reach, args=(0,), xtol=1e-6)
        bottom = brentq(gap, -reach, reach, args=(1,), xtol=1e-6)
        return top - bottom

    @cached_property
    def corners(self) -> np.ndarray:
        """(8, 3) body-frame corners of a box around the disc."""
        slope = np.tan(0.25) * self.ap / 2
        half = np.array([self.rl / 2, self.ap / 2 + self.bulge, self.height / 2 + slope]) + 1.0
        return self.frame.to_body(half * _SIGNS)
