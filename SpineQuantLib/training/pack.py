"""Finished checkpoints become a model that can be shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..models.network import NetworkConfig, is_training_head
from ..models.store import ModelCard, write_model
from .curves import CURVES_FILE, collect_curves

__all__ = ["averaged_weights", "pack_committee"]

_PREFIX = "module."


def averaged_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Averaged weights of a member's checkpoint, without outputs that only training uses.

    Raises
    ------
    KeyError
        If the file is not a checkpoint of :func:`SpineQuantLib.training.loop.train_member`.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    own = {k.removeprefix(_PREFIX): v for k, v in state.items() if k.startswith(_PREFIX)}
    return {k: v for k, v in own.items() if not is_training_head(k)}


def pack_committee(
    checkpoints: list[Path], folder: Path, name: str, version: str, network: NetworkConfig, facts: dict[str, Any]
) -> ModelCard:
    """Write a committee's model folder from its members' checkpoints.

    Parameters
    ----------
    checkpoints : list of Path
        One a member; a curve file beside one (``member_0.csv``) becomes part of the model's ``curves.csv``.
    folder : Path
        Model folder.
    name, version : str
        Of the model.
    network : NetworkConfig
        That the members were trained with.
    facts : dict
        What the card shall tell beyond the weights: training, validation.
    """
    card = write_model(folder, name, version, network, [averaged_weights(p) for p in checkpoints], facts)
    curves = [p.with_name(p.name.replace("_best", "")).with_suffix(".csv") for p in checkpoints]
    collect_curves(curves, folder / CURVES_FILE)
    return card
