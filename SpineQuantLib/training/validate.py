"""A quick look at the validation set while a member trains: a few patches, without augmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..anatomy.structures import NetworkClass
from .batches import LoadedCase, load_case
from .collect import read_split
from .evaluation.metrics import overlap
from .partial import bit
from .settings import TrainConfig

__all__ = ["DICE_COLUMNS", "ValidationPatches"]

_CLASSES = tuple(NetworkClass)[1:]
DICE_COLUMNS = ("dice", *(f"dice_{c.name.lower()}" for c in _CLASSES))
"""Mean over the classes, and each class."""


class ValidationPatches:
    """The same patches at every look, around the middle of what is labelled.

    Parameters
    ----------
    config : TrainConfig
        Where the cache is, and how many patches.
    """

    def __init__(self, config: TrainConfig) -> None:
        folder = Path(config.cache)
        cases = read_split(folder, "validation")
        step = max(len(cases) / config.validate_patches, 1.0) if config.validate_patches else 1.0
        chosen = [cases[int(n * step)] for n in range(min(config.validate_patches, len(cases)))]
        self._patches = [_middle(load_case(c, folder, {}), config.network.patch) for c in chosen]

    def __len__(self) -> int:
        return len(self._patches)

    def score(self, net: torch.nn.Module, device: torch.device, dtype: torch.dtype | None) -> dict[str, float]:
        """Mean Dice of each class over the patches that show it, and their mean, as in :data:`DICE_COLUMNS`."""
        training = net.training
        net.eval()
        found: dict[NetworkClass, list[float]] = {c: [] for c in _CLASSES}
        with torch.inference_mode():
            for image, target, spacing in self._patches:
                with torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None):
                    logits = net(image[None, None].to(device))
                guess = logits[0].float().argmax(dim=0).cpu().numpy()
                for kind in _CLASSES:
                    truth = target == bit(kind)
                    if truth.any():
                        known = truth | (target & bit(kind) == 0)
                        found[kind].append(overlap((guess == kind) & known, truth, spacing, surfaces=False).dice)
        net.train(training)
        means = {f"dice_{c.name.lower()}": float(np.mean(v)) for c, v in found.items() if v}
        return {"dice": float(np.mean(list(means.values()))), **means} if means else {}


def _middle(case: LoadedCase, patch: tuple[int, int, int]) -> tuple[torch.Tensor, np.ndarray, tuple[float, ...]]:
    """Patch around the middle of what is labelled; air beyond the edge."""
    labelled = torch.nonzero((case.target & (case.target - 1) == 0) & (case.target > 1)).float()
    shape = torch.tensor(case.image.shape)
    centre = labelled.mean(dim=0) if len(labelled) else (shape - 1) / 2
    image, target = case.image, case.target
    for axis, size in enumerate(patch):
        total = int(shape[axis])
        first = min(max(round(float(centre[axis]) - (size - 1) / 2), 0), max(total - size, 0))
        image, target = (x.narrow(axis, first, min(size, total)) for x in (image, target))
    missing = [n - have for n, have in zip(patch, image.shape, strict=True)]
    pad = [n for m in reversed(missing) for n in (0, m)]
    image = functional.pad(image, pad, value=float(case.image.min()))
    target = functional.pad(target, pad, value=bit(NetworkClass.BACKGROUND))
    return image, target.numpy(), case.spacing
