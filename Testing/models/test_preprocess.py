"""Normalised intensities do not depend on the scanner's scale, nor on how much air is in view."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.models.preprocess import normalise


@pytest.fixture
def tissue() -> np.ndarray:
    rng = np.random.default_rng(0)
    body = rng.gamma(4.0, 60.0, (12, 60, 60)) + 60
    air = np.abs(rng.normal(0, 4, (12, 60, 60)))
    body[:, :, 40:] = air[:, :, 40:]
    return body.astype(np.float32)


def test_foreground_has_mean_zero_and_unit_spread(tissue: np.ndarray) -> None:
    out = normalise(tissue)[:, :, :40]
    assert out.dtype == np.float32
    assert out.mean() == pytest.approx(0, abs=0.02)
    assert out.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("scale", "offset"), [(0.01, 0.0), (37.0, 0.0), (1.0, 500.0), (3.0, -200.0)])
def test_scale_and_offset_do_not_matter(tissue: np.ndarray, scale: float, offset: float) -> None:
    np.testing.assert_allclose(normalise(tissue * scale + offset), normalise(tissue), atol=2e-3)


def test_more_air_does_not_matter(tissue: np.ndarray) -> None:
    wide = np.concatenate([tissue, np.zeros_like(tissue)], axis=2)
    difference = normalise(wide)[:, :, :40] - normalise(tissue)[:, :, :40]
    assert np.abs(np.median(difference)) < 0.05


def test_spikes_are_clipped(tissue: np.ndarray) -> None:
    spiked = tissue.copy()
    spiked[0, 0, :5] = 1e7
    np.testing.assert_allclose(normalise(spiked)[1:], normalise(tissue)[1:], atol=0.05)
    assert normalise(spiked).max() < 10


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_images_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="constant"):
        normalise(np.full((4, 5, 6), value))


def test_a_window_cuts_what_lies_outside() -> None:
    tissue = np.random.default_rng(0).normal(100, 20, (4, 30, 30))
    spiked = tissue.copy()
    spiked[0, 0, :5] = 5000
    window = (120.0, 100.0)
    np.testing.assert_allclose(normalise(spiked, window)[1:], normalise(tissue, window)[1:], atol=0.05)
    assert normalise(spiked, window)[0, 0, 0] == normalise(spiked, window).max()
    with pytest.raises(ValueError, match="constant"):
        normalise(tissue, (10.0, 9000.0))
