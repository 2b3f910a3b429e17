"""Lines and contours that a reader moves: the value is their size, and what is computed from it follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.measurement import Geometry
from SpineQuantLib.review.derived import formulas_for
from SpineQuantLib.review.shapes import check_points

ANTERIOR = "disc_L4-L5_anterior-height_mid-sagittal"
POSTERIOR = "disc_L4-L5_posterior-height_mid-sagittal"
MIDDLE = "disc_L4-L5_middle-height_mid-sagittal"
SAC = "canal_L4-L5_area_perpendicular-to-centre-line"


def points_of(review, key):
    return np.array(review.row(key).geometry.points)


def stretched(points, factor):
    return points.mean(axis=0) + factor * (points - points.mean(axis=0))


def by_key(rows):
    return {m.key: m for m in rows}


def test_the_row_takes_the_length_of_its_line_and_keeps_the_automatic_value(review):
    before = review.row(ANTERIOR)
    assert before.accuracy is not None
    changed = by_key(review.move(ANTERIOR, stretched(points_of(review, ANTERIOR), 1.25)))
    row = changed[ANTERIOR]
    assert row.value == pytest.approx(1.25 * before.value, rel=1e-9)
    assert (row.source, row.automatic) == ("corrected", before.value)
    assert row.lower is None
    assert row.upper is None
    assert row.accuracy is None
    assert review.changed


def test_means_follow_the_height_that_moved_and_nothing_else_does(review):
    before = by_key(review.measurements)
    changed = by_key(review.move(ANTERIOR, stretched(points_of(review, ANTERIOR), 1.5)))
    a, m, p = (review.row(key).value for key in (ANTERIOR, MIDDLE, POSTERIOR))
    assert review.row("disc_L4-L5_height_Dabbs").value == pytest.approx((a + p) / 2)
    assert review.row("disc_L4-L5_height_Fyllos").value == pytest.approx((a + m + p) / 3)
    assert review.row("disc_L4-L5_height_Hurxthal") == before["disc_L4-L5_height_Hurxthal"]
    assert {"disc_L4-L5_height_Dabbs", "disc_L4-L5_height_Fyllos", ANTERIOR} <= set(changed)
    assert {m.level for m in changed.values()} == {"L4-L5"}
    assert all(before[m.key] == m for m in review.measurements if m.key not in changed)


def test_rows_read_from_one_line_move_together(review):
    review.move(MIDDLE, stretched(points_of(review, MIDDLE), 0.8))
    hurxthal = review.row("disc_L4-L5_height_Hurxthal")
    assert hurxthal.value == review.row(MIDDLE).value
    assert hurxthal.source == "corrected"


def test_a_contour_gives_its_area(review):
    before = review.row(SAC)
    changed = by_key(review.move(SAC, stretched(points_of(review, SAC), 0.7)))
    assert changed[SAC].value == pytest.approx(0.49 * before.value, rel=1e-3)


def test_back_where_it_was_it_is_automatic_again(review):
    before = review.measurements
    points = points_of(review, ANTERIOR)
    review.move(ANTERIOR, stretched(points, 1.2))
    review.move(ANTERIOR, points)
    assert review.measurements == before


def test_reset_brings_the_automatic_row_back_with_what_follows(review):
    before = review.measurements
    review.move(ANTERIOR, stretched(points_of(review, ANTERIOR), 1.2))
    review.reset(ANTERIOR)
    assert review.measurements == before
    with pytest.raises(InputError, match="as the software measured"):
        review.reset(ANTERIOR)


def test_undo_and_redo(review):
    states = [review.measurements]
    for factor in (1.2, 0.7):
        review.move(ANTERIOR, stretched(points_of(review, ANTERIOR), factor))
        states.append(review.measurements)
    assert not review.can_redo
    for expected in (states[1], states[0]):
        review.undo()
        assert review.measurements == expected
    assert not review.can_undo
    assert not review.changed
    assert review.history == ()
    review.redo()
    assert review.measurements == states[1]
    review.move(POSTERIOR, stretched(points_of(review, POSTERIOR), 1.1))
    assert not review.can_redo
    assert [e.kind for e in review.history] == ["line", "line"]


def test_the_history_says_what_changed_from_what_to_what(review):
    review.rater = "A"
    before = review.row(ANTERIOR)
    points = stretched(points_of(review, ANTERIOR), 1.3)
    changed = review.move(ANTERIOR, points)
    (edit,) = review.history
    assert (edit.rater, edit.kind) == ("A", "line")
    assert edit.time.utcoffset().total_seconds() == 0
    assert edit.seconds >= 0
    assert edit.before == {"value": before.value, "points": [list(p) for p in before.geometry.points]}
    assert edit.after == {"value": review.row(ANTERIOR).value, "points": points.tolist()}
    assert {c.key: c.after for c in edit.changes} == {m.key: m.value for m in changed}


def test_formulas_are_those_of_the_software(review):
    """What is computed from rows on a correction gives, uncorrected, exactly what was measured."""
    rows = by_key(review.measurements)
    checked = set()
    for formula in formulas_for(rows):
        values = [rows[key].value for key in formula.inputs]
        if rows[formula.key].value is None or None in values:
            continue
        again = formula.value(values, values, rows[formula.key].value)
        assert again == pytest.approx(rows[formula.key].value, abs=1e-9), formula.key
        checked.add(rows[formula.key].method)
    assert {"Dabbs", "Fyllos", "Hurxthal", "Fyllos over depth above", "Genant wedge", "Genant biconcave"} <= checked
    assert {"area against mid-bodies", "AP diameter against mid-bodies", "left less right over mean"} <= checked


def test_what_is_no_line_says_what_to_do(review):
    with pytest.raises(InputError, match="anterior-height"):
        review.move("disc_L4-L5_height_Dabbs", [[0, 0, 0], [0, 0, 5]])
    with pytest.raises(InputError, match="mask"):
        review.move("disc_L4-L5_volume_soft-voxels", [[0, 0, 0], [0, 0, 5]])
    with pytest.raises(InputError, match="no measurement"):
        review.move("disc_L9-L8_height", [[0, 0, 0], [0, 0, 5]])
    assert not review.can_move("disc_L4-L5_height_Dabbs")
    assert review.can_move(ANTERIOR)
    assert not review.changed


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([[0, 0, 0]], "two ends"),
        ([[0, 0, 0], [np.nan, 0, 0]], "without gaps"),
        ([[0, 0], [1, 1]], "RAS"),
        ([[1, 1, 1], [1, 1, 1]], "one place"),
        ([[9000, 0, 0], [9001, 0, 0]], "outside of the volume"),
    ],
)
def test_unfit_points_change_nothing(review, points, says):
    before = review.measurements
    with pytest.raises(InputError, match=says):
        review.move(ANTERIOR, np.array(points, float))
    assert review.measurements == before
    assert not review.can_undo


def test_a_contour_with_a_loop_is_refused(review):
    points = points_of(review, SAC)
    half = len(points) // 2
    with pytest.raises(InputError, match="crosses itself"):
        review.move(SAC, np.vstack((points[:half], points[half:][::-1])))


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40), st.floats(0.5, 50), st.floats(0.5, 50), st.integers(0, 2**32 - 1))
def test_area_of_an_ellipse_anywhere_in_space(corners, a, b, seed):
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    u, v = np.linalg.qr(random.normal(size=(3, 2)))[0].T
    points = random.uniform(-200, 200, 3) + a * np.cos(angle)[:, None] * u + b * np.sin(angle)[:, None] * v
    flat = np.column_stack((a * np.cos(angle), b * np.sin(angle)))
    (x, y), (x1, y1) = flat.T, np.roll(flat, -1, axis=0).T
    area = abs((x * y1 - x1 * y).sum()) / 2
    assert Geometry.of("closed curve", points).size("mm2") == pytest.approx(area, rel=1e-6, abs=1e-6)
    if area > 1e-3:
        assert check_points("closed curve", points).kind == "closed curve"


def slip_of(review):
    return next(m for m in review.measurements if m.name == "slip" and m.level == "L4-L5" and m.value is not None)


def test_a_slip_keeps_its_direction_its_share_and_gets_its_grade(review):
    slip = slip_of(review)
    points = np.array(slip.geometry.points)
    along = (points[1] - points[0]) / np.linalg.norm(points[1] - points[0])
    forwards = along if slip.value > 0 else -along
    share = review.row(slip.key.replace("slip", "slip-ratio"))
    review.move(slip.key, [points[0], points[0] + 9.0 * forwards])
    moved = review.row(slip.key)
    assert moved.value == pytest.approx(9.0)
    assert review.row(share.key).value == pytest.approx(share.value * 9.0 / slip.value)
    assert moved.grade.startswith("Meyerding")
    review.move(slip.key, [points[0], points[0] - 4.0 * forwards])
    assert review.row(slip.key).value == pytest.approx(-4.0)
    assert review.row(slip.key).grade == ""


def test_the_sacs_profile_and_smallest_section_follow_its_contour(review):
    small = next(m for m in review.measurements if m.name == "smallest area")
    factor = 0.5 * np.sqrt(small.value / review.row(SAC).value)
    review.move(SAC, stretched(points_of(review, SAC), factor))
    row = review.row(SAC)
    assert row.value < small.value
    now = next(m for m in review.measurements if m.name == "smallest area")
    assert (now.level, now.value, now.automatic) == ("L4-L5", row.value, small.value)
    section = next(s for s in review.result.canal_profile.sections if s.level == "L4-L5")
    assert section.area == row.value
    above, below = (review.row(SAC.replace("L4-L5", body)).value for body in ("L4", "L5"))
    ratio = review.row("canal_L4-L5_compression-ratio_area-against-mid-bodies")
    assert ratio.value == pytest.approx(100 * (1 - row.value / ((above + below) / 2)))
    review.undo()
    assert next(m for m in review.measurements if m.name == "smallest area") == small


def test_the_smallest_section_stays_the_smallest_while_a_contour_is_dragged(review):
    """A drag reports its steps: whoever comes below the smallest section for a moment does not take it along."""
    small = next(m for m in review.measurements if m.name == "smallest area")
    points = points_of(review, SAC)
    for factor in (0.5, 0.7, 0.9, 1.1, 1.3):
        review.move(SAC, stretched(points, factor))
        now = next(m for m in review.measurements if m.name == "smallest area")
        assert now.value <= min(review.row(SAC).value, small.value) + 1e-9
    assert now.value == pytest.approx(small.value)
    review.reset(SAC)
    assert next(m for m in review.measurements if m.name == "smallest area") == small
    section = next(s for s in review.result.canal_profile.sections if s.level == "L4-L5")
    assert section.area == review.row(SAC).value


def test_resetting_a_row_without_a_line_leaves_its_fellows(review):
    for level in ("L3-L4", "L4-L5"):
        key = SAC.replace("L4-L5", level)
        review.move(key, stretched(points_of(review, key), 0.8))
    ratios = [f"canal_{level}_compression-ratio_area-against-mid-bodies" for level in ("L3-L4", "L4-L5")]
    other = review.row(ratios[1])
    assert other.source == "corrected"
    review.reset(ratios[0])
    assert review.row(ratios[0]).source == "automatic"
    assert review.row(ratios[1]) == other


def test_the_smallest_section_is_doubted_where_the_mask_was_too_small_there(review):
    small = next(m for m in review.measurements if m.name == "smallest area")
    key = SAC.replace("L4-L5", small.level)
    review.move(key, stretched(points_of(review, key), 1.3))
    now = next(m for m in review.measurements if m.name == "smallest area")
    assert now.value == small.value
    assert f"before {small.level} was corrected" in now.flag
    review.undo()
    assert next(m for m in review.measurements if m.name == "smallest area") == small
