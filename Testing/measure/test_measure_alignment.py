"""Slips, curves, bulges, compression and signal of phantoms as they were built, and the warnings that go with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.case.result import Contrast
from SpineQuantLib.measure.spine import measure_spine_and_canal
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom


@pytest.fixture(scope="module")
def sick():
    """A slip, a bulge, a severe stenosis, a dry disc, a curved spine, lying turned in the scanner; rows and truth."""
    spec = PhantomSpec(
        size=(26, 220, 160),
        spacing=(3.0, 1.0, 1.0),
        listhesis={"L5-S1": 8.0},
        disc_bulge={"L3-L4": 4.0},
        central_stenosis={"L2-L3": 0.7},
        disc_degeneration={"L4-L5": 1.0},
        scoliosis=18.0,
        patient_rotation=(7.0, 0.0, 4.0),
        bias=0.0,
        texture=0.0,
        noise=0.01,
    )
    phantom = make_phantom(spec)
    image = sitk.GetArrayFromImage(to_reading_order(phantom.image)).astype(np.float32)
    rows, profile = measure_spine_and_canal(phantom.spine(), image, Contrast.T2)
    return {row.key: row for row in rows}, {row.key: row for row in phantom.truth}, profile


def test_the_slip_is_found_graded_and_said_to_be_smaller_than_standing(sick):
    rows, truth, _ = sick
    key = "spine_L5-S1_slip_posterior-corners,-supine"
    assert rows[key].value == pytest.approx(truth[key].value, abs=0.8)
    assert truth[key].value > 5.0
    assert rows[key].grade.startswith("Meyerding I ")
    assert "supine" in rows[key].flag
    healthy = rows["spine_L3-L4_slip_posterior-corners,-supine"]
    assert abs(healthy.value) < 2.0
    assert healthy.grade == ""
    assert "supine" not in healthy.flag


def test_angles_are_those_the_phantom_was_built_with(sick):
    rows, truth, _ = sick
    for key in (
        "spine_L1-S1_lordosis_Cobb",
        "spine_S1_sacral-slope_supine,-to-the-scanner's-axial-plane",
        "spine_L2-L3_segmental-angle_upper-endplates",
    ):
        assert rows[key].value == pytest.approx(truth[key].value, abs=1.5), key
    cobb = next(row for row in rows.values() if row.name == "coronal Cobb angle")
    assert cobb.value == pytest.approx(18.0, abs=2.0)  # positive: convex to the left, as asked for


def test_the_narrow_section_says_so_in_its_own_rows_and_in_the_profile(sick):
    rows, truth, profile = sick
    for name in ("area", "AP-diameter"):
        row = rows[f"canal_L2-L3_{name}_perpendicular-to-centre-line"]
        assert "less than half as large" in row.flag
        assert "less than half" not in rows[f"canal_L4-L5_{name}_perpendicular-to-centre-line"].flag
    ratio = "canal_L2-L3_compression-ratio_area-against-mid-bodies"
    assert rows[ratio].value == pytest.approx(truth[ratio].value, abs=4.0)
    smallest = next(row for row in rows.values() if row.name == "smallest area")
    assert smallest.level == "L2-L3"
    # Below the lowest disc the sac ends, and is small for that.
    last = dict(profile.levels)["L5-S1"]
    above = [value for distance, value in profile.curve("area") if 3.0 <= distance <= last]
    assert smallest.value == pytest.approx(min(above), rel=1e-6)
    assert [level for level, _ in profile.levels][-2:] == ["L5-S1", "S1"]
    assert any("less than half" in s.flag for s in profile.sections if s.level == "L2-L3")


def test_a_sac_that_is_cut_short_above_says_so_and_is_not_the_smallest_there(sick):
    _, _, profile = sick
    assert not any("upper end" in section.flag for section in profile.sections)
    spine = make_phantom(PhantomSpec(size=(26, 220, 160), spacing=(3.0, 1.0, 1.0))).spine()
    whole, _ = measure_spine_and_canal(spine)
    top = int(np.flatnonzero((spine.labels == CANAL_VALUE).any(axis=(0, 2)))[0])
    # What a sac looks like that leaves the slices: half of its slices, and then a quarter.
    seen = np.flatnonzero((spine.labels[:, top : top + 14] == CANAL_VALUE).any(axis=(1, 2)))
    labels, soft = spine.labels.copy(), spine.occupancy[Structure.CANAL].copy()
    for rows_gone, slices in ((10, seen[3:]), (5, seen[2:])):
        gone = np.ix_(slices, range(top, top + rows_gone), range(spine.grid.shape[2]))
        labels[gone] = np.where(labels[gone] == CANAL_VALUE, 0, labels[gone])
        soft[gone] = 0.0
    thin = replace(spine, labels=labels, occupancy=spine.occupancy | {Structure.CANAL: soft})
    found, cut = measure_spine_and_canal(thin)
    tapered = [s for s in cut.sections if "upper end of the sac in view" in s.flag]
    before, after = (next(row for row in rows if row.name == "smallest area") for rows in (whole, found))
    assert tapered
    assert min(s.area for s in tapered) < after.value
    assert after.level in ("L5", "L5-S1")  # where a healthy sac is smallest
    assert after.value == pytest.approx(before.value, rel=0.02)


def test_a_bulge_is_found_behind_its_disc_and_on_both_sides(sick):
    rows, truth, _ = sick
    for side in ("", "right_", "left_"):
        key = f"disc_{side}L3-L4_posterior-bulge_corner-line"
        assert rows[key].value == pytest.approx(truth[key].value, abs=0.8), key
        assert rows[key].value > 1.5


def test_a_dry_disc_is_darker_and_only_t2_is_believed(sick):
    rows, _, _ = sick
    wet, dry = (rows[f"disc_{level}_signal-ratio_peak-over-CSF"].value for level in ("L3-L4", "L4-L5"))
    assert 0.4 < wet < 0.8
    assert dry < 0.5 * wet


@pytest.mark.parametrize(
    ("contrast", "word"), [(Contrast.T1, "T1"), (Contrast.STIR, "STIR"), (Contrast.UNKNOWN, "not known")]
)
def test_signal_is_refused_with_a_reason(shapes, contrast, word):
    grid = shapes.grid_of((3.0, 1.0, 1.0), (66, 60, 60))
    spine = shapes.Scene({123: shapes.Slab(np.zeros(3), shapes.pose())}).on(grid)
    rows, profile = measure_spine_and_canal(spine, np.ones(grid.shape, np.float32), contrast)
    row = next(row for row in rows if row.name == "signal ratio")
    assert row.value is None
    assert word in row.flag
    assert profile is None


def test_signal_of_a_rescaled_image_is_refused(shapes):
    grid = shapes.grid_of((3.0, 1.0, 1.0), (66, 80, 80))
    parts = {
        123: shapes.Slab(np.zeros(3), shapes.pose()),
        61: shapes.Tube(np.array([0.0, 28.0, 0.0]), shapes.pose()),
    }
    spine = shapes.Scene(parts).on(grid)
    image = np.random.default_rng(0).normal(0.0, 1.0, grid.shape).astype(np.float32)
    rows, _ = measure_spine_and_canal(spine, image, Contrast.T2)
    ratios = [row for row in rows if row.name == "signal ratio"]
    assert ratios
    assert all(row.value is None and "negative values" in row.flag for row in ratios)


def test_an_image_on_another_grid_is_refused(shapes):
    grid = shapes.grid_of((3.0, 1.0, 1.0), (66, 60, 60))
    spine = shapes.Scene({123: shapes.Slab(np.zeros(3), shapes.pose())}).on(grid)
    with pytest.raises(ValueError, match="grid"):
        measure_spine_and_canal(spine, np.ones((2, 3, 4), np.float32), Contrast.T2)


def test_space_for_the_cord_where_there_is_a_cord(shapes):
    axes = shapes.pose(8.0)
    disc = shapes.Slab(np.zeros(3), axes)
    behind = -26 * axes[:, 0]
    sac, cord = (shapes.Tube(behind, axes, ap, rl, 1e4) for ap, rl in ((8.0, 10.0), (3.5, 5.0)))
    grid = shapes.grid_of((1.5, 0.8, 0.8), (66, 80, 90))
    scene = shapes.Scene({123: disc, 61: lambda p: sac(p) & ~cord(p), 60: cord}).on(grid, hard=True)
    rows = {r.key: r for r in measure_spine_and_canal(scene)[0]}
    row = rows["canal_L4-L5_space-for-the-cord_AP-less-cord-AP"]
    assert row.value == pytest.approx(16.0 - 7.0, abs=0.7)
    assert rows["canal_L4-L5_area_perpendicular-to-centre-line"].value == pytest.approx(np.pi * 80.0, rel=0.05)


def test_sides_of_foramina_are_compared_with_the_left_one_first(sick):
    rows, _, _ = sick
    right, left = (rows[f"foramen_{side}_L3-L4_area_narrowest-sagittal-section"].value for side in Side)
    both = rows["foramen_L3-L4_area-asymmetry_left-less-right-over-mean"].value
    assert both == pytest.approx(200 * (left - right) / (left + right), abs=1e-9)
