"""What the first member's encoder makes of a whole volume: a few numbers to tell how unlike the training data it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

from ..models.network import SpineUNet

__all__ = ["Embedding"]


class Embedding:
    """Mean and spread of the two deepest stages' features, gathered while a network looks at the tiles of a volume.

    The features are taken before their instance normalisation, which would remove most of what differs between
    volumes. Tiles count alike.
    """

    def __init__(self) -> None:
        self._tiles: list[list[np.ndarray]] = []

    @contextmanager
    def gather(self, net: SpineUNet) -> Iterator[None]:
        """Within the block every tile that passes through ``net`` is taken down."""
        stages = (net.core.downsamples[-1].conv2, net.core.bottleneck.conv2)
        self._tiles = [[] for _ in stages]
        with ExitStack() as hooks:
            for n, stage in enumerate(stages):
                hooks.callback(stage.register_forward_hook(self._taker(n)).remove)
            yield

    def _taker(self, number: int) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def take(_layer: torch.nn.Module, _given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
            features = out.detach().float().flatten(2)
            both = torch.cat([features.mean(dim=2), features.std(dim=2)], dim=1)
            self._tiles[number].extend(both.cpu().numpy())

        return take

    def clear(self) -> None:
        """Forget the tiles, before a second attempt."""
        for tiles in self._tiles:
            tiles.clear()

    @property
    def vector(self) -> np.ndarray:
        """float32 (features,): means and standard deviations of either stage, averaged over the tiles.

        Raises
        ------
        ValueError
            If no tile was seen.
        """
        if not self._tiles or not all(self._tiles):
            raise ValueError("no tile was seen")
        means = [np.mean(tiles, axis=0, dtype=np.float64) for tiles in self._tiles]
        return np.concatenate(means).astype(np.float32)
