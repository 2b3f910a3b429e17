"""Agreement statistics against published worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.training.statistics import agreement, bootstrap_interval, icc, mean_estimate, resamples

# Bland and Altman 1986, table 1: first readings of peak expiratory flow, large and mini Wright meter, l/min.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Shrout and Fleiss 1979, table 2: four judges rate six targets.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_limits_of_agreement_are_those_of_bland_and_altman() -> None:
    found = agreement(WRIGHT, MINI, range(17))
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd.value == pytest.approx(38.8, abs=0.05)
    # The paper takes two standard deviations and rounds: -79.7 and 75.5.
    assert found.lower_limit.value == pytest.approx(-2.118 - 1.96 * 38.765, abs=0.05)
    assert found.upper_limit.value == pytest.approx(-2.118 + 1.96 * 38.765, abs=0.05)
    assert found.bias.lower < found.bias.value < found.bias.upper
    # The paper takes t and finds -22.0 to 17.8; percentiles of few subjects lie somewhat closer.
    assert found.bias.lower == pytest.approx(-22.0, abs=4)
    assert found.bias.upper == pytest.approx(17.8, abs=4)


def test_icc_is_that_of_shrout_and_fleiss() -> None:
    assert icc(JUDGES) == pytest.approx(0.29, abs=0.005)
    assert icc(np.column_stack([JUDGES[:, 0], JUDGES[:, 0]])) == pytest.approx(1)
    assert np.isnan(icc(JUDGES[:1]))
    assert np.isnan(icc(np.ones((4, 2))))


def test_errors_of_pairs_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(1)
    measured = rng.normal(10, 3, 40)
    reference = measured + rng.normal(0.5, 1, 40)
    found = agreement(measured, reference, np.arange(40) // 4)
    difference = measured - reference
    assert found.sd.value == pytest.approx(difference.std(ddof=1))
    assert found.rmse.value == pytest.approx(np.sqrt((difference**2).mean()))
    assert found.icc.value == pytest.approx(icc(np.column_stack([measured, reference])))
    slow = bootstrap_interval(
        lambda r: (difference[r].mean(), icc(np.column_stack([measured[r], reference[r]]))), np.arange(40) // 4
    )
    for quick, plain in zip((found.bias, found.icc), slow, strict=True):
        assert (quick.lower, quick.upper) == pytest.approx((plain.lower, plain.upper), abs=0.15)


def test_a_constant_offset_lowers_icc_and_is_the_bias() -> None:
    reference = np.linspace(5, 12, 20)
    found = agreement(reference + 1, reference, np.arange(20))
    assert found.bias.value == pytest.approx(1)
    assert found.rmse.value == pytest.approx(1)
    assert found.mae.value == pytest.approx(1)
    assert found.sd.value == pytest.approx(0, abs=1e-9)
    assert 0.5 < found.icc.value < 1


def test_subjects_are_drawn_whole() -> None:
    subjects = ["a", "a", "a", "b", "c", "c"]
    for rows in resamples(subjects, 50):
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[1] == counts[2]
        assert counts[4] == counts[5]


def test_levels_of_one_person_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(size=12)
    single = mean_estimate(people, range(12))
    repeated = mean_estimate(np.repeat(people, 5), np.repeat(np.arange(12), 5))
    as_if_independent = mean_estimate(np.repeat(people, 5), range(60))
    width = single.upper - single.lower
    assert repeated.upper - repeated.lower == pytest.approx(width, rel=0.01)
    assert as_if_independent.upper - as_if_independent.lower < 0.6 * width


def test_what_is_not_defined_is_none() -> None:
    alone = agreement([5.0], [4.0], ["a"])
    assert (alone.bias.value, alone.bias.lower, alone.sd.value, alone.icc.value) == (1.0, None, None, None)
    nothing = agreement([], [], [])
    assert nothing.count == nothing.subjects == 0
    assert nothing.rmse.value is None
    with pytest.raises(ValueError, match="finite"):
        agreement([np.nan], [1.0], ["a"])
    assert bootstrap_interval(lambda _: float("nan"), ["a", "b"])[0].value is None
