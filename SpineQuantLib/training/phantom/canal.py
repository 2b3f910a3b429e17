"""The dural sac of the phantom: a cross-section swept along, and perpendicular to, a smooth centre line.

Where a bulging disc or a slipped body reaches into the sac, it takes the room away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from .column import Column
from .frames import BODY_FRAME, Sampler
from .proportions import UPPER, is_cervical
from .spec import PhantomSpec

__all__ = ["Sac", "build_sac"]

_STEP = 0.5
_EPIDURAL = 2.2
"""Millimetres between the posterior wall and a sac that is not narrowed."""
# Half-axes (AP, RL) of the sac at a disc, by the vertebra above it.
_HALF = {"T": (6.6, 8.2), "L1": (7.4, 9.2), "L2": (7.4, 9.3), "L3": (7.2, 9.3), "L4": (6.8, 9.2), "L5": (5.8, 8.4)}
_REST = (5.8, 8.4)
# The same above T8: the canal after Panjabi et al. (Spine 1991;16:861 and 888) and, in the neck, its AP diameter on MRI
# after Ulbrich et al. (Radiology 2014;271:172), less what lies between bone and dura.
_UPPER_HALF = {
    "FM": (9.5, 12.5),
    "C1": (8.0, 11.5),
    "C2": (7.0, 10.0),
    "C3": (6.3, 9.6),
    "C4": (6.1, 9.7),
    "C5": (6.1, 9.8),
    "C6": (6.1, 9.8),
    "C7": (6.3, 9.4),
    "T1": (6.4, 8.6),
    "T2": (6.4, 7.9),
    "T3": (6.4, 7.6),
    "T4": (6.4, 7.5),
    "T5": (6.4, 7.5),
    "T6": (6.4, 7.6),
    "T7": (6.5, 7.8),
}
_NECK_EPIDURAL, _CHEST_EPIDURAL = 1.2, 1.6
_NECK_PADDING = 0.35
"""Epidural fat around the sac in the neck, relative to the lumbar spine."""
_BEHIND_DENS = 3.0
"""Millimetres of ligament between the dens and the sac."""
_TREFOIL = 0.3
_FAR = 50.0


@dataclass(frozen=True)
class Sac:
    """The dural sac.

    Its cross-section at arc length ``t`` is, in coordinates scaled by the half-axes, the outline
    ``r = 1 + λ cos 3θ`` with θ measured from posterior: an ellipse for λ = 0, a trefoil with a posterior and two
    anterolateral lobes where it is narrowed. Its area is ``π·a·b·(1 + λ²/2)`` and its AP diameter ``2b``.

    Attributes
    ----------
    line : np.ndarray
        (n, 3) body-frame points of the centre line every 0.5 mm, downwards.
    tangents, posteriors : np.ndarray
        (n, 3) unit vectors along the line, and behind it at right angles.
    half_ap, half_rl, trefoil : np.ndarray
        (n,) half-axes in millimetres, and λ.
    column : Column
        What may reach into it.
    padding : np.ndarray
        (n,) epidural fat around it, relative to that of the lumbar spine.
    """

    line: np.ndarray
    tangents: np.ndarray
    posteriors: np.ndarray
    half_ap: np.ndarray
    half_rl: np.ndarray
    trefoil: np.ndarray
    column: Column
    padding: np.ndarray

    @property
    def areas(self) -> np.ndarray:
        """(n,) cross-sectional area where nothing reaches in, mm²."""
        return np.pi * self.half_ap * self.half_rl * (1.0 + self.trefoil**2 / 2.0)

    def crossing(self, point: np.ndarray, normal: np.ndarray) -> float | None:
        """Position, as a fractional index, at which the centre line crosses a plane; None where it does not."""
        side = (self.line - point) @ normal
        hits = np.flatnonzero((side[:-1] > 0) != (side[1:] > 0))
        if not len(hits):
            return None
        n = hits[np.argmin(np.linalg.norm(self.line[hits] - point, axis=1))]
        return float(n + side[n] / (side[n] - side[n + 1]))

    def at(self, values: np.ndarray, position: float) -> np.ndarray:
        """Value of one of the arrays at a fractional index."""
        n = min(int(position), len(values) - 2)
        return values[n] + (position - n) * (values[n + 1] - values[n])

    def section_coordinates(self, points: Sampler) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fractional index of the nearest place on the centre line, and the distances to the left and behind it."""
        x, y, z = (np.asarray(c, np.float32) for c in np.broadcast_arrays(*points.coordinates(BODY_FRAME)))
        order = self.line[::-1, 2]
        index = np.arange(len(self.line), dtype=np.float32)
        at = np.interp(z, order, index[::-1]).astype(np.float32)
        for _ in range(2):
            (px, py, pz), (tx, ty, tz) = self._look(self.line, at), self._look(self.tangents, at)
            along = (x - px) * tx + (y - py) * ty + (z - pz) * tz
            at = np.clip(at + along / np.float32(_STEP), 0, len(self.line) - 1)
        px, py, pz = self._look(self.line, at)
        bx, by, bz = self._look(self.posteriors, at)
        tx, ty, tz = self._look(self.tangents, at)
        dx, dy, dz = x - px, y - py, z - pz
        behind = dx * bx + dy * by + dz * bz
        # The line runs downwards, so posterior × tangent points to the left.
        left = dx * (by * tz - bz * ty) + dy * (bz * tx - bx * tz) + dz * (bx * ty - by * tx)
        return at, left, behind

    def _look(self, table: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, ...]:
        n = np.minimum(at.astype(np.int32), len(table) - 2)
        share = at - n
        values = table.astype(np.float32)
        return tuple(values[n, c] + share * (values[n + 1, c] - values[n, c]) for c in range(3))

    def free_depth(self, at: np.ndarray, left: np.ndarray, behind: np.ndarray) -> np.ndarray:
        """Millimetres inside the swept cross-section, whatever reaches into it; arguments as from above."""
        index = np.arange(len(self.line))
        half_ap, half_rl, trefoil = (
            np.interp(at, index, v).astype(np.float32) for v in (self.half_ap, self.half_rl, self.trefoil)
        )
        x, y = left / half_rl, behind / half_ap
        radius = np.maximum(np.hypot(x, y), np.float32(1e-4))
        cosine = y / radius
        outline = 1.0 + trefoil * (4.0 * cosine**3 - 3.0 * cosine)
        depth = (outline / radius - 1.0) * np.hypot(left, behind)
        # Beyond the ends of the line there is nothing; below the skull not even the fat around the sac.
        beyond = np.float32(-_FAR if self.column.bodies[0].dens else -1.0)
        return np.where((at <= 0) | (at >= len(self.line) - 1), beyond, depth)

    def padding_at(self, at: np.ndarray) -> np.ndarray:
        """Epidural fat, relative to the lumbar spine, at fractional indices; float32."""
        return np.interp(at, np.arange(len(self.padding)), self.padding).astype(np.float32)

    def depth(self, points: Sampler) -> np.ndarray:
        """Millimetres inside the sac, negative outside, without what bodies and discs take away."""
        depth = self.free_depth(*self.section_coordinates(points))
        places = [(float(np.min(c)), float(np.max(c))) for c in points.coordinates(BODY_FRAME)]
        for solid in (*self.column.bodies, *self.column.discs, *self.column.sacrum, *self.column.remnants):
            low, high = solid.corners.min(axis=0), solid.corners.max(axis=0)
            if all(a <= top and b >= bottom for (a, b), bottom, top in zip(places, low, high, strict=True)):
                depth = np.minimum(depth, -solid.depth(points))
        return depth


def _supports(column: Column, spec: PhantomSpec) -> list[tuple[np.ndarray, str, bool]]:
    """Points behind each disc and body at which the posterior wall is known, top down, and what they belong to."""
    found = _above_axis(column)
    chain = [*column.bodies, *column.sacrum[:2]]
    links = [*column.discs, *column.remnants[:2]]
    for n, body in enumerate(chain):
        behind = body.ap / 2 * (1 - body.taper / 2) * (1 - 0.4 * body.waist)
        found.append((body.frame.to_body(np.array([0.0, behind, 0.0])), body.frame.axes[1], body.name, False))
        if n < len(links) and n < len(chain) - 1:
            disc = links[n]
            found.append((disc.frame.to_body(np.array([0.0, disc.ap / 2, 0.0])), disc.frame.axes[1], disc.level, True))
    return [
        (point + axis * (_epidural(name) * spec.body_scale + _half(name, spec)[0]), name, disc)
        for point, axis, name, disc in found
    ]


def _above_axis(column: Column) -> list[tuple[np.ndarray, np.ndarray, str, bool]]:
    """Supports above C2, where the column begins there: at the foramen magnum, and behind the dens."""
    axis = column.bodies[0]
    if not axis.dens:
        return []
    found = []
    for name, share, behind in (("FM", 1.35, 0.0), ("C1", 0.6, 0.4)):
        back = behind * axis.dens + _BEHIND_DENS
        point = axis.frame.to_body(np.array([0.0, back, axis.height / 2 + share * axis.dens]))
        found.append((point, axis.frame.axes[1], name, False))
    return found


def _epidural(name: str) -> float:
    """Millimetres between the posterior wall and the sac, by the vertebra."""
    upper = name.split("-")[0]
    if upper in UPPER or upper == "FM" or upper == "C1":
        return _NECK_EPIDURAL if not upper.startswith("T") else _CHEST_EPIDURAL
    return _EPIDURAL


def _half(name: str, spec: PhantomSpec) -> tuple[float, float]:
    """Half-axes of the sac at a disc or body when nothing narrows it."""
    upper = name.split("-")[0]
    ap, rl = _UPPER_HALF.get(upper) or _HALF.get(upper, _HALF["T"] if upper.startswith("T") else _REST)
    shrink = {"S1": 0.85, "S2": 0.5, "S3": 0.25}.get(upper, 1.0) * spec.body_scale
    person = 1.0 + 0.1 * spec.variation * float(np.random.default_rng([spec.seed, 2]).uniform(-1.5, 1.2))
    # Pedicles bound the sac at the sides, so people differ in its depth more than in its width.
    return ap * shrink * person, rl * shrink * (1.0 + 0.4 * (person - 1.0))


def build_sac(column: Column, spec: PhantomSpec) -> Sac:
    """The sac behind a column, from its top to the second sacral body."""
    supports = _supports(column, spec)
    points = np.array([p for p, _, _ in supports])
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    count = int(chord[-1] / _STEP)
    fine = CubicSpline(chord, points)(np.linspace(0, chord[-1], 4 * count))
    # A slip must not put a kink in the line: a cross-section can only be swept along a gentle bend.
    fine = gaussian_filter1d(fine, 8.0 / (chord[-1] / (4 * count)), axis=0, mode="nearest")
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    even = np.arange(0, arc[-1], _STEP)
    line = np.stack([np.interp(even, arc, fine[:, c]) for c in range(3)], axis=1)
    tangents = np.gradient(line, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    posteriors = np.array([0.0, 1.0, 0.0]) - tangents[:, 1:2] * tangents
    posteriors /= np.linalg.norm(posteriors, axis=1, keepdims=True)
    half = np.array([_half(name, spec) for _, name, _ in supports])
    half[-1] = 0.8
    where = np.array([np.argmin(np.linalg.norm(line - p, axis=1)) for p, _, _ in supports], dtype=float)
    index = np.arange(len(line))
    half_ap, half_rl = (PchipInterpolator(where, half[:, c], extrapolate=False)(index) for c in range(2))
    half_ap, half_rl = (_filled(v) for v in (half_ap, half_rl))
    lost = _lost(spec, column, where, supports, len(line))
    trefoil = _TREFOIL * lost
    share = (1.0 - lost) / (1.0 + trefoil**2 / 2.0)
    # A narrow sac is flat: it loses more of its depth than of its width.
    neck = [_NECK_PADDING if is_cervical(name) or name == "FM" else 1.0 for _, name, _ in supports]
    padding = np.interp(index, where, neck)
    return Sac(line, tangents, posteriors, half_ap * share**0.6, half_rl * share**0.4, trefoil, column, padding)


def _filled(values: np.ndarray) -> np.ndarray:
    """Ends beyond the outermost support take its value."""
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known])


def _lost(spec: PhantomSpec, column: Column, where: np.ndarray, supports: list, count: int) -> np.ndarray:
    """Share of the area lost along the line: the full share over the height of the disc, nothing 7 mm beyond."""
    lost = np.zeros(count)
    index = np.arange(count)
    for (_, name, disc), at in zip(supports, where, strict=True):
        share = spec.central_stenosis.get(name, 0.0) if disc else 0.0
        if share:
            plateau = column.disc(name).height / 2 + 1.5
            beyond = np.clip((np.abs(index - at) * _STEP - plateau) / 7.0, 0.0, 1.0)
            lost = np.maximum(lost, share * (1.0 - beyond * beyond * (3.0 - 2.0 * beyond)))
    return lost
