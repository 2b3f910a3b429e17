"""Everything that decides a member's weights but the data, and the presets that name a whole set of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..models.network import NetworkConfig
from .augment import AugmentConfig

__all__ = ["PRESETS", "TrainConfig", "merged"]

OPTIMISERS = ("adamw", "sgd")
KEPT = ("last", "best")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a member's weights but the data.

    Attributes
    ----------
    cache : str
        Folder written by :mod:`~SpineQuantLib.training.collect`.
    output : str
        Folder of checkpoints and of the finished weights.
    seed : int
        Seed of the initial weights, of the order of cases and of the augmentation.
    steps, batch : int
        Optimiser steps; patches a step, in each process where there are several.
    optimiser : str
        ``adamw``, or ``sgd`` with Nesterov momentum 0.99.
    rate : float
        Highest learning rate; it rises over ``warmup`` of the steps and falls by the polynomial (1 − t)^0.9.
    warmup, decay : float
        Share of the steps; weight decay.
    averaging : float
        Decay of the running average of the weights, which is what is kept.
    dice_weight : float
        Weight of Dice in the loss; cross-entropy has the rest.
    heads : int
        Coarser outputs trained beside the finest (deep supervision), each weighing half of the one before.
    mixed : bool
        Compute in half precision where that is safe and fast: bfloat16, or float16 with scaled gradients on a GPU
        without it. A CPU without bfloat16 computes in float32.
    checkpoint_every, validate_every : int
        Steps between checkpoints, and between looks at the validation set; 0 never looks.
    validate_patches : int
        Patches of the validation set, spread over its cases.
    keep : str
        Which weights become the model: ``last``, or ``best`` on the validation set. Weights that were chosen by the
        validation set look better on it than they are.
    start : str
        Shipped model, or model folder, whose members' weights training starts from: the seed-th member, counted round.
        Random weights if empty.
    teacher : str
        Shipped committee, or model folder, whose mean opinion the network learns in place of the labels, which then
        only say where patches are taken; see :mod:`~SpineQuantLib.training.teacher`. The labels if empty.
    weights : dict
        How often a case is drawn, relative to others: keys ``annotated`` (has sac or foramina), ``complete``
        (phantoms), and the contrasts; factors multiply.
    network : NetworkConfig
        Size and grid of the network.
    augment : AugmentConfig
        Random changes of the patches.

    Raises
    ------
    ValueError
        If a setting is out of its range.
    """

    cache: str
    output: str
    seed: int = 0
    steps: int = 3000
    batch: int = 2
    optimiser: str = "adamw"
    rate: float = 2e-3
    warmup: float = 0.05
    decay: float = 1e-4
    averaging: float = 0.995
    dice_weight: float = 0.7
    heads: int = 0
    mixed: bool = True
    checkpoint_every: int = 200
    validate_every: int = 500
    validate_patches: int = 12
    keep: str = "last"
    start: str = ""
    teacher: str = ""
    weights: dict[str, float] = field(default_factory=lambda: {"annotated": 3.0, "complete": 0.4, "water": 0.5})
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"optimiser is '{self.optimiser}', but must be one of {', '.join(OPTIMISERS)}")
        if self.keep not in KEPT:
            raise ValueError(f"keep is '{self.keep}', but must be one of {', '.join(KEPT)}")
        for name in ("steps", "batch", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if not 0 <= self.heads <= max(len(self.network.filters) - 3, 0):
            most = max(len(self.network.filters) - 3, 0)
            raise ValueError(f"heads is {self.heads}; a network of {len(self.network.filters)} stages has 0 to {most}")

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """Config from a JSON file; what it leaves out keeps its default.

        Raises
        ------
        TypeError
            If the file names an unknown setting.
        """
        return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Config from its JSON form.

        Raises
        ------
        TypeError
            If it names an unknown setting.
        ValueError
            If a setting is out of its range.
        """
        values = dict(values)
        network = NetworkConfig.from_dict(values.pop("network", {}))
        augment = AugmentConfig(**values.pop("augment", {}))
        return cls(**values, network=network, augment=augment)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


PRESETS: dict[str, dict[str, Any]] = {
    "lumbar": {"network": {"stacks": 2}},
    "nnunet-1.25mm": {
        "steps": 250_000,
        "batch": 2,
        "optimiser": "sgd",
        "rate": 0.01,
        "warmup": 0.0,
        "decay": 3e-5,
        "dice_weight": 0.5,
        "heads": 3,
        "checkpoint_every": 1000,
        "validate_every": 2500,
        "network": {
            "filters": [32, 64, 128, 256, 320, 320],
            "thick_stages": 0,
            "fold": 1,
            "spacing": [1.25, 1.25, 1.25],
            "keep_slices": [1.25, 1.25],
            "patch": [64, 128, 128],
            "least_component": 50,
        },
    },
}
"""Settings of :class:`TrainConfig` by name: what ships, light and anisotropic; and nnU-Net's (Isensee et al. 2021, doi
10.1038/s41592-020-01008-z) on isotropic voxels, for a GPU. Patches are (right–left, up–down, front–back)."""


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes; ``network`` and ``augment`` are changed setting by setting."""
    out = {**base, **changes}
    for name in ("network", "augment"):
        if isinstance(base.get(name), Mapping) and isinstance(changes.get(name), Mapping):
            out[name] = {**base[name], **changes[name]}
    return out
