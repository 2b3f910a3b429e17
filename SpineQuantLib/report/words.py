"""Numbers, units and objects as words for people."""

from __future__ import annotations

from ..anatomy.structures import Side, Structure

__all__ = ["number", "quantity", "title", "unit"]

_UNITS = {"mm2": "mm²", "mm3": "mm³", "deg": "°", "1": ""}
_DECIMALS = {"mm": 1, "deg": 1, "mm2": 0, "mm3": 0, "%": 0}


def unit(ucum: str) -> str:
    """A UCUM unit as people write it."""
    return _UNITS.get(ucum, ucum)


def number(value: float, ucum: str) -> str:
    """A value with as many decimals as its unit deserves on MRI."""
    # Adding 0.0 turns a rounded −0.0 into 0.0.
    decimals = _DECIMALS.get(ucum, 2)
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def quantity(value: float, ucum: str) -> str:
    """A value with its unit."""
    return f"{number(value, ucum)} {unit(ucum)}".strip()


def title(structure: Structure | None, level: str, side: Side | None) -> str:
    """An object in words, for example ``L4-L5 right foramen``."""
    if structure is None:
        return "whole case"
    name = "dural sac" if structure is Structure.CANAL else str(structure)
    return " ".join([*([level] if level else []), *([str(side)] if side else []), name])
