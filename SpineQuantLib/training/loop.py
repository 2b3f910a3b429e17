"""Training of one committee member: interruptible, resumable, on a CPU, a GPU or several."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..models.allocation import keep_freed_memory
from ..models.devices import computes_bfloat16
from ..models.network import SpineUNet, is_training_head
from ..models.store import find_model, is_alias, read_weights
from .batches import batches
from .journal import Journal
from .loss import PartialLoss
from .provenance import DataNote, check_resumed
from .settings import TrainConfig
from .teacher import Teacher, TeachingLoss
from .team import Team, join_team
from .validate import ValidationPatches

__all__ = ["TrainConfig", "best_path", "checkpoint_path", "train_member"]

log = logging.getLogger(__name__)

_TELL_EVERY = 50
_LARGEST_GRADIENT = {"adamw": 5.0, "sgd": 12.0}


def checkpoint_path(config: TrainConfig) -> Path:
    """Where a member's last checkpoint lies."""
    return Path(config.output) / f"member_{config.seed}.ckpt"


def best_path(config: TrainConfig) -> Path:
    """Where the averaged weights lie that did best on the validation set."""
    return Path(config.output) / f"member_{config.seed}_best.ckpt"


def _rate(step: int, config: TrainConfig) -> float:
    warm = max(int(config.warmup * config.steps), 1)
    return min((step + 1) / warm, 1.0) * (1 - step / config.steps) ** 0.9


def _begin_from(net: SpineUNet, config: TrainConfig) -> None:
    """Load the weights that the config starts from."""
    card = find_model(config.start)
    # What is done before and after the network does not change what its weights fit.
    alike = {name: getattr(config.network, name) for name in ("patch", "least_component", "stacks")}
    if replace(card.network, **alike) != config.network:
        raise ValueError(f"the members of {card.name} are networks of another kind than the config asks for")
    members = read_weights(card)
    missing, unknown = net.load_state_dict(members[config.seed % len(members)], strict=False)
    if unknown or any(not (is_alias(name) or is_training_head(name)) for name in missing):
        raise ValueError(f"the weights of {card.name} do not fit the network")
    log.info("member %d starts from %s %s", config.seed, card.name, card.version)


def _optimiser(net: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    if config.optimiser == "sgd":
        return torch.optim.SGD(
            net.parameters(), lr=config.rate, momentum=0.99, nesterov=True, weight_decay=config.decay
        )
    return torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=config.decay)


def _precision(config: TrainConfig, device: torch.device) -> torch.dtype | None:
    """Half precision to compute in; None for float32, also where half precision would only be slower."""
    if not config.mixed:
        return None
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    # A CPU without such instructions emulates them: a step then takes twenty times as long.
    return torch.bfloat16 if computes_bfloat16() else None


def _save(path: Path, state: dict[str, object]) -> None:
    """Write aside, then rename: an interruption leaves the checkpoint before."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


class _Member:
    """A network in training, with all that a checkpoint holds."""

    def __init__(self, config: TrainConfig, team: Team) -> None:
        self.config, self.team = config, team
        path = checkpoint_path(config)
        torch.manual_seed(config.seed)
        net = SpineUNet(config.network, config.heads)
        if config.start and not path.exists():
            _begin_from(net, config)
        self.net = net.to(team.device, memory_format=torch.channels_last_3d)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.averaging)
        )
        self.optimiser = _optimiser(self.net, config)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda s: _rate(s, config))
        self.precision = _precision(config, team.device)
        self.scaler = torch.amp.GradScaler(team.device.type, enabled=self.precision is torch.float16)
        self.loss_of = PartialLoss(config.dice_weight).to(team.device)
        self.teacher = Teacher(config.teacher, config.network, team.device) if config.teacher else None
        self.taught_loss_of = TeachingLoss(config.dice_weight)
        self.data = DataNote.read(Path(config.cache))
        self.step, self.best = 0, -1.0
        if path.exists():
            self._resume(path)
        self.shared = team.share(self.net)

    @property
    def _parts(self) -> dict[str, object]:
        return {
            "net": self.net,
            "average": self.average,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
        }

    def _resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.team.device, weights_only=True)
        check_resumed(path, state, self.data)
        try:
            for name, part in self._parts.items():
                part.load_state_dict(state[name])
        except RuntimeError as error:
            raise ValueError(f"{path} is of another kind of network; choose another output folder") from error
        if self.scaler.is_enabled() and state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        self.step, self.best = int(state["step"]), float(state.get("best", -1.0))
        log.info("member %d resumes at step %d", self.config.seed, self.step)

    def save(self) -> None:
        state = {name: part.state_dict() for name, part in self._parts.items()}
        state |= {"scaler": self.scaler.state_dict(), "step": self.step, "best": self.best}
        state |= {"data": self.data.to_dict() if self.data else None}
        _save(checkpoint_path(self.config), state)

    def learn(self, image: torch.Tensor, target: torch.Tensor) -> float:
        """One optimiser step; returns the loss."""
        device = self.team.device
        image = image.to(device)
        with torch.autocast(device.type, self.precision or torch.bfloat16, enabled=self.precision is not None):
            logits = self.shared(image)
        if self.teacher is None:
            loss = self.loss_of(logits, target.to(device))
        else:
            loss = self.taught_loss_of(logits, self.teacher.judge(image, self.precision))
        if not torch.isfinite(loss):
            raise FloatingPointError(f"member {self.config.seed}: the loss is {loss.item()} at step {self.step}")
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), _LARGEST_GRADIENT[self.config.optimiser])
        if torch.isfinite(norm) or self.scaler.is_enabled():
            self.scaler.step(self.optimiser)
        else:
            # Low precision overflows now and then; one step left out does no harm, one taken would.
            log.warning("member %d: step %d left out, its gradient overflowed", self.config.seed, self.step)
        self.scaler.update()
        self.schedule.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return loss.item()

    def validate(self, patches: ValidationPatches) -> dict[str, float]:
        """Validation Dice of the averaged weights; the best are kept beside the checkpoint."""
        scores = patches.score(self.average, self.team.device, self.precision)
        if scores and scores["dice"] > self.best:
            self.best = scores["dice"]
            _save(best_path(self.config), {"average": self.average.state_dict(), "step": self.step, "best": self.best})
        return scores


def _is_due(every: int, step: int, steps: int) -> bool:
    return every > 0 and (step % every == 0 or step == steps)


def train_member(config: TrainConfig, device: str | None = None, team: Team | None = None) -> Path:
    """Train a member to its last step, from its checkpoint if there is one.

    Parameters
    ----------
    config : TrainConfig
        What to train.
    device : str, optional
        Torch device; a GPU where there is one.
    team : Team, optional
        Processes that train together; without it those that ``torchrun`` started.

    Returns
    -------
    pathlib.Path
        The checkpoint to ship, with the averaged weights under ``average``: the last, or the best where ``keep``
        asks for it and there is a validation set.

    Raises
    ------
    FloatingPointError
        If the loss is not a number.
    EngineError
        If the model to start from, or the teacher, is not there.
    ValueError
        If there are no training cases, the model to start from, the teacher or the checkpoint is of another kind of
        network, or the checkpoint was trained on other data than the cache holds.
    """
    if team is None:
        with join_team(device) as joined:
            return train_member(config, device, joined)
    Path(config.output).mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    member = _Member(config, team)
    if member.step < config.steps:
        _run(member)
    team.wait()
    return best_path(config) if config.keep == "best" and best_path(config).exists() else checkpoint_path(config)


def _run(member: _Member) -> None:
    """All steps that are left."""
    config, team = member.config, member.team
    leads = team.leads
    patches = ValidationPatches(config) if leads and config.validate_every else None
    journal = Journal(config, member.step) if leads else None
    began, first, running = time.monotonic(), member.step, float("nan")
    for image, target in batches(config, member.step, team.rank):
        loss = member.learn(image, target)
        running = loss if np.isnan(running) else 0.98 * running + 0.02 * loss
        scores: dict[str, float] = {}
        if patches is not None and _is_due(config.validate_every, member.step, config.steps):
            scores = member.validate(patches)
        if journal is not None and (scores or member.step % _TELL_EVERY == 0):
            pace = (time.monotonic() - began) / (member.step - first)
            journal.tell(member.step, {"loss": running, "rate": member.schedule.get_last_lr()[0], **scores}, pace)
        if leads and _is_due(config.checkpoint_every, member.step, config.steps):
            member.save()
    if journal is not None:
        journal.close()
