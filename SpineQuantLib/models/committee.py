"""The committee in memory: loaded once, used for many volumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from ..case.errors import EngineError
from .allocation import keep_freed_memory
from .mirrored import MirroredUNet
from .network import NetworkConfig, SpineUNet
from .store import DEFAULT_MODEL, ModelCard, find_model, is_alias, read_weights

__all__ = ["Committee", "choose_device", "describe_device", "load_committee", "load_fast", "part_of"]

_FEWEST = 2
"""Networks, or looks, that can disagree."""


@dataclass(frozen=True)
class Committee:
    """Networks that judge the same volume independently.

    Attributes
    ----------
    card : ModelCard
        Where they come from.
    members : tuple of SpineUNet or MirroredUNet
        In evaluation mode on ``device``; those that look at mirror images come behind the others.
    device : torch.device
        Where they run.
    """

    card: ModelCard
    members: tuple[SpineUNet | MirroredUNet, ...]
    device: torch.device

    @property
    def network(self) -> NetworkConfig:
        """Size and grid that all members share."""
        return self.card.network

    @property
    def words(self) -> str:
        """How many look, for a reader."""
        words = self.card.info.words
        return f"{words} (and its look at the mirror image)" if self.card.mirrored else words


def part_of(committee: Committee, members: int) -> Committee:
    """The first members of a committee alone, under a card that names no others.

    What was calibrated for the whole committee does not hold for a part of it, and its card's hash says so.
    """
    card = replace(committee.card, members=committee.card.members[:members])
    return replace(committee, card=card, members=committee.members[:members])


def load_fast(model: str = DEFAULT_MODEL, device: str = "auto") -> Committee:
    """Load what stands in for a committee in a quick look: its distilled network, or its first two members.

    Raises
    ------
    EngineError
        As of :func:`load_committee`.
    """
    card = find_model(model)
    if card.fast:
        return load_committee(str(card.folder.parent / card.fast), device)
    return part_of(load_committee(model, device), _FEWEST)


def choose_device(wanted: str = "auto") -> torch.device:
    """Device to run on.

    Parameters
    ----------
    wanted : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.

    Raises
    ------
    EngineError
        If the wanted device is not there.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise EngineError(f"'{wanted}' is not a device; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EngineError(f"no GPU '{wanted}' here ({torch.cuda.device_count()} found); use --device cpu")
    if device.type not in ("cpu", "cuda"):
        raise EngineError(f"device '{wanted}' is not supported; use auto, cpu, cuda or cuda:N")
    return device


def describe_device(device: torch.device) -> str:
    """Device in words, for the case: ``CPU`` or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


@lru_cache(maxsize=2)
def load_committee(model: str = DEFAULT_MODEL, device: str = "auto") -> Committee:
    """Load a committee, once for each model and device.

    Raises
    ------
    EngineError
        If model or device is not there, the weights do not fit the network, or two members are the same network.
    """
    card = find_model(model)
    where = choose_device(device)
    if where.type == "cpu":
        keep_freed_memory()
    states = read_weights(card)
    if len({sha for _, sha in card.members}) < len(card.members):
        raise EngineError(f"model '{card.name}': two members have the same weights; a committee needs distinct ones")
    members = []
    for state in states:
        net = SpineUNet(card.network)
        try:
            missing, unknown = net.load_state_dict(state, strict=False)
        except RuntimeError as error:
            raise EngineError(f"model '{card.name}': weights do not fit the network of its card") from error
        if unknown or not all(map(is_alias, missing)):
            raise EngineError(f"model '{card.name}': weights do not fit the network of its card")
        members.append(net.eval().to(where, memory_format=torch.channels_last_3d))
    if card.mirrored:
        members += [MirroredUNet(net).eval() for net in members]
    return Committee(card, tuple(members), where)
