"""The spinal cord of a phantom that shows the neck or the chest: an ellipse inside the sac, from the brain to L1-L2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canal import Sac
from .spec import PhantomSpec

__all__ = ["Cord", "build_cord"]

# Half-axes (AP, RL) by vertebra, millimetres: means of segmental diameters on MRI after Frostell et al. (Front Neurol
# 2016;7:238), each put to the vertebra beside which the segment lies; the neck's enlargement is widest at C5, the
# lumbar one at T12. How far the cord lies in front of the sac's middle, as a share of the room it has: in the chest it
# rests against the anterior wall, on the hollow side of the curve.
_HALF = {
    "C2": (3.9, 5.7, 0.1),
    "C3": (3.7, 6.1, 0.15),
    "C4": (3.6, 6.5, 0.15),
    "C5": (3.5, 6.7, 0.15),
    "C6": (3.4, 6.4, 0.15),
    "C7": (3.3, 5.8, 0.2),
    "T1": (3.2, 5.2, 0.3),
    "T2": (3.2, 4.8, 0.4),
    "T4": (3.1, 4.4, 0.5),
    "T8": (3.1, 4.3, 0.5),
    "T10": (3.3, 4.5, 0.35),
    "T12": (3.7, 4.8, 0.0),
    "L1": (3.1, 3.9, -0.3),
}
_ROOM = 0.7
"""Millimetres of fluid that are left around the cord however narrow the sac is."""
_CONUS = 30.0
"""Millimetres over which the cord tapers to its end at the disc L1-L2."""


@dataclass(frozen=True)
class Cord:
    """The spinal cord.

    Attributes
    ----------
    sac : Sac
        What it lies in; its cross-sections lie in the sac's.
    half_ap, half_rl : np.ndarray
        (n,) half-axes of its ellipse in millimetres; 0 below its end.
    behind : np.ndarray
        (n,) posterior position of its middle in the sac's cross-section.
    """

    sac: Sac
    half_ap: np.ndarray
    half_rl: np.ndarray
    behind: np.ndarray

    def depth(self, at: np.ndarray, left: np.ndarray, behind: np.ndarray) -> np.ndarray:
        """Millimetres inside its outline along the ray from its middle; arguments as of the sac's cross-section."""
        index = np.arange(len(self.half_ap))
        half_ap, half_rl, middle = (
            np.interp(at, index, v).astype(np.float32) for v in (self.half_ap, self.half_rl, self.behind)
        )
        y = behind - middle
        gauge = np.hypot(left / np.maximum(half_rl, np.float32(0.05)), y / np.maximum(half_ap, np.float32(0.05)))
        inside = (1.0 / np.maximum(gauge, np.float32(1e-4)) - 1.0) * np.hypot(left, y)
        return np.where(half_ap > 0.05, inside, np.float32(-1.0))


def build_cord(sac: Sac, spec: PhantomSpec) -> Cord:
    """The cord inside a sac; where the sac is narrow it is squeezed."""
    column = sac.column
    names = [b.name for b in column.bodies]
    places = [float(np.argmin(np.linalg.norm(sac.line - column.body(n).frame.origin, axis=1))) for n in _HALF]
    index = np.arange(len(sac.line))
    person = 1.0 + 0.06 * spec.variation * float(np.random.default_rng([spec.seed, 7]).uniform(-1.5, 1.5))
    # Large people have hardly thicker cords.
    size = person * spec.body_scale**0.4
    ap, rl, lean = (np.interp(index, places, [v[c] for v in _HALF.values()]) for c in range(3))
    end = column.discs[names.index("L1")].frame.origin
    below = (index - float(np.argmin(np.linalg.norm(sac.line - end, axis=1)))) * 0.5
    taper = np.clip(-below / _CONUS, 0.0, 1.0) ** 0.6
    half_ap = np.minimum(ap * size * taper, np.maximum(sac.half_ap - _ROOM, 0.5))
    half_rl = np.minimum(rl * size * taper, np.maximum(sac.half_rl - _ROOM, 0.5))
    behind = -lean * np.maximum(sac.half_ap - _ROOM - half_ap, 0.0)
    return Cord(sac, np.where(taper > 0, half_ap, 0.0), np.where(taper > 0, half_rl, 0.0), behind)
