"""Risk–coverage curves against hand-made ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from SpineQuantLib.studies.bounds import empirical_bernstein, hoeffding
from SpineQuantLib.studies.risk import detection, risk_coverage

DICE = np.array([1.0, 0.8, 0.5, 0.1])


def test_a_curve_by_hand():
    found = risk_coverage(np.array([4.0, 3.0, 2.0, 1.0]), DICE)
    np.testing.assert_allclose(found.coverage, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(found.risk, [0, 0.1, 0.7 / 3, 0.4])
    assert found.aurc == pytest.approx(np.mean([0, 0.1, 0.7 / 3, 0.4]))
    assert found.random == pytest.approx(0.4)
    assert found.normalised == pytest.approx(1.0)
    assert found.spearman == pytest.approx(1.0)


def test_a_misleading_score_is_worse_than_chance():
    found = risk_coverage(DICE * -1, DICE)
    assert found.normalised < 0
    assert found.spearman == pytest.approx(-1.0)


def test_a_score_that_says_nothing_is_chance():
    found = risk_coverage(np.ones(4), DICE)
    assert found.normalised == pytest.approx(0.0)
    assert np.isnan(found.spearman)


def test_where_all_are_alike_no_order_is_better():
    found = risk_coverage(np.arange(4.0), np.full(4, 0.8))
    assert np.isnan(found.normalised)
    assert found.aurc == pytest.approx(0.2)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, 12, elements=st.floats(0, 1)), arrays(np.float64, 12, elements=st.integers(0, 4)), st.randoms()
)
def test_order_of_objects_is_irrelevant_and_the_best_order_is_best(dice, confidence, random):
    found = risk_coverage(confidence, dice)
    order = list(range(12))
    random.shuffle(order)
    other = risk_coverage(confidence[order], dice[order])
    assert other.aurc == pytest.approx(found.aurc)
    assert found.optimal <= found.aurc + 1e-9
    assert found.risk[-1] == pytest.approx(found.random)


def test_nothing_and_no_number_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        risk_coverage(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="finite"):
        risk_coverage(np.array([np.nan]), np.array([0.5]))


def test_detection():
    bad = np.array([True, True, False, False, False])
    assert detection(np.array([True, False, False, False, True]), bad) == (0.5, pytest.approx(2 / 3))
    assert np.isnan(detection(np.zeros(2, bool), np.zeros(2, bool))[0])


def test_hoeffding_by_hand():
    # √(ln 20 / 200)
    assert hoeffding(np.zeros(100), 1.0, 0.95) == pytest.approx(0.12239, abs=1e-5)
    with pytest.raises(ValueError, match="at least one"):
        hoeffding(np.zeros(0), 1.0, 0.95)


@pytest.mark.parametrize("bound", [hoeffding, empirical_bernstein])
def test_bounds_hold_at_their_confidence(bound):
    rng = np.random.default_rng(0)
    misses = []
    for _ in range(400):
        values = (rng.random(60) < 0.1).astype(float)
        misses.append(values.mean() + bound(values, 1.0, 0.9) < 0.1)
    assert np.mean(misses) <= 0.1


def test_little_variance_makes_bernsteins_bound_the_tighter_one():
    values = np.full(2000, 0.3)
    assert empirical_bernstein(values, 1.0, 0.95) < 0.5 * hoeffding(values, 1.0, 0.95)
