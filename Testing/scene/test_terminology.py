"""The terminology that is shipped is the one that cases are coded with, and Slicer reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from SpineQuantLib.anatomy.codes import codes_for
from SpineQuantLib.anatomy.labels import describe
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.scene.host import new_host
from SpineQuantLib.scene.terminology import (
    CONTEXT_NAME,
    REGION_CONTEXT_NAME,
    documents,
    load_terminology,
    terminology_tag,
)

FOLDER = Path(__file__).parents[2] / "Resources" / "Terminologies"


def test_shipped_files_are_those_of_the_codes():
    assert {p.name for p in FOLDER.glob("*.json")} == set(documents())
    for name, document in documents().items():
        shipped = json.loads((FOLDER / name).read_text(encoding="utf-8"))
        assert shipped == document, f"write it again: python -m SpineQuantLib.scene.terminology {FOLDER}"


@pytest.fixture
def logic():
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    with new_host() as host:
        yield slicer, host.logics["vtkSlicerTerminologiesModuleLogic"]


def test_slicer_finds_every_code_of_a_segment(logic):
    slicer, terminologies = logic
    load_terminology(terminologies, FOLDER)
    for value in (7, 8, 19, 20, 25, 26, 28, 60, 61, 103, 123, 124, 173, 174, 204):
        codes = codes_for(describe(value))
        category = slicer.vtkSlicerTerminologyCategory()
        assert terminologies.GetNumberOfCategoriesInTerminology(CONTEXT_NAME) == 1
        assert terminologies.GetNthCategoryInTerminology(CONTEXT_NAME, 0, category)
        count = terminologies.GetNumberOfTypesInTerminologyCategory(CONTEXT_NAME, category)
        nth = terminologies.GetNthTypeInTerminologyCategory
        types = [_nth(slicer, nth, CONTEXT_NAME, category, n) for n in range(count)]
        assert codes.type.value in {t.GetCodeValue() for t in types}
        kind = next(t for t in types if t.GetCodeValue() == codes.type.value)
        assert kind.GetCodingSchemeDesignator() == codes.type.scheme
        assert kind.GetCodeMeaning() == codes.type.meaning
        count = terminologies.GetNumberOfTypeModifiersInTerminologyType(CONTEXT_NAME, category, kind)
        modifiers = set()
        for n in range(count):
            found = slicer.vtkSlicerTerminologyType()
            assert terminologies.GetNthTypeModifierInTerminologyType(CONTEXT_NAME, category, kind, n, found)
            modifiers.add(found.GetCodeValue())
        assert codes.type_modifier is None or codes.type_modifier.value in modifiers
        regions = terminologies.GetNumberOfRegionsInRegionContext(REGION_CONTEXT_NAME)
        nth = terminologies.GetNthRegionInRegionContext
        sites = [_nth(slicer, nth, REGION_CONTEXT_NAME, n) for n in range(regions)]
        assert codes.site.value in {s.GetCodeValue() for s in sites}


def _nth(slicer, get, *arguments):
    entry = slicer.vtkSlicerTerminologyType()
    assert get(*arguments, entry)
    return entry


@pytest.mark.parametrize("value", [24, 26, 61, 123, 173, 203, 301, 453])
def test_slicer_understands_a_segments_tag(logic, value):
    slicer, terminologies = logic
    codes = codes_for(describe(value))
    entry = slicer.vtkSlicerTerminologyEntry()
    assert terminologies.DeserializeTerminologyEntry(terminology_tag(codes), entry)
    assert entry.GetTypeObject().GetCodeValue() == codes.type.value
    assert entry.GetTypeObject().GetCodingSchemeDesignator() == codes.type.scheme
    assert entry.GetRegionObject().GetCodeValue() == codes.site.value
    modifier = entry.GetTypeModifierObject().GetCodeValue() or ""
    assert modifier == (codes.type_modifier.value if codes.type_modifier else "")


def test_missing_terminology_is_an_input_error(logic, tmp_path):
    _, terminologies = logic
    with pytest.raises(InputError, match=r"SpineQuant\.term\.json"):
        load_terminology(terminologies, tmp_path)
