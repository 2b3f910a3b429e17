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


def _with_instance_norm(module: torch.nn.Module) -> int:
    """Put torch's instance norm back; returns how many there were."""
    changed = 0
    for name, child in module.named_children():
        if isinstance(child, torch.nn.GroupNorm):
            plain = torch.nn.InstanceNorm3d(child.num_channels, child.eps, affine=True)
            plain.load_state_dict(child.state_dict())
            setattr(module, name, plain)
            changed += 1
        changed += _with_instance_norm(child)
    return changed


def test_each_channel_is_normalised_by_itself_as_weights_of_instance_norm_expect() -> None:
    torch.manual_seed(0)
    net = SpineUNet(NetworkConfig(patch=(4, 32, 32))).to(memory_format=torch.channels_last_3d).eval()
    for name, weight in net.named_parameters():
        if ".norm" in name:
            torch.nn.init.uniform_(weight, 0.5, 1.5)
    x = 5.0 + torch.randn(2, 1, 4, 32, 32)
    with torch.inference_mode():
        here = net(x)
        assert _with_instance_norm(net) == 14
        torch.testing.assert_close(net(x), here, atol=1e-4, rtol=1e-4)


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
