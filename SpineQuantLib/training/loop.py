"""Training of one committee member: interruptible, resumable, on a CPU or a GPU."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ..models.network import NetworkConfig, SpineUNet
from ..models.store import find_model, is_alias, read_weights
from .augment import AugmentConfig, random_patch
from .collect import CachedCase, read_split
from .loss import PartialLoss

__all__ = ["TrainConfig", "train_member"]

log = logging.getLogger(__name__)


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
        Optimiser steps, patches a step.
    rate : float
        Highest learning rate (AdamW); it rises over 5 % of the steps and falls by the polynomial (1 − t)^0.9.
    averaging : float
        Decay of the running average of the weights, which is what is kept.
    mixed : bool
        Compute in bfloat16 where that is safe; off for float32 throughout.
    checkpoint_every : int
        Steps between checkpoints.
    start : str
        Shipped model, or model folder, whose members' weights training starts from: the seed-th member, counted round.
        Random weights if empty.
    weights : dict
        How often a case is drawn, relative to others: keys ``annotated`` (has sac or foramina), ``complete``
        (phantoms), and the contrasts; factors multiply.
    """

    cache: str
    output: str
    seed: int = 0
    steps: int = 3000
    batch: int = 2
    rate: float = 2e-3
    decay: float = 1e-4
    averaging: float = 0.995
    dice_weight: float = 0.7
    mixed: bool = True
    checkpoint_every: int = 200
    start: str = ""
    weights: dict[str, float] = field(default_factory=lambda: {"annotated": 3.0, "complete": 0.4, "water": 0.5})
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

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
    def from_dict(cls, values: dict[str, object]) -> TrainConfig:
        """Config from its JSON form.

        Raises
        ------
        TypeError
            If it names an unknown setting.
        """
        values = dict(values)
        network = NetworkConfig.from_dict(values.pop("network", {}))
        augment = AugmentConfig(**values.pop("augment", {}))
        return cls(**values, network=network, augment=augment)

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return asdict(self)


@dataclass(frozen=True)
class _Loaded:
    image: torch.Tensor
    target: torch.Tensor
    spacing: tuple[float, float, float]
    weight: float


_ANNOTATED = 0b110000
"""Bits of sac and foramen."""


def _load(case: CachedCase, folder: Path, weights: dict[str, float]) -> _Loaded:
    with np.load(folder / case.file) as data:
        image = torch.from_numpy(data["image"].astype(np.float32))
        target = torch.from_numpy(data["target"])
    weight = weights.get(case.contrast, 1.0)
    if case.complete:
        weight *= weights.get("complete", 1.0)
    elif bool(((target & (target - 1) == 0) & (target & _ANNOTATED > 0)).any()):
        weight *= weights.get("annotated", 1.0)
    return _Loaded(image, target, case.spacing, weight)


def _batches(config: TrainConfig, start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches from a step on; a step's patches depend on seed and step alone, so that resuming changes nothing."""
    folder = Path(config.cache)
    cases = [_load(c, folder, config.weights) for c in read_split(folder, "train")]
    if not cases:
        raise ValueError(f"{folder} holds no training cases")
    weights = torch.tensor([c.weight for c in cases])
    for step in range(start, config.steps):
        rng = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        views = []
        for pick in torch.multinomial(weights, config.batch, replacement=True, generator=rng).tolist():
            c = cases[pick]
            views.append(random_patch(c.image, c.target, c.spacing, config.network.patch, config.augment, rng))
        yield torch.stack([v[0] for v in views]), torch.stack([v[1] for v in views])


def _rate(step: int, steps: int) -> float:
    warm = max(int(0.05 * steps), 1)
    return min((step + 1) / warm, 1.0) * (1 - step / steps) ** 0.9


def _begin_from(net: SpineUNet, config: TrainConfig) -> None:
    """Load the weights that the config starts from."""
    card = find_model(config.start)
    if replace(card.network, patch=config.network.patch) != config.network:
        raise ValueError(f"the members of {card.name} are networks of another kind than the config asks for")
    members = read_weights(card)
    missing, unknown = net.load_state_dict(members[config.seed % len(members)], strict=False)
    if unknown or any(not is_alias(name) for name in missing):
        raise ValueError(f"the weights of {card.name} do not fit the network")
    log.info("member %d starts from %s %s", config.seed, card.name, card.version)


def _save(path: Path, state: dict[str, object]) -> None:
    """Write aside, then rename: an interruption leaves the checkpoint before."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def train_member(config: TrainConfig, device: str | None = None) -> Path:
    """Train a member to its last step, from its checkpoint if there is one.

    Parameters
    ----------
    config : TrainConfig
        What to train.
    device : str, optional
        Torch device; a GPU where there is one.

    Returns
    -------
    pathlib.Path
        The last checkpoint, with the averaged weights under ``average``.

    Raises
    ------
    FloatingPointError
        If the loss is not a number.
    EngineError
        If the model to start from is not there.
    ValueError
        If there are no training cases, or the model to start from is of another size.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    output = Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"member_{config.seed}.ckpt"
    torch.manual_seed(config.seed)
    net = SpineUNet(config.network)
    if config.start and not path.exists():
        _begin_from(net, config)
    net = net.to(where, memory_format=torch.channels_last_3d)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.averaging)
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: _rate(s, config.steps))
    loss_of = PartialLoss(config.dice_weight).to(where)
    parts = {"net": net, "average": average, "optimiser": optimiser, "schedule": schedule}
    start = 0
    if path.exists():
        state = torch.load(path, map_location=where, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        start = int(state["step"])
        log.info("member %d resumes at step %d", config.seed, start)
    began, running = time.monotonic(), float("nan")
    for step, (image, target) in enumerate(_batches(config, start), start):
        with torch.autocast(where.type, torch.bfloat16, enabled=config.mixed):
            logits = net(image.to(where))
        loss = loss_of(logits, target.to(where))
        if not torch.isfinite(loss):
            raise FloatingPointError(f"member {config.seed}: the loss is {loss.item()} at step {step}")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        if torch.isfinite(norm):
            optimiser.step()
        else:
            # Low precision overflows now and then; one step left out does no harm, one taken would.
            log.warning("member %d: step %d left out, its gradient overflowed", config.seed, step)
        schedule.step()
        average.update_parameters(net)
        running = loss.item() if np.isnan(running) else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 50 == 0:
            pace = (time.monotonic() - began) / (step + 1 - start)
            log.info("member %d step %d loss %.4f, %.2f s a step", config.seed, step + 1, running, pace)
        if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
            _save(path, {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1})
    return path
