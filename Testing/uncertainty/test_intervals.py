"""Conformal intervals: their quantile, their coverage, their refusals, and the spread that scales them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineQuantLib.anatomy.structures import NetworkClass, Structure
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.measurement import Measurement
from SpineQuantLib.case.opinion import CommitteeOpinion
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.uncertainty.calibration import Calibration, IntervalRule
from SpineQuantLib.uncertainty.intervals import (
    add_intervals,
    conformal_quantile,
    fit_rule,
    member_spines,
    row_key,
    spreads,
)
from SpineQuantLib.uncertainty.territory import territories

ROW = Measurement(Structure.DISC, "L4-L5", None, "height", "Dabbs", 10.0, "mm")
RULE = IntervalRule(2.0, 2.0, 0.5, 1.0, 40, 9, "real")
CALIBRATION = Calibration("x", intervals={"disc|height|Dabbs": RULE})


def test_the_quantile_is_the_finite_sample_one():
    # ⌈10 · 0.9⌉ = 9 of 9; of 8 there is no ninth.
    assert conformal_quantile(range(1, 10), 0.9) == 9
    assert conformal_quantile(range(1, 9), 0.9) is None
    # ⌈100 · 0.9⌉ = 90 of 99.
    assert conformal_quantile(range(1, 100), 0.9) == 90


def test_exchangeable_values_are_covered_as_promised():
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(400):
        scale = rng.uniform(0.2, 2, 41)
        error = rng.normal(size=41) * (0.4 + scale)
        rule = fit_rule(error[:40], scale[:40], ["p"] * 40, 0.9, "real")
        hits.append(abs(error[40]) <= rule.upper * (rule.floor + scale[40]))
    # 400 trials: two standard errors are 3 %.
    assert 0.87 <= np.mean(hits) <= 0.95


def test_too_few_residuals_make_no_rule():
    assert fit_rule([0.1] * 8, [0.1] * 8, ["p"] * 8, 0.9, "real") is None
    assert fit_rule([], [], [], 0.9, "real") is None


def test_an_interval_follows_the_spread():
    (row,) = add_intervals([ROW], {row_key(ROW): 0.5}, CALIBRATION)
    assert (row.lower, row.upper, row.spread) == (8.0, 12.0, 0.5)
    (wider,) = add_intervals([ROW], {row_key(ROW): 1.5}, CALIBRATION)
    assert (wider.lower, wider.upper) == (6.0, 14.0)


def test_an_interval_is_never_narrower_than_what_the_grid_costs():
    (row,) = add_intervals([replace(ROW, accuracy=1.5)], {row_key(ROW): 0.5}, CALIBRATION)
    # Half-width 2 of the masks and 1.5 of the grid, which do not depend on each other.
    assert (row.lower, row.upper) == (7.5, 12.5)


def test_a_level_that_few_people_of_the_calibration_showed_has_a_wider_interval():
    rng = np.random.default_rng(1)
    levels, people = (
        ["L4-L5"] * 30 + ["L5-S1"] * 30,
        [f"p{n % 6}" for n in range(30)] + [f"p{n % 2}" for n in range(30)],
    )
    rule = fit_rule(rng.normal(size=60), [0.5] * 60, people, 0.9, "real", levels)
    assert rule.levels == ("L4-L5",)
    calibration = Calibration("x", intervals={"disc|height|Dabbs": rule})
    known, rare = ROW, replace(ROW, level="L5-S1", value=30.0)
    known = replace(known, value=30.0)
    rows = add_intervals([known, rare], {row_key(known): 0.5, row_key(rare): 0.5}, calibration)
    half = [r.upper - r.value for r in rows]
    assert half[1] == pytest.approx(2 * half[0])
    # What belongs to the spine as a whole has no level.
    assert rule.widening("") == 1.0


def test_an_unusual_image_widens_and_a_foreign_one_refuses():
    spread = {row_key(ROW): 0.5}
    (wide,) = add_intervals([ROW], spread, CALIBRATION, distance=1.5)
    assert (wide.lower, wide.upper) == (7.0, 13.0)
    (near,) = add_intervals([ROW], spread, CALIBRATION, distance=0.2)
    assert (near.lower, near.upper) == (8.0, 12.0)
    (none,) = add_intervals([ROW], spread, CALIBRATION, distance=2.5)
    assert none.lower is None
    assert none.upper is None
    assert "unlike" in none.flag


@pytest.mark.parametrize(("spread", "word"), [({}, "fewer than three members"), ({row_key(ROW): 2.5}, "differ more")])
def test_what_lies_outside_the_calibration_is_refused_with_the_reason(spread, word):
    (row,) = add_intervals([replace(ROW, flag="cut")], spread, CALIBRATION)
    assert row.lower is None
    assert row.upper is None
    assert row.flag.startswith("cut; no interval: ")
    assert word in row.flag


def test_lengths_are_not_negative_and_angles_may_be():
    low = replace(ROW, value=0.4)
    (row,) = add_intervals([low], {row_key(low): 0.5}, CALIBRATION)
    assert row.lower == 0.0
    angle = replace(low, unit="deg")
    (row,) = add_intervals([angle], {row_key(angle): 0.5}, CALIBRATION)
    assert row.lower == pytest.approx(-1.6)


@pytest.mark.parametrize(
    ("structure", "name", "method", "unit"),
    [
        (Structure.SPINE, "slip", "posterior corners, supine", "mm"),
        (Structure.DISC, "posterior bulge", "corner line", "mm"),
        (Structure.CANAL, "compression ratio", "area against mid-bodies", "%"),
        (Structure.VERTEBRA, "deformity", "Genant wedge", "%"),
        (Structure.FORAMEN, "height asymmetry", "left less right over mean", "%"),
    ],
)
def test_what_may_be_negative_lies_inside_its_interval(structure, name, method, unit):
    row = Measurement(structure, "L4-L5", None, name, method, -1.2, unit)
    calibration = Calibration("x", intervals={Calibration.rule_key(structure, name, method): RULE})
    (found,) = add_intervals([row], {row_key(row): 0.5}, calibration)
    assert (found.lower, found.upper) == (pytest.approx(-3.2), pytest.approx(0.8))


def test_without_a_rule_or_a_value_there_is_no_interval():
    other = replace(ROW, method="Hurxthal")
    absent = replace(ROW, value=None, flag="not seen")
    rows = add_intervals([other, absent], {row_key(other): 0.5}, CALIBRATION)
    assert [(r.lower, r.upper) for r in rows] == [(None, None)] * 2
    assert [r.flag for r in rows] == ["", "not seen"]
    (plain,) = add_intervals([ROW], {row_key(ROW): 0.5}, None)
    assert (plain.lower, plain.spread) == (None, 0.5)


def boxes() -> np.ndarray:
    labels = np.zeros((6, 60, 40), np.uint16)
    labels[1:5, 8:28, 8:32] = 23
    labels[1:5, 28:36, 8:32] = 123
    labels[1:5, 36:56, 8:32] = 24
    return labels


def test_members_differ_by_exactly_what_was_changed():
    labels = boxes()
    grid = Grid(labels.shape, (4.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1, 0, 0), (0, 0, -1), (0, 1, 0)))
    spine = NamedSpine.from_labels(labels, grid, ("L4", "L5"))
    classes = np.where(labels == 123, NetworkClass.DISC, np.where(labels > 0, NetworkClass.BODY, 0)).astype(np.uint8)
    members = np.repeat(classes[None], 3, axis=0)
    for m, lost in enumerate((0, 1, 2)):
        members[m, :, 36 - lost : 36][members[m, :, 36 - lost : 36] == NetworkClass.DISC] = 0
    opinion = CommitteeOpinion(grid, np.zeros((6, *labels.shape), np.float16), members)
    own = member_spines(opinion, spine, territories(spine))
    assert [s.vertebrae for s in own] == [("L4", "L5")] * 3

    def heights(member: NamedSpine) -> list[Measurement]:
        rows = (member.labels == 123).any(axis=(0, 2)).sum()
        return [replace(ROW, value=float(rows))]

    assert [heights(s)[0].value for s in own] == [8.0, 7.0, 6.0]
    found = spreads(own, heights)
    assert found == {row_key(ROW): pytest.approx(1.0)}
    assert spreads(own[::-1], heights) == found
    assert spreads(own[:2], heights) == {}
    # A crop keeps every voxel where it was in the patient.
    at = np.argwhere(own[0].labels == 123)[0]
    np.testing.assert_allclose(own[0].grid.to_lps(at), grid.to_lps(np.argwhere(labels == 123)[0]))
