"""Codes agree with the DICOM dictionaries and tell every object of the convention apart."""

from __future__ import annotations

import pytest

from SpineQuantLib.anatomy.codes import (
    PRIVATE_SCHEME,
    Code,
    codes_for,
    interval_codes,
    laterality_code,
    level_code,
    method_code,
    position_code,
    quantity_code,
    unit_code,
    vertebra_code,
)
from SpineQuantLib.anatomy.labels import CANAL_VALUE, CORD_VALUE, describe, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import MAX_UNNAMED, VERTEBRA_VALUES
from SpineQuantLib.anatomy.structures import Side

VERTEBRAE = [*VERTEBRA_VALUES, *(f"V{n}" for n in range(1, MAX_UNNAMED + 1))]
ALL_VALUES = [CANAL_VALUE, CORD_VALUE] + [
    value
    for name in VERTEBRAE
    for value in (
        VERTEBRA_VALUES.get(name, 300 + int(name[1:]) if name[0] == "V" else 0),
        disc_value(name),
        foramen_value(name, Side.RIGHT),
        foramen_value(name, Side.LEFT),
    )
]


def _all_codes() -> set[Code]:
    out = {*interval_codes(), laterality_code(Side.LEFT), laterality_code(Side.RIGHT)}
    for value in ALL_VALUES:
        codes = codes_for(describe(value))
        out |= {c for c in (codes.category, codes.type, codes.type_modifier, codes.site) if c}
    for name in ("area", "volume", "height", "width", "depth", "length", "distance", "AP diameter", "perimeter"):
        out.add(quantity_code(name))
    for name in ("angle", "Cobb angle", "lordosis", "disc height index", "T2 signal ratio", "T2 signal"):
        out.add(quantity_code(name))
    for name in ("anterior", "posterior", "middle", "superior", "inferior", "midline"):
        out.add(position_code(name))
    return out | {unit_code(u) for u in ("mm", "mm2", "mm3", "deg", "1", "%")}


def test_standard_codes_are_in_the_dicom_dictionaries():
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts
    known = {
        (scheme, value): meaning.lower()
        for scheme, words in concepts.items()
        for entry in words.values()
        for value, (meaning, *_) in entry.items()
    }
    # Two parts of the vertebral column that SNOMED CT has and the DICOM dictionaries do not.
    known[("SCT", "65985001")] = "structure of first sacral vertebra"
    known[("SCT", "3572006")] = "vertebral body"
    unknown = [c for c in _all_codes() if not c.is_private and (c.scheme, c.value) not in known]
    assert unknown == []


@pytest.mark.parametrize(
    ("code", "keyword"),
    [
        (vertebra_code("L4"), "L4Vertebra"),
        (vertebra_code("T12"), "T12Vertebra"),
        (vertebra_code("C7"), "C7Vertebra"),
        (level_code("L4-L5"), "LevelOfL4L5IntervertebralDisc"),
        (level_code("C7-T1"), "LevelOfC7T1IntervertebralDisc"),
        (level_code("L5-S1"), "LevelOfL5S1IntervertebralDisc"),
        (codes_for(describe(disc_value("L4"))).type, "L4L5Disc"),
        (codes_for(describe(disc_value("T12"))).type, "T12L1Disc"),
        (codes_for(describe(disc_value("C3"))).type, "C3C4Disc"),
        (codes_for(describe(CORD_VALUE)).type, "SpinalCord"),
        (laterality_code(Side.LEFT), "Left"),
        (laterality_code(Side.RIGHT), "Right"),
        (quantity_code("area"), "Area"),
        (quantity_code("volume"), "Volume"),
        (quantity_code("AP diameter"), "Diameter"),
    ],
)
def test_code_is_the_one_dicom_has_for_the_word(code: Code, keyword: str):
    codes = pytest.importorskip("pydicom.sr.codedict").codes
    assert code.scheme == "SCT"
    assert code.value == getattr(codes.SCT, keyword).value


def test_named_objects_have_codes_of_their_own():
    named = [codes_for(describe(v)) for v in ALL_VALUES if v < 300]
    assert len(set(named)) == len(named)


def test_unnamed_objects_claim_no_level():
    for value in ALL_VALUES:
        if value > 300:
            assert codes_for(describe(value)).site == level_code("V2-V1")
    assert level_code("V2-V1").meaning == "Spine"


def test_disc_code_of_five_lumbar_vertebrae_is_not_used_for_four_or_six():
    four = codes_for(describe(disc_value("L4"), lower="S1"))
    five = codes_for(describe(disc_value("L4")))
    six = codes_for(describe(disc_value("L5"), lower="L6"))
    assert five.type.value == "84020006"
    assert four.type.is_private
    assert six.type.is_private
    assert four.site == Code("LEVEL_L4-S1", PRIVATE_SCHEME, "Level of L4/S1 intervertebral disc")


def test_foramen_is_private_with_side_and_level():
    codes = codes_for(describe(foramen_value("L4", Side.RIGHT)))
    assert codes.type.scheme == PRIVATE_SCHEME
    assert codes.type_modifier.value == "24028007"
    assert codes.site.value == "243923001"


def test_quantity_of_a_longer_name():
    assert quantity_code("anterior height") == quantity_code("height")
    assert position_code("anterior height").meaning == "Anterior"
    assert position_code("height") is None
    assert quantity_code("disc height index").meaning == "Ratio"
    with pytest.raises(ValueError, match="no code"):
        quantity_code("colour")
    with pytest.raises(ValueError, match="no code"):
        unit_code("inch")


def test_methods_with_a_common_beginning_keep_apart():
    first, second = method_code("perpendicular to the centre line A"), method_code("perpendicular to the centre line B")
    assert first.value != second.value
    assert method_code("Dabbs").value == "DABBS"


def test_a_code_too_long_for_dicom_is_refused():
    with pytest.raises(ValueError, match="16"):
        Code("X" * 17, PRIVATE_SCHEME, "x")
