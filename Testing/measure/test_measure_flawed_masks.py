"""Masks that lack a part, and pictures that end before their array does: absent or doubted, never quietly wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.case.view import margins_in_words, view_of
from SpineQuantLib.measure import measure_spine
from SpineQuantLib.measure.frames import LEFT
from SpineQuantLib.measure.landmarks import Landmarks
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom

SAC = "perpendicular-to-centre-line"


@pytest.fixture(scope="module")
def spine() -> NamedSpine:
    return make_phantom(PhantomSpec(central_stenosis={"L4-L5": 0.45})).spine()


@pytest.fixture(scope="module")
def whole(spine) -> dict:
    return rows(spine)


def rows(spine: NamedSpine) -> dict:
    return {row.key: row for row in measure_spine(spine)}


def without(spine: NamedSpine, structure: Structure, lost: np.ndarray) -> NamedSpine:
    """The spine with some voxels of one structure lost."""
    soft = {**spine.occupancy, structure: np.where(lost, 0.0, spine.occupancy[structure]).astype(np.float32)}
    return replace(spine, labels=np.where(lost, 0, spine.labels).astype(np.uint16), occupancy=soft)


def rows_of(spine: NamedSpine, value: int) -> np.ndarray:
    return np.flatnonzero((spine.labels == value).any(axis=(0, 2)))


@pytest.mark.parametrize("slices", [7, 6, 5])
def test_an_object_seen_on_its_middle_slices_alone_does_not_turn(spine, whole, slices):
    """Its long axis runs from front to back then; AP and transverse diameter must not change places."""
    own = spine.labels == disc_value("L4")
    seen = np.flatnonzero(own.any(axis=(1, 2)))
    first = int(np.ceil((seen[0] + seen[-1] + 1 - slices) / 2))
    beside = np.ones(len(spine.labels), bool)
    beside[first : first + slices] = False
    near = np.zeros(spine.labels.shape[1], bool)
    near[rows_of(spine, disc_value("L4"))[0] - 2 : rows_of(spine, disc_value("L4"))[-1] + 3] = True
    lost = beside[:, None, None] & near[None, :, None] & (own | (spine.labels == 0))
    narrow = without(spine, Structure.DISC, lost)
    assert Landmarks(narrow).frame("L4-L5").left @ LEFT > np.cos(np.radians(20))
    found = rows(narrow)
    for key in (f"canal_L4-L5_AP-diameter_{SAC}", f"canal_L4-L5_transverse-diameter_{SAC}"):
        assert found[key].value == pytest.approx(whole[key].value, abs=0.6)
    key = "disc_L4-L5_depth_mid-sagittal"
    assert found[key].value == pytest.approx(whole[key].value, abs=2.0)


def test_a_doubtful_sac_behind_a_body_makes_the_ratio_doubtful(spine, whole):
    middle = int(rows_of(spine, vertebra_value("L5")).mean())
    lost = np.zeros(spine.labels.shape, bool)
    for j in range(middle - 10, middle + 6):
        inside = np.argwhere(spine.labels[:, j] == CANAL_VALUE)
        behind = inside[inside[:, 1] > np.percentile(inside[:, 1], 25)]
        lost[behind[:, 0], j, behind[:, 1]] = True
    found = rows(without(spine, Structure.CANAL, lost))
    key = "canal_L4-L5_compression-ratio_area-against-mid-bodies"
    assert not whole[key].flag
    assert found[f"canal_L5_area_{SAC}"].flag
    assert "L5: " in found[key].flag


def test_an_interrupted_sac_may_be_smaller_where_it_is_not_seen(spine, whole):
    middle = int(rows_of(spine, disc_value("L4")).mean())
    lost = np.zeros(spine.labels.shape, bool)
    lost[:, middle - 10 : middle + 10] = spine.labels[:, middle - 10 : middle + 10] == CANAL_VALUE
    found = rows(without(spine, Structure.CANAL, lost))
    smallest = [r for r in found.values() if r.name == "smallest area"]
    assert next(r for r in whole.values() if r.name == "smallest area").flag == ""
    assert len(smallest) == 1
    assert "not seen everywhere" in smallest[0].flag


def test_the_smallest_section_beside_a_slip_is_as_doubtful_as_its_level():
    found = rows(make_phantom(PhantomSpec(listhesis={"L4-L5": 12.0})).spine())
    for row in found.values():
        if row.name.startswith("smallest") and row.level == "L4-L5":
            assert "slip" in row.flag
    assert any(r.level == "L4-L5" for r in found.values() if r.name.startswith("smallest"))


def test_foramina_that_climb_through_slices_of_a_leaning_spine_are_doubted(whole):
    """A foramen that lies higher on each slice than on the one before is not as high as any slice shows."""
    assert not any("climbs" in row.flag for row in whole.values())
    phantom = make_phantom(PhantomSpec(slice_rotation=(0.0, 25.0, 0.0)))
    truth = {row.key: row.value for row in phantom.truth}
    heights = [
        row
        for row in rows(phantom.spine()).values()
        if row.structure is Structure.FORAMEN and row.name == "height" and row.value is not None and row.key in truth
    ]
    wrong = [row for row in heights if abs(row.value - truth[row.key]) > 2.0]
    assert wrong
    assert all("climbs" in row.flag for row in wrong)


def test_heights_of_discs_that_are_wedged_sideways_are_doubted(whole):
    """Where a disc is higher on one side, the height of its middle depends on where the middle is taken to be."""
    assert not any("on one side" in row.flag for row in whole.values())
    phantom = make_phantom(PhantomSpec(scoliosis=28.0))
    truth = {row.key: row.value for row in phantom.truth}
    found = rows(phantom.spine())
    heights = [
        row
        for row in found.values()
        if row.structure is Structure.DISC and "height" in row.name and row.value is not None and row.key in truth
    ]
    wrong = [row for row in heights if abs(row.value - truth[row.key]) > 0.35]
    assert wrong
    assert all("on one side" in row.flag for row in wrong)
    straight = [row for row in heights if row.level == "L4-L5"]
    assert straight
    assert not any("on one side" in row.flag for row in straight)


def padded(spine: NamedSpine, before: tuple[int, int, int], after: tuple[int, int, int]) -> NamedSpine:
    """The spine in a picture with black planes around it."""
    widths = list(zip(before, after, strict=True))
    labels = np.pad(spine.labels, widths)
    soft = {name: np.pad(array, widths) for name, array in spine.occupancy.items()}
    grid = Grid(
        labels.shape,
        spine.grid.spacing,
        tuple(spine.grid.to_lps(-np.array(before, float)).tolist()),
        spine.grid.directions,
    )
    shown = np.pad(np.random.default_rng(0).normal(100.0, 20.0, spine.labels.shape), widths)
    return NamedSpine(grid, labels, soft, spine.vertebrae, spine.naming, view_of(shown))


def cropped(spine: NamedSpine, box: tuple[slice, slice, slice]) -> NamedSpine:
    labels = spine.labels[box]
    origin = tuple(spine.grid.to_lps(np.array([s.start or 0 for s in box])).tolist())
    grid = Grid(labels.shape, spine.grid.spacing, origin, spine.grid.directions)
    return NamedSpine(grid, labels, {n: a[box] for n, a in spine.occupancy.items()}, spine.vertebrae, spine.naming)


@pytest.mark.parametrize("side", ["above", "sideways"])
def test_black_planes_around_a_picture_change_nothing(spine, side):
    """What the picture cuts is absent or flagged, whether the array ends there or goes on in black."""
    if side == "above":
        top = rows_of(spine, vertebra_value("L1"))
        cut = cropped(spine, (slice(None), slice(int(0.55 * top[0] + 0.45 * top[-1]), None), slice(None)))
        black = padded(cut, (0, 12, 0), (0, 0, 0))
    else:
        middle = int(np.argwhere(spine.labels == disc_value("L4"))[:, 0].mean())
        cut = cropped(spine, (slice(middle - 4, middle + 5), slice(None), slice(None)))
        black = padded(cut, (1, 0, 0), (1, 0, 0))
    found, expected = rows(black), rows(cut)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        if row.value is None:
            assert found[key].value is None, key
        elif found[key].value is not None:
            assert found[key].flag == row.flag, key
    absent = sum(row.value is None for row in expected.values())
    assert absent > 3
    assert sum(row.value is None for row in found.values()) <= 1.2 * absent


def test_the_view_is_where_something_changes():
    image = np.zeros((10, 40, 30))
    image[2:9, 5:40, 0:25] = np.random.default_rng(1).normal(50.0, 5.0, (7, 35, 25))
    assert view_of(image) == ((2, 9), (5, 40), (0, 25))
    assert margins_in_words(view_of(image), image.shape) == "2 right, 1 left, 5 upper"
    assert view_of(np.ones((3, 4, 5))) == ((0, 3), (0, 4), (0, 5))
    noise = np.abs(np.random.default_rng(2).normal(0.0, 1.0, (10, 40, 30)))
    noise[3:7, 10:30, 10:20] += 100.0
    assert view_of(noise) == ((0, 10), (0, 40), (0, 30)), "noise in air is a picture"
