"""Intervals around measurements: split-conformal, scaled by how far the members' own measurements lie apart.

With residuals r of held-out volumes (committee's value − manual masks' value) and scales s = floor + spread, the
interval is value ± q·s, where q is the ⌈(n + 1)·coverage⌉-th smallest of |r| / s. A new value then lies inside with at
least that probability if its residual is exchangeable with the calibration's (Lei et al. 2018,
doi:10.1080/01621459.2017.1307116; scaled as by Papadopoulos et al. 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..anatomy.structures import Structure
from ..case.grid import Grid
from ..case.measurement import Measurement
from ..case.opinion import CommitteeOpinion
from ..case.spine import NamedSpine
from ..case.view import view_from
from .calibration import Calibration, IntervalRule
from .familiarity import FOREIGN, USUAL
from .territory import Territory

__all__ = ["Measure", "add_intervals", "conformal_quantile", "fit_rule", "member_spines", "row_key", "spreads"]

Measure = Callable[[NamedSpine], Sequence[Measurement]]
"""How a spine is measured."""

_ROOM = 4
"""Voxels left around the spine, so that what the volume's edge does not cut is not cut by the crop's."""
_FEWEST = 3
"""Members that must be able to measure something before their spread says anything."""
_FEWEST_PEOPLE = 3
"""People who must have shown a level for an interval to be as narrow there as elsewhere."""
_BEYOND = 2.0
"""Times the largest spread of the calibration beyond which an interval is refused."""
_WHOLE = ("mm", "mm2", "mm3", "%", "1")
"""Units of what cannot be negative …"""
_SIGNED = (
    *("slip", "slip ratio", "anterior bulge", "posterior bulge"),
    *("compression ratio", "deformity", "area asymmetry", "height asymmetry"),
)
"""… but for these."""

RowKey = tuple[Structure, str, str, str, str]


def row_key(row: Measurement) -> RowKey:
    """Structure, level, side, name and method: what tells the rows of one spine apart."""
    return row.structure, row.level, row.side.value if row.side else "", row.name, row.method


def member_spines(opinion: CommitteeOpinion, spine: NamedSpine, objects: Sequence[Territory]) -> list[NamedSpine]:
    """The named spine as each member alone sees it: its mask of each object within the object's territory.

    The names are the committee's. Borders lie midway between voxels, because a member's probabilities are not kept;
    all arrays are cut to the box around the spine.
    """
    if not objects:
        return []
    box = tuple(
        slice(
            max(min(t.box[a].start for t in objects) - _ROOM, 0),
            min(max(t.box[a].stop for t in objects) + _ROOM, spine.labels.shape[a]),
        )
        for a in range(3)
    )
    start = np.array([b.start for b in box])
    shape = tuple(b.stop - b.start for b in box)
    whole = spine.grid
    grid = Grid((shape[0], shape[1], shape[2]), whole.spacing, tuple(whole.to_lps(start).tolist()), whole.directions)
    labels = np.zeros((len(opinion.members), *shape), np.uint16)
    for t in objects:
        at = tuple(slice(b.start - s, b.stop - s) for b, s in zip(t.box, start, strict=True))
        masks = t.masks(opinion)
        for own, mask in zip(labels, masks, strict=True):
            own[at][mask] = t.label.value
    view = view_from(spine.shown, [b.start for b in box])
    return [NamedSpine.from_labels(own, grid, spine.vertebrae, spine.naming, view) for own in labels]


def spreads(spines: Sequence[NamedSpine], measure: Measure) -> dict[RowKey, float]:
    """Standard deviation across members of every measurement that at least three of them allow.

    Parameters
    ----------
    spines : sequence of NamedSpine
        One a member.
    measure : callable
        How a spine is measured: all in the same planes, so that the spread is of the outlines and not of the planes.
    """
    values: dict[RowKey, list[float]] = {}
    for spine in spines:
        for row in measure(spine):
            if row.value is not None:
                values.setdefault(row_key(row), []).append(row.value)
    return {key: float(np.std(found, ddof=1)) for key, found in values.items() if len(found) >= _FEWEST}


def conformal_quantile(scores: Sequence[float], coverage: float) -> float | None:
    """The ⌈(n + 1)·coverage⌉-th smallest score; None where there are too few for that coverage."""
    n = len(scores)
    rank = math.ceil((n + 1) * coverage - 1e-9)
    return float(np.sort(np.asarray(scores, float))[rank - 1]) if 0 < rank <= n else None


def fit_rule(
    residuals: Sequence[float],
    spread: Sequence[float],
    subjects: Sequence[str],
    coverage: float,
    basis: str,
    levels: Sequence[str] = (),
) -> IntervalRule | None:
    """Rule of one measurement from its held-out residuals.

    Parameters
    ----------
    residuals : sequence of float
        Committee's value − true value.
    spread : sequence of float
        Standard deviation across members, same order.
    subjects : sequence of str
        Whose, same order.
    coverage : float
        Share of values to hold, for example 0.9.
    basis : str
        Where the truth came from.
    levels : sequence of str
        At which level, same order; without them the rule holds for all levels alike.

    Returns
    -------
    IntervalRule or None
        None where there are too few rows. Both sides are alike: with so few people a bias cannot be told from
        chance, so it widens the interval instead of shifting it.
    """
    spread = np.asarray(spread, float)
    if not len(spread):
        return None
    size = np.abs(np.asarray(residuals, float))
    floor = max(float(np.median(spread)), 1e-3 * float(np.median(size)), 1e-9)
    quantile = conformal_quantile(size / (floor + spread), coverage)
    if quantile is None:
        return None
    people: dict[str, set[str]] = {}
    for level, subject in zip(levels, subjects, strict=False):
        people.setdefault(level, set()).add(subject)
    known = tuple(sorted(level for level, who in people.items() if len(who) >= _FEWEST_PEOPLE))
    return IntervalRule(quantile, quantile, floor, float(spread.max()), len(spread), len(set(subjects)), basis, known)


@dataclass(frozen=True)
class _Bounds:
    lower: float | None
    upper: float | None
    refusal: str = ""


def _bounds(row: Measurement, value: float, rule: IntervalRule, distance: float) -> _Bounds:
    # A perfect mask on this grid is not exact either; labels of the calibration share the grid and do not tell.
    spread, accuracy = row.spread, row.accuracy or 0.0
    if distance > FOREIGN:
        return _Bounds(None, None, "no interval: the image is unlike those of the calibration")
    if spread is None:
        return _Bounds(None, None, "no interval: fewer than three members can measure it")
    if spread > _BEYOND * max(rule.widest, rule.floor):
        return _Bounds(None, None, "no interval: members differ more than in any calibration case")
    scale = (rule.floor + spread) * max(distance, USUAL) * rule.widening(row.level)
    lower, upper = value - math.hypot(rule.lower * scale, accuracy), value + math.hypot(rule.upper * scale, accuracy)
    return _Bounds(max(lower, 0.0) if row.unit in _WHOLE and row.name not in _SIGNED else lower, upper)


def add_intervals(
    rows: Sequence[Measurement],
    spread: dict[RowKey, float],
    calibration: Calibration | None,
    distance: float | None = None,
) -> list[Measurement]:
    """Give each measurement its spread across members and, where the calibration knows it, its interval.

    Parameters
    ----------
    rows : sequence of Measurement
        Measured by the committee.
    spread : dict
        From :func:`spreads`.
    calibration : Calibration or None
        None leaves every interval empty.
    distance : float, optional
        How unlike the training volumes the input is. Above 1 the intervals are so many times as wide, above 2 they
        are refused: the calibration does not speak of such an image. At a level that fewer than three people of the
        calibration showed, they are twice as wide.

    Returns
    -------
    list of Measurement
        In the same order. Where an interval is refused, the reason is added to the flag.
    """
    out = []
    for row in rows:
        own = spread.get(row_key(row))
        row = replace(row, spread=own)
        key = Calibration.rule_key(row.structure, row.name, row.method)
        rule = calibration.intervals.get(key) if calibration else None
        if row.value is None or rule is None:
            out.append(row)
            continue
        bounds = _bounds(row, row.value, rule, distance or 0.0)
        flag = "; ".join(filter(None, (row.flag, bounds.refusal)))
        out.append(replace(row, lower=bounds.lower, upper=bounds.upper, flag=flag))
    return out
