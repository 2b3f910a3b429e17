"""Stacks the bodies and discs of a phantom from the sacrum upwards, with lordosis, slip and scoliosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .frames import Frame
from .skeleton import Body, Disc

if TYPE_CHECKING:
    from .spec import PhantomSpec

__all__ = ["Column", "build_column"]

# Mean adult, millimetres, per vertebra: height between rims, depth and width at the endplate, height of the disc
# below along its centre line. Discs and depths after the manual masks in the literature (Hurxthal's
# height 9.1 ± 1.3 mm, depths 28.8 to 32 mm), bodies after their volumes of 36 to 42 cm³.
_SIZES: dict[str, tuple[float, float, float, float]] = {
    "T8": (20.5, 27.0, 31.0, 4.6),
    "T9": (21.5, 27.5, 33.0, 4.8),
    "T10": (22.5, 28.0, 35.0, 5.2),
    "T11": (23.5, 28.5, 38.0, 5.6),
    "T12": (25.0, 29.0, 41.0, 6.6),
    "L1": (26.5, 30.0, 44.0, 7.8),
    "L2": (27.2, 31.2, 46.0, 8.8),
    "L3": (27.5, 32.4, 48.0, 9.8),
    "L4": (27.5, 33.2, 50.0, 10.6),
    "L5": (27.5, 33.4, 52.0, 10.2),
    "L6": (27.0, 33.2, 52.0, 9.4),
    "S1": (29.0, 32.5, 51.0, 3.6),
    "S2": (25.0, 24.0, 38.0, 2.6),
    "S3": (20.0, 18.0, 30.0, 2.2),
    "S4": (16.0, 14.0, 24.0, 2.0),
}
_SACRUM = ("S1", "S2", "S3", "S4")
# Share of the lordosis held by the five lowest discs and bodies, from the sacrum upwards.
_DISC_SHARE = (0.28, 0.21, 0.16, 0.11, 0.07)
_BODY_SHARE = (0.14, 0.05, 0.01, -0.01, -0.02)


@dataclass(frozen=True)
class Column:
    """Bodies and discs, top down.

    Attributes
    ----------
    bodies : tuple of Body
        Down to S1.
    discs : tuple of Disc
        Between them.
    sacrum : tuple of Body
        The fused remnant below S1: S2, S3, S4.
    remnants : tuple of Disc
        Discs between S1, S2, S3 and S4.
    lumbarised : bool
        Whether the first remnant is a well-formed disc.
    """

    bodies: tuple[Body, ...]
    discs: tuple[Disc, ...]
    sacrum: tuple[Body, ...]
    remnants: tuple[Disc, ...]
    lumbarised: bool

    def body(self, name: str) -> Body:
        """The body of a vertebra; KeyError where there is none."""
        return {b.name: b for b in self.bodies}[name]

    def disc(self, level: str) -> Disc:
        """The disc of a level; KeyError where there is none."""
        return {d.level: d for d in self.discs}[level]


@dataclass(frozen=True)
class _Plan:
    """Sizes and angles of one vertebra and of the disc below it, before they are put in their place; radians."""

    name: str
    height: float
    ap: float
    rl: float
    wedge: float
    domes: tuple[float, float]
    waist: float
    taper: float
    disc_height: float
    disc_wedge: float
    slip: float
    lysis: bool
    bulge: float
    coronal: float


def _angles(spec: PhantomSpec, names: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
    """Wedge of every body, and of the disc below it, in degrees (positive: open in front)."""
    lumbar = [n for n in names if n.startswith("L")][::-1]
    at = np.linspace(0, 4, len(lumbar))
    body_share = np.interp(at, range(5), _BODY_SHARE)
    disc_share = np.interp(at, range(5), _DISC_SHARE)
    total = body_share.sum() + disc_share.sum()
    body = {n: -2.2 for n in names if n.startswith("T")} | {"S1": 9.0, "S2": 1.0, "S3": -4.0, "S4": -6.0}
    disc = {n: -1.0 for n in names if n.startswith("T")} | {"S1": -4.0, "S2": -5.0, "S3": -8.0, "S4": 0.0}
    disc[[n for n in names if n.startswith("T")][-1]] = 1.0
    if spec.lumbarised:
        body["S1"], disc["S1"] = 1.0, 5.0
    for n, b, d in zip(lumbar, body_share, disc_share, strict=True):
        body[n], disc[n] = spec.lordosis * b / total, spec.lordosis * d / total
    return body, disc


def _plans(spec: PhantomSpec, rng: np.random.Generator) -> list[_Plan]:
    """Every vertebra of the phantom, top down, from T8 to S4."""
    names = (*spec.names, *_SACRUM[1:])
    body_wedge, disc_wedge = _angles(spec, names)
    coronal = _coronal(spec)
    person = 1.0 + spec.variation * np.clip(rng.normal(0, (0.03, 0.05, 0.05, 0.07)), -0.1, 0.1)
    hollow = 1.3 * (1 + spec.variation * rng.uniform(-0.6, 0.5))
    waist = 0.1 * (1 + spec.variation * rng.uniform(-0.5, 0.5))
    plans = []
    for name in names:
        own = person * (1.0 + spec.variation * np.clip(rng.normal(0, (0.02, 0.015, 0.015, 0.05)), -0.07, 0.07))
        height, ap, rl, disc_height = np.array(_SIZES[name]) * own * spec.body_scale
        fused = name in _SACRUM[1:]
        dome = hollow * spec.body_scale
        squared = spec.lumbarised and name == "S1"
        if squared:
            height, disc_height = 27.0 * spec.body_scale, 7.0 * spec.body_scale
        level = next((x for x in spec.levels if x.startswith(f"{name}-")), "")
        plans.append(
            _Plan(
                name=name,
                height=float(height),
                ap=float(ap),
                rl=float(rl),
                wedge=float(np.radians(body_wedge[name])),
                domes=(0.2, 0.2) if fused else (dome, 0.3) if name == "S1" and not squared else (dome, dome),
                waist=0.04 if fused else waist,
                taper=0.06 if squared else 0.14 if name in _SACRUM else 0.0,
                disc_height=float(disc_height) - spec.disc_narrowing.get(level, 0.0),
                disc_wedge=float(np.radians(disc_wedge[name])),
                slip=spec.listhesis.get(level, 0.0),
                lysis=level in spec.lysis,
                bulge=spec.disc_bulge.get(level, 0.0),
                coronal=coronal[name],
            )
        )
    return plans


def _coronal(spec: PhantomSpec) -> dict[str, float]:
    """Coronal tilt to the left of every vertebra in radians: one full wave from S1 to the sixth vertebra above it.

    The two vertebrae that tilt most on either side, S1 + 1 and + 2 against S1 + 4 and + 5, form the Cobb angle.
    """
    amplitude = np.radians(spec.scoliosis) / 2 / np.sin(np.pi / 3)
    tilt = {n: float(amplitude * np.sin(np.pi * min(rank, 6) / 3)) for rank, n in enumerate(spec.names[::-1])}
    return tilt | dict.fromkeys(_SACRUM, 0.0)


def _axes(sagittal: float, coronal: float) -> np.ndarray:
    """Axes of a frame that leans forwards by ``sagittal`` and to the left by ``coronal`` (radians)."""
    c, s = np.cos(sagittal), np.sin(sagittal)
    forwards = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    c, s = np.cos(coronal), np.sin(coronal)
    return forwards @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def _body(plan: _Plan, sagittal: float, apex: np.ndarray, lower: bool) -> Body:
    """A body whose frame leans forwards by ``sagittal`` and one of whose endplates' apices is given."""
    axes = _axes(sagittal, plan.coronal)
    up = -plan.height / 2 + plan.domes[1] if lower else plan.height / 2 - plan.domes[0]
    frame = Frame(apex - up * axes[2], axes)
    loose = max(plan.slip, 0.0) if plan.lysis else 0.0
    return Body(plan.name, frame, plan.height, plan.ap, plan.rl, plan.wedge, plan.domes, plan.waist, plan.taper, loose)


def _stack(plans: list[_Plan], slope: float, start: np.ndarray) -> tuple[list[Body], list[Disc]]:
    """Bodies and discs, top down, around S1, whose upper apex lies at ``start`` and leans forwards by ``slope``."""
    first = [p.name for p in plans].index("S1")
    bodies = [_body(plans[first], slope + plans[first].wedge / 2, start, lower=False)]
    discs: list[Disc] = []
    angle = slope
    for n in range(first - 1, -1, -1):
        plan, below = plans[n], bodies[0]
        axes = _axes(angle - plan.disc_wedge / 2, (plan.coronal + plans[n + 1].coronal) / 2)
        step = plan.disc_height * axes[2] - plan.slip * axes[1]
        apex = below.apex(lower=False)
        angle -= plan.disc_wedge
        body = _body(plan, angle - plan.wedge / 2, apex + step, lower=True)
        angle -= plan.wedge
        discs.insert(0, _disc(plan, body, below, Frame(apex + step / 2, axes)))
        bodies.insert(0, body)
    angle = slope + plans[first].wedge
    for n in range(first, len(plans) - 1):
        plan, above = plans[n], bodies[-1]
        axes = _axes(angle + plan.disc_wedge / 2, 0.0)
        apex = above.apex(lower=True)
        angle += plan.disc_wedge
        body = _body(plans[n + 1], angle + plans[n + 1].wedge / 2, apex - plan.disc_height * axes[2], lower=False)
        angle += plans[n + 1].wedge
        discs.append(_disc(plan, above, body, Frame(apex - plan.disc_height / 2 * axes[2], axes)))
        bodies.append(body)
    return bodies, discs


def _disc(plan: _Plan, upper: Body, lower: Body, frame: Frame) -> Disc:
    """The disc between two bodies, as deep and wide as their endplates on average."""
    smaller = 1.0 - upper.taper
    ap, rl = (upper.ap * smaller + lower.ap) / 2, (upper.rl * smaller + lower.rl) / 2
    return Disc(upper, lower, frame, plan.disc_height, ap, rl, plan.bulge)


def build_column(spec: PhantomSpec) -> Column:
    """Bodies and discs of a phantom in the body frame, whose origin is the middle of the third lowest lumbar body.

    Raises
    ------
    ValueError
        If a disc is narrowed so far that its endplates would touch.
    """
    plans = _plans(spec, np.random.default_rng([spec.seed, 1]))
    first = [p.name for p in plans].index("S1")
    slope = np.radians(13.0 + 0.5 * spec.lordosis)
    middle = _stack(plans, slope, np.zeros(3))[0][first - 3].frame.origin
    bodies, discs = _stack(plans, slope, -middle)
    for disc in discs[:first]:
        thinnest = min(disc.height_at(share) for share in (0.05, 0.5, 0.95)) if disc.height > 0 else disc.height
        if thinnest < 0.4:
            raise ValueError(
                f"disc {disc.level} would be {thinnest:.1f} mm high at its margin: narrow it, or bend the spine, less"
            )
    return Column(
        tuple(bodies[: first + 1]),
        tuple(discs[:first]),
        tuple(bodies[first + 1 :]),
        tuple(discs[first:]),
        spec.lumbarised,
    )
