"""Names and numbers of vertebrae and of the levels between them (VerSe/TPTBox convention).

A vertebra that is seen but not named (the count is not certain) is called ``V1``, ``V2``, … counted upwards from
the lowest one in view; ``V2-V1`` is the disc between two such vertebrae.
"""

from __future__ import annotations

import itertools
import re

__all__ = [
    "LUMBAR_COLUMN",
    "MAX_UNNAMED",
    "SACRUM_VALUE",
    "UNNAMED_OFFSET",
    "VERTEBRA_VALUES",
    "column",
    "column_with",
    "is_unnamed",
    "level_between",
    "split_level",
    "vertebra_name",
    "vertebra_value",
]

VERTEBRA_VALUES: dict[str, int] = {
    **{f"C{i}": i for i in range(1, 8)},
    **{f"T{i}": 7 + i for i in range(1, 13)},
    "T13": 28,
    **{f"L{i}": 19 + i for i in range(1, 7)},
    "S1": 26,
}
"""Label value of each vertebra, from the top down."""
_NAMES = {value: name for name, value in VERTEBRA_VALUES.items()}

SACRUM_VALUE = VERTEBRA_VALUES["S1"]
UNNAMED_OFFSET = 300
"""Added to every label value of an unnamed vertebra and of what hangs on it, so that no named value is touched."""
MAX_UNNAMED = 29


def column(lumbar: int = 5, thoracic: int = 12) -> tuple[str, ...]:
    """Names of the vertebrae from C1 down to S1.

    Parameters
    ----------
    lumbar : int
        Number of lumbar vertebrae, 4 to 6.
    thoracic : int
        Number of thoracic vertebrae, 11 to 13.

    Raises
    ------
    ValueError
        If a count has no names in the convention.
    """
    if lumbar not in (4, 5, 6) or thoracic not in (11, 12, 13):
        raise ValueError(f"no convention names {thoracic} thoracic and {lumbar} lumbar vertebrae")
    return (
        *(f"C{i}" for i in range(1, 8)),
        *(f"T{i}" for i in range(1, thoracic + 1)),
        *(f"L{i}" for i in range(1, lumbar + 1)),
        "S1",
    )


def column_with(upper: str, lower: str) -> tuple[str, ...]:
    """The most usual column, from C1 down to S1, in which one vertebra lies just above another.

    Raises
    ------
    ValueError
        If there is none.
    """
    counts = ((5, 12), (6, 12), (4, 12), (5, 13), (5, 11), (6, 13), (4, 13), (6, 11), (4, 11))
    for names in (column(lumbar, thoracic) for lumbar, thoracic in counts):
        if (upper, lower) in itertools.pairwise(names):
            return names
    raise ValueError(f"no column has {lower} just below {upper}")


LUMBAR_COLUMN = ("L1", "L2", "L3", "L4", "L5", "S1")


def is_unnamed(value: int) -> bool:
    """Whether a label value belongs to a vertebra that could not be named."""
    return value > UNNAMED_OFFSET


def vertebra_value(name: str) -> int:
    """Label value of a vertebra.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name in VERTEBRA_VALUES:
        return VERTEBRA_VALUES[name]
    match = re.fullmatch(r"V([1-9]\d?)", name)
    if match and int(match.group(1)) <= MAX_UNNAMED:
        return UNNAMED_OFFSET + int(match.group(1))
    raise ValueError(f"'{name}' is not a vertebra; known are C1–C7, T1–T13, L1–L6, S1")


def vertebra_name(value: int) -> str:
    """Name of the vertebra with a label value.

    Raises
    ------
    ValueError
        If no vertebra has that value.
    """
    if value in _NAMES:
        return _NAMES[value]
    if UNNAMED_OFFSET < value <= UNNAMED_OFFSET + MAX_UNNAMED:
        return f"V{value - UNNAMED_OFFSET}"
    raise ValueError(f"{value} is not the label value of a vertebra")


def level_between(upper: str, lower: str) -> str:
    """Name of the level between two neighbouring vertebrae, for example ``L4-L5``."""
    return f"{upper}-{lower}"


def split_level(level: str) -> tuple[str, str]:
    """Upper and lower vertebra of a level such as ``L4-L5``.

    Raises
    ------
    ValueError
        If it is not a level between two known, neighbouring vertebrae.
    """
    parts = level.split("-")
    if len(parts) != 2:
        raise ValueError(f"'{level}' is not a level such as L4-L5")
    upper, lower = parts
    values = vertebra_value(upper), vertebra_value(lower)
    if any(map(is_unnamed, values)):
        neighbours = values[0] == values[1] + 1
    else:
        neighbours = any(
            (upper, lower) in itertools.pairwise(names)
            for names in (column(n, t) for n in (4, 5, 6) for t in (11, 12, 13))
        )
    if not neighbours:
        raise ValueError(f"'{level}' does not name two neighbouring vertebrae")
    return upper, lower
