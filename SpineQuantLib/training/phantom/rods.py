"""Rods with round ends, of which the phantom's posterior elements, ribs and skull base are put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Rod", "rods_corners", "rods_depth"]


@dataclass(frozen=True)
class Rod:
    """A rod with round ends between two points, thinned along the left and stretched along the up axis."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def depth(self, left: np.ndarray, posterior: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Approximate millimetres inside."""
        shape = np.array(self.stretch)
        a, b = np.array(self.start) / shape, np.array(self.end) / shape
        along = b - a
        length = max(float(along @ along), 1e-6)
        x, y, z = (
            np.float32(1 / s) * c - np.float32(o) for c, s, o in zip((left, posterior, up), shape, a, strict=True)
        )
        t = np.clip((x * np.float32(along[0]) + y * np.float32(along[1]) + z * np.float32(along[2])) / length, 0, 1)
        x, y, z = (c - t * np.float32(d) for c, d in zip((x, y, z), along, strict=True))
        return np.float32(self.radius) - np.sqrt(x * x + y * y + z * z)


def rods_depth(rods: Sequence[Rod], left: np.ndarray, posterior: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Approximate millimetres inside any of some rods, or of their mirror images; negative outside."""
    left = np.abs(left)
    depth = rods[0].depth(left, posterior, up)
    for rod in rods[1:]:
        np.maximum(depth, rod.depth(left, posterior, up), out=depth)
    return depth


def rods_corners(rods: Sequence[Rod]) -> np.ndarray:
    """(8, 3) local corners of a box around some rods and their mirror images."""
    ends = np.array([(p, np.array(r.stretch) * r.radius) for r in rods for p in (r.start, r.end)])
    low, high = (ends[:, 0] - ends[:, 1]).min(axis=0), (ends[:, 0] + ends[:, 1]).max(axis=0)
    return np.array([[x, y, z] for x in (-high[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
