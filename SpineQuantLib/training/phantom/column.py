"""Stacks the bodies and discs of a phantom from the sacrum upwards, with lordosis, slip and scoliosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .frames import Frame
from .posture import coronal_tilt, leaning, wedges
from .proportions import SACRUM, SIZES, UPPER, is_cervical
from .regions import view_of
from .skeleton import Body, Disc

if TYPE_CHECKING:
    from .spec import PhantomSpec

__all__ = ["Column", "build_column"]

_DENS = 15.0
"""Height of the dens above the body of C2 (Schaffler et al., Spine 1992;17:738)."""
_UNCUS = 3.2
"""Height of the uncinate processes above the middle of an upper endplate, C3 to C7."""
_HOLLOW = {"C": 0.4, "T": 0.7}
"""Depth of the endplates' hollow above T8, relative to that of a lumbar body."""


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
    dens: float
    uncus: float


def _plans(spec: PhantomSpec, rng: np.random.Generator) -> list[_Plan]:
    """Every vertebra of the phantom, top down, down to S4."""
    names = (*spec.names, *SACRUM[1:])
    body_wedge, disc_wedge = wedges(spec, names)
    coronal = coronal_tilt(spec)
    person = 1.0 + spec.variation * np.clip(rng.normal(0, (0.03, 0.05, 0.05, 0.07)), -0.1, 0.1)
    hollow = 1.3 * (1 + spec.variation * rng.uniform(-0.6, 0.5))
    waist = 0.1 * (1 + spec.variation * rng.uniform(-0.5, 0.5))
    plans = []
    for name in names:
        own = person * (1.0 + spec.variation * np.clip(rng.normal(0, (0.02, 0.015, 0.015, 0.05)), -0.07, 0.07))
        height, ap, rl, disc_height = np.array(SIZES[name]) * own * spec.body_scale
        fused = name in SACRUM[1:]
        dome = hollow * spec.body_scale
        if name in UPPER:
            dome *= _HOLLOW[name[0]]
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
                domes=_domes(name, dome, squared),
                waist=0.04 if fused else waist,
                taper=0.06 if squared else 0.14 if name in SACRUM else 0.0,
                disc_height=float(disc_height) - spec.disc_narrowing.get(level, 0.0),
                disc_wedge=float(np.radians(disc_wedge[name])),
                slip=spec.listhesis.get(level, 0.0),
                lysis=level in spec.lysis,
                bulge=spec.disc_bulge.get(level, 0.0),
                coronal=coronal[name],
                dens=_DENS * spec.body_scale if name == "C2" else 0.0,
                # Beside a low disc the uncinate processes are low too: bone does not grow into bone.
                uncus=float(np.clip(0.6 * (plans[-1].disc_height - 2 * dome), 0.0, _UNCUS * spec.body_scale))
                if is_cervical(name) and name != "C2"
                else 0.0,
            )
        )
    return plans


def _domes(name: str, dome: float, squared: bool) -> tuple[float, float]:
    """Depth of the hollow of the upper and the lower endplate; fused endplates, and C2 below its dens, are flat."""
    if name in SACRUM[1:]:
        return 0.2, 0.2
    if name == "C2":
        return 0.2, dome
    return (dome, 0.3) if name == "S1" and not squared else (dome, dome)


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
    own = plan.wedge, plan.domes, plan.waist, plan.taper, loose, plan.dens, plan.uncus
    return Body(plan.name, frame, plan.height, plan.ap, plan.rl, *own)


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
    """Bodies and discs of a phantom in the body frame.

    Its origin is the middle of the third lowest lumbar body, or of the region's middle vertebra.

    Raises
    ------
    ValueError
        If a disc is narrowed so far that its endplates would touch.
    """
    plans = _plans(spec, np.random.default_rng([spec.seed, 1]))
    names = [p.name for p in plans]
    first = names.index("S1")
    upright, lean = leaning(spec)
    slope = np.radians(lean)
    for plan in plans[names.index(upright) : first]:
        slope += plan.wedge + plan.disc_wedge
    centre = view_of(spec.region).middle
    origin = names.index(centre) if centre else first - 3
    middle = _stack(plans, slope, np.zeros(3))[0][origin].frame.origin
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
