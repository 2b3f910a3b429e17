"""Where members differ, and members that do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.uncertainty.disagreement import disagreement_map
from SpineQuantLib.uncertainty.distinct import ensure_distinct


def votes(*classes: int) -> np.ndarray:
    return np.array(classes, np.uint8).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("classes", "bits"),
    [
        ((2, 2, 2, 2, 2), 0.0),
        ((1, 0, 0, 0, 0), -(0.2 * np.log2(0.2) + 0.8 * np.log2(0.8))),
        ((1, 1, 0, 0, 0), -(0.4 * np.log2(0.4) + 0.6 * np.log2(0.6))),
        ((3, 3, 1, 1), 1.0),
        ((0, 1, 2, 3), 1.0),
    ],
)
def test_values_are_the_entropy_of_the_votes(classes, bits):
    assert disagreement_map(votes(*classes)).item() == round(255 * bits)


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (5, 3, 4, 5), elements=st.integers(0, 5)))
def test_zero_exactly_where_all_agree(members):
    values = disagreement_map(members)
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values == 0, (members == members[0]).all(axis=0))
    np.testing.assert_array_equal(values, disagreement_map(members[::-1]))


def test_two_members_alike_are_refused():
    rng = np.random.default_rng(0)
    members = rng.integers(0, 6, (3, 4, 5, 6)).astype(np.uint8)
    ensure_distinct(members)
    members[2] = members[0]
    with pytest.raises(EngineError, match="members 1 and 3"):
        ensure_distinct(members)


def test_members_that_saw_nothing_may_be_alike():
    ensure_distinct(np.zeros((3, 4, 5, 6), np.uint8))


def test_one_voxel_makes_two_members_differ():
    members = np.ones((2, 4, 5, 6), np.uint8)
    members[1, 3, 4, 5] = 0
    ensure_distinct(members)
