"""Odds of classes in a packed member: multiplied exactly, for these classes alone."""

from __future__ import annotations

import pytest
import torch

from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.models.network import NetworkConfig, SpineUNet
from SpineQuantLib.models.store import is_alias
from SpineQuantLib.training.pack import weighted_classes

NETWORK = NetworkConfig(filters=(4, 8, 8), patch=(4, 16, 16))


def _probabilities(state: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    net = SpineUNet(NETWORK).eval()
    net.load_state_dict(state, strict=False)
    with torch.inference_mode():
        return torch.softmax(net(image), dim=1)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {k: v for k, v in SpineUNet(NETWORK).state_dict().items() if not is_alias(k)}


def test_odds_of_a_class_are_multiplied_in_every_pixel(state: dict[str, torch.Tensor]) -> None:
    image = torch.randn(1, 1, *NETWORK.patch, generator=torch.Generator().manual_seed(1))
    before = _probabilities(state, image)
    after = _probabilities(weighted_classes(state, {"foramen": 2.0, "canal": 1.5}, NETWORK), image)
    background = NetworkClass.BACKGROUND
    for kind, factor in ((NetworkClass.FORAMEN, 2.0), (NetworkClass.CANAL, 1.5), (NetworkClass.DISC, 1.0)):
        odds = [p[:, kind] / p[:, background] for p in (before, after)]
        torch.testing.assert_close(odds[1], factor * odds[0], rtol=1e-3, atol=1e-6)


def test_the_member_itself_is_left_alone(state: dict[str, torch.Tensor]) -> None:
    kept = {k: v.clone() for k, v in state.items()}
    weighted_classes(state, {"foramen": 3.0}, NETWORK)
    assert all(torch.equal(kept[k], v) for k, v in state.items())


@pytest.mark.parametrize("weights", [{"foramina": 2.0}, {"canal": 0.0}, {"canal": -1.0}])
def test_unknown_classes_and_impossible_weights_are_refused(
    state: dict[str, torch.Tensor], weights: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match="not the weight of a class"):
        weighted_classes(state, weights, NETWORK)
