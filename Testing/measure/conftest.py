"""Analytic shapes with known millimetres, voxelised by exact partial volume on any grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.spatial.transform import Rotation

from SpineQuantLib.anatomy.labels import describe
from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.spine import NamedSpine

# Columns are the axes anterior, left, up in LPS.
UPRIGHT = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def pose(tilt: float = 0.0, lean: float = 0.0, twist: float = 0.0) -> np.ndarray:
    """Axes (anterior, left, up) as columns after rotations in degrees about left, anterior and up."""
    return Rotation.from_euler("xyz", [tilt, lean, twist], degrees=True).as_matrix() @ UPRIGHT


def grid_of(
    spacing: tuple[float, float, float],
    size_mm: tuple[float, float, float],
    centre: np.ndarray = (0.0, 0.0, 0.0),
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Grid:
    """A sagittal grid (k to left, j to inferior, i to posterior) around a point, turned by Euler angles in degrees."""
    rotation = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    rows = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]) @ rotation.T
    shape = tuple(int(np.ceil(s / d)) for s, d in zip(size_mm, spacing, strict=True))
    half = (np.array(shape) - 1) / 2 * np.array(spacing)
    origin = np.asarray(centre, float) - half @ rows
    return Grid(shape, tuple(map(float, spacing)), tuple(origin.tolist()), tuple(map(tuple, rows.tolist())))


# Points of a Kronecker sequence fill a voxel evenly and, unlike a lattice, evenly along any direction.
_KRONECKER = (np.arange(1, 113)[:, None] * np.array([0.8191725134, 0.6710436067, 0.5497004779])) % 1.0 - 0.5


def rasterise(inside: Callable[[np.ndarray], np.ndarray], grid: Grid) -> np.ndarray:
    """Share of every voxel that lies inside a shape, from 112 points in each voxel near its border."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    out = inside(grid.to_lps(index)).astype(np.float32)
    cube = out.reshape(grid.shape)
    mixed = np.flatnonzero((maximum_filter(cube, 3) != minimum_filter(cube, 3)).ravel())
    for start in range(0, len(mixed), 4000):
        some = mixed[start : start + 4000]
        points = grid.to_lps(index[some][:, None, :] + _KRONECKER)
        out[some] = inside(points.reshape(-1, 3)).reshape(len(some), -1).mean(axis=1)
    return out.reshape(grid.shape)


@dataclass(frozen=True)
class Slab:
    """A disc or body: elliptic footprint, height changing linearly to the front and quadratically to the rim."""

    centre: np.ndarray
    axes: np.ndarray
    half_depth: float = 17.0
    half_width: float = 25.0
    height: float = 9.0
    wedge: float = 0.0  # extra height at the front end, the same less at the rear end
    bulge: float = 0.0  # height lost at the rim
    waist: float = 0.0  # share of the footprint lost at half height

    def height_at(self, share: np.ndarray) -> np.ndarray:
        """Height in the mid-sagittal plane at a share of the depth, 0 behind to 1 in front."""
        u = 2 * np.asarray(share) - 1
        return self.height + self.wedge * u - self.bulge * u**2

    def __call__(self, lps: np.ndarray) -> np.ndarray:
        local = (lps - self.centre) @ self.axes
        scale = np.array([self.half_depth, self.half_width])
        uv = local[:, :2] / scale
        square = (uv**2).sum(axis=1)
        half = (self.height + self.wedge * uv[:, 0] - self.bulge * square) / 2
        ratio = np.clip(np.abs(local[:, 2]) / np.maximum(half, 1e-6), 0, 1)
        radius = 1 - self.waist * (1 - ratio**2)
        return (np.abs(local[:, 2]) <= half) & (square <= radius**2)


@dataclass(frozen=True)
class Tube:
    """A tube of elliptic section along an arc in its own sagittal plane; narrower towards a waist if asked."""

    centre: np.ndarray
    axes: np.ndarray
    half_ap: float = 7.0
    half_width: float = 10.0
    bend: float = 150.0  # radius of the arc in mm; its centre lies behind
    pinch: float = 0.0
    pinch_at: float = 0.0
    pinch_width: float = 12.0

    def scale(self, arc: np.ndarray) -> np.ndarray:
        """Factor on both half axes at an arc length from the centre."""
        return 1 - self.pinch * np.exp(-(((arc - self.pinch_at) / self.pinch_width) ** 2) / 2)

    def at(self, arc: float) -> tuple[np.ndarray, np.ndarray]:
        """Point of the centre line at an arc length from the centre, and axes (columns) there."""
        angle = arc / self.bend
        local = np.array([self.bend * (np.cos(angle) - 1), 0.0, self.bend * np.sin(angle)])
        turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
        return self.centre + self.axes @ local, self.axes @ turn

    def __call__(self, lps: np.ndarray) -> np.ndarray:
        local = (lps - self.centre) @ self.axes
        x, z = local[:, 0] + self.bend, local[:, 2]
        depth = np.hypot(x, z) - self.bend
        scale = self.scale(np.arctan2(z, x) * self.bend)
        return (depth / (self.half_ap * scale)) ** 2 + (local[:, 1] / (self.half_width * scale)) ** 2 <= 1


@dataclass(frozen=True)
class Keyhole:
    """A foramen: a wide ellipse above a narrow one, drawn out from right to left and narrowest in the middle."""

    centre: np.ndarray
    axes: np.ndarray
    half_height: float = 9.0
    half_width: float = 4.5
    length: float = 10.0
    flare: float = 0.0  # share by which the ends are larger than the middle

    def outline(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Inside of the narrowest section; u to the front, v up."""
        upper = (u / self.half_width) ** 2 + ((v - 0.4 * self.half_height) / (0.6 * self.half_height)) ** 2 <= 1
        lower = (u / (0.8 * self.half_width)) ** 2 + (v / self.half_height) ** 2 <= 1
        return upper | lower

    @property
    def area(self) -> float:
        """Area of the narrowest section by fine counting."""
        step = 0.01
        u, v = np.meshgrid(np.arange(-12, 12, step), np.arange(-14, 14, step), indexing="ij")
        return float(self.outline(u, v).sum()) * step**2

    def __call__(self, lps: np.ndarray) -> np.ndarray:
        local = (lps - self.centre) @ self.axes
        scale = 1 + self.flare * (2 * local[:, 1] / self.length) ** 2
        return self.outline(local[:, 0] / scale, local[:, 2] / scale) & (np.abs(local[:, 1]) <= self.length / 2)


@dataclass
class Scene:
    """Shapes by label value."""

    shapes: dict[int, Callable[[np.ndarray], np.ndarray]]
    vertebrae: tuple[str, ...] = ("L4", "L5")

    def on(self, grid: Grid, *, hard: bool = False) -> NamedSpine:
        """The shapes on a grid, as exact shares of voxels or as a bare mask."""
        labels = np.zeros(grid.shape, np.uint16)
        occupancy = {s: np.zeros(grid.shape, np.float32) for s in Structure if s is not Structure.SPINE}
        for value, shape in self.shapes.items():
            share = rasterise(shape, grid)
            labels[share >= 0.5] = value
            soft = occupancy[describe(value).structure]
            np.maximum(soft, share, out=soft)
        if hard:
            return NamedSpine.from_labels(labels, grid, self.vertebrae)
        return NamedSpine(grid, labels, occupancy, self.vertebrae)


def table(rows: list) -> dict[tuple, object]:
    """Rows by (structure, level, side, name, method)."""
    return {(str(r.structure), r.level, str(r.side or ""), r.name, r.method): r for r in rows}


@pytest.fixture(scope="session")
def shapes() -> SimpleNamespace:
    """The shapes and helpers of this folder."""
    return SimpleNamespace(
        pose=pose, grid_of=grid_of, rasterise=rasterise, Slab=Slab, Tube=Tube, Keyhole=Keyhole, Scene=Scene, table=table
    )
