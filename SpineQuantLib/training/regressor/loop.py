"""Training of the direct regression: interruptible, resumable."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ...models.committee import choose_device
from ...models.regressor import LevelRegressor, RegressorConfig
from ..provenance import DataNote, check_resumed
from .levels import KnownLevel, LevelVolume
from .settings import RegressorTraining
from .views import random_view

__all__ = ["checkpoint_path", "finished_network", "scaled_config", "train_regressor"]

log = logging.getLogger(__name__)

_TELL_EVERY = 50
_WARM_STEPS = 50
_LARGEST_GRADIENT = 5.0


def checkpoint_path(config: RegressorTraining) -> Path:
    """Where the last checkpoint lies."""
    return config.output / "regressor.ckpt"


def scaled_config(network: RegressorConfig, volumes: list[LevelVolume]) -> RegressorConfig:
    """The network's config with mean and standard deviation of the known values.

    Raises
    ------
    ValueError
        If a quantity is known at fewer than two levels.
    """
    values = np.array([k.values for v in volumes for k in v.levels], dtype=float)
    if not len(values) or (np.isfinite(values).sum(axis=0) < 2).any():
        raise ValueError("disc height or the sac's AP diameter is known at fewer than two levels of the training set")
    means, spreads = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    return replace(network, means=tuple(means.tolist()), spreads=tuple(np.maximum(spreads, 0.1).tolist()))


class _Draw:
    """Levels in random order: real ones and phantoms by their shares, known sacs more often."""

    def __init__(self, volumes: list[LevelVolume], config: RegressorTraining) -> None:
        self.levels = [(v, k) for v in volumes for k in v.levels]
        weights = np.array([config.sac_weight if k.values[1] is not None else 1.0 for _, k in self.levels])
        drawn = np.array([v.is_phantom for v, _ in self.levels])
        for own, share in ((drawn, config.phantom_share), (~drawn, 1 - config.phantom_share)):
            if own.any() and not own.all():
                weights[own] *= share / weights[own].sum()
        self._weights = torch.from_numpy(weights)

    def next(self, rng: torch.Generator) -> tuple[LevelVolume, KnownLevel]:
        return self.levels[int(torch.multinomial(self._weights, 1, generator=rng))]


def _batches(
    volumes: list[LevelVolume], config: RegressorTraining, first: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches from a step on; the same ones whether or not training was interrupted."""
    draw = _Draw(volumes, config)
    for step in range(first, config.steps):
        rng = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        views = [random_view(*draw.next(rng), config.network, config.views, rng) for _ in range(config.batch)]
        patches, values = zip(*views, strict=True)
        yield torch.stack(patches), torch.stack(values)


def _loss(out: torch.Tensor, values: torch.Tensor, network: RegressorConfig) -> torch.Tensor:
    """Huber loss of the standardised values that are known, each quantity counting alike."""
    wanted = (values - torch.tensor(network.means)) / torch.tensor(network.spreads)
    known = torch.isfinite(wanted)
    each = functional.huber_loss(out.float(), torch.nan_to_num(wanted).to(out.device), reduction="none")
    known = known.to(out.device)
    return (each * known).sum(dim=0).div(known.sum(dim=0).clamp_min(1)).sum()


class _Learner:
    """A network in training, with all that a checkpoint holds."""

    def __init__(self, config: RegressorTraining, device: torch.device, data: DataNote | None) -> None:
        self.config, self.device, self.data, self.step = config, device, data, 0
        torch.manual_seed(config.seed)
        self.net = LevelRegressor(config.network).to(device, memory_format=torch.channels_last_3d).train()
        self.average = torch.optim.swa_utils.AveragedModel(
            self.net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.averaging), use_buffers=True
        )
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=config.rate, weight_decay=config.decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.parts = {"net": self.net, "average": self.average, "optimiser": self.optimiser, "schedule": self.schedule}
        if (path := checkpoint_path(config)).exists():
            self._resume(path)

    def _rate(self, step: int) -> float:
        return min((step + 1) / _WARM_STEPS, 1.0) * 0.5 * (1 + math.cos(math.pi * min(step / self.config.steps, 1.0)))

    def _resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        check_resumed(path, state, self.data)
        try:
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"{path} is of another kind of network; choose another output folder") from error
        self.step = int(state["step"])
        log.info("resumes at step %d", self.step)

    def save(self) -> None:
        path = checkpoint_path(self.config)
        part = path.with_suffix(".part")
        state = {name: p.state_dict() for name, p in self.parts.items()}
        torch.save({**state, "step": self.step, "data": self.data.to_dict() if self.data else None}, part)
        part.replace(path)

    def learn(self, patches: torch.Tensor, values: torch.Tensor) -> float:
        """One optimiser step; returns the loss."""
        # Draws of dropout follow the step alone, so that a resumed run is the same run.
        torch.manual_seed(self.config.seed * 7919 + self.step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            out = self.net(patches.to(self.device))
        loss = _loss(out, values, self.config.network)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self.step}")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()
        self.schedule.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return loss.item()


def train_regressor(
    config: RegressorTraining, volumes: list[LevelVolume], device: str = "auto", data: DataNote | None = None
) -> Path:
    """Train to the last step, from the checkpoint if there is one.

    Parameters
    ----------
    config : RegressorTraining
        Settings, with the means and spreads of :func:`scaled_config`.
    volumes : list of LevelVolume
        Training volumes.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    data : DataNote, optional
        From which files the volumes were made; a checkpoint of others is refused.

    Returns
    -------
    pathlib.Path
        The checkpoint.

    Raises
    ------
    FloatingPointError
        If the loss is not a number.
    ValueError
        If the checkpoint is of another kind of network or of other data.
    """
    config.output.mkdir(parents=True, exist_ok=True)
    learner = _Learner(config, choose_device(device), data)
    began, first, running = time.monotonic(), learner.step, math.nan
    for patches, values in _batches(volumes, config, learner.step):
        loss = learner.learn(patches, values)
        running = loss if math.isnan(running) else 0.97 * running + 0.03 * loss
        if learner.step % _TELL_EVERY == 0:
            pace = (time.monotonic() - began) / (learner.step - first)
            log.info("step %d loss %.4f, %.2f s a step", learner.step, running, pace)
        if learner.step % config.checkpoint_every == 0 or learner.step == config.steps:
            learner.save()
    return checkpoint_path(config)


def finished_network(checkpoint: Path, network: RegressorConfig) -> LevelRegressor:
    """The network with the averaged weights of a checkpoint, in evaluation mode."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    net = LevelRegressor(network)
    net.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if k.startswith("module.")})
    return net.eval()
