"""Everything that is measured has codes, no two methods share one, and the dictionary in the documents is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from SpineQuantLib.anatomy.codes import (
    PRIVATE_SCHEME,
    derivation_code,
    method_code,
    position_code,
    quantity_code,
    unit_code,
)
from SpineQuantLib.case.result import Contrast
from SpineQuantLib.measure.spine import measure_spine

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "outputs.md"


@pytest.fixture(scope="module")
def rows(make_case):
    """All kinds of measurements: those of the small spine of ellipsoids, absent ones too."""
    case = make_case()
    return measure_spine(case.spine, case.image, Contrast.T2)


def test_every_measure_has_codes(rows):
    assert len({(m.name, m.method) for m in rows}) > 30
    for m in rows:
        assert quantity_code(m.name).value
        assert unit_code(m.unit).value
        assert method_code(m.method).scheme == PRIVATE_SCHEME


def test_no_two_methods_share_a_code(rows):
    methods = {m.method for m in rows}
    assert len({method_code(method).value for method in methods}) == len(methods)


def test_no_two_numbers_of_one_object_look_alike(rows):
    """Name, position, derivation and method together tell what a number is, without its words."""
    seen = [
        (m.structure, m.level, m.side, quantity_code(m.name), position_code(m.name), derivation_code(m.name), m.method)
        for m in rows
    ]
    assert sorted(map(str, seen)) == sorted(map(str, set(seen)))


def test_the_documented_dictionary_names_every_private_code(rows):
    text = DOCUMENT.read_text(encoding="utf-8")
    private = {method_code(m.method) for m in rows}
    for of_name in (quantity_code, position_code, derivation_code):
        private |= {code for m in rows if (code := of_name(m.name)) and code.is_private}
    missing = sorted(f"| `{code.value}` | {code.meaning} |" for code in private if f"| `{code.value}` |" not in text)
    assert missing == []
