"""The second reading: patches lie where they should, models travel, and what it cannot read it leaves out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.direct import QUANTITIES, LevelPlace, level_places
from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.measurement import Geometry, Measurement
from SpineQuantLib.case.result import Contrast
from SpineQuantLib.models.crosscheck import cross_check
from SpineQuantLib.models.direct import load_reader, read_levels, write_reader
from SpineQuantLib.models.regressor import LevelRegressor, RegressorConfig, Scan, patch_offsets, sample
from SpineQuantLib.models.store import find_model

TINY = RegressorConfig(features=(2, 4), hidden=4, patch=(8, 16, 16), behind=2.0)
SAGITTAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
GRID = Grid((10, 40, 40), (4.0, 1.0, 1.0), (-18.0, -20.0, 20.0), SAGITTAL)


def rows_at(centre: np.ndarray, anterior: np.ndarray, up: np.ndarray, level: str = "L4-L5") -> list[Measurement]:
    """What the measuring room draws in a disc of 30 × 8 mm."""

    def row(name: str, method: str, value: float, ends: tuple[np.ndarray, np.ndarray]) -> Measurement:
        geometry = Geometry.of("line", np.stack(ends))
        return Measurement(Structure.DISC, level, None, name, method, value, "mm", geometry=geometry)

    return [
        row("depth", "mid-sagittal", 30.0, (centre - 15 * anterior, centre + 15 * anterior)),
        row("middle height", "mid-sagittal", 8.0, (centre - 4 * up, centre + 4 * up)),
        Measurement(Structure.DISC, level, None, "height", "Fyllos", 8.0, "mm"),
    ]


def test_an_upright_level_faces_as_the_patient_does() -> None:
    rows = rows_at(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    (place,) = level_places(rows)
    np.testing.assert_allclose(place.centre, (1, 2, 3))
    # RAS: left is −x, down is −z, behind is −y.
    np.testing.assert_allclose(place.axes, [[-1, 0, 0], [0, 0, -1], [0, -1, 0]], atol=1e-9)


def test_a_disc_without_depth_has_no_place() -> None:
    rows = rows_at(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    assert level_places(rows[1:]) == ()


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.floats(-25, 25)] * 3),
    st.tuples(*[st.floats(-20, 20)] * 3),
    st.tuples(*[st.floats(-1, 1)] * 3),
    st.tuples(st.floats(1.5, 4.5), st.floats(0.5, 1.3)),
)
def test_a_patch_shows_what_lies_at_its_millimetres(turn, oblique, slope, spacing) -> None:
    """An image that is linear in the patient's coordinates is linear in the patch, whatever the grid and the level."""
    directions = Rotation.from_euler("xyz", oblique, degrees=True).apply(np.array(SAGITTAL))
    shape = (int(60 / spacing[0]) + 4, int(90 / spacing[1]), int(90 / spacing[1]))
    step = (spacing[0], spacing[1], spacing[1])
    origin = -((np.array(shape) - 1) / 2 * step) @ directions
    grid = Grid(shape, step, tuple(origin.tolist()), tuple(map(tuple, directions.tolist())))
    ras = grid.to_ras(np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1))
    image = (ras @ np.array(slope)).astype(np.float32)
    frame = Rotation.from_euler("xyz", turn, degrees=True)
    rows = rows_at(np.array([2.0, -3.0, 4.0]), frame.apply([0.0, 1.0, 0.0]), frame.apply([0.0, 0.0, 1.0]))
    (place,) = level_places(rows)
    offsets = patch_offsets(TINY)
    seen = sample(Scan(torch.from_numpy(image), grid), place, offsets)
    left, down, behind = frame.apply([-1.0, 0.0, 0.0]), frame.apply([0.0, 0.0, -1.0]), frame.apply([0.0, -1.0, 0.0])
    k, j, i = (offsets[..., n].numpy()[..., None] for n in range(3))
    wanted = (np.array([2.0, -3.0, 4.0]) + k * left + j * down + i * behind) @ np.array(slope)
    np.testing.assert_allclose(seen.numpy(), wanted, atol=5e-3)


def test_what_lies_behind_the_disc_is_behind_in_the_patch() -> None:
    rows = rows_at(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    offsets = patch_offsets(RegressorConfig())
    assert offsets.shape == (32, 64, 64, 3)
    assert float(offsets[..., 2].max()) == pytest.approx(39.5)
    assert float(offsets[..., 2].min()) == pytest.approx(-23.5)
    assert level_places(rows)[0].axes[2] @ np.array([0.0, -1.0, 0.0]) == pytest.approx(1.0)


FACTS = {
    "trained_on": {"contrasts": ["T2"], "slice_mm": [2.0, 5.0], "pixel_mm": [0.5, 1.5]},
    "allowed": {q.key: {"low": -1.0, "high": 2.0} for q in QUANTITIES},
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    write_reader(tmp_path / "model", "tiny", "1", LevelRegressor(TINY), FACTS)
    return tmp_path / "model"


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, GRID.shape).astype(np.float32)


@pytest.fixture
def rows() -> list[Measurement]:
    return rows_at(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))


def test_a_stored_network_reads_as_before(model: Path, image: np.ndarray, rows: list[Measurement]) -> None:
    torch.manual_seed(3)
    before = LevelRegressor(TINY).eval()
    reader = load_reader(str(model))
    places = level_places(rows)
    np.testing.assert_allclose(
        read_levels(reader.net, image, GRID, places), read_levels(before, image, GRID, places), atol=0.05
    )
    assert (model / reader.card.file).stat().st_size < 20_000


def test_right_and_left_do_not_change_a_reading(model: Path, image: np.ndarray, rows: list[Measurement]) -> None:
    net, places = load_reader(str(model)).net, level_places(rows)
    straight = read_levels(net, image, GRID, places)
    np.testing.assert_allclose(read_levels(net, image[::-1].copy(), GRID, places), straight, atol=1e-4)


def test_a_patch_outside_of_the_volume_is_not_read(model: Path, image: np.ndarray) -> None:
    far = LevelPlace("L4-L5", (0.0, 0.0, 200.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert np.isnan(read_levels(load_reader(str(model)).net, image, GRID, (far,))).all()


def test_damaged_weights_are_refused(model: Path) -> None:
    weights = next(model.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-8] + bytes(8))
    with pytest.raises(EngineError, match="checksum"):
        load_reader(str(model))


def test_the_two_kinds_of_models_are_not_mistaken_for_each_other(model: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        find_model(str(model))
    with pytest.raises(EngineError, match="direct regression"):
        load_reader("lumbar-committee")


def test_a_case_is_compared_level_by_level(model: Path, image: np.ndarray, rows: list[Measurement]) -> None:
    check = cross_check(image, GRID, rows, Contrast.T2, str(model))
    assert (check.model, check.skipped) == ("tiny", "")
    height, width = check.readings
    assert (height.level, height.mask, height.low, height.high) == ("L4-L5", 8.0, -1.0, 2.0)
    assert height.agrees is (-1.0 <= 8.0 - height.direct <= 2.0)
    assert width.mask is None
    assert width.agrees is None


@pytest.mark.parametrize(
    ("contrast", "grid", "reason"),
    [
        (Contrast.T1, GRID, "contrast T1"),
        (Contrast.T2, Grid(GRID.shape, (7.0, 1.0, 1.0), GRID.origin, GRID.directions), "slice distance 7 mm"),
        (Contrast.T2, Grid(GRID.shape, (4.0, 2.0, 2.0), GRID.origin, GRID.directions), "pixel size 2 mm"),
    ],
)
def test_outside_of_its_training_nothing_is_read(model, image, rows, contrast, grid, reason) -> None:
    check = cross_check(image, grid, rows, contrast, str(model))
    assert reason in check.skipped
    assert "outside its training" in check.skipped
    assert check.readings == ()


def test_without_the_model_the_case_says_so(monkeypatch, image, rows) -> None:
    def missing(*parts: str) -> Path:
        raise FileNotFoundError(*parts)

    monkeypatch.setattr("SpineQuantLib.models.crosscheck.resource", missing)
    check = cross_check(image, GRID, rows, Contrast.T2)
    assert "not installed" in check.skipped
    assert check.readings == ()
