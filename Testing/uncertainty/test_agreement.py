"""Scores of agreement against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from SpineQuantLib.uncertainty.agreement import agreement_of, dice_matrix

COMMITTEES = st.integers(2, 6).flatmap(lambda m: arrays(bool, (m, 4, 5, 6)))


@settings(max_examples=60, deadline=None)
@given(COMMITTEES, st.randoms())
def test_scores_are_bounded_and_do_not_depend_on_order(masks, random):
    scores = agreement_of(dice_matrix(masks))
    assert 0 <= scores.entropy <= 1
    assert 0 <= scores.mean_dice <= 1
    assert 0 <= scores.eigenvalue <= len(masks) - 1 + 1e-9
    order = list(range(len(masks)))
    random.shuffle(order)
    other = agreement_of(dice_matrix(masks[order]))
    np.testing.assert_allclose(
        [scores.entropy, scores.eigenvalue, scores.mean_dice],
        [other.entropy, other.eigenvalue, other.mean_dice],
        atol=1e-9,
    )


@settings(max_examples=60, deadline=None)
@given(COMMITTEES)
def test_the_dice_matrix_is_positive_semidefinite(masks):
    matrix = dice_matrix(masks)
    np.testing.assert_allclose(np.diag(matrix), 1.0)
    assert np.linalg.eigvalsh(matrix)[0] > -1e-9


@settings(max_examples=30, deadline=None)
@given(arrays(bool, (4, 5, 6)), st.integers(2, 6))
def test_members_that_agree_have_no_entropy(mask, members):
    scores = agreement_of(dice_matrix(np.repeat(mask[None], members, axis=0)))
    np.testing.assert_allclose([scores.entropy, scores.eigenvalue, scores.mean_dice], [0, 0, 1], atol=1e-9)


@pytest.mark.parametrize("members", [2, 3, 5])
def test_disjoint_members_have_full_entropy(members):
    scores = agreement_of(dice_matrix(np.eye(members, dtype=bool)))
    np.testing.assert_allclose([scores.entropy, scores.eigenvalue, scores.mean_dice], [1, members - 1, 0], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 20), st.integers(1, 20))
def test_equal_pairwise_dice_has_a_closed_form(members, shared, own):
    # All share some voxels, and each has as many of its own.
    masks = np.zeros((members, shared + members * own), bool)
    masks[:, :shared] = True
    for m in range(members):
        masks[m, shared + m * own : shared + (m + 1) * own] = True
    dice = shared / (shared + own)
    scores = agreement_of(dice_matrix(masks))
    values = np.array([(1 + (members - 1) * dice) / members] + [(1 - dice) / members] * (members - 1))
    values = values[values > 0]
    np.testing.assert_allclose(scores.entropy, -(values * np.log(values)).sum() / np.log(members), atol=1e-9)
    np.testing.assert_allclose(scores.eigenvalue, (members - 1) * (1 - dice), atol=1e-9)
    np.testing.assert_allclose(scores.mean_dice, dice, atol=1e-9)


def test_empty_masks():
    empty, full = np.zeros(5, bool), np.ones(5, bool)
    np.testing.assert_array_equal(dice_matrix(np.stack([empty, empty])), np.ones((2, 2)))
    np.testing.assert_array_equal(dice_matrix(np.stack([empty, full])), np.eye(2))


def test_uneven_disagreement_tells_the_scores_apart():
    # Two camps, against all a little apart, at the same mean Dice.
    camps = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], bool)
    camp = agreement_of(dice_matrix(camps))
    even = np.full((4, 4), camp.mean_dice)
    np.fill_diagonal(even, 1.0)
    assert camp.entropy < agreement_of(even).entropy
    assert camp.mean_dice == pytest.approx(agreement_of(even).mean_dice)


def test_one_member_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        dice_matrix(np.ones((1, 3), bool))
