"""From an index of labelled volumes to a model folder: cache, members one by one, card."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..case.errors import InputError
from ..models.network import NetworkConfig
from .collect import (
    CachedCase,
    LabelledVolume,
    cache_phantom,
    cache_volume,
    check_volumes,
    read_index,
    write_split,
    write_volumes,
)
from .evaluation.run import evaluate_model
from .loop import train_member
from .pack import pack_committee
from .phantom import PhantomSpec
from .phantom.column import build_column
from .provenance import DataNote
from .recipe_lumbar import write_index
from .settings import PRESETS, TrainConfig, merged
from .team import join_team

__all__ = ["CommitteeConfig", "phantom_spec", "train_committee"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CommitteeConfig:
    """What a committee is trained from, and into what.

    Attributes
    ----------
    index : Path
        CSV of labelled volumes, see :func:`~SpineQuantLib.training.collect.read_index`.
    output : Path
        Folder for cache, checkpoints, ``index_as_trained.csv`` and, at the end, ``model``.
    name, version : str
        Of the model.
    seeds : tuple of int
        One member each.
    phantoms : int
        How many phantoms are added.
    preset : str
        One of :data:`~SpineQuantLib.training.settings.PRESETS`.
    member : dict
        Settings of :class:`~SpineQuantLib.training.settings.TrainConfig` that differ from the preset.
    class_weights : dict of str to float
        Factors of the odds of classes in the packed members, see :func:`~SpineQuantLib.training.pack.weighted_classes`.
    unseen : tuple of str
        Contrasts that shall be met for the first time in validation: nobody of whom there is such an image is trained
        on.
    facts : dict
        What else the card shall state, such as ``mirrored`` or ``kind``.
    eight_bit : bool
        Store the weights in half of the usual size, see :func:`~SpineQuantLib.models.store.write_tensors`.
    grown : Path or None
        Folder of accepted proposals for the shipped recipe, see :mod:`~SpineQuantLib.training.grow`.
    """

    index: Path
    output: Path
    name: str = "lumbar-committee"
    version: str = "0.1.0"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    phantoms: int = 30
    preset: str = "lumbar"
    member: dict[str, object] = dataclasses.field(default_factory=dict)
    class_weights: dict[str, float] = dataclasses.field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    facts: dict[str, object] = dataclasses.field(default_factory=dict)
    eight_bit: bool = False
    grown: Path | None = None

    @classmethod
    def read(cls, path: Path) -> CommitteeConfig:
        """Config from a JSON file; paths are relative to it.

        Raises
        ------
        InputError
            If it cannot be read, or a setting or preset is unknown or out of its range.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["index"], values["output"] = path.parent / values["index"], path.parent / values["output"]
            values["seeds"] = tuple(values.get("seeds", cls.seeds))
            values["unseen"] = tuple(values.get("unseen", cls.unseen))
            if values.get("grown"):
                values["grown"] = path.parent / values["grown"]
            config = cls(**values)
            config.member_config(0)
            return config
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"the training config {path} cannot be used: {error}") from error

    def member_config(self, seed: int) -> TrainConfig:
        """Config of one member.

        Raises
        ------
        ValueError, TypeError
            If the preset or a setting is unknown, or out of its range.
        """
        if self.preset not in PRESETS:
            raise ValueError(f"there is no preset '{self.preset}'; choose one of {', '.join(PRESETS)}")
        values = {"cache": str(self.output / "cache"), "output": str(self.output / "checkpoints"), "seed": seed}
        return TrainConfig.from_dict({**merged(PRESETS[self.preset], self.member), **values})


def phantom_spec(number: int, network: NetworkConfig) -> PhantomSpec:
    """The n-th training phantom: any anatomy and contrast, on the grid of the networks."""
    rng = np.random.default_rng(number)
    pixel = max(network.spacing[1], 1.0)
    while True:
        spec = dataclasses.replace(
            PhantomSpec.random(rng),
            spacing=(float(rng.choice([4.0, 4.0, 3.5, 4.5])), pixel, pixel),
            size=(int(rng.integers(14, 21)), int(rng.integers(220, 330)), int(rng.integers(200, 280))),
            orientation="PIL",
            seed=number,
            slice_thickness=None,
        )
        try:
            build_column(spec)
        except ValueError:
            # Its own seed gives the person other proportions, in which a narrow disc may not fit: another is drawn.
            continue
        return spec


_INDEX_FILE = "index_as_trained.csv"


def _fill_cache(config: CommitteeConfig, network: NetworkConfig, volumes: Sequence[LabelledVolume]) -> None:
    """Cache all volumes and phantoms; nothing is done where the list of cached cases exists.

    Raises
    ------
    InputError
        If the cache was filled for another grid, with other contrasts kept unseen or from other volumes, or the labels
        of a volume cannot be used.
    """
    folder = config.output / "cache"
    grid = {k: v for k, v in network.to_dict().items() if k in ("spacing", "keep_slices", "stacks", "window")}
    grid |= {"unseen": config.unseen} if config.unseen else {}
    note = DataNote.of(grid, volumes, config.phantoms)
    if (folder / "cases.json").exists():
        _check_cache(folder, note)
        return
    check_volumes(volumes)
    folder.mkdir(parents=True, exist_ok=True)
    note.write(folder)
    cases: list[CachedCase] = []
    for volume in volumes:
        cases += cache_volume(volume, folder, network)
    for number in range(config.phantoms):
        cases.append(cache_phantom(phantom_spec(number, network), folder, network))
        log.info("phantom %d of %d", number + 1, config.phantoms)
    write_split(cases, folder)


def _check_cache(folder: Path, wanted: DataNote) -> None:
    """Refuse a cache that was filled for other networks or from something else."""
    found = DataNote.read(folder)
    if found is not None and found.grid and found.grid != wanted.grid:
        raise InputError(
            f"{folder} was filled for networks of another grid, or with other contrasts kept unseen; "
            "choose another output folder"
        )
    if found is None or not found.digest:
        raise InputError(
            f"{folder} was filled by an earlier version, which did not note from which files: whether they have "
            "changed since cannot be told; choose another output folder, or, if they have not, delete this one (it is "
            "filled again, and members go on from their checkpoints)"
        )
    if changed := found.changes(wanted):
        raise InputError(
            f"the index or its files have changed since {folder} was filled ({changed}); choose another output folder, "
            f"or delete {folder} and {folder.parent / 'checkpoints'}, whose members were trained on what was there "
            "before"
        )
    if not found.volumes:
        # An earlier version kept the one number alone; now it can be told later what has changed.
        wanted.write(folder)


def train_committee(config: CommitteeConfig, data: Path | None = None, device: str | None = None) -> Path:
    """Train all members, score the committee on the validation set and write the model folder.

    Started by ``torchrun``, its processes train each member together. Every step is kept on disk: called again after
    an interruption, it goes on where it was.

    Parameters
    ----------
    config : CommitteeConfig
        What to train.
    data : Path, optional
        Folder of the shipped recipe's data; its index is rebuilt at ``config.index``.
    device : str, optional
        Torch device.

    Returns
    -------
    pathlib.Path
        The model folder.

    Raises
    ------
    InputError
        If the index cannot be used, there is nothing to train on, or the folder of results holds a cache of other
        volumes, checkpoints of other data, or either of another kind of network.
    """
    with join_team(device) as team:
        volumes = _volumes(config, data) if team.leads else []
        members = [config.member_config(seed) for seed in config.seeds]
        if team.leads:
            _fill_cache(config, members[0].network, volumes)
            _keep_index(config, volumes)
        team.wait()
        try:
            checkpoints = [train_member(member, device, team) for member in members]
        except ValueError as error:
            raise InputError(f"the committee cannot be trained: {error}") from error
        folder = config.output / "model"
        if team.leads:
            _finish(config, members[0], checkpoints, volumes, folder)
        team.wait()
    return folder


def _volumes(config: CommitteeConfig, data: Path | None) -> list[LabelledVolume]:
    try:
        if data is not None:
            config.index.parent.mkdir(parents=True, exist_ok=True)
            write_index(data, config.index, config.grown)
        volumes = read_index(config.index)
    except (OSError, ValueError) as error:
        raise InputError(f"the index of labelled volumes cannot be used: {error}") from error
    unknown = sorted(set(config.unseen) - {v.contrast for v in volumes})
    if unknown:
        raise InputError(f"{config.index} has no volume of the contrast that shall stay unseen: {', '.join(unknown)}")
    kept = {v.subject for v in volumes if v.contrast in config.unseen}
    return [dataclasses.replace(v, split="validation") if v.subject in kept else v for v in volumes]


def _keep_index(config: CommitteeConfig, volumes: Sequence[LabelledVolume]) -> None:
    """Write the index as it is trained on: whoever scores the committee must know whom it has seen."""
    path = config.output / _INDEX_FILE
    write_volumes(volumes, path)
    log.info("%s lists the volumes as they are trained on; evaluate and calibrate with it", path)


def _finish(
    config: CommitteeConfig,
    member: TrainConfig,
    checkpoints: list[Path],
    volumes: list[LabelledVolume],
    folder: Path,
) -> None:
    """Pack the committee, score it and write its card."""
    training = {k: v for k, v in member.to_dict().items() if k not in ("cache", "output", "seed")}
    facts = {**config.facts, "training": training}
    weights = config.class_weights
    pack_committee(
        checkpoints, folder, config.name, config.version, member.network, facts, weights, eight_bit=config.eight_bit
    )
    validation = [v for v in volumes if v.split == "validation"]
    if validation:
        evaluate_model(str(folder), validation, config.output / "evaluation", everyone=volumes, card=True)
