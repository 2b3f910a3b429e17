"""What is read of a mask in short cuts is what reading it in full would have given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation
from skimage.measure import find_contours

from SpineQuantLib.case.grid import Grid
from SpineQuantLib.measure.outline import rings
from SpineQuantLib.measure.sampling import BORDER, JUST_BELOW, Sampler
from SpineQuantLib.measure.section import Plane, Section


def signed_area(ring: np.ndarray) -> float:
    (x, y), (x1, y1) = ring[:-1].T, ring[1:].T
    return float((x * y1 - x1 * y).sum() / 2)


def same_rings(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    def key(ring: np.ndarray) -> tuple:
        return tuple(sorted(map(tuple, ring[:-1].round(9).tolist())))

    return sorted(map(key, found)) == sorted(map(key, expected))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0), st.floats(0.2, 0.8))
def test_outlines_are_those_of_marching_squares_also_at_saddles(seed, blur, share):
    noise = np.random.default_rng(seed).random((24, 31))
    values = np.pad(ndimage.gaussian_filter(noise, blur) + 1.0, 1)
    level = float(np.quantile(values[1:-1, 1:-1], share)) + 1e-9
    found, expected = rings(values, level), find_contours(values, level)
    assert same_rings(found, expected)
    areas = [sorted(map(signed_area, lines)) for lines in (found, expected)]
    np.testing.assert_allclose(areas[0], areas[1], atol=1e-9)
    assert all(np.array_equal(ring[0], ring[-1]) for ring in found)


def test_a_plane_without_the_object_has_no_outline():
    assert rings(np.zeros((5, 6)), 0.5) == []


def blob(seed: int, soft: bool) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(9, 22, 26)), 2.0)
    field = (field - field.mean()) / field.std()
    field[:, :4], field[:, -4:], field[..., :4], field[..., -4:] = -9, -9, -9, -9
    return (np.clip(field + 0.3, 0, 1) if soft else field > 0.3).astype(np.float32)


@pytest.mark.parametrize("spacing", [(4.0, 0.9, 0.9), (1.0, 1.0, 1.0), (3.0, 0.6, 0.8)])
@pytest.mark.parametrize("soft", [True, False])
def test_a_lattice_shows_the_borders_that_every_point_read_by_itself_shows(spacing, soft):
    turn = Rotation.from_euler("xyz", [7.0, -12.0, 20.0], degrees=True)
    directions = turn.apply(np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]))
    grid = Grid((9, 22, 26), spacing, (3.0, -8.0, 40.0), tuple(map(tuple, directions.tolist())))
    sampler = Sampler(blob(4, soft), grid)
    centre = grid.to_lps(np.array([4.0, 10.5, 12.5]))
    step, saved = min(spacing) / 3, False
    for seed in range(4):
        u, v, _ = Rotation.random(random_state=seed).as_matrix()
        along = np.arange(-90, 91)[:, None] * step
        places, steps = centre + along * u, along * v
        full = sampler.at(places[:, None] + steps[None])
        quick = sampler.lattice(places, steps)
        for level in (BORDER, JUST_BELOW):
            np.testing.assert_array_equal(quick >= level, full >= level)
        saved |= bool((quick != full).any())
        # Outlines, and with them everything measured, are the same; only what is far from them differs.
        for found, expected in zip(*(rings(np.pad(values, 1), JUST_BELOW) for values in (quick, full)), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-3)
        rows = sampler.lattice(places, steps, rows_only=True)
        crossed = (full[:, :-1] >= BORDER) != (full[:, 1:] >= BORDER)
        for side in (np.s_[:, :-1], np.s_[:, 1:]):
            np.testing.assert_allclose(rows[side][crossed], full[side][crossed], atol=1e-6)
    assert saved == soft


def test_points_far_apart_are_each_read_exactly():
    grid = Grid((9, 22, 26), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    sampler = Sampler(blob(1, True), grid)
    places = np.array([[2.2, 3.3, 4.4], [6.1, 11.7, 9.2]])
    steps = np.array([[0.0, 0.0, 0.0], [0.0, 5.0, 8.0]])
    np.testing.assert_array_equal(sampler.lattice(places, steps), sampler.at(places[:, None] + steps[None]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_many_chords_are_the_chords_one_by_one(seed):
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, 40))
    ring = (5 + random.uniform(0, 3, 40))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    section = Section(Plane(np.zeros(3), np.eye(3)[0], np.eye(3)[1]), np.vstack([ring, ring[:1]]), False)
    points, directions = random.uniform(-9, 9, (12, 2)), random.normal(size=(12, 2))
    first, last = section.chords(points, directions)
    for n, (point, direction) in enumerate(zip(points, directions, strict=True)):
        chord = section.chord(point, direction)
        if chord is None:
            assert np.isnan(first[n]).all()
            assert np.isnan(last[n]).all()
        else:
            np.testing.assert_allclose([first[n], last[n]], chord, atol=1e-9)
