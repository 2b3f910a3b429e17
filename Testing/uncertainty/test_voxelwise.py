"""Voxel entropy, mutual information, expected Dice and temperature against what they must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from SpineQuantLib.uncertainty.voxelwise import entropy_bits, expected_dice, temper, voxel_scores


def softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


COMMITTEES = st.integers(2, 5).flatmap(lambda m: arrays(np.float64, (m, 4, 7), elements=st.floats(-6, 6)))


def scores(members: np.ndarray):
    own = np.mean([entropy_bits(p) for p in members], axis=0)
    return voxel_scores(members.mean(axis=0), own)


@settings(max_examples=50, deadline=None)
@given(COMMITTEES, st.randoms())
def test_mutual_information_lies_between_nothing_and_the_entropy(logits, random):
    members = softmax(logits, 1)
    found = scores(members)
    assert 0 <= found.mutual_information <= found.entropy + 1e-6
    assert found.entropy <= 2 + 1e-6
    order = list(range(len(members)))
    random.shuffle(order)
    other = scores(members[order])
    assert other.entropy == pytest.approx(found.entropy, abs=1e-5)
    assert other.mutual_information == pytest.approx(found.mutual_information, abs=1e-5)


def test_members_that_agree_have_no_mutual_information():
    one = softmax(np.random.default_rng(0).normal(size=(4, 9)), 0)
    found = scores(np.repeat(one[None], 3, axis=0))
    assert found.mutual_information == pytest.approx(0, abs=1e-5)
    assert found.entropy > 0.5


def test_sure_members_that_contradict_each_other_have_nothing_else():
    members = np.zeros((2, 4, 5))
    members[0, 1], members[1, 2] = 1, 1
    found = scores(members)
    assert found.entropy == pytest.approx(1.0, abs=1e-5)
    assert found.mutual_information == pytest.approx(1.0, abs=1e-5)


def test_a_region_without_voxels_is_not_in_doubt():
    found = voxel_scores(np.zeros((4, 0)), np.zeros(0))
    assert (found.entropy, found.mutual_information) == (0.0, 0.0)
    assert voxel_scores(np.full((4, 3), 0.25), None).mutual_information is None


def test_expected_dice_is_the_dice_where_probabilities_are_certain():
    truth, mask = np.zeros(20, bool), np.zeros(20, bool)
    truth[:10], mask[4:12] = True, True
    assert expected_dice(truth.astype(float), mask) == pytest.approx(2 * 6 / 18)
    assert expected_dice(np.zeros(5), np.zeros(5, bool)) == 1.0
    assert expected_dice(np.zeros(5), np.ones(5, bool)) == 0.0


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, 8, elements=st.floats(0.001, 0.999)), st.floats(0.3, 4))
def test_temperature_keeps_borders_and_order(p, temperature):
    q = temper(p, temperature)
    clear = np.abs(p - 0.5) > 1e-3
    np.testing.assert_array_equal((q > 0.5)[clear], (p > 0.5)[clear])
    assert (np.diff(q[np.argsort(p)]) >= -1e-6).all()
    np.testing.assert_allclose(temper(p, 1.0), p, atol=1e-4)
    # Hotter is less sure.
    assert (np.abs(temper(p, 2 * temperature) - 0.5) <= np.abs(q - 0.5) + 1e-5).all()
