"""Label values of a segmentation: what each number means, its segment id, its name and its colour.

Values (VerSe/TPTBox, extended): vertebral body = number of the vertebra, cord 60, dural sac 61, disc = 100 + the
number of the vertebra above, right foramen = 150 + that number, left foramen = 180 + it. What belongs to a vertebra
that could not be named carries :data:`~SpineQuantLib.anatomy.levels.UNNAMED_OFFSET` on top.
"""

from __future__ import annotations

from dataclasses import dataclass

from .levels import (
    MAX_UNNAMED,
    UNNAMED_OFFSET,
    column,
    is_unnamed,
    vertebra_name,
    vertebra_value,
)
from .structures import Side, Structure

__all__ = [
    "CANAL_VALUE",
    "CORD_VALUE",
    "Label",
    "describe",
    "disc_value",
    "foramen_value",
    "parse_segment_id",
]

CORD_VALUE = 60
CANAL_VALUE = 61
_DISC = 100
_FORAMEN = {Side.RIGHT: 150, Side.LEFT: 180}


@dataclass(frozen=True)
class Label:
    """What a label value stands for.

    Attributes
    ----------
    value : int
        The number in ``segmentation.nii.gz``.
    structure : Structure
        Its structure.
    level : str
        ``L4`` for a vertebra, ``L4-L5`` for a disc or foramen, empty for the sac and the cord.
    side : Side or None
        Patient's side, foramina only.
    segment_id : str
        Stable id of the segment, for example ``foramen_right_L4-L5``.
    name : str
        Name for people.
    colour : tuple of float
        RGB in 0–1. Hues keep apart under the common colour-vision deficiencies (Okabe–Ito palette);
        neighbouring vertebrae and discs alternate in lightness.
    """

    value: int
    structure: Structure
    level: str
    side: Side | None
    segment_id: str
    name: str
    colour: tuple[float, float, float]


def disc_value(upper: str) -> int:
    """Label value of the disc below a vertebra."""
    return _DISC + vertebra_value(upper)


def foramen_value(upper: str, side: Side) -> int:
    """Label value of a foramen between a vertebra and the one below it."""
    return _FORAMEN[side] + vertebra_value(upper)


def _below(upper: str) -> str:
    """Name of the vertebra below; the full lumbar column of five unless the name itself says otherwise."""
    value = vertebra_value(upper)
    if is_unnamed(value):
        return vertebra_name(value - 1) if value > UNNAMED_OFFSET + 1 else "V0"
    if upper == "S1":
        return "S2"
    names = column(6 if upper == "L6" else 5, 13 if upper == "T13" else 12)
    return names[names.index(upper) + 1]


_PALETTE: dict[Structure, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    Structure.VERTEBRA: ((0.902, 0.624, 0.000), (0.965, 0.796, 0.388)),
    Structure.DISC: ((0.000, 0.620, 0.451), (0.340, 0.780, 0.650)),
    Structure.CANAL: ((0.337, 0.706, 0.914), (0.337, 0.706, 0.914)),
    Structure.FORAMEN: ((0.835, 0.369, 0.000), (0.800, 0.475, 0.655)),
}
_SACRUM_COLOUR = (0.941, 0.894, 0.259)
_CORD_COLOUR = (0.000, 0.447, 0.698)


def _number(value: int) -> tuple[str, str, Side | None]:
    """Kind, vertebra and side of a value; raises ValueError where there is none."""
    offset = UNNAMED_OFFSET if is_unnamed(value) else 0
    number = value - offset
    for base, kind, side in (
        (_FORAMEN[Side.LEFT], "foramen", Side.LEFT),
        (_FORAMEN[Side.RIGHT], "foramen", Side.RIGHT),
        (_DISC, "disc", None),
        (0, "vertebra", None),
    ):
        if base < number <= base + MAX_UNNAMED:
            return kind, vertebra_name(number - base + offset), side
    raise ValueError(f"{value} is not a label value of this convention")


def describe(value: int, *, lower: str | None = None) -> Label:
    """Meaning of a label value.

    Parameters
    ----------
    value : int
        Label value.
    lower : str, optional
        Name of the vertebra below, where it is not the usual one (``S1`` below ``L4`` in a spine with four lumbar
        vertebrae, ``L6`` below ``L5`` in one with six).

    Raises
    ------
    ValueError
        If the convention has no such value.
    """
    if value == CANAL_VALUE:
        return Label(value, Structure.CANAL, "", None, "canal", "Dural sac", _PALETTE[Structure.CANAL][0])
    if value == CORD_VALUE:
        return Label(value, Structure.CANAL, "", None, "cord", "Spinal cord", _CORD_COLOUR)
    kind, vertebra, side = _number(value)
    structure = Structure(kind)
    shade = vertebra_value(vertebra) % 2
    if structure is Structure.VERTEBRA:
        colour = _SACRUM_COLOUR if vertebra == "S1" else _PALETTE[structure][shade]
        return Label(value, structure, vertebra, None, f"vertebra_{vertebra}", f"{vertebra} body", colour)
    level = f"{vertebra}-{lower or _below(vertebra)}"
    if side is None:
        return Label(value, structure, level, None, f"disc_{level}", f"{level} disc", _PALETTE[structure][shade])
    colour = _PALETTE[structure][0 if side is Side.RIGHT else 1]
    return Label(value, structure, level, side, f"foramen_{side}_{level}", f"{level} {side} foramen", colour)


def parse_segment_id(segment_id: str) -> int:
    """Label value of a segment id made by :func:`describe`.

    Raises
    ------
    ValueError
        If it is not such an id.
    """
    if segment_id == "canal":
        return CANAL_VALUE
    if segment_id == "cord":
        return CORD_VALUE
    parts = segment_id.split("_")
    upper = parts[-1].split("-")[0]
    if parts[0] == "vertebra" and len(parts) == 2:
        return vertebra_value(upper)
    if parts[0] == "disc" and len(parts) == 2:
        return disc_value(upper)
    if parts[0] == "foramen" and len(parts) == 3 and parts[1] in (Side.RIGHT.value, Side.LEFT.value):
        return foramen_value(upper, Side(parts[1]))
    raise ValueError(f"'{segment_id}' is not a segment id of this convention")
