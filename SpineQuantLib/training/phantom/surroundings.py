"""What lies around the spine: muscles, vessels, fat, bowel, skin and air. Drawn, never labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .column import Column
from .frames import BODY_FRAME, Lattice
from .spec import PhantomSpec
from .tissue import Tissue

__all__ = ["Noise", "paint_belly", "paint_surroundings"]


@dataclass(frozen=True)
class Noise:
    """Smooth noise that fills space, periodic, of zero mean and unit standard deviation.

    Attributes
    ----------
    values : np.ndarray
        float32 (n, n, n) at knots.
    """

    values: np.ndarray

    @classmethod
    def of(cls, rng: np.random.Generator, size: int = 40) -> Noise:
        """Noise whose blobs are about two knots across."""
        raw = rng.standard_normal((size,) * 3, dtype=np.float32)
        values = ndimage.gaussian_filter(raw, 0.8, mode="wrap")
        return cls(values / values.std())

    def at(self, *millimetres: np.ndarray, grain: tuple[float, float, float]) -> np.ndarray:
        """Noise at points; three arrays (n,), and the millimetres between knots along each axis."""
        index = np.stack([c * np.float32(1 / g) for c, g in zip(millimetres, grain, strict=True)])
        return ndimage.map_coordinates(self.values, index, order=1, mode="grid-wrap")


@dataclass(frozen=True)
class _Trunk:
    """Where the column, the back and the skin are at each height.

    Attributes
    ----------
    up : np.ndarray
        (n,) ascending heights in the body frame.
    centre : np.ndarray
        (n, 2) left and posterior of the middle of the vertebral bodies.
    skin, fat : np.ndarray
        (n,) posterior position of the skin of the back, and thickness of the fat below it.
    """

    up: np.ndarray
    centre: np.ndarray
    skin: np.ndarray
    fat: np.ndarray

    @classmethod
    def of(cls, column: Column, spec: PhantomSpec) -> _Trunk:
        chain = np.array([b.frame.origin for b in (*column.bodies, *column.sacrum)])[::-1]
        up = np.arange(-320.0, 320.0, 2.0)
        centre = np.stack([np.interp(up, chain[:, 2], chain[:, c]) for c in range(2)], axis=1)
        sacrum = column.body("S1").frame.origin[2]
        low = 1.0 / (1.0 + np.exp((up - sacrum) / 16.0))
        fat = spec.fat * (0.75 + 1.3 * low)
        tips = centre[:, 1] + (76.0 - 24.0 * low) * spec.body_scale
        muscle = ndimage.gaussian_filter1d(tips, 14.0, mode="nearest") + 3.0
        return cls(up, centre, muscle + fat, fat)

    def look(self, values: np.ndarray, up: np.ndarray) -> np.ndarray:
        """A value of the trunk at heights."""
        return np.interp(up, self.up, values).astype(np.float32)


def paint_surroundings(lattice: Lattice, column: Column, spec: PhantomSpec, noise: Noise) -> np.ndarray:
    """Tissue at every point of a lattice as if there were no spine, uint8 of the lattice's shape."""
    left, posterior, up = lattice.coordinates(BODY_FRAME)
    trunk = _Trunk.of(column, spec)
    x = left - trunk.look(trunk.centre[:, 0], up)
    y = posterior - trunk.look(trunk.centre[:, 1], up)
    # The back is rounded: the skin comes forward to the sides, with a furrow over the spinous processes.
    skin = trunk.look(trunk.skin, up) - np.square(left) * np.float32(0.0035) - 4.0 * np.exp(-np.square(left / 9.0))
    under = skin - posterior
    fat = trunk.look(trunk.fat, up)
    tissue = np.full(lattice.shape, Tissue.FAT, np.uint8)
    s = np.float32(spec.body_scale)
    paint_belly(tissue, x / s, y / s, left, posterior, up, noise)
    _paint_muscles(tissue, x / s, y / s, up / s, under - fat, noise)
    _paint_vessels(tissue, x / s, y / s, up / s)
    tissue[(under < fat) & (y > 0)] = Tissue.FAT
    padding = np.nonzero((under < fat) & (under > 0) & (y > 0))
    septa = noise.at(left[padding], posterior[padding], up[padding], grain=(8.0, 4.0, 10.0))
    tissue[padding] = np.where(np.abs(septa) < 0.05, Tissue.SKIN, Tissue.FAT)
    tissue[(np.abs(under - fat) < 0.8) & (y > 0)] = Tissue.LIGAMENT
    tissue[under < 2.0] = Tissue.SKIN
    tissue[under < 0.0] = Tissue.AIR
    return tissue


def paint_belly(
    tissue: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    left: np.ndarray,
    posterior: np.ndarray,
    up: np.ndarray,
    noise: Noise,
) -> None:
    """Bowel and its gas in front of the retroperitoneal fat, and the abdominal wall."""
    belly = np.nonzero((y < -38.0) & (posterior > -108.0))
    loops = noise.at(left[belly], posterior[belly], up[belly], grain=(16.0, 13.0, 13.0))
    tissue[belly] = np.select([loops > 1.5, loops > -0.25], [Tissue.GAS, Tissue.BOWEL], Tissue.FAT)
    wall = (posterior <= -108.0) & (posterior > -118.0)
    tissue[wall & (np.abs(x) > 4.0)] = Tissue.MUSCLE
    front = -142.0 + np.square(left) * np.float32(0.003)
    tissue[posterior < front + 2.0] = Tissue.SKIN
    tissue[posterior < front] = Tissue.AIR


def _paint_muscles(
    tissue: np.ndarray, x: np.ndarray, y: np.ndarray, up: np.ndarray, under: np.ndarray, noise: Noise
) -> None:
    """Psoas beside the bodies, erector spinae and multifidus behind them, with streaks of fat along their fibres."""
    # The psoas grows downwards from T12 and leaves the spine to the front at the sacrum.
    grow = np.clip((75.0 - up) / 130.0, 0.0, 1.0)
    forward = np.clip((-70.0 - up) / 40.0, 0.0, 1.5)
    rx, ry = 3.0 + 19.0 * grow, 5.0 + 21.0 * grow
    psoas = np.square((np.abs(x) - 25.0 - rx * 0.75) / rx) + np.square((y + 2.0 + 22.0 * forward) / ry) < 1.0
    tissue[psoas & (grow > 0)] = Tissue.MUSCLE
    back = (y > 14.0) & (under > 0.8)
    muscle = np.nonzero(back & (np.abs(x) < 75.0))
    mx, my, mz = x[muscle], y[muscle], up[muscle]
    fibres = noise.at(mx + 31.0, my - 0.25 * mz, mz + 0.4 * my, grain=(5.0, 2.2, 16.0))
    near = np.clip((46.0 - my) / 26.0, 0.0, 1.0) * np.clip((32.0 - np.abs(mx)) / 14.0, 0.0, 1.0)
    fascia = np.square((np.abs(mx) - 30.0) / 26.0) + np.square((my - 43.0) / 24.0)
    streaks = fibres + 1.3 * near + np.where(np.abs(fascia - 1.0) < 0.03, 1.6, 0.0)
    # Between the spinous processes lies a ligament rich in fat.
    streaks = np.where((np.abs(mx) < 3.2) & (my > 38.0), 1.25 + fibres, streaks)
    tissue[muscle] = np.select([streaks > 2.1, streaks > 1.3], [Tissue.FAT, Tissue.FATTY_MUSCLE], Tissue.MUSCLE)


def _paint_vessels(tissue: np.ndarray, x: np.ndarray, y: np.ndarray, up: np.ndarray) -> None:
    """Aorta to the left of the midline, inferior vena cava to the right; below L4 they divide and leave sideways."""
    apart = np.clip((-42.0 - up) / 55.0, 0.0, 1.2)
    near = (y < -12.0) & (y > -60.0)
    for side, middle, radius in ((1.0, 7.0, 7.5), (-1.0, 15.0, 8.5)):
        across = side * x
        for place in (middle + (26.0 - 0.4 * middle) * apart, middle - (26.0 + 0.6 * middle) * apart):
            distance = np.hypot(across - place, y + 27.0 + 3.0 * apart)
            tissue[near & (distance < radius * (1.0 - 0.35 * np.minimum(apart, 1.0)))] = Tissue.VESSEL
