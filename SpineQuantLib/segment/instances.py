"""Single bodies and discs: which voxel belongs to which one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy.structures import Structure
from .column import Span
from .curve import Curve
from .regions import Region

__all__ = ["LEFT_OUT", "Gap", "divide_bodies", "divide_discs", "gaps_between", "keep_main", "left_out"]

_REACH = 40.0
_PAST_END = 10.0
_DISC_REACH = 38.0
_MAX_TILT = 30.0
_MIN_DISC = 100.0
_PAST_LAST = 20.0
_DISC_SHIFT = 22.0


@dataclass(frozen=True)
class Gap:
    """The surface between two neighbouring bodies, as a plane.

    Attributes
    ----------
    arc : float
        Arc length of the column's curve at which it lies.
    point, normal : np.ndarray
        (3,) a point in mm, and the unit vector towards the feet.
    seen : bool
        Whether a disc shows its slope; otherwise it is taken perpendicular to the column.
    """

    arc: float
    point: np.ndarray
    normal: np.ndarray
    seen: bool


def gaps_between(spans: list[Span], column: Curve, region: Region) -> list[Gap]:
    """Planes between neighbouring bodies, from the disc seen there or else from the column's direction."""
    _, points = region.points(region.mask(Structure.DISC))
    arc, distance = column.project(points)
    gaps = []
    for above, below in itertools.pairwise(spans):
        middle = (above.stop + below.start) / 2
        down = column.tangent(middle)
        gap = Gap(middle, column.at(middle), down, False)
        inside = (distance < 25.0) & (arc > above.stop - 4.0) & (arc < below.start + 4.0)
        if inside.sum() * np.prod(region.spacing) > 400.0:
            cloud = points[inside]
            # The direction in which a disc is thinnest is its axis.
            _, vectors = np.linalg.eigh(np.cov(cloud.T) + np.diag(np.square(region.spacing)) / 12)
            normal = vectors[:, 0] * np.sign(vectors[:, 0] @ down)
            if normal @ down > np.cos(np.deg2rad(_MAX_TILT)):
                gap = Gap(middle, cloud.mean(axis=0), normal, True)
        gaps.append(gap)
    return gaps


def divide_bodies(region: Region, column: Curve, sac: Curve | None, spans: list[Span], gaps: list[Gap]) -> np.ndarray:
    """Number every body.

    Bodies that touch are cut apart along the plane of the disc between them. What lies behind the dural sac (arches,
    spinous processes), far from the column or beyond its ends is no body. A body broken in two is joined, and
    holes are filled.

    Returns
    -------
    np.ndarray
        int16 (nk, nj, ni) of the box: 1 for the topmost span, 2 for the next, …; 0 elsewhere. A number may be absent.
    """
    index, points = region.points(region.mask(Structure.VERTEBRA))
    arc, distance = column.project(points)
    near = (distance <= _REACH) & (arc > spans[0].start - _PAST_END) & (arc < spans[-1].stop + _PAST_END)
    if sac is not None:
        near &= ~_behind(points, column, sac)
    index, points, arc = index[near], points[near], arc[near]
    number = np.searchsorted([g.arc for g in gaps], arc)
    for n, gap in enumerate(gaps):
        side = (points - gap.point) @ gap.normal
        number = np.where((number == n) & (side > 0), n + 1, np.where((number == n + 1) & (side < 0), n, number))
    bodies = np.zeros(region.sacrum.shape, np.int16)
    bodies[tuple(index.T)] = number + 1
    for n, box in enumerate(ndimage.find_objects(bodies, len(spans)), start=1):
        if box is not None:
            _repair(bodies, box, n, region.spacing)
    return bodies


LEFT_OUT = "left out, apart from the column"
"""Words on bodies that are not counted; part of the reason that readers see."""
_WORTHY = 0.5


def left_out(region: Region, bodies: np.ndarray) -> list[str]:
    """What to say where pieces as large as bodies were recognised that are no part of the column.

    Parameters
    ----------
    region : Region
        What was recognised.
    bodies : np.ndarray
        int16 (nk, nj, ni) of the box, as from :func:`divide_bodies`.
    """
    sizes = np.bincount(bodies.ravel())[1:]
    pieces, count = ndimage.label(region.mask(Structure.VERTEBRA) & (bodies == 0), np.ones((3, 3, 3)))
    if not count or not sizes.any():
        return []
    worthy = int((np.bincount(pieces.ravel())[1:] >= _WORTHY * np.median(sizes[sizes > 0])).sum())
    if not worthy:
        return []
    return [f"{worthy} more {'body was' if worthy == 1 else 'bodies were'} recognised and {LEFT_OUT}"]


def _behind(points: np.ndarray, column: Curve, sac: Curve) -> np.ndarray:
    """Whether points (n, 3) lie behind the middle of the dural sac, where there is one at their height."""
    along, _ = sac.project(points)
    centre = sac.at(along)
    arc, _ = column.project(centre)
    back = centre - column.at(arc)
    inside = (along >= 0) & (along <= sac.length) & (np.linalg.norm(back, axis=1) > 5.0)
    return inside & (np.einsum("na,na->n", points - centre, back) > 0)


def _repair(labels: np.ndarray, box: tuple[slice, ...], number: int, spacing: tuple[float, float, float]) -> None:
    """Keep what is one body, join it where it is broken, and fill its holes; in place."""
    pad = tuple(slice(max(s.start - 3, 0), min(s.stop + 3, size)) for s, size in zip(box, labels.shape, strict=True))
    crop = labels[pad]
    mask = crop == number
    kept, parts = keep_main(mask, spacing, reach=8.0)
    filled = kept
    if parts > 1:
        filled = _closed(kept, spacing, radius=4.5)
    filled = ndimage.binary_fill_holes(filled)
    for k in range(filled.shape[0]):
        filled[k] = ndimage.binary_fill_holes(filled[k])
    crop[mask] = 0
    crop[filled & (crop == 0)] = number


def _closed(mask: np.ndarray, spacing: tuple[float, float, float], radius: float) -> np.ndarray:
    """Closing by a ball of ``radius`` mm, by distances, so that thick slices count for what they are."""
    margin = [int(np.ceil(radius / s)) + 1 for s in spacing]
    padded = np.pad(mask, [(m, m) for m in margin])
    grown = ndimage.distance_transform_edt(~padded, sampling=spacing) <= radius
    closed = ndimage.distance_transform_edt(grown, sampling=spacing) > radius
    return (closed | padded)[tuple(slice(m, -m) for m in margin)]


def keep_main(
    mask: np.ndarray, spacing: tuple[float, float, float], reach: float, share: float = 0.1
) -> tuple[np.ndarray, int]:
    """Largest piece of a mask, with further pieces near it.

    Parameters
    ----------
    mask : np.ndarray
        bool, three axes.
    spacing : tuple of float
        Millimetres along them.
    reach : float
        A further piece counts if it begins within so many mm of the largest …
    share : float
        … and has at least this share of its volume.

    Returns
    -------
    tuple of np.ndarray and int
        What is kept, and of how many pieces it consists.
    """
    labels, number = ndimage.label(mask, np.ones((3, 3, 3)))
    if number <= 1:
        return mask.copy(), number
    size = np.bincount(labels.ravel(), minlength=number + 1)
    size[0] = 0
    main = int(np.argmax(size))
    keep = np.zeros(number + 1, bool)
    keep[main] = True
    worthy = np.flatnonzero(size >= share * size[main])
    if len(worthy) > 1:
        distance = ndimage.distance_transform_edt(labels != main, sampling=spacing)
        for n in worthy:
            keep[n] = keep[n] or bool(distance[labels == n].min() <= reach)
    return keep[labels], int(keep.sum())


def divide_discs(region: Region, column: Curve, sac: Curve | None, spans: list[Span], gaps: list[Gap]) -> np.ndarray:
    """Number every disc by the body above it.

    A disc lies between the middles of two neighbouring bodies; above the first there is no body to give it to. One
    below the last body is numbered too, since it tells whether that body is the end of the column. Of several pieces
    the main one is kept with what hangs together with it.

    Returns
    -------
    np.ndarray
        int16 (nk, nj, ni) of the box: 1 for the disc below the topmost span, …; 0 elsewhere.
    """
    discs = np.zeros(region.sacrum.shape, np.int16)
    index, points = region.points(region.mask(Structure.DISC))
    if not len(index):
        return discs
    arc, distance = column.project(points)
    number = np.searchsorted([s.middle for s in spans], arc)
    near = (distance <= _DISC_REACH) & (number > 0) & (arc < spans[-1].stop + _PAST_LAST)
    if sac is not None:
        near &= ~_behind(points, column, sac)
    discs[tuple(index[near].T)] = number[near]
    for n, box in enumerate(ndimage.find_objects(discs, len(spans)), start=1):
        if box is None:
            continue
        crop = discs[box]
        mask = crop == n
        kept, _ = keep_main(mask, region.spacing, reach=6.0)
        middle = region.millimetres(np.argwhere(kept).mean(axis=0) + [s.start for s in box])
        place = column.at(gaps[n - 1].arc if n <= len(gaps) else spans[-1].stop + 5.0)
        if kept.sum() * np.prod(region.spacing) < _MIN_DISC or np.linalg.norm(middle - place) > _DISC_SHIFT:
            kept[:] = False
        crop[mask & ~kept] = 0
    return discs
