"""Curves through the patient: tracking a long structure from head to foot, and positions along it.

Coordinates are millimetres along the array axes in reading order (k to the left, j downwards, i to the back), a
right-handed frame rotated against LPS by no more than the scan is oblique.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import make_smoothing_spline
from scipy.spatial import cKDTree

__all__ = ["Curve", "principal_curve", "track"]

_STEP = 1.0
_EXTENSION = 80.0
_SLAB = 4.0
_MAX_GAP = 100.0
_MAX_SLOPE = 1.4
_BIN = 3.0
_GROWTH = 10.0
_SAMPLE = 20000
_STIFFNESS = 3e4


@dataclass(frozen=True)
class Curve:
    """A smooth curve from head to foot, extended straight beyond both ends.

    Attributes
    ----------
    points : np.ndarray
        (n, 3) millimetres along (k, j, i), about 1 mm apart.
    arc : np.ndarray
        (n,) arc length in mm; 0 where the structure begins, negative in the extension above it.
    length : float
        Arc length at which the structure ends.
    """

    points: np.ndarray
    arc: np.ndarray
    length: float

    @classmethod
    def through(cls, points: np.ndarray) -> Curve:
        """Curve along the polyline ``points`` (n, 3), n ≥ 2, resampled and extended along its ends."""
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        keep = np.concatenate([[True], np.diff(arc) > 1e-6])
        points, arc = points[keep], arc[keep]
        length = float(arc[-1])
        even = np.linspace(0.0, length, max(round(length / _STEP) + 1, 2))
        inner = np.stack([np.interp(even, arc, points[:, a]) for a in range(3)], axis=1)
        reach = min(len(inner) - 1, 25)
        steps = np.arange(_STEP, _EXTENSION + _STEP, _STEP)[:, None]
        head, foot = _unit(inner[0] - inner[reach]), _unit(inner[-1] - inner[-1 - reach])
        return cls(
            np.concatenate([inner[0] + steps[::-1] * head, inner, inner[-1] + steps * foot]),
            np.concatenate([-steps[::-1, 0], even, length + steps[:, 0]]),
            length,
        )

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Arc length of the nearest place on the curve, and the distance to it, of points (n, 3)."""
        points = np.atleast_2d(points)
        if not len(points):
            return np.empty(0), np.empty(0)
        _, near = cKDTree(self.points).query(points)
        offset = points - self.points[near]
        along = np.clip(np.einsum("na,na->n", offset, self.tangent(self.arc)[near]), -_STEP, _STEP)
        distance = np.sqrt(np.maximum(np.einsum("na,na->n", offset, offset) - along**2, 0.0))
        return self.arc[near] + along, distance

    def at(self, arc: np.ndarray | float) -> np.ndarray:
        """Points (…, 3) at arc lengths."""
        return np.stack([np.interp(arc, self.arc, self.points[:, a]) for a in range(3)], axis=-1)

    def tangent(self, arc: np.ndarray | float) -> np.ndarray:
        """Unit vectors (…, 3) towards the feet."""
        arc = np.asarray(arc, dtype=float)
        step = self.at(arc + 3.0) - self.at(arc - 3.0)
        return step / np.linalg.norm(step, axis=-1, keepdims=True)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def track(mask: np.ndarray, spacing: tuple[float, float, float], area: float) -> np.ndarray | None:
    """Follow a long structure from head to foot through a mask that may hold gaps and stray blobs.

    The mask is cut into axial slabs; among the pieces of each slab the chain is taken that collects the most tissue
    with few jumps (dynamic programming).

    Parameters
    ----------
    mask : np.ndarray
        bool (nk, nj, ni) in reading order.
    spacing : tuple of float
        Millimetres along (k, j, i).
    area : float
        Usual cross-section in mm²; a piece counts no more than one so large, however big a blob is.

    Returns
    -------
    np.ndarray or None
        (n, 3) centres in mm of the pieces in the chain, top down; None where there are fewer than two.
    """
    centres, weights = _pieces(mask, spacing, area)
    if len(centres) < 2:
        return None
    thickness = max(_SLAB, spacing[1])
    best = weights.copy()
    previous = np.full(len(centres), -1)
    for n in range(1, len(centres)):
        step = centres[n] - centres[:n]
        gap = step[:, 1]
        across = np.hypot(step[:, 0], step[:, 2])
        allowed = (gap > 0.25 * thickness) & (gap <= _MAX_GAP) & (across <= np.maximum(8.0, _MAX_SLOPE * gap))
        if not allowed.any():
            continue
        cost = 0.02 * across + 0.1 * np.maximum(gap / thickness - 1.5, 0.0)
        score = np.where(allowed, best[:n] - cost, -np.inf)
        top = int(np.argmax(score))
        if score[top] > 0:
            best[n] += score[top]
            previous[n] = top
    chain = [int(np.argmax(best))]
    while previous[chain[-1]] >= 0:
        chain.append(int(previous[chain[-1]]))
    chain = chain[::-1]
    # The first and last slab of a tilted body hold a corner of it, which is not its middle.
    full = np.flatnonzero(weights[chain] >= 0.5 * np.median(weights[chain]))
    chain = chain[full[0] : full[-1] + 1]
    return centres[chain] if len(chain) > 1 else None


def _pieces(mask: np.ndarray, spacing: tuple[float, float, float], area: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres (n, 3) in mm and weights (n,) 0–1 of the connected pieces in axial slabs, top down."""
    rows = max(round(_SLAB / spacing[1]), 1)
    voxel = float(np.prod(spacing))
    centres, weights = [], []
    for start in range(0, mask.shape[1], rows):
        slab = mask[:, start : start + rows]
        count = slab.sum(axis=1)
        labels, number = ndimage.label(count > 0, np.ones((3, 3)))
        for n, box in enumerate(ndimage.find_objects(labels, number), start=1):
            inside = np.where(labels[box] == n, count[box], 0)
            total = int(inside.sum())
            if total * voxel < 0.04 * area * rows * spacing[1]:
                continue
            k = (inside.sum(axis=1) @ np.arange(inside.shape[0])) / total + box[0].start
            i = (inside.sum(axis=0) @ np.arange(inside.shape[1])) / total + box[1].start
            height = np.where(labels[box] == n, 1, 0)[:, None] * slab[box[0], :, box[1]]
            j = (height.sum(axis=(0, 2)) @ np.arange(slab.shape[1])) / total + start
            centres.append((k * spacing[0], j * spacing[1], i * spacing[2]))
            weights.append(min(total * voxel / (area * rows * spacing[1]), 1.0))
    if not centres:
        return np.empty((0, 3)), np.empty(0)
    order = np.argsort(np.array(centres)[:, 1], kind="stable")
    return np.array(centres)[order], np.array(weights)[order]


def principal_curve(chain: np.ndarray, points: np.ndarray, radius: float) -> Curve:
    """Smooth curve through the middle of a structure: a cubic spline fitted to its voxels by least squares.

    Parameters
    ----------
    chain : np.ndarray
        (n, 3) first guess in mm, top down, as from :func:`track`.
    points : np.ndarray
        (m, 3) voxels of the structure in mm.
    radius : float
        Voxels farther than this from the curve do not count, in mm.
    """
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(chain, axis=0), axis=1))])
    curve = Curve.through(_fitted(lengths, chain, 0.0, float(lengths[-1])))
    if len(points) > _SAMPLE:
        points = points[:: len(points) // _SAMPLE + 1]
    for _ in range(2):
        arc, distance = curve.project(points)
        use = (distance <= radius) & (arc >= -_GROWTH) & (arc <= curve.length + _GROWTH)
        if use.sum() < 10:
            break
        bins = np.floor(arc[use] / _BIN).astype(int)
        count = np.bincount(bins - bins.min())
        # Where a tilted end is cut across, only a corner is left: it would bend the curve aside.
        full = np.flatnonzero(count >= 0.5 * np.median(count[count > 0])) + bins.min()
        curve = Curve.through(_fitted(arc[use], points[use], full[0] * _BIN, (full[-1] + 1) * _BIN))
    return curve


def _fitted(arc: np.ndarray, points: np.ndarray, start: float, stop: float) -> np.ndarray:
    """Points 1 mm apart on a smoothing spline of ``points`` (n, 3) over ``arc`` (n,), between two arc lengths."""
    inside = (arc >= start) & (arc <= stop)
    arc, points = arc[inside], points[inside]
    bins = np.floor((arc - start) / _BIN).astype(int)
    count = np.bincount(bins)
    seen = count > 0
    at = np.bincount(bins, arc)[seen] / count[seen]
    means = np.stack([np.bincount(bins, points[:, a])[seen] / count[seen] for a in range(3)], axis=1)
    even = np.arange(start, stop + _STEP / 2, _STEP)
    if len(at) < 5:
        # Too short for a spline: a straight line.
        design = np.stack([np.ones_like(at), at], axis=1)
        weights = np.linalg.lstsq(design, means, rcond=None)[0]
        return np.stack([np.ones_like(even), even], axis=1) @ weights
    spline = make_smoothing_spline(at, means, lam=_STIFFNESS)
    return (
        spline(np.clip(even, at[0], at[-1]))
        + np.clip(even - at[-1], 0, None)[:, None] * spline.derivative()(at[-1])
        + np.clip(even - at[0], None, 0)[:, None] * spline.derivative()(at[0])
    )
