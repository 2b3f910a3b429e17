"""Reference values and the place where resources lie."""

from __future__ import annotations

import pytest

from SpineQuantLib.anatomy.reference import reference_for, reference_text, references
from SpineQuantLib.anatomy.resources import resource
from SpineQuantLib.anatomy.structures import Structure


def test_every_row_has_a_source_and_reads_well():
    rows = references()
    assert len(rows) > 20
    for row in rows:
        assert row.source
        assert row.group in row.text
        assert row.sd is None or row.sd < row.mean


def test_no_measurement_has_two_rows():
    keys = [(r.structure, r.level, r.name, r.method) for r in references()]
    assert len(keys) == len(set(keys))


def test_text_of_known_rows():
    disc = (Structure.DISC, "L4-L5")
    assert reference_text(*disc, "mean height", "mid-sagittal") == "7.4 ± 1.0 mm (49 manual masks)"
    assert reference_text(*disc, "height", "Dabbs").startswith("6.7 ± 1.2 mm (130 people")
    assert reference_text(Structure.FORAMEN, "L4-L5", "height", "narrowest sagittal section") == "≥ 15 mm (normal)"


def test_what_the_literature_does_not_give_is_empty():
    assert reference_text(Structure.DISC, "T8-T9", "height", "Dabbs") == ""
    assert reference_for(Structure.CANAL, "L4-L5", "AP diameter", "perpendicular to centre line") is None


def test_a_missing_resource_is_named():
    assert resource("ReferenceRanges", "lumbar.csv").is_file()
    with pytest.raises(FileNotFoundError, match=r"ReferenceRanges/nowhere\.csv"):
        resource("ReferenceRanges", "nowhere.csv")
