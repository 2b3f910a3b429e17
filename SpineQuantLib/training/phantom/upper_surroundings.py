"""What lies around the spine above the belly: chest with lungs, neck with airway, base of the skull and brain.

Drawn, never labelled. Blocks and ellipsoids in places that keep to the column, whatever its curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .column import Column
from .frames import BODY_FRAME, Lattice
from .spec import PhantomSpec
from .surroundings import Noise, paint_belly
from .tissue import Tissue

__all__ = ["paint_upper_surroundings"]

# Skin of the back and of the front, seen from the middle of the bodies, and half the width of the trunk, per vertebra;
# above the dens, millimetres above its tip. Without subcutaneous fat.
_OUTLINE: tuple[tuple[str | float, float, float, float], ...] = (
    (110.0, 60.0, -95.0, 55.0),
    (60.0, 84.0, -110.0, 72.0),
    (25.0, 74.0, -106.0, 72.0),
    (2.0, 62.0, -98.0, 66.0),
    ("C3", 55.0, -84.0, 60.0),
    ("C4", 54.0, -56.0, 58.0),
    ("C5", 55.0, -48.0, 58.0),
    ("C7", 58.0, -46.0, 78.0),
    ("T1", 59.0, -50.0, 120.0),
    ("T2", 60.0, -62.0, 150.0),
    ("T4", 60.0, -90.0, 165.0),
    ("T8", 62.0, -120.0, 165.0),
    ("T12", 66.0, -132.0, 165.0),
    ("L5", 68.0, -132.0, 165.0),
)


@dataclass(frozen=True)
class _Torso:
    """Where the column, the skin and landmarks are at each height.

    Attributes
    ----------
    up : np.ndarray
        (n,) ascending heights in the body frame.
    centre : np.ndarray
        (n, 2) left and posterior of the middle of the vertebral bodies.
    wall : np.ndarray
        (n,) half the depth of the bodies.
    back, front, wide : np.ndarray
        (n,) posterior position of the muscles' surface and of the front's skin, seen from the centre; half the width.
    fat : np.ndarray
        (n,) thickness of the fat under the skin.
    heights : dict of str to float
        Height of each vertebra's middle, and of the ``tip`` of the dens.
    """

    up: np.ndarray
    centre: np.ndarray
    wall: np.ndarray
    back: np.ndarray
    front: np.ndarray
    wide: np.ndarray
    fat: np.ndarray
    heights: dict[str, float]

    @classmethod
    def of(cls, column: Column, spec: PhantomSpec) -> _Torso:
        bodies = (*column.bodies, *column.sacrum)[::-1]
        chain = np.array([b.frame.origin for b in bodies])
        axis = column.bodies[0]
        tip = float(axis.frame.to_body(np.array([0.0, 0.0, axis.height / 2 + axis.dens]))[2])
        heights = {b.name: float(b.frame.origin[2]) for b in bodies} | {"tip": tip}
        up = np.arange(chain[0, 2] - 100.0, tip + 160.0, 2.0)
        centre = np.stack([np.interp(up, chain[:, 2], chain[:, c]) for c in range(2)], axis=1)
        s = spec.body_scale
        places = [(heights[p] if isinstance(p, str) else tip + p * s, *v) for p, *v in _OUTLINE][::-1]
        at = [p[0] for p in places]
        back, front, wide = (
            ndimage.gaussian_filter1d(np.interp(up, at, [p[c] * s for p in places]), 5.0, mode="nearest")
            for c in (1, 2, 3)
        )
        share = np.interp(
            up, [heights["T12"], heights["T4"], heights["C7"], heights["C3"], tip], [0.8, 0.6, 0.7, 0.5, 0.3]
        )
        wall = np.interp(up, chain[:, 2], [b.ap / 2 for b in bodies])
        return cls(up, centre, wall, back, front, wide, spec.fat * share, heights)

    def look(self, values: np.ndarray, up: np.ndarray) -> np.ndarray:
        """A value of the torso at heights."""
        return np.interp(up, self.up, values).astype(np.float32)


@dataclass(frozen=True)
class _Canvas:
    """Points and what is painted on them; millimetres.

    Attributes
    ----------
    tissue : np.ndarray
        uint8 tissue of every point; all other arrays are float32 and have its shape.
    x, y, up : np.ndarray
        Left and posterior of the column's middle at the same height, and height in the body frame.
    wall : np.ndarray
        Half the depth of the vertebral bodies.
    front, under : np.ndarray
        Distance behind the skin of the front, and in front of the fat of the back.
    scale : float
        Size of the skeleton.
    heights : dict of str to float
        See :class:`_Torso`.
    noise : Noise
        Source of all texture.
    """

    tissue: np.ndarray
    x: np.ndarray
    y: np.ndarray
    up: np.ndarray
    wall: np.ndarray
    front: np.ndarray
    under: np.ndarray
    scale: float
    heights: dict[str, float]
    noise: Noise

    def fill(self, where: np.ndarray, tissue: Tissue) -> None:
        """Paint some points."""
        self.tissue[where] = tissue

    def grain(self, where: tuple[np.ndarray, ...], grain: tuple[float, float, float]) -> np.ndarray:
        """Noise at some points."""
        return self.noise.at(self.x[where], self.y[where], self.up[where], grain=grain)

    def between(self, low: str, high: str) -> np.ndarray:
        """Which points lie between the middles of two vertebrae."""
        return (self.up >= self.heights[low]) & (self.up < self.heights[high])


def paint_upper_surroundings(lattice: Lattice, column: Column, spec: PhantomSpec, noise: Noise) -> np.ndarray:
    """Tissue at every point of a lattice as if there were no spine, uint8 of the lattice's shape."""
    left, posterior, up = lattice.coordinates(BODY_FRAME)
    torso = _Torso.of(column, spec)
    x = left - torso.look(torso.centre[:, 0], up)
    y = posterior - torso.look(torso.centre[:, 1], up)
    wide, fat, back = (torso.look(v, up) for v in (torso.wide, torso.fat, torso.back))
    # The outline is an oval, flatter where it is wide, with a furrow over the spinous processes.
    rounded = np.square(x / wide)
    furrow = np.float32(3.0) * np.exp(-np.square(x / 9.0))
    inside = back + fat - furrow - rounded * back * np.float32(0.55) - y
    ahead = y - torso.look(torso.front, up) * (1.0 - np.float32(0.6) * rounded)
    tissue = np.full(lattice.shape, Tissue.FAT, np.uint8)
    canvas = _Canvas(
        tissue, x, y, up, torso.look(torso.wall, up), ahead, inside - fat, float(spec.body_scale), torso.heights, noise
    )
    _paint_back(canvas)
    waist = torso.heights["T12"]
    if (up < waist + 60.0).any():
        _paint_belly_below(canvas, waist)
    if (up < torso.heights["C7"]).any():
        _paint_chest(canvas)
    if (up > torso.heights["T4"]).any():
        _paint_neck(canvas)
    if (up > torso.heights["C2"]).any():
        _paint_head(canvas, column, left, posterior)
    skin = np.minimum(inside, ahead)
    padding = np.nonzero((inside < fat) & (inside > 0) & (y > 0))
    septa = noise.at(left[padding], posterior[padding], up[padding], grain=(8.0, 4.0, 10.0))
    tissue[padding] = np.where(np.abs(septa) < 0.05, Tissue.SKIN, Tissue.FAT)
    tissue[(np.abs(inside - fat) < 0.7) & (y > 0)] = Tissue.LIGAMENT
    tissue[skin < 2.0] = Tissue.SKIN
    tissue[skin < 0.0] = Tissue.AIR
    return tissue


def _ellipsoid(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    s: float,
) -> np.ndarray:
    """Below 1 inside."""
    return np.sqrt(sum(np.square((c - m * s) / (r * s)) for c, m, r in zip((x, y, z), centre, radii, strict=True)))


def _paint_back(c: _Canvas) -> None:
    """Muscles behind the column in layers with fat between, and the fatty septum of the nape."""
    s = c.scale
    neck = np.clip((c.up - c.heights["T2"]) / (c.heights["C5"] - c.heights["T2"]), 0.0, 1.0)
    # The mass of muscles is narrower towards the column.
    broad = (75.0 - 15.0 * neck) * np.clip(0.45 + (c.y - c.wall) / (36.0 * s), 0.0, 1.0)
    back = (c.y > c.wall + 3.0) & (c.under > 0.8) & (np.abs(c.x) < broad * s)
    where = np.nonzero(back)
    x, y, z, under, n = (v[where] for v in (c.x, c.y, c.up, c.under, neck))
    fibres = c.noise.at(x + 31.0, y - 0.25 * z, z + 0.4 * y, grain=(5.0, 2.2, 14.0))
    # Trapezius and the splenii lie on the deep muscles, with a layer of fat below each.
    layers = np.minimum(np.abs(under - (6.0 + 3.0 * n) * s), np.abs(under - (14.0 + 6.0 * n) * s))
    streaks = fibres + np.where(layers < 0.9, 1.5, 0.0)
    septum = (np.abs(x) < 1.3 + 0.9 * n) & (y > 24.0 * s)
    streaks = np.where(septum, 1.4 + fibres, streaks)
    c.tissue[where] = np.select([streaks > 2.1, streaks > 1.4], [Tissue.FAT, Tissue.FATTY_MUSCLE], Tissue.MUSCLE)


def _paint_belly_below(c: _Canvas, waist: float) -> None:
    """Liver, bowel and the great vessels below the diaphragm."""
    low = (c.up < waist + 55.0 * c.scale) & (c.y < -c.wall - 6.0)
    liver = low & (c.x < 18.0 * c.scale)
    if (c.up < waist - 60.0 * c.scale).any():
        below = c.tissue.copy()
        paint_belly(below, c.x, c.y, c.x, c.y + 6.0, c.up, c.noise)
        where = low & (c.up < waist - 60.0 * c.scale)
        c.tissue[where] = below[where]
        liver &= ~where
    c.fill(low & ~liver & (c.up > waist - 60.0 * c.scale) & (c.y < -40.0 * c.scale), Tissue.BOWEL)
    c.fill(liver & (c.y < -30.0 * c.scale), Tissue.MUSCLE)
    vein = np.hypot(c.x + 15.0 * c.scale, c.y + c.wall + 12.0 * c.scale) < 8.5 * c.scale
    c.fill(vein & (c.up < waist + 30.0 * c.scale), Tissue.VESSEL)


def _paint_chest(c: _Canvas) -> None:
    """Lungs, heart, aorta, trachea and gullet; muscles of the chest wall."""
    s, x, y, up = c.scale, c.x, c.y, c.up
    aside = np.abs(x)
    chest = up < c.heights["T1"] + 4.0
    wall = (y > 12.0 * s) & (aside > 30.0 * s) & (c.under > 0.8) & chest
    c.fill(wall, Tissue.MUSCLE)
    apex = c.heights["T1"] - 4.0 * s - np.square((aside - 34.0 * s) / (5.0 * s))
    base = c.heights["T12"] + 62.0 * s * np.clip((18.0 * s - y) / (70.0 * s), 0.0, 1.0)
    gutter = (4.0 + 16.0 * np.clip((aside - 17.0 * s) / (16.0 * s), 0.0, 1.0)) * s
    # The mediastinum widens to the front, and to the left where the heart is.
    heart = np.clip((c.heights["T5"] - up) / (25.0 * s), 0.0, 1.0)
    room = (
        c.wall
        + 3.0 * s
        + (8.0 + 22.0 * heart + 14.0 * heart * (x > 0)) * np.clip((-y - 18.0 * s) / (35.0 * s), 0.0, 1.0)
    )
    lung = (up < apex) & (up > base) & (y < gutter) & (aside > room) & (c.front > 24.0 * s) & (aside < 132.0 * s)
    where = np.nonzero(lung)
    c.tissue[where] = np.where(c.grain(where, (6.0, 7.0, 7.0)) > 2.0, Tissue.VESSEL, Tissue.GAS)
    front = chest & (y < -c.wall) & (aside <= room) & (up > c.heights["T12"] + 38.0 * s)
    where = np.nonzero(front)
    c.tissue[where] = np.where(c.grain(where, (7.0, 7.0, 9.0)) > 0.2, Tissue.FATTY_MUSCLE, Tissue.FAT)
    beat = _ellipsoid(x, y, up - c.heights["T8"], (10.0, -68.0, 8.0), (50.0, 42.0, 50.0), s)
    c.fill(front & (beat < 1.0), Tissue.MUSCLE)
    c.fill(front & (beat < 0.8) & (np.abs(y + 62.0 * s + 0.3 * x) > 3.5 * s), Tissue.VESSEL)
    trunk = _ellipsoid(x, y, up - c.heights["T5"], (-4.0, -66.0, 6.0), (20.0, 26.0, 32.0), s)
    c.fill(front & (trunk < 1.0) & (beat >= 1.0), Tissue.VESSEL)
    before = -(c.wall + y)
    gullet = np.hypot(x - 3.0 * s, before - 9.0 * s) < 6.0 * s
    c.fill(front & gullet & (up > c.heights["T11"]), Tissue.MUSCLE)
    tube = np.hypot(x, before - 21.0 * s)
    high = chest & (up > c.heights["T5"])
    c.fill(high & (tube < 10.0 * s), Tissue.LIGAMENT)
    c.fill(high & (tube < 8.2 * s), Tissue.GAS)
    aorta = np.hypot(x - 16.0 * s, before - 6.0 * s) < 11.5 * s
    c.fill(chest & aorta & (up < c.heights["T4"]), Tissue.VESSEL)
    arch = _ellipsoid(x, y, up - c.heights["T4"], (12.0, -42.0, 2.0), (12.0, 30.0, 12.0), s)
    c.fill(chest & (arch < 1.0) & (tube >= 10.0 * s), Tissue.VESSEL)
    breastbone = (c.front > 5.0 * s) & (c.front < 15.0 * s) & (aside < 18.0 * s) & (up < c.heights["T2"])
    c.fill(breastbone, Tissue.CORTEX)
    c.fill(breastbone & (c.front > 6.5 * s) & (c.front < 13.5 * s) & (aside < 16.5 * s), Tissue.MARROW)


def _paint_neck(c: _Canvas) -> None:
    """Longus colli, airway, gullet, thyroid, vessels and the muscles beside them, floor of the mouth."""
    s, x, y, up = c.scale, c.x, c.y, c.up
    aside, before = np.abs(x), -(c.wall + y)
    neck = (up > c.heights["T1"] - 8.0) & (c.front > 3.0)
    where = np.nonzero(neck & (y < c.wall + 3.0))
    c.tissue[where] = np.where(c.grain(where, (6.0, 4.0, 8.0)) > 0.35, Tissue.FATTY_MUSCLE, Tissue.FAT)
    beside = np.square((aside - 26.0 * s) / (13.0 * s)) + np.square((y - 2.0 * s) / (12.0 * s))
    c.fill(neck & (beside < 1.0), Tissue.MUSCLE)
    strap = np.square((aside - 43.0 * s) / (12.0 * s)) + np.square((y + 10.0 * s) / (9.0 * s))
    c.fill(neck & (strap < 1.0) & (c.up < c.heights["tip"]), Tissue.MUSCLE)
    for middle, back, radius in ((26.0, -16.0, 3.6), (33.0, -9.0, 5.2), (15.6, -1.0, 1.9)):
        c.fill(neck & (np.hypot(aside - middle * s, y - back * s) < radius * s), Tissue.VESSEL)
    larynx = c.heights["C6"]
    # Mouth and tongue, in front of the airway, down to the tongue bone beside C3-C4.
    tongue = _ellipsoid(x, before, up - c.heights["tip"], (0.0, 46.0, -22.0), (28.0, 28.0, 25.0), s)
    where = np.nonzero(neck & (tongue < 1.0) & (c.front > 10.0 * s))
    c.tissue[where] = np.where(c.grain(where, (5.0, 9.0, 3.0)) > 0.7, Tissue.FATTY_MUSCLE, Tissue.MUSCLE)
    jaw = _ellipsoid(x, c.front, up - c.heights["C3"], (0.0, 11.0, 2.0), (22.0, 6.0, 14.0), s)
    c.fill(neck & (jaw < 1.0), Tissue.CORTEX)
    c.fill(neck & (jaw < 0.8), Tissue.MARROW)
    low = neck & (up < larynx + 4.0 * s)
    c.fill(low & (np.square(x / (9.0 * s)) + np.square((before - 8.0 * s) / (4.6 * s)) < 1.0), Tissue.MUSCLE)
    thyroid = np.square((aside - 15.0 * s) / (8.0 * s)) + np.square((before - 21.0 * s) / (11.0 * s))
    c.fill(low & (thyroid < 1.0) & (up > c.heights["T1"]), Tissue.BOWEL)
    tube = np.hypot(x, before - 21.0 * s)
    c.fill(low & (tube < 10.0 * s), Tissue.LIGAMENT)
    c.fill(low & (tube < 8.2 * s), Tissue.GAS)
    # Above the larynx the airway lies on the wall of the throat, and is narrow behind the tongue.
    lift = np.clip((up - larynx) / (20.0 * s), 0.0, 1.0)
    # Behind the nose it turns to the front, below the base of the skull.
    nose = np.maximum(up - c.heights["tip"], 0.0)
    start, deep = (13.0 - 7.5 * lift) * s + 0.9 * nose, (15.0 - 5.0 * lift) * s
    across = np.square(x / (11.0 * s)) + np.square((before - start - deep / 2) / (deep / 2))
    # Between airway and spine lie the throat's wall and the longus colli.
    c.fill(neck & (aside < 14.0 * s) & (before > 0.0) & (before < start + 1.5) & (up < c.heights["tip"]), Tissue.MUSCLE)
    throat = neck & (up >= larynx + 4.0 * s) & (across < 1.0)
    c.fill(throat & (up < c.heights["tip"] + 22.0 * s), Tissue.GAS)
    lid = np.abs(before - start - 0.75 * deep - 0.25 * (up - c.heights["C4"])) < 1.3
    c.fill(throat & lid & c.between("C5", "C3"), Tissue.MUSCLE)


def _paint_head(c: _Canvas, column: Column, left: np.ndarray, posterior: np.ndarray) -> None:
    """Skull base with clivus and occiput, brainstem, cerebellum, and the soft parts of the face."""
    s = c.scale
    axis = column.bodies[0]
    tip = axis.frame.to_body(np.array([0.0, 0.0, axis.height / 2 + axis.dens]))
    x, y, z = left - np.float32(tip[0]), posterior - np.float32(tip[1]), c.up - np.float32(tip[2])
    face = np.nonzero((z > 2.0) & (y < -14.0 * s) & (c.front > 4.0))
    c.tissue[face] = np.where(c.grain(face, (7.0, 8.0, 7.0)) > 0.4, Tissue.FATTY_MUSCLE, Tissue.FAT)
    nose = (np.abs(x) < 14.0 * s) & (z > 10.0 * s) & (z < 40.0 * s) & (y < -24.0 * s - 0.3 * z) & (c.front > 16.0 * s)
    where = np.nonzero(nose)
    c.tissue[where] = np.where(c.grain(where, (4.0, 12.0, 4.0)) > 0.2, Tissue.SKIN, Tissue.GAS)
    palate = (np.abs(z - 7.0 * s) < 1.6 * s) & (y < -42.0 * s) & (np.abs(x) < 22.0 * s) & (c.front > 12.0 * s)
    c.fill(palate, Tissue.CORTEX)
    skull = _ellipsoid(x, y, z, (0.0, 20.0, 54.0), (68.0, 64.0, 52.0), s)
    hole = (np.abs(x) < 15.0 * s) & (y > -6.0 * s) & (y < 27.0 * s) & (z < 24.0 * s)
    bone = (skull < 1.0) & (skull > 0.88) & ~hole
    c.fill(bone, Tissue.CORTEX)
    c.fill(bone & (skull < 0.98) & (skull > 0.9), Tissue.MARROW)
    # The clivus is thick and full of marrow.
    clivus = (skull < 1.12) & (skull >= 0.88) & (y < -4.0 * s) & (np.abs(x) < 13.0 * s) & (z > 3.0 * s) & (z < 46.0 * s)
    c.fill(clivus, Tissue.CORTEX)
    c.fill(clivus & (skull < 1.09) & (skull > 0.91) & (z > 5.0 * s), Tissue.MARROW)
    room = (skull <= 0.88) | (hole & (z > 3.0 * s) & (skull < 1.02))
    c.fill(room, Tissue.CSF)
    where = np.nonzero((skull < 0.83) & (y > 2.0 * s) & (z > 13.0 * s))
    # Folia run around the fourth ventricle.
    round_it = np.hypot(y[where] - 8.0 * s, z[where] - 34.0 * s)
    folia = np.sin(round_it * 1.5 / s + 3.5 * c.grain(where, (9.0, 12.0, 12.0)))
    c.tissue[where] = np.where(folia > 0.86, Tissue.CSF, Tissue.CORD)
    c.fill((_ellipsoid(x, y, z, (0.0, 11.0, 34.0), (7.0, 4.0, 9.0), s) < 1.0) & room, Tissue.CSF)
    c.fill((_ellipsoid(x, y, z, (0.0, -6.0, 36.0), (18.0, 12.5, 15.0), s) < 1.0) & room, Tissue.CORD)
    stem = np.square(x / (7.5 * s)) + np.square((y - (8.0 - 0.25 * z / s) * s) / (5.2 * s))
    c.fill((stem < 1.0) & room & (z < 30.0 * s), Tissue.CORD)
    where = np.nonzero((skull < 0.85) & (z > 62.0 * s))
    gyri = np.abs(c.grain(where, (9.0, 9.0, 9.0)))
    c.tissue[where] = np.where(gyri < 0.12, Tissue.CSF, Tissue.CORD)
