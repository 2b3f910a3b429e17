"""Finished checkpoints become a model that can be shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..models.network import NetworkConfig
from ..models.store import ModelCard, write_model

__all__ = ["averaged_weights", "pack_committee"]

_PREFIX = "module."


def averaged_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Averaged weights of a member's checkpoint.

    Raises
    ------
    KeyError
        If the file is not a checkpoint of :func:`SpineQuantLib.training.loop.train_member`.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    return {k.removeprefix(_PREFIX): v for k, v in state.items() if k.startswith(_PREFIX)}


def pack_committee(
    checkpoints: list[Path], folder: Path, name: str, version: str, network: NetworkConfig, facts: dict[str, Any]
) -> ModelCard:
    """Write a committee's model folder from its members' checkpoints.

    Parameters
    ----------
    checkpoints : list of Path
        One a member.
    folder : Path
        Model folder.
    name, version : str
        Of the model.
    network : NetworkConfig
        That the members were trained with.
    facts : dict
        What the card shall tell beyond the weights: training, validation.
    """
    return write_model(folder, name, version, network, [averaged_weights(p) for p in checkpoints], facts)
