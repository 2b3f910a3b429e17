"""What is known of each body in the column, for naming: size, shape, neighbours, and what each member called it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ..anatomy.structures import NetworkClass
from .column import Span
from .curve import Curve
from .instances import Gap
from .regions import Region
from .sides import anatomical_axes, leftward

__all__ = ["BodyFacts", "collect_facts"]

_MIDLINE = 8.0
_BIN = (4.0, 2.0)
_COMPARED = 3
"""Discs at most with which the slope of the next one below is compared."""


@dataclass(frozen=True)
class BodyFacts:
    """A body of the column.

    Attributes
    ----------
    volume : float
        mm³; 0 where a body must be but was not seen.
    sacrum : float
        Share of the probability of a vertebra that is of S1's class, 0–1.
    votes : tuple of bool or None
        For each member whether it called this body S1; None where it saw no body here.
    cut : tuple of str
        Edges of the view that it touches: ``upper``, ``lower``.
    disc_below : float
        mm² that the disc below it covers, seen along the column; 0 where there is none.
    taper : float or None
        Front-to-back depth near its upper end over that near its lower end, in the midline.
    pitch : float or None
        Millimetres along the column from its middle to that of the body below; None where either is cut or not seen.
    bend : float or None
        Degrees by which the disc above it descends more steeply to the front than the mean of up to three discs above
        that, seen from the patient's side; None where no two are seen.
    room : float or None
        Millimetres from its lower end to where the view ends, along the column.
    """

    volume: float
    sacrum: float = 0.0
    votes: tuple[bool | None, ...] = ()
    cut: tuple[str, ...] = ()
    disc_below: float = 0.0
    taper: float | None = None
    pitch: float | None = None
    bend: float | None = None
    room: float | None = None

    @property
    def seen(self) -> bool:
        """Whether there is anything of it in the segmentation."""
        return self.volume > 0


def collect_facts(
    region: Region,
    members: np.ndarray,
    bodies: np.ndarray,
    discs: np.ndarray,
    spans: list[Span],
    gaps: list[Gap],
    column: Curve,
    sac: Curve | None,
) -> list[BodyFacts]:
    """Facts of every body, top down.

    Parameters
    ----------
    region : Region
        The box with its soft structures.
    members : np.ndarray
        uint8 (members, nk, nj, ni) of the whole volume.
    bodies, discs : np.ndarray
        int16 (nk, nj, ni) of the box, numbered from 1 at the top; a disc has the number of the body above it, the
        one below the last body included.
    spans, gaps : list
        Where the bodies are and what lies between them.
    column, sac : Curve
        Centre lines; no sac is None.
    """
    voxel = float(np.prod(region.spacing))
    body_boxes = ndimage.find_objects(bodies, len(spans))
    disc_boxes = ndimage.find_objects(discs, len(spans))
    facts = []
    for n, box in enumerate(body_boxes, start=1):
        disc = disc_boxes[n - 1]
        covered = 0.0
        if disc is not None:
            covered = _footprint(_points(discs, disc, n, region), column, sac)
        if box is None:
            facts.append(BodyFacts(0.0, disc_below=covered))
            continue
        mask = bodies[box] == n
        whole = tuple(slice(a.start + b.start, a.stop + b.start) for a, b in zip(box, region.box, strict=True))
        facts.append(
            BodyFacts(
                volume=float(mask.sum()) * voxel,
                sacrum=float((region.sacrum[box][mask] > 0.5).mean()),
                votes=_votes(members[(slice(None), *whole)][:, mask]),
                cut=_cut(mask, whole[1].start, region.view[1]),
                disc_below=covered,
                taper=_taper(_points(bodies, box, n, region), n, gaps, column, sac),
                bend=_bend(gaps, n, column, sac),
                room=_room(spans[n - 1], column, region),
            )
        )
    return [
        replace(body, pitch=_pitch(facts[n : n + 2], spans[n : n + 2])) if body.seen else body
        for n, body in enumerate(facts)
    ]


def _pitch(pair: list[BodyFacts], spans: list[Span]) -> float | None:
    """Distance of two neighbouring bodies that are seen whole."""
    if len(pair) < 2 or any(body.cut or not body.seen for body in pair):
        return None
    return spans[1].middle - spans[0].middle


def _points(labels: np.ndarray, box: tuple[slice, ...], number: int, region: Region) -> np.ndarray:
    """Voxels (n, 3) of one object in mm."""
    return region.millimetres(np.argwhere(labels[box] == number) + [s.start for s in box])


def _votes(classes: np.ndarray) -> tuple[bool | None, ...]:
    """What each member called a body, from its classes (members, n) in the body's voxels."""
    sacrum = (classes == NetworkClass.SACRUM).mean(axis=1)
    body = (classes == NetworkClass.BODY).mean(axis=1)
    return tuple(bool(s > b) if s + b > 0.2 else None for s, b in zip(sacrum, body, strict=True))


def _cut(mask: np.ndarray, start: int, view: tuple[int, int]) -> tuple[str, ...]:
    """Upper and lower edges of the view that a body, whose rows begin at ``start``, touches with more than a corner."""
    rows = mask.sum(axis=(0, 2))
    broad = start + np.flatnonzero(rows > 0.1 * rows.max())
    edges = []
    if broad[0] <= view[0]:
        edges.append("upper")
    if broad[-1] >= view[1] - 1:
        edges.append("lower")
    return tuple(edges)


def _footprint(points: np.ndarray, column: Curve, sac: Curve | None) -> float:
    """Area in mm² that points (n, 3) cover, seen along the column."""
    left, behind, _ = leftward(points, column, sac)
    cells = np.unique(np.floor(np.stack([left / _BIN[0], behind / _BIN[1]], axis=1)).astype(int), axis=0)
    return len(cells) * _BIN[0] * _BIN[1]


def _taper(points: np.ndarray, number: int, gaps: list[Gap], column: Curve, sac: Curve | None) -> float | None:
    """Depth near the upper end over depth near the lower end, in the midline; None where that is too thin."""
    if not gaps:
        return None
    near = gaps[max(number - 2, 0) : number]
    down = np.sum([g.normal for g in near], axis=0)
    down /= np.linalg.norm(down)
    left, _, _ = leftward(points, column, sac)
    middle = points[np.abs(left - np.median(left)) < _MIDLINE]
    if len(middle) < 50:
        return None
    back = np.array([0.0, 0.0, 1.0]) - down[2] * down
    height, depth = middle @ down, middle @ back / np.linalg.norm(back)
    low, first, last, high = np.quantile(height, [0.05, 0.3, 0.7, 0.95])
    upper = np.ptp(np.quantile(depth[(height >= low) & (height <= first)], [0.03, 0.97]))
    lower = np.ptp(np.quantile(depth[(height >= last) & (height <= high)], [0.03, 0.97]))
    return float(upper / lower) if lower > 0 else None


def _bend(gaps: list[Gap], number: int, column: Curve, sac: Curve | None) -> float | None:
    """Degrees from the mean of the discs further up to the disc above a body, positive where it descends forwards."""
    if number < 2 or not gaps[number - 2].seen:
        return None
    own = gaps[number - 2]
    further = [gap.normal for gap in gaps[max(number - 2 - _COMPARED, 0) : number - 2] if gap.seen]
    if not further:
        return None
    mean = np.sum(further, axis=0)
    _, down, back, _ = anatomical_axes(own.point[None], column, sac)
    left = np.cross(down[0], back[0])
    above, below = (vector - (vector @ left) * left for vector in (mean, own.normal))
    return float(np.degrees(np.arctan2(np.cross(above, below) @ left, above @ below)))


def _room(span: Span, column: Curve, region: Region) -> float:
    """Millimetres from the lower end of a body straight on to where the view ends."""
    spacing = np.array(region.spacing)
    end, way = column.at(span.stop) + region.start * spacing, column.tangent(span.stop)
    first, stop = np.array(region.view).T
    edge = np.where(way > 0, stop - 0.5, first - 0.5) * spacing
    moving = np.abs(way) > 1e-6
    return float(max(((edge - end)[moving] / way[moving]).min(), 0.0))
