"""The network with and without the outputs that only training uses, and what small parts of its answer become."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.models.clean import drop_small_components
from SpineQuantLib.models.network import NetworkConfig, SpineUNet, is_training_head
from SpineQuantLib.models.store import is_alias

TINY = NetworkConfig(filters=(4, 8, 8, 8), patch=(4, 32, 32))


@pytest.mark.parametrize("fold", [1, 2])
def test_coarser_outputs_are_trained_and_then_dropped(fold: int) -> None:
    config = NetworkConfig(filters=(4, 8, 8, 8), patch=(4, 32, 32), fold=fold)
    torch.manual_seed(0)
    trained = SpineUNet(config, heads=2)
    x = torch.randn(1, 1, 4, 32, 32)
    assert trained(x).shape == (1, 3, len(NetworkClass), 4, 32, 32)
    kept = {k: v for k, v in trained.state_dict().items() if not is_training_head(k) and not is_alias(k)}
    plain = SpineUNet(config)
    missing, unknown = plain.load_state_dict(kept, strict=False)
    assert not unknown
    assert all(map(is_alias, missing))
    with torch.inference_mode():
        torch.testing.assert_close(plain.eval()(x), trained.eval()(x))


def test_a_config_from_before_reads_with_defaults() -> None:
    values = TINY.to_dict()
    del values["window"], values["least_component"]
    assert NetworkConfig.from_dict(values) == TINY


def test_small_parts_become_background() -> None:
    p = np.zeros((3, 6, 20, 20), np.float32)
    p[0] = 0.6
    p[1] = 0.4
    p[:, 1:5, 2:8, 2:8] = np.array([0.1, 0.8, 0.1])[:, None, None, None]
    p[:, 2, 15, 15:18] = np.array([0.1, 0.8, 0.1])[:, None]
    total = p.sum(axis=0).copy()
    out = drop_small_components(p, 4)
    winner = out.argmax(axis=0)
    assert (winner[1:5, 2:8, 2:8] == 1).all()
    assert (winner[2, 15, 15:18] == 0).all()
    np.testing.assert_allclose(out.sum(axis=0), total, atol=1e-6)
    kept = drop_small_components(out.copy(), 1)
    np.testing.assert_array_equal(kept, out)
