"""Resampling keeps every structure at its millimetres."""

from __future__ import annotations

import image_fixtures as fx
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SpineQuantLib.case.grid import Grid
from SpineQuantLib.images.resample import resample_like, resample_to_spacing, resized_grid

spacings = st.tuples(st.floats(0.4, 6.0), st.floats(0.4, 3.0), st.floats(0.4, 3.0))


def grid_with(
    spacing: tuple[float, float, float], shape: tuple[int, int, int] = (14, 40, 36), tilt: float = 13.0
) -> Grid:
    rows = Rotation.from_euler("xyz", [tilt, -8.0, 5.0], degrees=True).as_matrix()
    return Grid(shape, spacing, (12.0, -7.5, 40.25), tuple(map(tuple, rows.tolist())))


def edges(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """LPS of the outer corners of the first and the last voxel."""
    return grid.to_lps(np.full(3, -0.5)), grid.to_lps(np.array(grid.shape) - 0.5)


@settings(max_examples=60, deadline=None)
@given(old=spacings, new=spacings)
def test_the_box_in_the_patient_stays(old: tuple[float, ...], new: tuple[float, ...]) -> None:
    source = grid_with(old)
    target = resized_grid(source, new)
    np.testing.assert_allclose(sum(edges(source)) / 2, sum(edges(target)) / 2, atol=1e-6)
    change = np.array(target.shape) * target.spacing - np.array(source.shape) * source.spacing
    # A box of less than half a voxel still gets one voxel.
    assert (
        np.abs(change) <= np.where(np.array(target.shape) == 1, np.inf, 0.5 * np.array(target.spacing) + 1e-9)
    ).all()
    for wanted, had, has in zip(new, old, target.spacing, strict=True):
        assert has == (had if abs(wanted - had) <= 1e-3 * had else wanted)


def test_edges_are_aligned_where_voxels_fit() -> None:
    source = grid_with((4.0, 1.0, 0.5), (10, 40, 36))
    for new in ((4.0, 0.5, 1.5), (2.0, 2.0, 1.0)):
        for here, there in zip(edges(source), edges(resized_grid(source, new)), strict=True):
            np.testing.assert_allclose(here, there, atol=1e-9)


def test_equal_spacing_touches_nothing() -> None:
    image = fx.make_image()
    spacing = tuple(s * (1 + 5e-4) for s in image.GetSpacing()[::-1])
    same = resample_to_spacing(image, spacing)
    assert np.array_equal(sitk.GetArrayFromImage(same), sitk.GetArrayFromImage(image))
    assert Grid.of(same) == Grid.of(image)
    assert same.GetPixelID() == sitk.sitkFloat32


@settings(max_examples=12, deadline=None)
@given(old=spacings, new=spacings, slope=st.tuples(*[st.floats(-3, 3)] * 3))
def test_a_plane_of_values_stays_in_place(
    old: tuple[float, ...], new: tuple[float, ...], slope: tuple[float, ...]
) -> None:
    """Values that are linear in millimetres are reproduced exactly, away from the borders of the volume."""
    source = grid_with(old)
    index = np.stack(np.meshgrid(*map(np.arange, source.shape), indexing="ij"), axis=-1)
    image = source.image((source.to_lps(index) @ np.array(slope)).astype(np.float64))
    result = resample_to_spacing(image, new)
    target = Grid.of(result)
    index = np.stack(np.meshgrid(*map(np.arange, target.shape), indexing="ij"), axis=-1)
    points = target.to_lps(index)
    inside = source.to_index(points)
    margin = 0.5 + 2.0 * np.maximum(np.array(target.spacing) / source.spacing, 1.0)
    inner = ((inside >= margin) & (inside <= np.array(source.shape) - 1 - margin)).all(axis=-1)
    values = sitk.GetArrayFromImage(result)
    np.testing.assert_allclose(
        values[inner], (points @ np.array(slope))[inner], atol=0.02 * max(1.0, np.abs(slope).max())
    )


def test_downsampling_does_not_alias() -> None:
    """Stripes finer than the new voxels become grey, and the mean is kept."""
    array = np.zeros((6, 128, 128), np.float32)
    array[:, ::2] = 100.0
    image = fx.make_image(array, (0.5, 0.5, 4.0))
    coarse = sitk.GetArrayFromImage(resample_to_spacing(image, (4.0, 1.4, 1.4)))
    inner = coarse[:, 5:-5, 5:-5]
    assert np.abs(inner - 50).max() < 8
    assert inner.mean() == pytest.approx(50, abs=0.5)


def test_mirrored_volume_gives_mirrored_result() -> None:
    image = fx.make_image()
    mirrored = sitk.GetImageFromArray(sitk.GetArrayFromImage(image)[:, :, ::-1])
    mirrored.SetSpacing(image.GetSpacing())
    spacing = (3.7, 1.0, 1.0)
    straight, other = (sitk.GetArrayFromImage(resample_to_spacing(i, spacing)) for i in (image, mirrored))
    np.testing.assert_allclose(straight, other[:, :, ::-1], atol=1e-2)


def test_there_and_back_keeps_a_ball() -> None:
    grid = grid_with((4.0, 0.7, 0.7), (16, 96, 96))
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    centre = grid.to_lps(np.array([7.3, 50.2, 46.9]))
    ball = 1.0 / (1.0 + np.exp(np.linalg.norm(grid.to_lps(index) - centre, axis=-1) - 16.0))
    there = resample_to_spacing(grid.image(ball.astype(np.float32)), (4.0, 1.0, 1.0))
    back = resample_like(sitk.GetArrayFromImage(there), Grid.of(there), grid)
    assert back.shape == grid.shape
    assert back.dtype == np.float32
    volumes = [(v > 0.5).sum() for v in (ball, back)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)
    centres = [(index * v[..., None]).sum((0, 1, 2)) / v.sum() for v in (ball, back)]
    np.testing.assert_allclose(*centres, atol=0.02)


def test_channels_and_labels() -> None:
    grid = grid_with((4.0, 1.0, 1.0))
    finer = resized_grid(grid, (4.0, 0.5, 0.5))
    rng = np.random.default_rng(0)
    channels = rng.random((3, *grid.shape)).astype(np.float16)
    out = resample_like(channels, grid, finer)
    assert out.shape == (3, *finer.shape)
    for n in range(3):
        assert np.array_equal(out[n], resample_like(channels[n], grid, finer))
    labels = rng.choice([0, 24, 61, 320], grid.shape).astype(np.uint16)
    fine = resample_like(labels, grid, finer, "nearest")
    assert fine.dtype == np.uint16
    assert np.array_equal(fine, labels.repeat(2, axis=1).repeat(2, axis=2))
    assert np.array_equal(resample_like(fine, finer, grid, "nearest").shape, labels.shape)


def test_wrong_input_is_refused() -> None:
    grid = grid_with((4.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="does not lie"):
        resample_like(np.zeros((2, 3, 4)), grid, grid)
    for spacing in ((0.0, 1.0, 1.0), (1.0, float("nan"), 1.0)):
        with pytest.raises(ValueError, match="positive"):
            resized_grid(grid, spacing)
