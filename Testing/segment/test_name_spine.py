"""Spines of known names come out with those names, on those sides, however they lie and are sampled."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SpineQuantLib.anatomy.labels import disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side, Structure
from SpineQuantLib.case.errors import UnsuitableError
from SpineQuantLib.segment.spine import name_spine

SPACINGS = [(4.0, 1.0, 1.0), (2.0, 2.0, 2.0), (6.0, 1.5, 1.5), (2.0, 4.0, 2.0)]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_object_keeps_its_name_at_any_spacing(make_spine, as_opinion, assert_same, spacing):
    truth = make_spine(spacing=spacing)
    spine = name_spine(as_opinion(truth.classes(), truth.grid))
    assert spine.vertebrae == truth.vertebrae
    assert spine.naming.named
    assert spine.naming.method == "counted from S1"
    assert_same(spine.labels, truth.labels, least=0.97)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pitch=st.floats(-25, 30),
    turn=st.floats(-30, 30),
    tilt=st.floats(-20, 20),
    scoliosis=st.floats(-40, 40),
    lordosis=st.floats(20, 75),
)
def test_a_tilted_turned_and_bent_patient_keeps_levels_and_sides(
    make_spine, as_opinion, assert_same, pitch, turn, tilt, scoliosis, lordosis
):
    truth = make_spine(
        names=("L2", "L3", "L4", "L5", "S1"),
        spacing=(3.0, 2.0, 2.0),
        lordosis=lordosis,
        scoliosis=scoliosis,
        rotation=(pitch, turn, tilt),
    )
    spine = name_spine(as_opinion(truth.classes(), truth.grid))
    assert spine.vertebrae == truth.vertebrae
    assert_same(spine.labels, truth.labels, least=0.95)


def test_a_mirrored_patient_changes_sides_and_nothing_else(make_spine, as_opinion, assert_same):
    truth = make_spine(scoliosis=25)
    mirrored = np.flip(truth.classes(), axis=0)
    spine = name_spine(as_opinion(mirrored, truth.grid))
    back = np.flip(spine.labels, axis=0).astype(int)
    # The foramen of one side has become the other's: 150 + n on the right, 180 + n on the left.
    right, left = (back > 150) & (back <= 180), (back > 180) & (back < 210)
    back[right] += 30
    back[left] -= 30
    assert_same(back, truth.labels)


def test_sides_hold_without_a_sac(make_spine, as_opinion, assert_same):
    truth = make_spine(scoliosis=20)
    truth.labels[truth.labels == 61] = 0
    spine = name_spine(as_opinion(truth.classes(), truth.grid))
    assert not spine.shows_canal
    assert_same(spine.labels, truth.labels)


@pytest.mark.parametrize("name", ["vb1-02", "vb1-06", "vb1-15", "vb1-16"])
def test_real_spines_are_counted_from_s1(real_spine, as_opinion, assert_same, name):
    truth = real_spine(name)
    spine = name_spine(as_opinion(truth.classes(), truth.grid))
    assert spine.vertebrae == truth.vertebrae
    assert spine.naming.method == "counted from S1"
    assert_same(spine.labels, truth.labels)


@pytest.mark.parametrize("name", ["vb2-05", "vb3-20"])
def test_real_spines_without_s1_stay_unnamed_until_told(real_spine, as_opinion, assert_same, name):
    truth = real_spine(name)
    opinion = as_opinion(truth.classes(), truth.grid)
    alone = name_spine(opinion)
    assert not alone.naming.named
    assert alone.vertebrae == tuple(f"V{n}" for n in range(len(truth.vertebrae), 0, -1))
    assert any("sacrum is not in view" in doubt for doubt in alone.naming.doubts)
    told = name_spine(opinion, lowest_disc="L4-L5")
    assert told.vertebrae == truth.vertebrae
    assert told.naming.method == "set by hand"
    # Below L5 there is no body in view, so there is no level to give a foramen to.
    assert_same(told.labels, truth.labels, but=(174, 204, 124))


def test_real_sac_and_foramina_swap_when_the_volume_is_mirrored(real_spine, as_opinion):
    truth = real_spine("vb1-15")
    opinion = as_opinion(truth.classes()[::-1].copy(), truth.grid)
    spine = name_spine(opinion)
    for level in range(20, 25):
        drawn_right = truth.labels[::-1] == 150 + level
        assert drawn_right.any()
        # Ends that are not seen whole are left out; nothing is given to another side or level.
        assert set(np.unique(spine.labels[drawn_right])) <= {0, 180 + level}
        assert np.mean(spine.labels[drawn_right] == 180 + level) > 0.6


def test_a_foramen_is_trimmed_to_the_sections_that_show_it_whole(make_spine, as_opinion):
    truth = make_spine(spacing=(4.0, 1.0, 1.0))
    classes, whole = truth.classes(), truth.labels == foramen_value("L3", Side.LEFT)
    slices = np.flatnonzero(whole.any(axis=(1, 2)))
    assert len(slices) >= 2
    # Fat beside it, and a narrow place within it.
    rows = np.argwhere(whole)[:, 1]
    beside = np.zeros_like(whole)
    beside[slices[-1] + 1] = whole[slices[-1]]
    beside[:, int(rows.min()) + 7 :] = False
    classes[beside] = NetworkClass.FORAMEN
    found = name_spine(as_opinion(classes, truth.grid)).labels == foramen_value("L3", Side.LEFT)
    np.testing.assert_array_equal(np.flatnonzero(found.any(axis=(1, 2))), slices)
    np.testing.assert_array_equal(found, whole)


def test_a_narrow_place_within_a_foramen_is_kept(make_spine, as_opinion):
    truth = make_spine(spacing=(2.5, 1.0, 1.0))
    classes, whole = truth.classes(), truth.labels == foramen_value("L3", Side.LEFT)
    slices = np.flatnonzero(whole.any(axis=(1, 2)))
    assert len(slices) >= 3
    rows = np.argwhere(whole)[:, 1]
    waist = whole.copy()
    waist[slices[:1]] = waist[slices[2:]] = False
    waist[:, : int(rows.min()) + 6] = False
    classes[waist] = NetworkClass.BACKGROUND
    found = name_spine(as_opinion(classes, truth.grid)).labels == foramen_value("L3", Side.LEFT)
    np.testing.assert_array_equal(found, whole & ~waist)


def test_the_border_lies_where_a_structure_starts_to_win(make_spine, as_opinion):
    truth = make_spine(spacing=(2.0, 2.0, 2.0))
    opinion = as_opinion(truth.classes(), truth.grid)
    soft = opinion.probabilities.astype(np.float32)
    for axis in (1, 2, 3):
        soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) / 4
    object.__setattr__(opinion, "probabilities", soft.astype(np.float16))
    spine = name_spine(opinion)
    values = opinion.probabilities.astype(np.float32)
    shares = {
        Structure.VERTEBRA: values[1] + values[2],
        Structure.DISC: values[3],
        Structure.CANAL: values[4],
        Structure.FORAMEN: values[5],
    }
    stack = np.stack([values[0], *shares.values()])
    for n, structure in enumerate(shares, start=1):
        others = np.delete(stack, n, axis=0).max(axis=0)
        expected = np.clip(0.5 + (stack[n] - others) / 2, 0, 1)
        inside = spine.occupancy[structure] > 0.5
        assert inside.any()
        np.testing.assert_allclose(spine.occupancy[structure][inside], expected[inside], atol=1e-3)


def test_occupancy_agrees_with_the_labels(make_spine, as_opinion):
    truth = make_spine()
    classes = truth.classes()
    classes[2:4, 20:40, 5:20] = 4
    spine = name_spine(as_opinion(classes, truth.grid))
    for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL, Structure.FORAMEN):
        values = [label.value for label in spine.objects if label.structure is structure]
        np.testing.assert_array_equal(spine.occupancy[structure] > 0.5, np.isin(spine.labels, values))


@pytest.mark.parametrize("bad", ["L5", "L3-L5", "V2-V1", "S1-S2", "lowest"])
def test_a_level_that_is_none_is_refused(make_spine, as_opinion, bad):
    truth = make_spine()
    with pytest.raises(ValueError):
        name_spine(as_opinion(truth.classes(), truth.grid), lowest_disc=bad)


@pytest.mark.parametrize("what", ["nothing", "one ball", "balls apart"])
def test_a_volume_without_a_spine_is_refused(make_spine, as_opinion, what):
    truth = make_spine()
    points = truth.points()
    classes = np.zeros(truth.labels.shape, np.uint8)
    centres = {"nothing": [], "one ball": [(48, 120, 80)], "balls apart": [(20, 40, 30), (75, 60, 140), (48, 220, 80)]}
    for centre in centres[what]:
        classes[np.linalg.norm(points - centre, axis=-1) < 15] = 1
    with pytest.raises(UnsuitableError, match="no lumbar spine was found"):
        name_spine(as_opinion(classes, truth.grid))


@pytest.mark.parametrize("rotation", [(25, 0, 0), (-20, 25, 15)])
def test_the_bend_above_s1_does_not_depend_on_how_the_patient_lies(make_spine, as_opinion, rotation):
    def bend(**turned):
        truth = make_spine(spacing=(3.0, 2.0, 2.0), **turned)
        evidence = name_spine(as_opinion(truth.classes(), truth.grid)).naming.evidence
        return float(next(re.search(r"S1 descends (-?\d+)° more", text)[1] for text in evidence if "descends" in text))

    assert bend() > 20
    assert bend(rotation=rotation) == pytest.approx(bend(), abs=3)


def test_right_is_where_the_slices_begin(make_spine, as_opinion):
    truth = make_spine()
    spine = name_spine(as_opinion(truth.classes(), truth.grid))
    for label in spine.objects:
        if label.structure is Structure.FORAMEN:
            slice_number = np.argwhere(spine.labels == label.value)[:, 0].mean()
            sac = np.argwhere(spine.labels == 61)[:, 0].mean()
            assert (slice_number < sac) == (label.side is Side.RIGHT)


def test_bodies_beyond_a_wide_gap_are_left_out_and_said(make_spine, as_opinion):
    names = ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
    truth = make_spine(names=names, lordosis=30, rows=400)
    classes = truth.classes()
    # Four bodies and the discs beside them, as a long implant would hide them.
    hidden = [vertebra_value(n) for n in ("T11", "T12", "L1", "L2")] + [
        disc_value(n) for n in ("T10", "T11", "T12", "L1", "L2")
    ]
    classes[np.isin(truth.labels, hidden)] = NetworkClass.BACKGROUND
    spine = name_spine(as_opinion(classes, truth.grid))
    assert spine.vertebrae[-4:] == ("L3", "L4", "L5", "S1")
    assert "T9" not in spine.vertebrae
    assert any("2 more bodies were recognised and left out" in doubt for doubt in spine.naming.doubts)
