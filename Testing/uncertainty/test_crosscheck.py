"""What becomes of a contradiction between mask and direct reading."""

from __future__ import annotations

import json

import numpy as np
import pytest

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.direct import QUANTITIES, CrossCheck, DirectReading
from SpineQuantLib.case.measurement import Measurement
from SpineQuantLib.case.opinion import Assessment, Score, Verdict
from SpineQuantLib.uncertainty.crosscheck import contradiction, with_cross_check

HEIGHT, WIDTH = QUANTITIES


def reading(level: str, mask: float | None, direct: float, quantity=HEIGHT) -> DirectReading:
    return DirectReading(quantity.structure, level, quantity.name, quantity.method, mask, direct, -2.0, 2.0)


def row(level: str, value: float, quantity=HEIGHT, flag: str = "") -> Measurement:
    return Measurement(quantity.structure, level, None, quantity.name, quantity.method, value, "mm", flag=flag)


def score(level: str, verdict: Verdict = Verdict.PASS, structure: Structure | None = Structure.DISC) -> Score:
    return Score(structure, level, None, 0.1, 0.1, 0.9, verdict, "" if verdict is Verdict.PASS else "unsure")


def assessed(*scores: Score, verdict: Verdict = Verdict.PASS, reasons: tuple[str, ...] = ()) -> Assessment:
    case = Score(None, "", None, 0.1, 0.1, 0.9, verdict)
    return Assessment(verdict, reasons, (case, *scores), np.zeros((1, 1, 1), np.uint8))


def test_agreement_changes_nothing() -> None:
    rows, before = (row("L4-L5", 7.0),), assessed(score("L4-L5"))
    after = with_cross_check(rows, before, CrossCheck("m", "1", "x", "", (reading("L4-L5", 7.0, 8.9),)))
    assert after == (rows, before)


def test_a_contradicted_level_is_flagged_in_plain_english() -> None:
    check = CrossCheck("m", "1", "x", "", (reading("L3-L4", 7.0, 7.5), reading("L4-L5", 6.1, 8.9)))
    rows, after = with_cross_check(
        (row("L3-L4", 7.0), row("L4-L5", 6.1, flag="ragged outline")), assessed(score("L3-L4"), score("L4-L5")), check
    )
    assert rows[0].flag == ""
    assert rows[1].flag.startswith("ragged outline; measured 6.1 mm in the mask, 8.9 mm read from the image directly")
    _, clean, doubted = after.scores
    assert (clean.verdict, clean.reason) == (Verdict.PASS, "")
    assert doubted.verdict is Verdict.REVIEW
    assert "L4-L5 disc: measured 6.1 mm in the mask" in doubted.reason
    # One level that is a little beyond is no reason to review the whole case.
    assert (after.verdict, after.reasons) == (Verdict.PASS, ())


@pytest.mark.parametrize(
    "readings",
    [
        (reading("L4-L5", 6.0, 9.5),),
        (reading("L3-L4", 6.0, 8.3), reading("L4-L5", 6.0, 8.4)),
    ],
    ids=["gross", "several"],
)
def test_a_gross_contradiction_or_several_make_the_case_one_to_review(readings) -> None:
    before = assessed(score("L3-L4"), score("L4-L5"))
    _, after = with_cross_check((), before, CrossCheck("m", "1", "x", "", readings))
    assert after.verdict is Verdict.REVIEW
    assert len(after.reasons) == len(readings)
    assert after.scores[0].verdict is Verdict.REVIEW
    assert after.scores[0].reason == after.reasons[0]


def test_a_structure_that_is_gravely_contradicted_does_not_pass_as_a_whole() -> None:
    before = assessed(score(""), score("", structure=Structure.CANAL), score("L4-L5"))
    slight, gross = reading("L4-L5", 6.1, 8.9), reading("L4-L5", 6.0, 9.5)
    for told, verdict in ((slight, Verdict.PASS), (gross, Verdict.REVIEW)):
        _, after = with_cross_check((row("L4-L5", told.mask),), before, CrossCheck("m", "1", "x", "", (told,)))
        _, discs, sac, level = after.scores
        assert (discs.verdict, sac.verdict, level.verdict) == (verdict, Verdict.PASS, Verdict.REVIEW)
        assert ("contradicted by the second reading at L4-L5" in discs.reason) == (verdict is Verdict.REVIEW)


def test_levels_of_different_structures_do_not_add_up() -> None:
    check = CrossCheck("m", "1", "x", "", (reading("L3-L4", 6.0, 8.3), reading("L3-L4", 10.0, 12.3, WIDTH)))
    before = assessed(score("L3-L4"), score("L3-L4", structure=Structure.CANAL))
    _, after = with_cross_check((), before, check)
    assert after.verdict is Verdict.PASS
    assert [s.verdict for s in after.scores[1:]] == [Verdict.REVIEW, Verdict.REVIEW]


def test_a_failed_case_stays_failed() -> None:
    before = assessed(score("L4-L5", Verdict.FAIL), verdict=Verdict.FAIL, reasons=("no spine",))
    check = CrossCheck("m", "1", "x", "", (reading("L4-L5", 2.0, 9.0),))
    _, after = with_cross_check((), before, check)
    assert after.verdict is Verdict.FAIL
    assert after.reasons[0] == "no spine"
    assert after.scores[1].verdict is Verdict.FAIL
    assert after.scores[1].reason.startswith("unsure; L4-L5 disc: measured")


def test_a_level_that_the_committee_did_not_score_gets_one() -> None:
    check = CrossCheck("m", "1", "x", "", (reading("L4-L5", 8.0, 12.0, WIDTH),))
    _, after = with_cross_check((), assessed(), check)
    assert (after.scores[1].structure, after.scores[1].level) == (Structure.CANAL, "L4-L5")
    assert after.scores[1].reason.startswith("L4-L5 dural sac: measured 8.0 mm in the mask, 12.0 mm")


def test_what_was_not_measured_is_not_contradicted() -> None:
    assert contradiction(reading("L4-L5", None, 8.0)) == ""


def test_a_check_survives_its_record() -> None:
    check = CrossCheck("m", "1", "x", "", (reading("L4-L5", 6.125, 8.5), reading("L4-L5", None, 9.0, WIDTH)))
    record = json.loads(json.dumps(check.to_record(), allow_nan=False))
    assert [r["agrees"] for r in record["readings"]] == [False, None]
    assert CrossCheck.from_record(record) == check
    skipped = CrossCheck(skipped="not installed")
    assert CrossCheck.from_record(json.loads(json.dumps(skipped.to_record()))) == skipped


def test_renamed_levels_keep_their_readings() -> None:
    check = CrossCheck("m", "1", "x", "", (reading("L4-L5", 6.0, 8.5),))
    (moved,) = check.renamed({"L4-L5": "L5-S1"}.__getitem__).readings
    assert (moved.level, moved.mask, moved.direct) == ("L5-S1", 6.0, 8.5)
