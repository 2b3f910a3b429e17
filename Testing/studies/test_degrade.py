"""Degradations: what they change, what they leave, and that they can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.case.grid import Grid
from SpineQuantLib.studies.degrade import FAMILIES, degradation
from SpineQuantLib.studies.degrade.families import FOREIGN
from SpineQuantLib.studies.sample import Sample
from SpineQuantLib.studies.truth import Truth

EVERY = [d for steps in FAMILIES.values() for d in steps]


@pytest.fixture
def sample() -> Sample:
    rng = np.random.default_rng(0)
    labels = np.zeros((10, 96, 96), np.uint16)
    for n in range(4):
        labels[2:8, 10 + 20 * n : 26 + 20 * n, 52:76] = 22 + n
    image = np.where(labels > 0, 200.0, 60.0) + rng.normal(0, 10, labels.shape)
    image[:, :, :4] = 0
    grid = Grid(labels.shape, (4.0, 1.0, 1.0), (3.0, -8.0, 5.0), ((1, 0, 0), (0, 0, -1), (0, 1, 0)))
    truth = Truth(labels, np.where(labels > 0, 2, 1).astype(np.uint8), True, True)
    return Sample("v1", "p1", "T2", "real", grid, image.clip(0).astype(np.float32), (truth,))


@pytest.mark.parametrize("step", EVERY, ids=lambda d: d.key)
def test_a_degradation_changes_the_image_alone_and_always_alike(sample, step):
    before = sample.image.copy()
    first, second = step.apply(sample, 7), step.apply(sample, 7)
    np.testing.assert_array_equal(sample.image, before)
    np.testing.assert_array_equal(first.image, second.image)
    assert np.isfinite(first.image).all()
    assert first.image.dtype == np.float32
    assert first.image.shape == first.grid.shape
    if step.family == FOREIGN:
        assert first.truths == ()
        return
    if first.image.shape == sample.image.shape:
        assert not np.array_equal(first.image, sample.image)
        np.testing.assert_array_equal(first.truths[0].labels, sample.truths[0].labels)
    assert first.truths[0].labels.shape == first.image.shape


@pytest.mark.parametrize("family", ["noise", "motion", "ghosting", "bias", "thick slices", "wrong contrast", "metal"])
def test_grades_get_worse(sample, family):
    def likeness(image: np.ndarray) -> float:
        return float(np.corrcoef(image.ravel(), sample.image.ravel())[0, 1])

    found = [likeness(step.apply(sample, 3).image) for step in FAMILIES[family]]
    assert 1 > found[0] > found[1] > found[2]


def test_a_cut_view_keeps_its_place_in_the_patient(sample):
    lower = degradation("cut-field-of-view-1").apply(sample, 0)
    lost = sample.image.shape[1] - lower.image.shape[1]
    assert lost == round(0.3 * 96)
    np.testing.assert_array_equal(lower.image, sample.image[:, lost:])
    np.testing.assert_allclose(lower.grid.to_lps([0, 0, 0]), sample.grid.to_lps([0, lost, 0]))
    np.testing.assert_array_equal(lower.truths[0].labels, sample.truths[0].labels[:, lost:])


@pytest.mark.parametrize("grade", [1, 2, 3])
def test_thick_slices_move_nothing(sample, grade):
    # What is symmetric about the middle of the slices stays so, and nothing gets brighter.
    image = sample.image + sample.image[::-1]
    thick = degradation(f"thick-slices-{grade}").apply(sample.with_image(image), 0).image
    np.testing.assert_allclose(thick, thick[::-1], rtol=1e-4)
    ramp = np.broadcast_to(np.arange(10.0)[:, None, None], image.shape)
    slope = degradation(f"thick-slices-{grade}").apply(sample.with_image(ramp), 0).image
    np.testing.assert_allclose(slope[4:6].mean(), 4.5, rtol=1e-5)


def test_the_belly_holds_no_spine(sample):
    belly = degradation("wrong-body-part-1").apply(sample, 0)
    np.testing.assert_array_equal(belly.image, sample.image[:, :, : belly.image.shape[2]])
    assert not sample.truths[0].labels[:, :, : belly.image.shape[2]].any()


def test_noise_differs_between_volumes(sample):
    step = degradation("noise-2")
    assert not np.array_equal(step.apply(sample, 1).image, step.apply(sample, 2).image)


def test_metal_needs_to_know_where_the_spine_is(sample):
    with pytest.raises(ValueError, match="no place for metal"):
        degradation("metal-1").apply(sample.without_truth(sample.image, sample.grid), 0)


@pytest.mark.parametrize("seed", range(4))
def test_motion_leaves_the_spine_where_it_is(sample, seed):
    moved = degradation("motion-2").apply(sample, seed)
    before, after = (s.image - s.image.mean() for s in (sample, moved))
    # Best match of whole-image shifts along the phase axis: none.
    profile = [float((before * np.roll(after, step, axis=1)).sum()) for step in range(-12, 13)]
    assert abs(int(np.argmax(profile)) - 12) <= 1
