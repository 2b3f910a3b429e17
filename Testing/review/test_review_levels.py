"""Levels renamed in one step: everything gets the new names, no number and no side changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.direct import CrossCheck, DirectReading
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.review.levels import NeedsConfirmationError
from SpineQuantLib.review.opening import open_case
from SpineQuantLib.uncertainty.crosscheck import contradiction, with_cross_check

OLD = ("L3", "L4", "L5", "S1")
NEW = ("L2", "L3", "L4", "L5")
ONE_UP = dict(zip(OLD, NEW, strict=True))


def shifted(level):
    return "-".join(ONE_UP[name] for name in level.split("-"))


def objects(review: CaseReview):
    return [(o.structure, o.level, o.side) for o in review.result.spine.objects]


@pytest.fixture
def renamed(review: CaseReview):
    before = review.result
    review.rename("L4-L5", s1_becomes_lumbar=True)
    return before, review


def test_the_phantom_shows_what_the_test_needs(review):
    assert review.result.spine.vertebrae[-4:] == OLD


def test_labels_move_by_one_and_no_voxel_moves(renamed):
    before, review = renamed
    old, new = before.spine.labels, review.result.spine.labels
    np.testing.assert_array_equal(old > 0, new > 0)
    for upper in OLD[:-1]:
        for value in (vertebra_value, disc_value):
            np.testing.assert_array_equal(old == value(upper), new == value(ONE_UP[upper]))
        for side in Side:
            np.testing.assert_array_equal(
                old == foramen_value(upper, side), new == foramen_value(ONE_UP[upper], side), err_msg=f"{upper} {side}"
            )


def test_rows_keep_their_numbers_and_sides_under_new_names(renamed):
    before, review = renamed
    rows = {(m.structure, m.level, m.side, m.name, m.method): m for m in review.measurements}
    assert len(rows) == len(review.measurements)
    checked = 0
    for m in before.measurements:
        # The smallest section is sought as far as the lowest disc above the sacrum.
        if m.structure is Structure.SPINE or m.name.startswith("smallest") or not set(m.level.split("-")) <= set(OLD):
            continue
        moved = rows[m.structure, shifted(m.level), m.side, m.name, m.method]
        # S1 is measured by rules of its own: what is beside it may get another value, and says so.
        if "S1" in m.level.split("-"):
            assert moved.source == "automatic" or moved.automatic == m.value
            assert moved.source == "automatic" or moved.accuracy is None
        elif m.value is not None:
            assert moved.value == pytest.approx(m.value, rel=1e-6), m.key
            assert moved.source == "automatic"
        checked += 1
    assert checked > 60
    assert not any("S1" in m.level.split("-") for m in review.measurements if m.structure is not Structure.SPINE)


def test_the_body_that_was_s1_is_measured_as_a_vertebra(renamed):
    _, review = renamed
    heights = [m for m in review.measurements if m.structure is Structure.VERTEBRA and m.level == "L5"]
    assert {"anterior height", "posterior height", "depth"} <= {m.name for m in heights}


def test_scores_reasons_and_names_follow(renamed):
    before, review = renamed
    old = {(s.structure, s.level, s.side): s for s in before.assessment.scores if s.mean_dice is not None and s.level}
    new = {(s.structure, s.level, s.side): s for s in review.scores if s.level}
    for (structure, level, side), score in old.items():
        if set(level.split("-")) <= set(OLD):
            assert new[structure, shifted(level), side].mean_dice == score.mean_dice
    naming = review.result.spine.naming
    assert naming.method == "set by hand"
    assert any("S1" in doubt for doubt in naming.doubts)
    assert any("takes a body in view for S1" in reason for reason in review.result.assessment.reasons)


def test_s1_becomes_no_lumbar_vertebra_unasked(review):
    before = review.measurements
    with pytest.raises(NeedsConfirmationError, match="would become L5"):
        review.rename("L4-L5")
    assert review.measurements == before
    assert not review.can_undo


def test_there_and_back_is_as_before(renamed):
    before, review = renamed
    review.rename("L5-S1")
    assert review.result.spine.vertebrae == before.spine.vertebrae
    assert review.result.spine.naming == before.spine.naming
    np.testing.assert_array_equal(review.result.spine.labels, before.spine.labels)
    assert {(m.key, m.value, m.source) for m in review.measurements} == {
        (m.key, m.value, m.source) for m in before.measurements
    }
    known = {m.key: m.accuracy for m in before.measurements}
    for m in review.measurements:
        assert m.accuracy == (pytest.approx(known[m.key]) if known[m.key] is not None else None), m.key


def test_undo_restores_every_name(renamed):
    before, review = renamed
    review.undo()
    assert review.measurements == before.measurements
    assert review.result.assessment == before.assessment
    assert objects(review) == [(o.structure, o.level, o.side) for o in before.spine.objects]


def test_a_corrected_row_stays_corrected_under_its_new_name(review):
    key = "disc_L4-L5_anterior-height_mid-sagittal"
    points = np.array(review.row(key).geometry.points)
    review.move(key, points + (points - points.mean(axis=0)) * 0.5)
    row = review.row(key)
    review.rename("L4-L5", s1_becomes_lumbar=True)
    moved = review.row("disc_L3-L4_anterior-height_mid-sagittal")
    assert (moved.value, moved.source, moved.automatic) == (row.value, "corrected", row.automatic)
    review.reset(moved.key)
    assert review.row(moved.key).value == pytest.approx(row.automatic)


@pytest.mark.parametrize("name", ["", "L5", "L5-L4", "L4-S2", "V2-V1", "C1-C2", "L4-L6", "nonsense"])
def test_impossible_names_are_refused(review, name):
    before = review.measurements
    with pytest.raises(InputError):
        review.rename(name, s1_becomes_lumbar=True)
    assert review.measurements == before
    assert not review.can_undo


def test_what_the_second_reading_says_follows_to_the_new_name(phantom_case):
    """A contradiction is about a value in the image, whatever its level is called."""
    opened = open_case(phantom_case[1])
    result = opened.state.result
    row = next(
        m for m in result.measurements if (m.structure, m.level, m.name) == (Structure.DISC, "L4-L5", "middle height")
    )
    reading = DirectReading(row.structure, row.level, row.name, row.method, row.value, row.value - 6.0, -2.0, 2.0)
    check = CrossCheck("second", "1.0", "ab" * 32, "", (reading,))
    rows, assessment = with_cross_check(result.measurements, result.assessment, check)
    refused = "no interval: fewer than three members can measure it"
    rows = tuple(replace(m, flag=f"{refused}; {m.flag}") if m.key == row.key else m for m in rows)
    result = replace(result, measurements=rows, assessment=assessment, cross_check=check)
    opened.state = replace(opened.state, result=result)
    review = CaseReview(opened)
    said = contradiction(reading)
    assert said in review.row(row.key).flag
    review.rename("L6-S1")
    flagged = [m.key for m in review.measurements if said in m.flag]
    assert flagged == [row.key.replace("L4-L5", "L5-L6")]
    assert review.row(flagged[0]).source == "automatic"
    assert refused in review.row(flagged[0]).flag
    assert any(said in s.reason for s in review.scores if s.level == "L5-L6")
    points = np.array(review.row(flagged[0]).geometry.points)
    review.move(flagged[0], points + 0.4 * (points - points.mean(axis=0)))
    review.rename("L5-S1")
    assert not [m.key for m in review.measurements if said in m.flag], "a reader has settled it"
