"""Everything that decides the direct regression's weights but the data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...case.errors import InputError
from ...models.regressor import RegressorConfig

__all__ = ["RegressorTraining", "ViewConfig"]


@dataclass(frozen=True)
class ViewConfig:
    """Ranges of the random changes of a patch; probabilities are per patch.

    Attributes
    ----------
    shift : float
        Standard deviation, in mm, of the patch's place along each axis.
    turn_deg, tilt_deg : float
        Largest rotation in the sagittal plane, and about the two other axes.
    scale : float
        Natural logarithm of the largest change of size; the true values change with it.
    stretch : float
        The same for each axis on its own.
    flip : float
        Chance that right and left change places.
    remap, gamma : float
        Chance of a new grey scale; natural logarithm of the largest exponent.
    bias, bias_strength : float
        Chance of shading, and its largest strength.
    thick, thickest_mm : float
        Chance that slices are made thicker, and the thickest in mm.
    coarse, coarsest : float
        Chance that pixels are made coarser, and by which factor at most.
    noise : float
        Largest standard deviation of noise.
    """

    shift: float = 1.5
    turn_deg: float = 10.0
    tilt_deg: float = 6.0
    scale: float = 0.2
    stretch: float = 0.12
    flip: float = 0.5
    remap: float = 0.15
    gamma: float = 0.3
    bias: float = 0.4
    bias_strength: float = 0.4
    thick: float = 0.1
    thickest_mm: float = 6.0
    coarse: float = 0.15
    coarsest: float = 1.6
    noise: float = 0.2


@dataclass(frozen=True)
class RegressorTraining:
    """What a network for direct regression is trained from, and into what.

    Attributes
    ----------
    index : Path
        CSV of labelled volumes, see :func:`~SpineQuantLib.training.collect.read_index`; split by subject.
    output : Path
        Folder for cache, checkpoint and, at the end, ``model``.
    name, version : str
        Of the model.
    committee : str
        Shipped model, or model folder, whose masks the readings will be compared with: it decides how far the two may
        differ.
    phantoms, held_out_phantoms : int
        How many are added to the training and to the validation set.
    first_phantom : int
        Number of the first phantom; those of the validation set follow behind the others.
    seed, steps, batch : int
        Of the training.
    rate, decay : float
        Highest learning rate of Adam, which falls by a half cosine; weight decay.
    averaging : float
        Decay of the running average of the weights, which is what is kept.
    checkpoint_every : int
        Steps between checkpoints.
    sac_weight, phantom_share : float
        How often levels with a known sac are drawn, relative to others; share of the patches that show a phantom.
    network : RegressorConfig
        Size and patch; its means and spreads are replaced by those of the training values.
    views : ViewConfig
        Random changes of the patches.
    """

    index: Path
    output: Path
    name: str = "lumbar-direct"
    version: str = "0.1.0"
    committee: str = "lumbar-committee"
    phantoms: int = 30
    held_out_phantoms: int = 8
    first_phantom: int = 1000
    seed: int = 0
    steps: int = 1500
    batch: int = 12
    rate: float = 1.5e-3
    decay: float = 1e-4
    averaging: float = 0.99
    checkpoint_every: int = 100
    sac_weight: float = 2.5
    phantom_share: float = 0.3
    network: RegressorConfig = field(default_factory=RegressorConfig)
    views: ViewConfig = field(default_factory=ViewConfig)

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least 1")

    @classmethod
    def read(cls, path: Path) -> RegressorTraining:
        """Config from a JSON file; paths are relative to it.

        Raises
        ------
        InputError
            If it cannot be read, or a setting is unknown or out of its range.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["index"], values["output"] = path.parent / values["index"], path.parent / values["output"]
            if "network" in values:
                values["network"] = RegressorConfig.from_dict(values["network"])
            if "views" in values:
                values["views"] = ViewConfig(**values["views"])
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"the training config {path} cannot be used: {error}") from error

    @property
    def facts(self) -> dict[str, Any]:
        """What the card tells of the training."""
        values = asdict(self)
        return {k: v for k, v in values.items() if k not in ("index", "output", "name", "version", "network")}
