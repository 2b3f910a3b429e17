"""Distance to the training volumes."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.uncertainty.familiarity import Familiarity


@pytest.fixture
def training() -> np.ndarray:
    rng = np.random.default_rng(1)
    kinds = rng.normal(size=(3, 20)) * 3
    return np.concatenate([k + rng.normal(scale=0.3, size=(10, 20)) for k in kinds])


def test_a_training_volume_is_at_home(training):
    found = Familiarity.fit(training)
    assert max(found.distance(v) for v in training) < 0.5


def test_new_volumes_of_a_known_kind_are_nearer_than_others(training):
    rng = np.random.default_rng(2)
    found = Familiarity.fit(training)
    like = [found.distance(v + rng.normal(scale=0.3, size=20)) for v in training[::3]]
    unlike = [found.distance(rng.normal(size=20) * 12) for _ in range(10)]
    assert max(like) < min(unlike)


def test_what_the_components_cannot_describe_counts():
    # All training volumes lie in a plane; a step out of it must be seen.
    rng = np.random.default_rng(3)
    flat = np.zeros((30, 40))
    flat[:, :2] = rng.normal(size=(30, 2))
    flat += rng.normal(scale=1e-3, size=flat.shape)
    found = Familiarity.fit(flat)
    away = flat[0].copy()
    away[30] += 1.0
    assert found.distance(away) > 2 * found.distance(flat[0]) + 0.1


def test_unlikeness_is_a_multiple_of_the_limit(training):
    from dataclasses import replace

    found = replace(Familiarity.fit(training), limit=0.5)
    probe = np.zeros(20)
    assert found.unlikeness(probe) == pytest.approx(2 * found.distance(probe))


def test_too_few_volumes_are_refused():
    with pytest.raises(ValueError, match="too few"):
        Familiarity.fit(np.zeros((2, 5)))
