"""Numbers, units and objects as words for people."""

from __future__ import annotations

from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from ..case.opinion import Verdict

__all__ = [
    "GRID_SHARE",
    "MEANING",
    "RESEARCH_USE",
    "SIGNS",
    "exactness",
    "grid_share",
    "interval",
    "number",
    "quantity",
    "state",
    "title",
    "unit",
]

SIGNS = {Verdict.PASS: "✓", Verdict.REVIEW: "!", Verdict.FAIL: "✕"}
"""Say the same as the colours of the verdicts."""
MEANING = {
    Verdict.PASS: "No more is in doubt than is usual in a good result. Look at the contours, first at what is "
    "listed below, before you use the numbers.",
    Verdict.REVIEW: "Parts of this result are in doubt. Check what is listed below before you use any number of it.",
    Verdict.FAIL: "This result should not be used as it is. The reasons are given below.",
}
GRID_SHARE = (
    "what voxels and slices alone leave uncertain of a value, even where its outline is perfect; an interval holds it "
    "already, so that the two are not to be added"
)
"""What the ± is."""
RESEARCH_USE = "Research software, not a medical device. Not for diagnosis or treatment."

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
    gap = "" if ucum == "deg" else " "
    return f"{number(value, ucum)}{gap}{unit(ucum)}".strip()


def interval(measurement: Measurement) -> str:
    """``4.1–5.2`` in the unit of the value, ``-1.2 to 0.8`` where a minus would meet the dash; empty where unknown."""
    if measurement.lower is None or measurement.upper is None:
        return ""
    ends = [number(end, measurement.unit) for end in (measurement.lower, measurement.upper)]
    return (" to " if ends[0].startswith("-") else "–").join(ends)


def exactness(measurement: Measurement) -> str:
    """What the grid leaves uncertain of a value, in words; empty where that is not known."""
    share = grid_share(measurement)
    if not share:
        return ""
    gap = "" if measurement.unit == "deg" else " "
    within = " (part of the interval)" if measurement.lower is not None else ""
    return f"voxels and slices alone: ±{share}{gap}{unit(measurement.unit)}{within}"


def grid_share(measurement: Measurement) -> str:
    """The ± that the grid leaves a value, as a number without its unit and never 0; empty where it is not known."""
    if measurement.value is None or measurement.accuracy is None:
        return ""
    least = 10.0 ** -_DECIMALS.get(measurement.unit, 2)
    return number(max(measurement.accuracy, least), measurement.unit)


def title(structure: Structure | None, level: str, side: Side | None) -> str:
    """An object in words, for example ``L4-L5 right foramen``."""
    if structure is None:
        return "whole case"
    name = "dural sac" if structure is Structure.CANAL else str(structure)
    return " ".join([*([level] if level else []), *([str(side)] if side else []), name])


def state(measurement: Measurement, place: str = "") -> tuple[str, str]:
    """What there is to say of a value besides its number: in words, and as one of four kinds for a colour.

    Parameters
    ----------
    measurement : Measurement
        The value.
    place : str
        Where it stands in its range: ``below``, ``within``, ``above`` or empty.

    Returns
    -------
    tuple of str
        Words, and the gravest of ``not measured``, ``doubtful``, ``outside``, ``corrected``, or empty.
    """
    if measurement.value is None:
        return "not measured", "not measured"
    found = []
    if measurement.flag:
        found.append(("doubtful", "doubtful"))
    if place in ("below", "above"):
        found.append((f"{place} the range", "outside"))
    if measurement.source == "corrected":
        found.append(("corrected by hand", "corrected"))
    return ", ".join(words for words, _ in found), found[0][1] if found else ""
