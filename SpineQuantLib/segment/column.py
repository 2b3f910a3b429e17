"""Where along the column the bodies lie: a profile through its core, cut into bodies and what is between them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy.structures import Structure
from .curve import Curve, principal_curve, track
from .regions import Region

__all__ = ["Span", "body_below", "body_spans", "fill_gaps", "find_column"]

_AREA = 900.0
_RADIUS = 35.0
_CORE = 10.0
_STEP = 0.5
_TYPICAL = 27.0
_PLAUSIBLE = (11.0, 42.0)
_DISC_GAP = 8.0
_LEAST = 3.0
_GAP = 1.6


@dataclass(frozen=True)
class Span:
    """The stretch of the column's curve that a body takes, in mm of arc length, top to bottom.

    ``seen`` is False where a body must be, by the distance of its neighbours, but was not found.
    """

    start: float
    stop: float
    seen: bool = True

    @property
    def length(self) -> float:
        """Height along the curve in mm."""
        return self.stop - self.start

    @property
    def middle(self) -> float:
        """Arc length half-way."""
        return (self.start + self.stop) / 2


def find_column(region: Region, sac: Curve | None) -> Curve | None:
    """Curve through the middle of vertebral bodies and discs, top down; None where there is no column.

    Where there is a sac, what does not lie within reach of it does not lead the curve astray.
    """
    mask = region.mask(Structure.VERTEBRA) | region.mask(Structure.DISC)
    index, points = region.points(mask)
    if sac is not None and len(points):
        arc, distance = sac.project(points)
        near = (distance <= 75.0) & (arc > -60.0) & (arc < sac.length + 60.0)
        if near.sum() * np.prod(region.spacing) > 5000.0:
            mask = np.zeros_like(mask)
            mask[tuple(index[near].T)] = True
            points = points[near]
    chain = track(mask, region.spacing, _AREA)
    return None if chain is None else principal_curve(chain, points, _RADIUS)


def body_spans(region: Region, column: Curve) -> list[Span]:
    """Bodies along the column, top down.

    A body whose middle was missed is one body; two bodies between which no disc was seen are two, as their length
    tells. Lengths are compared with the usual one in the same spine.
    """
    arc, body, disc = _profile(region, column)
    raw = [Span(float(arc[a]), float(arc[b - 1]) + _STEP) for a, b in _runs(body > 0.5)]
    raw = [span for span in raw if span.length >= _LEAST]
    typical = _typical_length(raw, arc, disc)
    spans = _join(raw, arc, disc, typical)
    return [piece for span in spans for piece in _split(span, arc, body, disc, typical)]


def fill_gaps(spans: list[Span]) -> list[Span]:
    """Put unseen bodies where the distance between neighbours tells that one was missed.

    Farther than any two missed bodies, the shorter part of the chain is something else and is left out.
    """
    if len(spans) < 2:
        return spans
    steps = np.diff([s.middle for s in spans])
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    # Two bodies alone show no usual distance: their own height has to do.
    lengths = [s.length for s in spans]
    usual = min(usual, 2.0 * float(np.median(lengths)))
    parts: list[list[Span]] = [[spans[0]]]
    for above, below in itertools.pairwise(spans):
        missing = max(round((below.middle - above.middle) / usual) - 1, 0)
        if below.middle - above.middle <= _GAP * usual:
            missing = 0
        if missing > 2:
            parts.append([below])
            continue
        pitch = (below.middle - above.middle) / (missing + 1)
        half = 0.375 * pitch
        middles = [above.middle + n * pitch for n in range(1, missing + 1)]
        parts[-1] += [*(Span(m - half, m + half, seen=False) for m in middles), below]
    return max(parts, key=lambda part: sum(s.length for s in part if s.seen))


def body_below(spans: list[Span]) -> Span:
    """The body that must lie below the last one where a disc was seen there."""
    last = spans[-1]
    return Span(last.stop + _DISC_GAP, last.stop + _DISC_GAP + last.length, seen=False)


def _profile(region: Region, column: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arc length, and the mean occupancy of bodies and of discs in discs of 10 mm radius across the curve."""
    arc = np.arange(-30.0, column.length + 30.0, _STEP)
    centre, down = column.at(arc), column.tangent(arc)
    left = np.cross(down, [0.0, 0.0, 1.0])
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    back = np.cross(left, down)
    spots = [(0.0, 0.0)]
    for radius in (_CORE / 3, 2 * _CORE / 3, _CORE):
        turn = np.linspace(0, 2 * np.pi, int(2 * radius), endpoint=False)
        spots += zip(radius * np.cos(turn), radius * np.sin(turn), strict=True)
    u, v = np.array(spots).T
    places = centre[:, None] + u[:, None] * left[:, None] + v[:, None] * back[:, None]
    at = np.moveaxis(places / np.array(region.spacing), -1, 0)
    outside = ((at < -0.5) | (at > np.array(region.sacrum.shape)[:, None, None] - 0.5)).any(axis=0)
    curves = []
    for structure in (Structure.VERTEBRA, Structure.DISC):
        values = ndimage.map_coordinates(region.occupancy[structure], at, order=1, mode="nearest")
        # A narrow field of view may hold a part of the core only: the rest does not count.
        weight = np.where(outside, 0.0, 1.0)
        mean = (values * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)
        curves.append(ndimage.gaussian_filter1d(np.where(weight.mean(axis=1) > 0.2, mean, 0.0), 0.6 / _STEP))
    return arc, curves[0], curves[1]


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Start and stop of each run of True."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True))


def _peak(arc: np.ndarray, values: np.ndarray, start: float, stop: float) -> float:
    """Largest value between two arc lengths."""
    inside = (arc >= start) & (arc <= stop)
    return float(values[inside].max()) if inside.any() else 0.0


def _typical_length(spans: list[Span], arc: np.ndarray, disc: np.ndarray) -> float:
    """Usual height of a body in this spine: the median of those with a disc on either side."""
    framed = [
        s.length
        for s in spans
        if _peak(arc, disc, s.start - 8, s.start) > 0.3 and _peak(arc, disc, s.stop, s.stop + 8) > 0.3
    ]
    for lengths in (framed, [s.length for s in spans]):
        usable = [x for x in lengths if _PLAUSIBLE[0] <= x <= _PLAUSIBLE[1]]
        if usable:
            return float(np.median(usable))
    return _TYPICAL


def _join(spans: list[Span], arc: np.ndarray, disc: np.ndarray, typical: float) -> list[Span]:
    """Put together what is one body broken in two: both parts short, together no longer than a body is."""
    out: list[Span] = []
    for span in spans:
        if out:
            last = out[-1]
            whole = Span(last.start, span.stop)
            seen = _peak(arc, disc, last.stop, span.start) > 0.25
            # Where a disc was seen between them, both must be much too short to stand alone.
            total, part = (1.1, 0.65) if seen else (1.3, 0.85)
            if whole.length <= total * typical and max(last.length, span.length) <= part * typical:
                out[-1] = whole
                continue
        out.append(span)
    return out


def _split(span: Span, arc: np.ndarray, body: np.ndarray, disc: np.ndarray, typical: float) -> list[Span]:
    """Cut a span as long as several bodies where discs are likeliest, at about even distances."""
    if span.length <= 1.55 * typical:
        return [span]
    number = max(round((span.length + _DISC_GAP) / (typical + _DISC_GAP)), 2)
    places = np.arange(span.start + 0.4 * typical, span.stop - 0.4 * typical, 1.0)
    cost = np.interp(places, arc, body - disc)
    even = span.length / number
    best = _cuts(places, cost, span, number, even)
    edges = [span.start, *best, span.stop]
    return [Span(a, b) for a, b in itertools.pairwise(edges)]


def _cuts(places: np.ndarray, cost: np.ndarray, span: Span, number: int, even: float) -> list[float]:
    """Places of the ``number − 1`` cuts that cost least, each piece near its even length (dynamic programming)."""

    def bend(length: np.ndarray) -> np.ndarray:
        return 2.0 * ((length - even) / even) ** 2

    total = cost + bend(places - span.start)
    back: list[np.ndarray] = []
    for _ in range(number - 2):
        step = places[None, :] - places[:, None]
        table = np.where(step > 0, total[:, None] + bend(step), np.inf)
        back.append(table.argmin(axis=0))
        total = table.min(axis=0) + cost
    at = int(np.argmin(total + bend(span.stop - places)))
    cuts = [float(places[at])]
    for table in reversed(back):
        at = int(table[at])
        cuts.append(float(places[at]))
    return cuts[::-1]
