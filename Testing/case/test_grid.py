"""Reading order moves voxels, never values, and millimetres stay where they are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SpineQuantLib.case.grid import READING_ORDER, Grid, from_reading_order, lps_to_ras, to_reading_order

FLIPS = list(itertools.product((1, -1), repeat=3))
ORDERS = list(itertools.permutations(range(3)))


def oblique_image(seed: int, angles: tuple[float, float, float]) -> sitk.Image:
    """A sagittal scan, a few degrees off the body's axes."""
    rng = np.random.default_rng(seed)
    image = sitk.GetImageFromArray(rng.normal(size=(4, 6, 5)).astype(np.float32))
    columns = np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]], float).T
    matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ columns
    image.SetDirection(matrix.ravel().tolist())
    image.SetSpacing((0.7, 0.8, 4.0))
    image.SetOrigin((12.0, -30.0, 55.0))
    return image


def stored_otherwise(image: sitk.Image, order: tuple[int, ...], flips: tuple[int, ...]) -> sitk.Image:
    """The same anatomy with its axes permuted and flipped on disk."""
    out = sitk.PermuteAxes(image, [int(o) for o in order])
    return sitk.Flip(out, [f < 0 for f in flips], flipAboutOrigin=False)


small = st.floats(-25, 25)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ORDERS), st.sampled_from(FLIPS), st.tuples(small, small, small))
def test_any_storage_of_a_volume_reads_the_same(order, flips, angles) -> None:
    image = oblique_image(1, angles)
    wanted = to_reading_order(image)
    other = to_reading_order(stored_otherwise(image, order, flips))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(other), sitk.GetArrayFromImage(wanted))
    np.testing.assert_allclose(Grid.of(other).matrix, Grid.of(wanted).matrix, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ORDERS), st.sampled_from(FLIPS), st.tuples(small, small, small))
def test_there_and_back_is_exact(order, flips, angles) -> None:
    image = stored_otherwise(oblique_image(2, angles), order, flips)
    back = from_reading_order(to_reading_order(image), image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(image))
    assert back.GetDirection() == image.GetDirection()
    assert back.GetOrigin() == image.GetOrigin()
    assert back.GetSpacing() == image.GetSpacing()


def test_axes_of_reading_order_point_left_inferior_posterior() -> None:
    grid = Grid.of(to_reading_order(oblique_image(3, (5, -8, 4))))
    k, j, i = np.array(grid.directions)
    assert READING_ORDER == "PIL"
    assert k[0] > 0.9  # LPS: +x is the patient's left
    assert j[2] < -0.9  # inferior
    assert i[1] > 0.9  # posterior


@settings(max_examples=30, deadline=None)
@given(st.tuples(small, small, small), st.tuples(*[st.floats(-5, 9)] * 3))
def test_millimetres_agree_with_itk(angles, index) -> None:
    image = oblique_image(4, angles)
    grid = Grid.of(image)
    itk = image.TransformContinuousIndexToPhysicalPoint(tuple(index[::-1]))
    np.testing.assert_allclose(grid.to_lps(np.array(index)), itk, atol=1e-9)
    np.testing.assert_allclose(grid.to_index(np.array(itk)), index, atol=1e-8)
    np.testing.assert_allclose(lps_to_ras(grid.to_ras(np.array(index))), itk, atol=1e-9)


def test_an_array_becomes_an_image_on_its_grid() -> None:
    image = oblique_image(5, (3, 2, 1))
    again = Grid.of(image).image(sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(again.GetDirection(), image.GetDirection())
    assert again.GetOrigin() == image.GetOrigin()
    with pytest.raises(ValueError, match="does not lie on a grid"):
        Grid.of(image).image(np.zeros((2, 2, 2)))


def test_another_grid_is_refused_on_the_way_back() -> None:
    image = oblique_image(6, (0, 0, 0))
    moved = to_reading_order(image)
    moved.SetOrigin((0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="does not lie where"):
        from_reading_order(moved, image)
