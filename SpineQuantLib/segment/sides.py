"""Foramina: to which level and to which side of the patient each belongs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..anatomy.structures import Side, Structure
from .curve import Curve
from .instances import Gap, keep_main
from .regions import Region

__all__ = ["anatomical_axes", "divide_foramina", "leftward"]

_ABOVE_DISC = 0.72
_BELOW_DISC = 0.28
_LATERAL = (5.0, 42.0)
_BEHIND_COLUMN = (-2.0, 50.0)
_BESIDE_SAC = (-32.0, 22.0)
_MIN_VOLUME = 60.0
_FULL_SECTION = 0.5
"""Share of the largest sagittal section that the outermost one has at least; of the foramina that readers drew in the
training volumes, nineteen in twenty have no smaller one."""
_DEFAULT_DEPTH = 23.0
_MIN_DEPTH = 8.0


def anatomical_axes(
    points: np.ndarray, column: Curve, sac: Curve | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Directions of the anatomy itself at the height of points (n, 3), so that a turned or bent patient keeps them.

    The frame at each height is made of the column's direction and of the way from the column to the dural sac; where
    there is no sac it is thought straight behind the column.

    Returns
    -------
    tuple of np.ndarray
        Nearest places on the column's curve in mm, unit vectors towards the feet, unit vectors backwards, and the
        middle of the dural sac in mm, each (n, 3).
    """
    arc, _ = column.project(points)
    origin, down = column.at(arc), column.tangent(arc)
    straight = np.array([0.0, 0.0, 1.0]) - down[:, 2:3] * down
    straight /= np.linalg.norm(straight, axis=1, keepdims=True)
    centre = origin + _DEFAULT_DEPTH * straight
    back = straight
    if sac is not None:
        along, _ = sac.project(points)
        # Far beyond the sac's ends its straight extension tells nothing about the patient.
        known = (along > -40.0) & (along < sac.length + 40.0)
        seen = sac.at(along)
        way = seen - origin
        way -= np.einsum("na,na->n", way, down)[:, None] * down
        depth = np.linalg.norm(way, axis=1)
        known &= depth > _MIN_DEPTH
        back = np.where(known[:, None], way / np.maximum(depth, 1e-6)[:, None], straight)
        centre = np.where(known[:, None], seen, centre)
    return origin, down, back, centre


def leftward(points: np.ndarray, column: Curve, sac: Curve | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position of points (n, 3) in the frames of :func:`anatomical_axes`.

    Returns
    -------
    tuple of np.ndarray
        Millimetres to the patient's left of the sac's centre line, behind the column's curve, and behind the sac's
        centre line, each (n,).
    """
    origin, down, back, centre = anatomical_axes(points, column, sac)
    # k to the left, j to the feet, i to the back is right-handed: feet × back = left.
    left = np.cross(down, back)
    return (
        np.einsum("na,na->n", points - centre, left),
        np.einsum("na,na->n", points - origin, back),
        np.einsum("na,na->n", points - centre, back),
    )


def divide_foramina(region: Region, column: Curve, sac: Curve | None, gaps: list[Gap]) -> dict[Side, np.ndarray]:
    """Number the foramina of each side by the body above.

    A foramen's middle lies above that of its disc, behind the lower part of the upper body; it belongs to the level
    within whose stretch it lies. What is not beside the sac is removed; of several pieces on one side of one level
    the largest is kept with what lies close to it. At its inner and outer end it is trimmed to the sections in which
    it is seen whole, as readers draw it: between the pedicles, without the recess and the fat beside it.

    Returns
    -------
    dict of Side to np.ndarray
        int16 (nk, nj, ni) of the box for each side: 1 for the level below the topmost body, …; 0 elsewhere.
    """
    out = {side: np.zeros(region.sacrum.shape, np.int16) for side in Side}
    mask = region.mask(Structure.FORAMEN)
    if not gaps or not mask.any():
        return out
    index, points = region.points(mask)
    arc, _ = column.project(points)
    left, _, _ = leftward(points, column, sac)
    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    # A piece that reaches across the canal is two.
    piece = 2 * pieces[tuple(index.T)] + (left > 0)
    edges = _edges(gaps)
    level = np.searchsorted(edges, arc)
    for value in np.unique(piece):
        inside = piece == value
        number = int(np.searchsorted(edges, np.median(arc[inside])))
        height = edges[min(number, len(edges) - 1)] - edges[max(number - 1, 0)]
        # A piece no taller than a level is one foramen; a taller one is several that touch.
        if np.ptp(arc[inside]) <= 1.1 * max(height, 1.0):
            level[inside] = number
    for n in range(1, len(gaps) + 1):
        for side in Side:
            inside = (level == n) & ((left > 0) == (side is Side.LEFT))
            _place(out[side], n, index[inside], region, column, sac)
    return out


def _edges(gaps: list[Gap]) -> np.ndarray:
    """Arc lengths between which the foramina of each level lie; one more than there are levels."""
    arcs = np.array([g.arc for g in gaps])
    steps = np.diff(arcs) if len(arcs) > 1 else np.array([35.0])
    return np.concatenate(
        [[arcs[0] - _ABOVE_DISC * steps[0]], arcs[:-1] + _BELOW_DISC * np.diff(arcs), [arcs[-1] + 0.4 * steps[-1]]]
    )


def _place(
    labels: np.ndarray, number: int, index: np.ndarray, region: Region, column: Curve, sac: Curve | None
) -> None:
    """Write the plausible foramen among voxels ``index`` (n, 3) into ``labels``; in place."""
    if not len(index):
        return
    low, high = index.min(axis=0), index.max(axis=0) + 1
    crop = np.zeros(high - low, bool)
    crop[tuple((index - low).T)] = True
    pieces, count = ndimage.label(crop, np.ones((3, 3, 3)))
    for n in range(1, count + 1):
        at = np.argwhere(pieces == n)
        middle = region.millimetres(at.mean(axis=0) + low)[None]
        left, behind, beside = leftward(middle, column, sac)
        if not (
            _LATERAL[0] <= abs(left[0]) <= _LATERAL[1]
            and _BEHIND_COLUMN[0] <= behind[0] <= _BEHIND_COLUMN[1]
            and _BESIDE_SAC[0] <= beside[0] <= _BESIDE_SAC[1]
        ):
            crop[pieces == n] = False
    kept, _ = keep_main(crop, region.spacing, reach=8.0, share=0.05)
    section = kept.sum(axis=(1, 2))
    whole = np.flatnonzero(section >= _FULL_SECTION * section.max())
    kept[: whole[0]] = kept[whole[-1] + 1 :] = False
    if kept.sum() * np.prod(region.spacing) >= _MIN_VOLUME:
        labels[tuple((np.argwhere(kept) + low).T)] = number
