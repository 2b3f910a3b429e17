"""Edited masks: what was touched is measured again, the rest stays, and what cannot be right is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.measure.landmarks import Landmarks
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.review.masks import edited_spine, touched_values
from SpineQuantLib.review.measuring import measure_with_sac
from SpineQuantLib.review.remeasure import Touched

DISC = disc_value("L4")
VOLUME = "disc_L4-L5_volume_soft-voxels"


def labels_of(review: CaseReview) -> np.ndarray:
    return review.result.spine.labels.copy()


def by_key(rows):
    return {m.key: m for m in rows}


def test_a_larger_disc_is_larger_and_the_others_stay(review):
    labels = labels_of(review)
    grown = ndimage.binary_dilation(labels == DISC, np.ones((1, 3, 3))) & (labels == 0)
    labels[grown] = DISC
    before = by_key(review.measurements)
    changed = by_key(review.edit_mask(labels))
    assert changed[VOLUME].value > before[VOLUME].value
    assert changed[VOLUME].automatic == before[VOLUME].value
    assert changed[VOLUME].source == "corrected"
    assert all(m.source == "corrected" for m in changed.values())
    discs = {m.level for m in changed.values() if m.structure is Structure.DISC}
    assert discs == {"L4-L5"}
    for key, m in by_key(review.measurements).items():
        if key not in changed:
            assert m == before[key]


def test_a_removed_disc_has_no_values_but_a_reason(review):
    labels = labels_of(review)
    labels[labels == DISC] = 0
    before = by_key(review.measurements)
    review.edit_mask(labels)
    row = review.row(VOLUME)
    assert row.value is None
    assert row.flag
    assert (row.source, row.automatic) == ("corrected", before[VOLUME].value)
    assert any(s.reason == "L4-L5 disc not seen" for s in review.scores)
    assert "L4-L5 disc not seen" in review.result.assessment.reasons


def test_a_gap_that_is_filled_is_no_reason_any_more(review):
    complete = labels_of(review)
    without = complete.copy()
    without[without == foramen_value("L4", Side.LEFT)] = 0
    review.edit_mask(without)
    gap = "left foramen L4-L5 not seen"
    assert gap in review.result.assessment.reasons
    review.edit_mask(complete)
    assert gap not in review.result.assessment.reasons
    assert all(s.reason != gap for s in review.scores)
    area = review.row("foramen_left_L4-L5_area_narrowest-sagittal-section")
    assert area.value is not None


def test_an_edit_taken_back_by_hand_is_close_and_undone_is_exact(review):
    original, before = labels_of(review), review.measurements
    labels = original.copy()
    labels[labels == DISC] = 0
    review.edit_mask(labels)
    review.edit_mask(original)
    # The soft border is gone where it was painted over; the mask alone is good to a fraction of a voxel.
    assert review.row(VOLUME).value == pytest.approx(review.row(VOLUME).automatic, rel=0.15)
    review.undo()
    review.undo()
    assert review.measurements == before
    np.testing.assert_array_equal(review.result.spine.labels, original)


def test_borders_stay_soft_where_nothing_was_touched(review):
    spine = review.result.spine
    labels = labels_of(review)
    rim = np.argwhere(labels == DISC)[0]
    labels[tuple(rim)] = 0
    edited = edited_spine(spine, labels)
    before, after = spine.occupancy[Structure.DISC], edited.occupancy[Structure.DISC]
    differs = np.argwhere(before != after)
    assert (np.abs(differs - rim).max(axis=1) <= 1).all()
    # Slices are four times as thick as a pixel is wide: those beside the edited one were not touched.
    assert (differs[:, 0] == rim[0]).all()
    assert after[tuple(rim)] == 0
    for structure in (Structure.VERTEBRA, Structure.CANAL, Structure.FORAMEN):
        assert edited.occupancy[structure] is spine.occupancy[structure]


def test_a_line_placed_by_hand_outlives_an_edit_beside_it_but_not_of_its_own_object(review):
    key = "disc_L4-L5_anterior-height_mid-sagittal"
    points = np.array(review.row(key).geometry.points)
    review.move(key, points + (points - points.mean(axis=0)) * 0.2)
    placed = review.row(key)
    labels = labels_of(review)
    body = labels == vertebra_value("L4")
    labels[ndimage.binary_dilation(body) & (labels == 0)] = vertebra_value("L4")
    review.edit_mask(labels)
    assert review.row(key) == placed
    labels[ndimage.binary_dilation(labels == DISC) & (labels == 0)] = DISC
    review.edit_mask(labels)
    assert review.row(key).value != placed.value
    assert review.row(key).automatic == placed.automatic


def test_the_sac_follows_where_it_was_edited(review):
    labels = labels_of(review)
    row = round(float(np.argwhere(labels == DISC)[:, 1].mean()))
    part = labels[:, row - 4 : row + 5]
    front = np.argwhere(labels == CANAL_VALUE)[:, 2].min() + 4
    part[:, :, :front][part[:, :, :front] == CANAL_VALUE] = 0
    before = by_key(review.measurements)
    changed = by_key(review.edit_mask(labels))
    key = "canal_L4-L5_AP-diameter_perpendicular-to-centre-line"
    if key in changed:
        assert changed[key].value < before[key].value
    assert all(m.structure is not Structure.VERTEBRA for m in changed.values())


def test_the_same_mask_is_no_edit(review):
    assert review.edit_mask(labels_of(review)) == ()
    assert not review.changed


def wrong_shape(labels):
    return labels[:-1]


def fraction(labels):
    return labels + 0.5


def negative(labels):
    return labels.astype(int) - 1


def unknown_value(labels):
    labels[0, 0, 0] = 250
    return labels


def not_of_this_case(labels):
    labels[0, :3, 0] = vertebra_value("T4")
    return labels


def swapped_sides(labels):
    right, left = (labels == foramen_value("L4", side) for side in (Side.RIGHT, Side.LEFT))
    labels[right], labels[left] = foramen_value("L4", Side.LEFT), foramen_value("L4", Side.RIGHT)
    return labels


def swapped_levels(labels):
    upper, lower = labels == disc_value("L3"), labels == disc_value("L4")
    labels[upper], labels[lower] = disc_value("L4"), disc_value("L3")
    return labels


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (wrong_shape, "shape"),
        (fraction, "whole numbers"),
        (negative, "whole numbers"),
        (unknown_value, "250"),
        (not_of_this_case, "does not belong to this case"),
        (swapped_sides, "other side"),
        (swapped_levels, "above"),
    ],
)
def test_what_cannot_be_right_is_refused_whole(review, spoil, says):
    before = review.measurements
    with pytest.raises(InputError, match=says):
        review.edit_mask(spoil(labels_of(review)))
    assert review.measurements == before
    assert not review.can_undo


def test_what_is_taken_over_from_before_an_edit_changes_no_value(review):
    """Object after object loses some voxels or gets them back: each time all rows are those of a fresh measuring."""
    whole = labels_of(review)
    review.prepare()
    assert review.prepared
    random = np.random.default_rng(7)
    for value in (DISC, vertebra_value("L4"), CANAL_VALUE, None):
        labels = whole if value is None else labels_of(review)
        for voxel in random.choice(np.argwhere(labels == value), 3) if value is not None else ():
            labels[tuple(voxel)] = 0
        review.edit_mask(labels)
        result = review.result
        quick = measure_with_sac(result, everything, Landmarks(result.spine, known=review._landmarks))
        assert quick == measure_with_sac(result, everything)


def brush(labels: np.ndarray, value: int, over: int, random: np.random.Generator) -> np.ndarray:
    """Labels after a stroke of a round brush in one slice, laid on a voxel of an object at random."""
    k, j, i = random.choice(np.argwhere(labels == over))
    rows, columns = np.ogrid[: labels.shape[1], : labels.shape[2]]
    labels = labels.copy()
    labels[k][(rows - j) ** 2 + (columns - i) ** 2 <= random.integers(1, 4) ** 2] = value
    return labels


@pytest.mark.parametrize("seed", range(2))
def test_random_strokes_give_the_rows_of_a_fresh_measuring(review, seed):
    """Whatever was painted or erased before: what depends on a stroke is measured as if there had been nothing."""
    random = np.random.default_rng(seed)
    review.prepare()
    kinds = [DISC, vertebra_value("L4"), CANAL_VALUE, foramen_value("L4", Side.RIGHT), vertebra_value("L5")]
    for over in random.permutation(kinds):
        before = review.result.spine
        labels = brush(before.labels, int(random.choice([over, 0])), int(over), random)
        values = touched_values(before.labels, labels)
        try:
            review.edit_mask(labels)
        except InputError:
            continue  # what the brush took away had been all of a foramen's side of the spine
        result = review.result
        fresh = NamedSpine(before.grid, result.spine.labels.copy(), result.spine.occupancy, before.vertebrae)
        wanted = Touched(fresh, values).depends
        quick = measure_with_sac(result, wanted, Landmarks(result.spine, known=review._landmarks))
        assert quick == measure_with_sac(replace(result, spine=fresh), wanted)
        assert fresh.objects == result.spine.objects
        if random.random() < 0.3:
            review.undo()


def test_names_given_anew_measure_what_was_there(review):
    """Masks stay where they are when levels are renamed, and so does what was cut from them."""
    review.prepare()
    before = review._landmarks
    review.rename("L4-L5", s1_becomes_lumbar=True)
    after = review._landmarks
    assert after.column != before.column
    assert list(after.fields.values()) == list(before.fields.values())
    assert after.sac is before.sac
    result = review.result
    assert measure_with_sac(result, everything, after) == measure_with_sac(result, everything)


def test_only_what_an_edit_touched_is_worked_out_again(review):
    review.prepare()
    before = review._landmarks
    labels = labels_of(review)
    labels[tuple(np.argwhere(labels == DISC)[0])] = 0
    review.edit_mask(labels)
    after = review._landmarks
    assert after.sac is before.sac
    assert after.centre_line is before.centre_line
    assert {name for name in after.column if after.fields[name] is not before.fields[name]} == {"L4-L5"}
    assert after.frame(after.column[0]) is before.frame(after.column[0])
    assert after.frame("L4-L5") is not before.frame("L4-L5")


def everything(_structure: Structure, _level: str) -> bool:
    return True
