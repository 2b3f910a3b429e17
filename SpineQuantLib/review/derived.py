"""Rows that are computed from other rows, and follow when one of those is corrected.

The formulas are those of ``docs/measurements.md``; a test holds them against what the software measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..anatomy.levels import split_level
from ..anatomy.structures import Side, Structure
from ..case.measurement import Geometry, Measurement

__all__ = ["Formula", "formulas_for"]

_MID_SAGITTAL = "mid-sagittal"
_SECTION = "perpendicular to centre line"
_NARROWEST = "narrowest sagittal section"
_HEIGHTS = ("anterior height", "middle height", "posterior height")


@dataclass(frozen=True)
class Formula:
    """How one row follows from others.

    Attributes
    ----------
    key : str
        The row.
    inputs : tuple of str
        Keys of the rows that it follows from.
    value : callable
        Told the inputs' values and their values before, and the row's own value before; returns the value, or None.
    geometry : callable or None
        Told the inputs' geometries, returns where the row is shown; None to show it where it was.
    """

    key: str
    inputs: tuple[str, ...]
    value: Callable[..., float | None]
    geometry: Callable[..., Geometry | None] | None = None


Rows = Mapping[str, Measurement]


def _key(structure: Structure, level: str, name: str, method: str, side: Side | None = None) -> str:
    return Measurement(structure, level, side, name, method, 0.0, "").key


def formulas_for(rows: Rows) -> Iterator[Formula]:
    """All formulas whose row and inputs are in a table, in an order in which they can be worked out."""
    wanted = (
        formula
        for maker in (_disc_heights, _height_index, _compression, _asymmetry, _deformity, _crush, _slip_ratio)
        for m in rows.values()
        if (formula := maker(m, rows)) is not None
    )
    return (f for f in wanted if all(key in rows for key in f.inputs))


def _mean(new: list[float], *_: object) -> float:
    return sum(new) / len(new)


def _frame(geometries: list[Geometry | None]) -> Geometry | None:
    """Closed curve through the ends of several heights."""
    lines = [g.points for g in geometries if g is not None and g.kind == "line"]
    if len(lines) != len(geometries):
        return None
    return Geometry("closed curve", tuple([p[0] for p in lines] + [p[1] for p in reversed(lines)]))


def _disc_heights(m: Measurement, _rows: Rows) -> Formula | None:
    used = {"Hurxthal": _HEIGHTS[1:2], "Dabbs": _HEIGHTS[::2], "Fyllos": _HEIGHTS}.get(m.method)
    if m.structure is not Structure.DISC or m.name != "height" or used is None:
        return None
    inputs = tuple(_key(m.structure, m.level, name, _MID_SAGITTAL) for name in used)
    return Formula(m.key, inputs, _mean, (lambda g: g[0]) if len(used) == 1 else _frame)


def _height_index(m: Measurement, _rows: Rows) -> Formula | None:
    if (m.structure, m.name, m.method) != (Structure.DISC, "height index", "Fyllos over depth above"):
        return None
    above = split_level(m.level)[0]
    height = _key(m.structure, m.level, "height", "Fyllos")
    depth = _key(Structure.VERTEBRA, above, "depth", _MID_SAGITTAL)
    return Formula(m.key, (height, depth), lambda new, *_: new[0] / new[1])


def _compression(m: Measurement, _rows: Rows) -> Formula | None:
    quantity = {"area against mid-bodies": "area", "AP diameter against mid-bodies": "AP diameter"}.get(m.method)
    if m.structure is not Structure.CANAL or m.name != "compression ratio" or quantity is None:
        return None
    places = (m.level, *split_level(m.level))
    inputs = tuple(_key(m.structure, place, quantity, _SECTION) for place in places)
    return Formula(m.key, inputs, lambda new, *_: 100.0 * (1.0 - 2.0 * new[0] / (new[1] + new[2])))


def _asymmetry(m: Measurement, _rows: Rows) -> Formula | None:
    quantity = {"area asymmetry": "area", "height asymmetry": "height"}.get(m.name)
    if m.structure is not Structure.FORAMEN or quantity is None:
        return None
    inputs = tuple(_key(m.structure, m.level, quantity, _NARROWEST, side) for side in (Side.LEFT, Side.RIGHT))
    return Formula(m.key, inputs, lambda new, *_: 200.0 * (new[0] - new[1]) / (new[0] + new[1]))


def _deformity(m: Measurement, _rows: Rows) -> Formula | None:
    lower = {"Genant wedge": "anterior height", "Genant biconcave": "middle height"}.get(m.method)
    if m.structure is not Structure.VERTEBRA or m.name != "deformity" or lower is None:
        return None
    inputs = tuple(_key(m.structure, m.level, name, _MID_SAGITTAL) for name in (lower, "posterior height"))
    return Formula(m.key, inputs, lambda new, *_: 100.0 * (1.0 - new[0] / new[1]))


def _crush(m: Measurement, rows: Rows) -> Formula | None:
    if (m.structure, m.name, m.method) != (Structure.VERTEBRA, "deformity", "Genant crush"):
        return None
    neighbours = {x for r in rows.values() if r.structure is Structure.DISC for x in _beside(r.level, m.level)}
    inputs = tuple(_key(m.structure, n, "posterior height", _MID_SAGITTAL) for n in (m.level, *sorted(neighbours)))
    return Formula(m.key, inputs, lambda new, *_: 100.0 * (1.0 - new[0] * (len(new) - 1) / sum(new[1:])))


def _beside(level: str, vertebra: str) -> tuple[str, ...]:
    pair = split_level(level)
    return tuple(name for name in pair if name != vertebra) if vertebra in pair else ()


def _slip_ratio(m: Measurement, _rows: Rows) -> Formula | None:
    if m.name != "slip ratio":
        return None
    slip = _key(m.structure, m.level, "slip", m.method, m.side)

    # The endplate's length is in no row of its own.
    def scaled(new: list[float], old: list[float | None], before: float | None) -> float | None:
        return before * new[0] / old[0] if old[0] and before is not None else None

    return Formula(m.key, (slip,), scaled)
