"""What is guaranteed of an ensemble holds on whatever members say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.studies.ensemble import LOSSES, fit_weights, study_cases
from SpineQuantLib.studies.ensemble_losses import (
    brier_of_weights,
    case_losses,
    cross_entropy_of_weights,
    subsets,
)
from SpineQuantLib.studies.ensemble_report import write_report
from SpineQuantLib.studies.opinions import KnownVoxels


def known(seed: int, members: int = 3, count: int = 200, skill: float = 1.0) -> KnownVoxels:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 6, count).astype(np.uint8)
    logits = rng.normal(size=(members, 6, count)) * 1.5
    logits[:, classes, np.arange(count)] += skill * np.arange(1, members + 1)[:, None]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return KnownVoxels((p / p.sum(axis=1, keepdims=True)).astype(np.float16), classes)


def cases(people: int = 4, **settings_):
    return [case_losses(f"v{n}", f"p{n}", known(n, **settings_)) for n in range(people)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_the_committee_is_never_worse_than_its_members_on_average(seed, members):
    case = case_losses("v", "p", known(seed, members))
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(members))
    for loss, _ in LOSSES.values():
        each = [loss(case, corner) for corner in np.eye(members)]
        assert loss(case, weights) <= weights @ each + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_the_brier_gap_is_the_variance_to_machine_precision(seed, members):
    case = case_losses("v", "p", known(seed, members))
    gap = np.diag(case.gram).mean() - brier_of_weights(case, np.full(members, 1 / members))
    assert abs(gap - case.variance) < 1e-14


def test_losses_by_hand():
    p = np.array([[[0.5], [0.5], [0], [0], [0], [0]], [[1.0], [0], [0], [0], [0], [0]]], np.float16)
    case = case_losses("v", "p", KnownVoxels(p, np.array([1], np.uint8)))
    # (½ − 0)² + (½ − 1)², and 1 + 1.
    assert np.diag(case.gram) == pytest.approx([0.5, 2.0])
    assert cross_entropy_of_weights(case, np.array([1.0, 0.0])) == pytest.approx(np.log(2), abs=1e-3)
    assert case.dice[Structure.VERTEBRA].shape == (3,)


@pytest.mark.parametrize("loss", list(LOSSES))
def test_fitted_weights_are_never_worse_than_the_best_member_where_they_were_fitted(loss):
    some = cases(3)
    weights = fit_weights(some, LOSSES[loss][0])
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    fitted = np.mean([LOSSES[loss][0](c, weights) for c in some])
    best = min(np.mean([LOSSES[loss][0](c, corner) for c in some]) for corner in np.eye(3))
    assert fitted <= best + 1e-12


def test_dice_has_no_such_theorem():
    # The report's example: each member finds another third, their mean nothing.
    p = np.zeros((3, 6, 3), np.float16)
    p[:, 3] = 0.3
    for m in range(3):
        p[m, 3, m] = 0.6
    p[:, 0] = 1 - p[:, 3]
    case = case_losses("v", "p", KnownVoxels(p, np.full(3, 3, np.uint8)))
    dice = dict(zip(subsets(3), case.dice[Structure.DISC], strict=True))
    assert [dice[m,] for m in range(3)] == pytest.approx([0.5] * 3)
    assert dice[0, 1, 2] == 0


def test_more_members_never_hurt_on_average():
    study = study_cases(cases())
    brier = study.by_size.sort_values("size")["brier"].to_numpy()
    assert (np.diff(brier) <= 1e-12).all()
    diversity = study.by_subset
    # With equal weights the gain in the Brier score is the diversity.
    singles = diversity[diversity["size"] == 1]["brier"].to_numpy()
    whole = diversity.iloc[-1]
    assert singles.mean() - whole["brier"] == pytest.approx(whole["diversity"])


def test_bounds_lie_above_what_was_measured():
    for half in study_cases(cases(6)).halves:
        assert half.upper["Hoeffding"] > half.held_out["fitted"]
        assert half.fitted["fitted"] <= half.fitted["best"] + 1e-12


def test_one_person_has_no_other_half():
    with pytest.raises(InputError, match="two people"):
        study_cases(cases(1))


def test_a_report_is_written(tmp_path):
    path = write_report(study_cases(cases()), tmp_path)
    text = (tmp_path / "ensemble.md").read_text(encoding="utf-8")
    assert "never negative" in text
    assert "says nothing (too few people)" in text
    assert path.read_text(encoding="utf-8").count("data:image/png;base64") == 3
