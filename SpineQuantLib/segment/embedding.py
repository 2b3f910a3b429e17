"""What the first member's encoder makes of a whole volume: a few numbers to tell how unlike the training data it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ..models.network import SpineUNet

__all__ = ["Embedding"]


class Embedding:
    """Mean and spread of the bottleneck's features, gathered while a network looks at the tiles of a volume.

    The features are taken before their instance normalisation, which would remove most of what differs between
    volumes. Tiles count alike.
    """

    def __init__(self) -> None:
        self._tiles: list[np.ndarray] = []

    @contextmanager
    def gather(self, net: SpineUNet) -> Iterator[None]:
        """Within the block every tile that passes through ``net`` is taken down."""
        handle = net.core.bottleneck.conv2.register_forward_hook(self._take)
        try:
            yield
        finally:
            handle.remove()

    def _take(self, _layer: torch.nn.Module, _given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        features = out.detach().float().flatten(2)
        both = torch.cat([features.mean(dim=2), features.std(dim=2)], dim=1)
        self._tiles.extend(both.cpu().numpy())

    def clear(self) -> None:
        """Forget the tiles, before a second attempt."""
        self._tiles.clear()

    @property
    def vector(self) -> np.ndarray:
        """float32 (2 · features,): means, then standard deviations, averaged over the tiles.

        Raises
        ------
        ValueError
            If no tile was seen.
        """
        if not self._tiles:
            raise ValueError("no tile was seen")
        return np.mean(self._tiles, axis=0, dtype=np.float64).astype(np.float32)
