"""Posterior elements of the phantom: pedicles, articular and transverse processes, laminae, spinous process, alae.

They are drawn, and bound the foramina, but carry no label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .frames import Sampler
from .proportions import SIZES, UPPER
from .rods import Rod, rods_corners, rods_depth
from .skeleton import Body
from .upper_arch import UPPER_PEDICLES, upper_rods

__all__ = ["Pedicle", "arch_corners", "arch_depth", "pedicle"]


@dataclass(frozen=True)
class Pedicle:
    """Borders of a pedicle in the frame of its body, millimetres: from the median plane, and upwards."""

    medial: float
    lateral: float
    low: float
    high: float


# Medial border, width, distance of the upper border from the upper rim, and height, of a mean adult.
_PEDICLES = {
    "T": (9.6, 6.4, 1.3, 12.0),
    "L1": (10.8, 7.4, 1.3, 12.0),
    "L2": (11.0, 7.8, 1.3, 12.0),
    "L3": (11.3, 8.4, 1.3, 12.0),
    "L4": (11.8, 9.2, 1.3, 11.6),
    "L5": (12.6, 10.2, 1.3, 10.6),
    "L6": (12.8, 10.4, 1.3, 10.6),
    "S1": (13.4, 11.0, 2.2, 11.0),
}


def pedicle(body: Body) -> Pedicle:
    """Pedicles of a vertebra; both sides are alike."""
    if body.name in UPPER:
        scale = body.height / SIZES[body.name].height
        medial, width, below, tall = (v * scale for v in UPPER_PEDICLES[body.name])
        high = body.height / 2 - below
        return Pedicle(medial, medial + width, high - tall, high)
    medial, width, below, tall = _PEDICLES.get(body.name, _PEDICLES["T"])
    # The width of a body scales everything beside it, as a large person's canal and pedicles are large too.
    scale = body.height / (22.0 if body.name.startswith("T") else 27.3)
    high = body.height / 2 - below * scale
    return Pedicle(medial * scale, (medial + width) * scale, high - tall * scale, high)


def _rods(body: Body) -> list[Rod]:
    """Parts of the left half of an arch, in the frame of the body."""
    p = pedicle(body)
    scale = body.height / 27.3
    wall, middle, half = body.ap / 2, (p.medial + p.lateral) / 2, body.height / 2
    s = scale
    level = (p.low + p.high) / 2
    thorax = body.name.startswith("T")
    rods = [
        Rod(
            (middle, wall - 4 * s, level),
            (middle, wall + 9 * s, level),
            (p.high - p.low) / 2,
            ((p.lateral - p.medial) / (p.high - p.low), 1.0, 1.0),
        ),
        Rod((middle + 1 * s, wall + 11 * s, half - 8 * s), (middle + 2 * s, wall + 11.5 * s, half + 5 * s), 4.4 * s),
    ]
    # Behind a defect of the isthmus the arch keeps its place while the body, with the rods above, has moved forwards.
    wall += body.lysis
    rods += [
        Rod((middle - 2 * s, wall + 17.5 * s, -half + 2 * s), (middle, wall + 17.5 * s, -half - 9 * s), 4.6 * s),
        Rod((middle - 2 * s, wall + 17 * s, -2 * s), (0.0, wall + 26 * s, -6 * s), 3.6 * s, (1.0, 1.0, 2.2)),
        Rod(
            (0.0, wall + 26 * s, (-9 if thorax else -7) * s),
            (0.0, wall + (44 if thorax else 49) * s, (-24 if thorax else -11) * s),
            3.4 * s,
            (1.0, 1.0, 1.8 if thorax else 2.7),
        ),
    ]
    wall -= body.lysis
    if not body.lysis:
        rods.append(Rod((middle, wall + 11 * s, half - 9 * s), (middle - 2 * s, wall + 17 * s, -half + 1 * s), 4.4 * s))
    if not thorax:
        rods.append(Rod((middle + 5 * s, wall + 8 * s, 3 * s), (middle + 26 * s, wall + 13 * s, 6 * s), 4.2 * s))
    return rods


def _sacral_rods(body: Body) -> list[Rod]:
    """The ala, the posterior wall of the sacral canal and the crest, of a sacral vertebra; its left half."""
    s = body.height / 28.0
    wall, half = body.ap / 2, body.height / 2
    wide = {"S1": 42.0, "S2": 38.0, "S3": 30.0, "S4": 22.0}[body.name]
    rods = [
        Rod((body.rl / 2 - 4, 2 * s, 0.0), (wide * s, 8 * s, -2 * s), half * 1.05, (1.0, 0.85, 1.0)),
        Rod((14 * s, wall + 14 * s, -4 * s), (0.0, wall + 18 * s, -7 * s), 3.0 * s, (1.0, 1.0, 2.4)),
        Rod((0.0, wall + 18 * s, -6 * s), (0.0, wall + 25 * s, -8 * s), 2.8 * s, (1.0, 1.0, 2.2)),
    ]
    if body.name == "S1":
        rods.append(Rod((19 * s, wall + 9 * s, half - 8 * s), (19 * s, wall + 11 * s, half + 4 * s), 4.4 * s))
    return rods


def _parts(body: Body) -> list[Rod]:
    """Left half of a vertebra's posterior elements."""
    if body.name in UPPER:
        p = pedicle(body)
        return upper_rods(body, ((p.medial, p.low), (p.lateral, p.high)))
    return _sacral_rods(body) if body.name.startswith("S") else _rods(body)


def arch_corners(body: Body) -> np.ndarray:
    """(8, 3) body-frame corners of a box around a vertebra's arch."""
    return body.frame.to_body(rods_corners(_parts(body)))


def arch_depth(body: Body, points: Sampler) -> np.ndarray:
    """Approximate millimetres inside the posterior elements of a vertebra, negative outside."""
    return rods_depth(_parts(body), *points.coordinates(body.frame))
