"""Batches of random patches from the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .augment import random_patch
from .collect import CachedCase, read_split
from .settings import TrainConfig

__all__ = ["LoadedCase", "batches", "load_case"]

_ANNOTATED = 0b110000
"""Bits of sac and foramen."""
_RANK_STRIDE = 7_919_000_003


@dataclass(frozen=True)
class LoadedCase:
    """A cached case in memory.

    Attributes
    ----------
    image, target : torch.Tensor
        float32 and uint8 (nk, nj, ni).
    spacing : tuple of float
        Millimetres (k, j, i).
    weight : float
        How often it is drawn, relative to others.
    """

    image: torch.Tensor
    target: torch.Tensor
    spacing: tuple[float, float, float]
    weight: float


def load_case(case: CachedCase, folder: Path, weights: dict[str, float]) -> LoadedCase:
    """Read a case of the cache."""
    with np.load(folder / case.file) as data:
        image = torch.from_numpy(data["image"].astype(np.float32))
        target = torch.from_numpy(data["target"])
    weight = weights.get(case.contrast, 1.0)
    if case.complete:
        weight *= weights.get("complete", 1.0)
    elif bool(((target & (target - 1) == 0) & (target & _ANNOTATED > 0)).any()):
        weight *= weights.get("annotated", 1.0)
    return LoadedCase(image, target, case.spacing, weight)


def batches(config: TrainConfig, start: int, rank: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches from a step on; a step's patches depend on seed, step and rank alone, so that resuming changes nothing.

    Raises
    ------
    ValueError
        If there are no training cases.
    """
    folder = Path(config.cache)
    cases = [load_case(c, folder, config.weights) for c in read_split(folder, "train")]
    if not cases:
        raise ValueError(f"{folder} holds no training cases")
    weights = torch.tensor([c.weight for c in cases])
    for step in range(start, config.steps):
        rng = torch.Generator().manual_seed(config.seed * 1_000_003 + step + rank * _RANK_STRIDE)
        views = []
        for pick in torch.multinomial(weights, config.batch, replacement=True, generator=rng).tolist():
            c = cases[pick]
            views.append(random_patch(c.image, c.target, c.spacing, config.network.patch, config.augment, rng))
        yield torch.stack([v[0] for v in views]), torch.stack([v[1] for v in views])
