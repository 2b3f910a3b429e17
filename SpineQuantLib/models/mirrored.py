"""A network that is shown the mirror image of a volume."""

from __future__ import annotations

import torch
from torch import nn

from .network import NetworkConfig, SpineUNet

__all__ = ["MirroredUNet"]

_ACROSS = 2
"""Axis of a batch of patches (batch, channel, k, j, i) that runs from right to left."""


class MirroredUNet(nn.Module):
    """A network's second look at the same patch, with right and left exchanged, carried back.

    The classes know no side, so the two looks answer the same question. What a network says of a spine and of its
    mirror image differs where it is unsure; their mean is a little better than either.

    Parameters
    ----------
    net : SpineUNet
        The network; shared, not copied.
    """

    def __init__(self, net: SpineUNet) -> None:
        super().__init__()
        self.net = net

    @property
    def config(self) -> NetworkConfig:
        """Size and grid of the network."""
        return self.net.config

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of patches, as of :meth:`SpineUNet.forward` for a finished network."""
        return self.net(x.flip(_ACROSS)).flip(_ACROSS)
