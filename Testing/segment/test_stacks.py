"""Thin slices are shown to the networks in interleaved stacks, and each is judged by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the engine is not installed", exc_type=ImportError)

from SpineQuantLib.models.committee import Committee  # noqa: E402
from SpineQuantLib.models.network import NetworkConfig, SpineUNet  # noqa: E402
from SpineQuantLib.models.slices import shown_slices  # noqa: E402
from SpineQuantLib.models.store import find_model  # noqa: E402
from SpineQuantLib.segment.inference import ask_committee  # noqa: E402

TINY = NetworkConfig(filters=(4, 8, 8), patch=(4, 32, 32), window=(200.0, 100.0), stacks=2)


@pytest.fixture(scope="module")
def committee() -> Committee:
    torch.manual_seed(0)
    card = replace(find_model("lumbar-committee"), network=TINY, mirrored=False)
    members = tuple(SpineUNet(TINY).eval() for _ in range(2))
    return Committee(card, members, torch.device("cpu"))


def volume(slices: int, slice_mm: float) -> sitk.Image:
    """Noise without any likeness between neighbours, in reading order."""
    out = sitk.GetImageFromArray(np.random.default_rng(slices).uniform(0, 200, (slices, 40, 36)).astype(np.float32))
    out.SetSpacing((1.0, 1.0, slice_mm))
    return out


@pytest.mark.parametrize("slices", [2, 7, 12])
def test_a_thin_slice_is_judged_as_in_its_own_stack(committee: Committee, slices: int) -> None:
    thin = volume(slices, 2.0)
    whole = ask_committee(committee, thin)
    for offset in (0, 1):
        alone = sitk.GetImageFromArray(sitk.GetArrayFromImage(thin)[offset::2])
        alone.SetSpacing((1.0, 1.0, 4.0))
        own = ask_committee(committee, alone)
        # A stack has its own mean brightness, by which it is normalised; neighbours have nothing in common.
        np.testing.assert_allclose(whole.probabilities[:, offset::2], own.probabilities, atol=0.03)
        assert np.mean(whole.members[:, offset::2] == own.members) > 0.98


def test_a_single_thin_slice_is_shown(committee: Committee) -> None:
    assert ask_committee(committee, volume(1, 2.0)).probabilities.shape == (6, 1, 40, 36)


def test_slices_of_the_training_are_shown_as_they_are(committee: Committee) -> None:
    undivided = replace(committee, card=replace(committee.card, network=replace(TINY, stacks=1)))
    a, b = (ask_committee(c, volume(6, 4.0)).probabilities for c in (committee, undivided))
    np.testing.assert_array_equal(a, b)


@given(slice_mm=st.floats(0.3, 12.0), stacks=st.integers(1, 3))
def test_networks_see_slices_as_far_apart_as_they_know(slice_mm: float, stacks: int) -> None:
    network = replace(TINY, stacks=stacks)
    shown, count = shown_slices(slice_mm, network)
    low, high = network.keep_slices
    assert low - 0.01 <= shown * count <= high + 0.01
    assert count in (1, stacks)
    if slice_mm >= low:
        assert count == 1, "thick slices are never divided"
    elif count > 1:
        assert shown <= max(slice_mm, network.spacing[0] / count), "thin slices are not merged beyond need"
