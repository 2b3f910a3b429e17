"""On the CPU patches are shown in pairs, for speed alone: what is said of a volume stays the network's own answer."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the engine is not installed", exc_type=ImportError)

from SpineQuantLib.models.network import NetworkConfig, SpineUNet  # noqa: E402
from SpineQuantLib.segment import inference  # noqa: E402
from SpineQuantLib.segment.embedding import Embedding  # noqa: E402

TINY = NetworkConfig(filters=(4, 8, 8), patch=(4, 32, 32))


@pytest.fixture(scope="module")
def net() -> SpineUNet:
    torch.manual_seed(0)
    return SpineUNet(TINY).eval()


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(3))


def test_the_only_patch_of_a_small_volume_is_answered_as_by_the_network(net: SpineUNet) -> None:
    x = noise(*TINY.patch)
    gathered = Embedding()
    with gathered.gather(net):
        said = inference._predict(net, [x], torch.device("cpu"), inference._PAIR)
    alone = Embedding()
    with torch.inference_mode(), alone.gather(net):
        own = torch.softmax(net(x), dim=1)[0].numpy()
    np.testing.assert_allclose(said, own, atol=1e-4)
    np.testing.assert_allclose(gathered.vector, alone.vector, atol=1e-4)


@pytest.mark.parametrize("slices", [4, 9, 12])
def test_pairs_are_answered_as_single_patches(net: SpineUNet, slices: int) -> None:
    x = noise(slices, 40, 50)
    one, pairs = (inference._predict(net, [x], torch.device("cpu"), tiles) for tiles in (1, inference._PAIR))
    assert pairs.shape == (6, slices, 40, 50)
    np.testing.assert_allclose(pairs, one, atol=1e-4)
