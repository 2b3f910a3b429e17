"""Finished checkpoints become a model that can be shipped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..anatomy.structures import NetworkClass
from ..models.network import NetworkConfig, is_training_head
from ..models.store import ModelCard, write_model
from .curves import CURVES_FILE, collect_curves

__all__ = ["averaged_weights", "pack_committee", "weighted_classes"]

_PREFIX = "module."
_LAST_BIAS = "core.output_block.conv.conv.bias"


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


def weighted_classes(
    state: dict[str, torch.Tensor], weights: Mapping[str, float], network: NetworkConfig
) -> dict[str, torch.Tensor]:
    """The same network with the odds of some classes multiplied, by the bias of its last layer.

    The most probable class is not the one that gives the largest expected Dice or an unbiased size: of a small
    structure with a disputed border that decision leaves voxels out. The best threshold for Dice is half of the Dice
    that can be reached (Lipton et al. 2014, arXiv:1402.1892), for foramina 0.33–0.4 instead of 0.5.

    Parameters
    ----------
    state : dict
        Weights of a member.
    weights : mapping of str to float
        Factor of the odds by the class's name, for example ``{"foramen": 2.0}``.
    network : NetworkConfig
        Of the member.

    Raises
    ------
    ValueError
        If a class is unknown or a factor is not above 0.
    """
    names = [c.name.lower() for c in NetworkClass]
    bias = state[_LAST_BIAS].clone()
    # Sub-pixels of a class lie side by side in the channels.
    of_class = bias.view(len(names), network.fold**2)
    for name, factor in weights.items():
        if name not in names or not factor > 0:
            raise ValueError(f"'{name}': {factor} is not the weight of a class; classes are {', '.join(names)}")
        of_class[names.index(name)] += math.log(factor)
    return {**state, _LAST_BIAS: bias}


def pack_committee(
    checkpoints: list[Path],
    folder: Path,
    name: str,
    version: str,
    network: NetworkConfig,
    facts: dict[str, Any],
    class_weights: Mapping[str, float] | None = None,
    *,
    eight_bit: bool = False,
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
    class_weights : mapping of str to float, optional
        See :func:`weighted_classes`; told in the card.
    eight_bit : bool
        Store kernels as scaled 8-bit numbers, see :func:`~SpineQuantLib.models.store.write_tensors`.
    """
    members = [weighted_classes(averaged_weights(p), class_weights or {}, network) for p in checkpoints]
    if class_weights:
        facts = {**facts, "class_weights": dict(class_weights)}
    card = write_model(folder, name, version, network, members, facts, eight_bit=eight_bit)
    curves = [p.with_name(p.name.replace("_best", "")).with_suffix(".csv") for p in checkpoints]
    collect_curves(curves, folder / CURVES_FILE)
    return card
