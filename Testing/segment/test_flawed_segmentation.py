"""What networks get wrong does not change which body is which."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.segment.spine import name_spine

BODY, SACRUM, DISC, CANAL, FORAMEN = (
    NetworkClass.BODY,
    NetworkClass.SACRUM,
    NetworkClass.DISC,
    NetworkClass.CANAL,
    NetworkClass.FORAMEN,
)


def ball(truth, centre, radius):
    return np.linalg.norm(truth.points() - centre, axis=-1) < radius


def test_neighbours_without_a_disc_between_stay_two(make_spine, as_opinion, assert_same):
    truth = make_spine()
    classes = truth.classes()
    classes[truth.labels == disc_value("L2")] = BODY
    spine = name_spine(as_opinion(classes, truth.grid))
    assert spine.vertebrae == truth.vertebrae
    for name, other in (("L2", "L3"), ("L3", "L2")):
        own = truth.labels == vertebra_value(name)
        assert (spine.labels[own] == vertebra_value(name)).mean() > 0.97
        assert not (spine.labels[own] == vertebra_value(other)).any()
    assert_same(spine.labels, truth.labels, but=(21, 22, 121))


def test_three_bodies_in_one_piece_come_apart(make_spine, as_opinion):
    truth = make_spine()
    classes = truth.classes()
    for name in ("L2", "L3"):
        classes[truth.labels == disc_value(name)] = BODY
    spine = name_spine(as_opinion(classes, truth.grid))
    assert spine.vertebrae == truth.vertebrae
    for name in ("L2", "L3", "L4"):
        own = truth.labels == vertebra_value(name)
        assert (spine.labels[own] == vertebra_value(name)).mean() > 0.9


def test_bodies_that_touch_at_a_rim_come_apart(make_spine, as_opinion, assert_same):
    truth = make_spine()
    classes = truth.classes()
    disc = truth.labels == disc_value("L4")
    behind = truth.points()[..., 2] > truth.middle(disc_value("L4"))[2] + 8
    classes[disc & behind] = BODY
    spine = name_spine(as_opinion(classes, truth.grid))
    assert_same(spine.labels, truth.labels, but=(23, 24, 123))
    for name in ("L4", "L5"):
        own = truth.labels == vertebra_value(name)
        assert (spine.labels[own] == vertebra_value(name)).mean() > 0.97


def test_a_hole_is_filled_and_has_full_occupancy(make_spine, as_opinion, assert_same):
    truth = make_spine()
    classes = truth.classes()
    hole = ball(truth, truth.middle(vertebra_value("L3")), 7)
    classes[hole] = 0
    spine = name_spine(as_opinion(classes, truth.grid))
    assert_same(spine.labels, truth.labels)
    assert spine.patch(vertebra_value("L3")).occupancy.max() == 1.0


@pytest.mark.parametrize("stripe", [0, int(DISC)])
def test_a_body_broken_in_two_is_one(make_spine, as_opinion, assert_same, stripe):
    truth = make_spine(lordosis=0)
    classes = truth.classes()
    body = truth.labels == vertebra_value("L2")
    across = np.abs(truth.points()[..., 1] - truth.middle(vertebra_value("L2"))[1]) < 2
    classes[body & across] = stripe
    spine = name_spine(as_opinion(classes, truth.grid))
    assert spine.vertebrae == truth.vertebrae
    assert_same(spine.labels, truth.labels, least=0.97, but=(21,))
    assert (spine.labels[body] == vertebra_value("L2")).mean() > 0.8
    assert not np.isin(spine.labels[body], [121, 20, 22]).any()


def test_blobs_away_from_the_spine_are_removed(make_spine, as_opinion, assert_same):
    truth = make_spine()
    classes = truth.classes()
    l3 = truth.middle(vertebra_value("L3"))
    free = truth.labels == 0
    for step, radius, what in (
        ((0, 0, -45), 16, BODY),
        ((35, -60, 0), 10, BODY),
        ((0, 10, 60), 9, BODY),
        ((-36, 20, 0), 8, DISC),
        ((0, -30, 58), 8, CANAL),
        ((25, 40, -40), 12, CANAL),
        ((20, 0, 40), 5, CANAL),
        ((0, 20, 50), 7, FORAMEN),
        ((20, 20, -30), 7, FORAMEN),
    ):
        classes[ball(truth, l3 + step, radius) & free] = what
    spine = name_spine(as_opinion(classes, truth.grid))
    assert spine.vertebrae == truth.vertebrae
    assert not spine.labels[free & (classes > 0)].any()
    assert_same(spine.labels, truth.labels)


def test_an_arch_taken_for_a_body_is_no_part_of_it(make_spine, as_opinion, assert_same):
    truth = make_spine()
    classes = truth.classes()
    middle = truth.middle(vertebra_value("L3"))
    step = np.abs(truth.points() - np.add(middle, [0, 0, 38]))
    arch = (step < [20, 8, 10]).all(axis=-1) & (truth.labels == 0)
    pedicle = np.abs(truth.points() - np.add(middle, [17, 0, 25])) < [3, 6, 22]
    classes[(arch | pedicle.all(axis=-1)) & (truth.labels == 0)] = BODY
    spine = name_spine(as_opinion(classes, truth.grid))
    assert not spine.labels[arch].any()
    assert_same(spine.labels, truth.labels, but=(22,))


def test_an_interrupted_sac_is_one_sac(make_spine, as_opinion, assert_same):
    truth = make_spine()
    level = truth.middle(disc_value("L3"))[1]
    gap = (truth.labels == 61) & (np.abs(truth.points()[..., 1] - level) < 8)
    truth.labels[gap] = 0
    spine = name_spine(as_opinion(truth.classes(), truth.grid))
    assert_same(spine.labels, truth.labels)


def test_foramina_that_touch_are_told_apart(make_spine, as_opinion):
    truth = make_spine()
    classes = truth.classes()
    upper, lower = (truth.middle(foramen_value(name, Side.LEFT)) for name in ("L2", "L3"))
    for share in np.linspace(0, 1, 40):
        classes[ball(truth, upper + share * (lower - upper), 3.5) & (truth.labels == 0)] = FORAMEN
    spine = name_spine(as_opinion(classes, truth.grid))
    for name in ("L2", "L3"):
        value = foramen_value(name, Side.LEFT)
        own = truth.labels == value
        assert (spine.labels[own] == value).mean() > 0.95


def test_a_foramen_in_pieces_is_one(make_spine, as_opinion):
    truth = make_spine()
    value = foramen_value("L4", Side.RIGHT)
    own = truth.labels == value
    cut = own & (np.abs(truth.points()[..., 1] - truth.middle(value)[1]) < 2)
    truth.labels[cut] = 0
    spine = name_spine(as_opinion(truth.classes(), truth.grid))
    np.testing.assert_array_equal(spine.labels == value, truth.labels == value)


def test_a_missed_body_ends_the_count(make_spine, as_opinion, assert_same):
    truth = make_spine()
    missed = vertebra_value("L3")
    truth.labels[truth.labels == missed] = 0
    opinion = as_opinion(truth.classes(), truth.grid)
    alone = name_spine(opinion)
    assert not alone.naming.named
    assert any("a body was missed, the 4th from below" in doubt for doubt in alone.naming.doubts)
    told = name_spine(opinion, lowest_disc="L5-S1")
    assert told.vertebrae == truth.vertebrae
    assert not told.has(missed)
    assert_same(told.labels, truth.labels)
    assert any("a body was missed" in doubt for doubt in told.naming.doubts)


def test_a_body_taken_for_s1_with_bodies_below_ends_the_count(make_spine, as_opinion):
    truth = make_spine()
    classes = truth.classes()
    classes[truth.labels == vertebra_value("S1")] = BODY
    classes[truth.labels == vertebra_value("L4")] = SACRUM
    spine = name_spine(as_opinion(classes, truth.grid))
    assert not spine.naming.named
    assert any("well-formed body lies below" in doubt for doubt in spine.naming.doubts)
    assert spine.vertebrae == ("V6", "V5", "V4", "V3", "V2", "V1")


def test_s2_below_s1_is_not_a_vertebra(make_spine, as_opinion, assert_same):
    truth = make_spine(lordosis=20)
    classes = truth.classes()
    s1 = truth.middle(vertebra_value("S1"))
    s2 = (np.abs(truth.points() - np.add(s1, [0, 30, 4])) < [14, 11, 8]).all(axis=-1) & (truth.labels == 0)
    for what in (SACRUM, BODY):
        classes[s2] = what
        spine = name_spine(as_opinion(classes, truth.grid))
        assert spine.vertebrae == truth.vertebrae
        assert spine.naming.named
        assert_same(spine.labels, truth.labels)


@pytest.mark.parametrize(("below_middle", "named"), [(8, True), (-2, False)])
def test_a_view_that_ends_within_the_spine_says_so(make_spine, as_opinion, below_middle, named):
    truth = make_spine()
    upper = int(truth.middle(vertebra_value("L2"))[1])
    lower = int(truth.middle(vertebra_value("S1"))[1])
    rows = slice(upper, lower + below_middle)
    labels = truth.labels[:, rows].copy()
    grid = Grid(labels.shape, truth.grid.spacing, truth.grid.origin, truth.grid.directions)
    spine = name_spine(as_opinion(truth.classes()[:, rows].copy(), grid))
    assert spine.vertebrae == (("L2", "L3", "L4", "L5", "S1") if named else ("V5", "V4", "V3", "V2", "V1"))
    assert any(f"upper edge of the view cuts the {spine.vertebrae[0]} body" in text for text in spine.naming.evidence)
    assert any("too little of the body taken for S1" in text for text in spine.naming.doubts) is not named
    assert any("lower edge of the view" in text for text in spine.naming.doubts)


@pytest.mark.parametrize(("dissenting", "named"), [(1, True), (2, False)])
def test_members_that_choose_another_s1_count(make_spine, as_opinion, dissenting, named):
    truth = make_spine()
    classes = truth.classes()
    members = np.repeat(classes[None], 5, axis=0)
    for n in range(dissenting):
        members[n][truth.labels == vertebra_value("S1")] = BODY
        members[n][truth.labels == vertebra_value("L5")] = SACRUM
    spine = name_spine(as_opinion(classes, truth.grid, members))
    assert spine.naming.named is named
    assert spine.naming.doubts


def test_no_s1_in_the_view_names_nothing(make_spine, as_opinion, assert_same):
    truth = make_spine(names=("T12", "L1", "L2", "L3", "L4", "L5"))
    opinion = as_opinion(truth.classes(), truth.grid)
    spine = name_spine(opinion)
    assert not spine.naming.named
    assert spine.naming.method == "none"
    assert spine.levels == ("V6-V5", "V5-V4", "V4-V3", "V3-V2", "V2-V1")
    told = name_spine(opinion, lowest_disc="L4-L5")
    assert_same(told.labels, truth.labels)
    other = name_spine(opinion, lowest_disc="L5-L6")
    assert other.vertebrae == ("L1", "L2", "L3", "L4", "L5", "L6")


def test_the_lowest_disc_counts_though_the_body_below_it_was_missed(make_spine, as_opinion, assert_same):
    truth = make_spine()
    truth.labels[truth.labels == vertebra_value("S1")] = 0
    opinion = as_opinion(truth.classes(), truth.grid)
    alone = name_spine(opinion)
    assert not alone.naming.named
    assert alone.levels[-1] == "V2-V1"
    assert not alone.has(vertebra_value("V1"))
    told = name_spine(opinion, lowest_disc="L5-S1")
    assert told.vertebrae == truth.vertebrae
    assert_same(told.labels, truth.labels)
    assert any("no body was recognised" in doubt for doubt in told.naming.doubts)
