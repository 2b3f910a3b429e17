"""What the panel lists to look at first: the doubtful before the rest, in words that do not repeat the title."""

from __future__ import annotations

from dataclasses import replace

from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.opinion import Score, Verdict
from SpineQuantLib.panel.findings import findings_of


def test_the_gravest_comes_first_and_no_reason_repeats_its_title(make_case):
    case = make_case()
    foramen = Score(
        Structure.FORAMEN, "L4-L5", Side.RIGHT, 0.5, 0.5, 0.41, Verdict.REVIEW,
        "L4-L5 right foramen: members disagree, Dice 0.41",
    )  # fmt: skip
    disc = Score(Structure.DISC, "L3-L4", None, 0.9, 2.0, 0.1, Verdict.FAIL, "L3-L4 disc: members disagree, Dice 0.10")
    result = replace(case, assessment=replace(case.assessment, scores=(foramen, disc)))
    found = findings_of(result)
    assert [f.title for f in found[:2]] == ["L3-L4 disc", "L4-L5 right foramen"]
    assert found[0].why.startswith("members disagree, Dice 0.10")
    assert found[1].why.startswith("members disagree, Dice 0.41")
    assert not any(f.why.startswith(f.title) for f in found)
