"""How the phantom's spine is curved: wedges of bodies and discs, and the tilt to the side.

Degrees are positive where bodies or discs are higher in front.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .proportions import SACRUM
from .regions import view_of

if TYPE_CHECKING:
    from .spec import PhantomSpec

__all__ = ["coronal_tilt", "leaning", "wedges"]

# Share of the lordosis held by the five lowest discs and bodies, from the sacrum upwards.
_DISC_SHARE = (0.28, 0.21, 0.16, 0.11, 0.07)
_BODY_SHARE = (0.14, 0.05, 0.01, -0.01, -0.02)
# Weight of T4 to T12 in the kyphosis, which is greatest in the middle of the chest; bodies hold two thirds of it.
_KYPHOSIS = (0.9, 1.05, 1.2, 1.3, 1.3, 1.15, 0.95, 0.75, 0.6)
_IN_BODIES = 0.67
# Above T4 and between neck and chest, whatever the kyphosis: bodies and discs of T1, T2, T3.
_UPPER_CHEST = {"T1": (-1.0, 0.5), "T2": (-1.5, -0.5), "T3": (-2.0, -0.8)}


def wedges(spec: PhantomSpec, names: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
    """Wedge of every body, and of the disc below it, in degrees."""
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
    if spec.region != "lumbar":
        _chest(spec, body, disc)
        _neck(spec, body, disc)
    return body, disc


def _chest(spec: PhantomSpec, body: dict[str, float], disc: dict[str, float]) -> None:
    """Kyphosis from T4's upper to T12's lower endplate: nine bodies and the eight discs between them."""
    weights = np.array(_KYPHOSIS)
    bodies = -spec.kyphosis * _IN_BODIES * weights / weights.sum()
    discs = -spec.kyphosis * (1.0 - _IN_BODIES) * weights[:-1] / weights[:-1].sum()
    for n, wedge in enumerate(bodies):
        body[f"T{n + 4}"] = float(wedge)
    for n, wedge in enumerate(discs):
        disc[f"T{n + 4}"] = float(wedge)
    for name, (one, other) in _UPPER_CHEST.items():
        body[name], disc[name] = one, other


def _neck(spec: PhantomSpec, body: dict[str, float], disc: dict[str, float]) -> None:
    """Lordosis from C2's to C7's lower endplate: five bodies, slightly lower in front, and five discs."""
    own = -1.0
    body |= {"C2": 0.0} | dict.fromkeys(("C3", "C4", "C5", "C6", "C7"), own)
    each = (spec.cervical_lordosis - 5 * own) / 5
    disc |= dict.fromkeys(("C2", "C3", "C4", "C5", "C6"), each) | {"C7": 2.0}


def leaning(spec: PhantomSpec) -> tuple[str, float]:
    """A vertebra, and the degrees by which its upper endplate leans forwards in a patient who lies straight."""
    if spec.region == "cervical":
        # The more T1 leans, the more lordosis brings the head upright.
        return "T1", 17.0 + 0.4 * spec.cervical_lordosis
    if spec.region == "thoracic":
        return "T7", 6.0
    return "S1", 13.0 + 0.5 * spec.lordosis


def coronal_tilt(spec: PhantomSpec) -> dict[str, float]:
    """Coronal tilt to the left of every vertebra in radians: one full wave over seven vertebrae.

    It begins at S1, or three vertebrae below the middle of another region. The two vertebrae that tilt most on either
    side, 1 and 2 above the beginning against 4 and 5, form the Cobb angle.
    """
    amplitude = np.radians(spec.scoliosis) / 2 / np.sin(np.pi / 3)
    upwards = spec.names[::-1]
    middle = view_of(spec.region).middle
    start = upwards.index(middle) - 3 if middle else 0
    tilt = {n: float(amplitude * np.sin(np.pi * min(max(r - start, 0), 6) / 3)) for r, n in enumerate(upwards)}
    return tilt | dict.fromkeys(SACRUM, 0.0)
