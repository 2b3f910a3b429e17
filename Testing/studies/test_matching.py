"""Objects are matched by where they are, judged exactly, and missed ones are not forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from box_committee import NAMES, SHAPE, SPACING, ask_brightness, box_spine, brightness

from SpineQuantLib.anatomy.labels import disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.spine import NamedSpine, Naming
from SpineQuantLib.studies.matching import judge_objects, name_map
from SpineQuantLib.studies.truth import truths_of
from SpineQuantLib.training.label_check import OPEN_VALUE
from SpineQuantLib.uncertainty.assess import assess
from SpineQuantLib.uncertainty.territory import sac_territories

GRID = Grid(SHAPE, SPACING, (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))


def judged(found: np.ndarray, true: np.ndarray, names=NAMES, complete: bool = True, annotations=()):
    opinion = ask_brightness(None, GRID.image(brightness(found, np.random.default_rng(0))))
    spine = NamedSpine.from_labels(found, GRID, names)
    truths = truths_of(true, SPACING, annotations, complete, ())
    records = judge_objects(spine, assess(opinion, spine), sac_territories(spine), truths)
    return {(r.structure, r.level, r.side): r for r in records}


def test_what_is_right_has_dice_one():
    labels = box_spine()
    found = judged(labels, labels)
    # Six bodies, five discs, five stretches of the sac, ten foramina.
    assert len(found) == 26
    assert all(r.dice == 1.0 and not r.missed for r in found.values())
    assert all(set(r.scores) == {"entropy", "eigenvalue", "mean_dice", "voxel_entropy", "mutual_information",
                                 "expected_dice"} for r in found.values())  # fmt: skip


def test_dice_of_one_object_is_exact_and_its_neighbours_are_untouched():
    true, found = box_spine(), box_spine()
    rows = np.argwhere(true == disc_value("L3"))[:, 1]
    half = (np.arange(SHAPE[1]) < rows.min() + 3)[None, :, None]
    found[(found == disc_value("L3")) & half] = 0
    records = judged(found, true)
    assert records["disc", "L3-L4", ""].dice == pytest.approx(2 / 3)
    assert records["disc", "L2-L3", ""].dice == 1.0


def test_a_wrong_name_does_not_hide_a_right_mask():
    true = box_spine()
    found = np.zeros_like(true)
    names = ("T12", "L1", "L2", "L3", "L4", "L5")
    for old, new in zip(NAMES, names, strict=True):
        found[true == vertebra_value(old)] = vertebra_value(new)
        if old != "S1":
            found[true == disc_value(old)] = disc_value(new)
    spine = NamedSpine.from_labels(found, GRID, names)
    (truth,) = truths_of(true, SPACING, (), True, ())
    assert name_map(spine, truth) == dict(zip(names, NAMES, strict=True))
    records = judged(found, true, names)
    assert records["disc", "L4-L5", ""].dice == 1.0


def test_a_missed_object_is_said_or_not():
    true, found = box_spine(), box_spine()
    found[found == foramen_value("L4", Side.LEFT)] = 0
    record = judged(found, true)["foramen", "L4-L5", "left"]
    assert (record.dice, record.missed, record.announced, record.scores) == (0.0, True, True, {})


def test_what_is_made_up_counts_where_all_is_labelled():
    true, found = box_spine(), box_spine()
    true[true == foramen_value("L2", Side.RIGHT)] = 0
    records = judged(found, true)
    assert records["foramen", "L2-L3 (none)", "right"].dice == 0.0


def test_bodies_alone_say_nothing_of_foramina():
    true = box_spine()
    bodies = np.where(true <= 26, true, 0).astype(np.uint16)
    records = judged(box_spine(), bodies, complete=False)
    assert {structure for structure, _, _ in records} == {"vertebra", "disc"}
    # Discs that follow from the gaps are met.
    assert min(r.dice for r in records.values()) > 0.9


def test_two_raters_count_half_each():
    true = box_spine()
    bodies = np.where(true <= 26, true, 0).astype(np.uint16)
    first = np.where(true > 60, true, 0).astype(np.uint16)
    first[(first > 100) & (first < 150)] = 0
    second = first.copy()
    rows = np.argwhere(second == foramen_value("L3", Side.LEFT))[:, 1]
    assert np.ptp(rows) + 1 == 12
    # Farther above a drawn foramen than four rows nothing is known.
    upper = (np.arange(SHAPE[1]) < rows.min() + 4)[None, :, None]
    second[(second == foramen_value("L3", Side.LEFT)) & upper] = 0
    record = judged(box_spine(), bodies, complete=False, annotations=(first, second))["foramen", "L3-L4", "left"]
    assert record.dice == pytest.approx((1 + 0.8) / 2)


def test_what_a_rater_left_open_is_no_object():
    true = box_spine()
    bodies = np.where(true <= 26, true, 0).astype(np.uint16)
    drawn = np.where((true > 60) & ((true < 100) | (true > 150)), true, 0).astype(np.uint16)
    drawn[drawn == foramen_value("L3", Side.LEFT)] = OPEN_VALUE
    (truth,) = truths_of(bodies, SPACING, (drawn,), False, ())
    assert not (truth.labels == OPEN_VALUE).any()
    assert not truth.known(Structure.FORAMEN)[true == foramen_value("L3", Side.LEFT)].any()
    records = judged(box_spine(), bodies, complete=False, annotations=(drawn,))
    assert ("foramen", "L3-L4", "left") not in records
    assert records["foramen", "L3-L4", "right"].dice == 1.0


def test_discs_drawn_beside_bodies_are_the_truth_about_them():
    true = box_spine()
    labels = np.where((true <= 26) | ((true > 100) & (true < 150)), true, 0).astype(np.uint16)
    (truth,) = truths_of(labels, SPACING, (), False, ())
    np.testing.assert_array_equal(truth.labels, labels)
    assert truth.known(Structure.DISC)[labels > 0].all()
    labels[labels == disc_value("L2")] = 0
    (partly,) = truths_of(labels, SPACING, (), False, ())
    derived = partly.labels == disc_value("L2")
    assert derived.any()
    assert (true[derived] == disc_value("L2")).all()
    np.testing.assert_array_equal(partly.labels[~derived], labels[~derived])


def test_nothing_is_missed_that_the_edge_of_the_view_cuts():
    labels = box_spine()
    top = np.argwhere(labels == vertebra_value(NAMES[0]))[:, 1]
    cut = (slice(None), slice(int(top.min()) + 2, None), slice(None))
    (truth,) = truths_of(labels, SPACING, (), True, ())
    part = truth.crop(cut)
    uppermost = [vertebra_value(NAMES[0]), disc_value(NAMES[0]), foramen_value(NAMES[0], Side.LEFT)]
    assert all(part.cut_by_view(v) and not truth.cut_by_view(v) for v in uppermost)
    assert not part.cut_by_view(disc_value(NAMES[1]))


def test_a_body_counted_but_not_seen_is_missed_and_said():
    true, found = box_spine(), box_spine()
    for name in ("L3", "L4"):
        found[found == vertebra_value(name)] = 0
    names = ("V6", "V5", "V4", "V3", "V2", "V1")
    renamed = np.zeros_like(found)
    for old, new in zip(NAMES, names, strict=True):
        renamed[found == vertebra_value(old)] = vertebra_value(new)
    records = judged(renamed, true, names)
    for name in ("L3", "L4"):
        record = records["vertebra", name, ""]
        assert record.missed
        assert record.announced


def test_what_lies_below_all_that_was_found_is_said_where_the_sacrum_is_not_in_view():
    true, found = box_spine(), box_spine()
    low = np.argwhere(found == vertebra_value("L4"))[:, 1].min()
    found[:, low:] = 0
    opinion = ask_brightness(None, GRID.image(brightness(found, np.random.default_rng(0))))
    naming = Naming(False, "none", (), ("the sacrum is not in view",))
    spine = NamedSpine.from_labels(found, GRID, NAMES[: NAMES.index("L4")], naming)
    truths = truths_of(true, SPACING, (), True, ())
    records = judge_objects(spine, assess(opinion, spine), sac_territories(spine), truths)
    lost = [r for r in records if r.missed and r.structure == "vertebra"]
    assert {r.level for r in lost} >= {"L4", "L5"}
    assert all(r.announced for r in lost)
