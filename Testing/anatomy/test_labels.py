"""Label values, names and ids say the same in every direction."""

from __future__ import annotations

import itertools

import pytest

from SpineQuantLib.anatomy.labels import (
    CANAL_VALUE,
    CORD_VALUE,
    describe,
    disc_value,
    foramen_value,
    parse_segment_id,
)
from SpineQuantLib.anatomy.levels import (
    MAX_UNNAMED,
    VERTEBRA_VALUES,
    column,
    split_level,
    vertebra_name,
    vertebra_value,
)
from SpineQuantLib.anatomy.structures import Side, Structure

VERTEBRAE = [*VERTEBRA_VALUES, *(f"V{n}" for n in range(1, MAX_UNNAMED + 1))]


def every_value() -> list[int]:
    values = [CANAL_VALUE, CORD_VALUE]
    for name in VERTEBRAE:
        values += [vertebra_value(name), disc_value(name), *(foramen_value(name, side) for side in Side)]
    return values


def test_no_two_things_share_a_value() -> None:
    values = every_value()
    assert len(values) == len(set(values))


def test_segment_ids_lead_back_to_their_value() -> None:
    for value in every_value():
        assert parse_segment_id(describe(value).segment_id) == value


def test_segment_ids_are_unique() -> None:
    ids = [describe(v).segment_id for v in every_value()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("value", "structure", "level", "side"),
    [
        (8, Structure.VERTEBRA, "T1", None),
        (24, Structure.VERTEBRA, "L5", None),
        (26, Structure.VERTEBRA, "S1", None),
        (119, Structure.DISC, "T12-L1", None),
        (124, Structure.DISC, "L5-S1", None),
        (173, Structure.FORAMEN, "L4-L5", Side.RIGHT),
        (204, Structure.FORAMEN, "L5-S1", Side.LEFT),
        (61, Structure.CANAL, "", None),
    ],
)
def test_values_follow_the_convention(value: int, structure: Structure, level: str, side: Side | None) -> None:
    label = describe(value)
    assert (label.structure, label.level, label.side) == (structure, level, side)


@pytest.mark.parametrize("value", [0, 27, 62, 100, 360, 999, -1])
def test_other_values_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        describe(value)


def test_levels_between_neighbours_only() -> None:
    for names in (column(4), column(5), column(6)):
        for upper, lower in itertools.pairwise(names):
            assert split_level(f"{upper}-{lower}") == (upper, lower)
    for wrong in ("L5-L4", "L1-L3", "L4", "L4-L5-S1", "L7-S1", "V1-V2", "T12-S1"):
        with pytest.raises(ValueError, match="not"):
            split_level(wrong)


def test_names_and_values_invert() -> None:
    for name in VERTEBRAE:
        assert vertebra_name(vertebra_value(name)) == name
