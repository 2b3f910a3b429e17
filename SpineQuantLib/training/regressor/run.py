"""From an index of labelled volumes to a model folder that ``analyze`` uses for its second reading."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...case.errors import InputError
from ...case.result import Contrast
from ...models.direct import write_reader
from ...models.regressor import LevelRegressor
from ...models.store import find_model
from ..collect import LabelledVolume, check_volumes, read_index
from ..kept import Kept, drop_changed
from ..provenance import DataNote
from .card import write_card_text
from .judge import LevelPair, allowed_differences, compare, evidence_of
from .levels import LevelVolume, cache_phantom, cache_volume, read_levels
from .loop import finished_network, scaled_config, train_regressor
from .settings import RegressorTraining

__all__ = ["pack_regressor", "train_direct"]

log = logging.getLogger(__name__)

_CONTRASTS = {
    "T1": Contrast.T1,
    "T2": Contrast.T2,
    "TIRM": Contrast.STIR,
    "STIR": Contrast.STIR,
    "water": Contrast.UNKNOWN,
}
"""Weightings of the index as a case names them; a water image looks like none of those that it knows."""
_FINEST = 0.25
"""Pixel size in mm down to which scanners go."""
_ROOM = {"slice": 0.25, "pixel": 0.35}
"""Share by which spacings may lie beyond those of the training: augmentation changes them by as much."""


def train_direct(config: RegressorTraining, device: str = "auto") -> Path:
    """Gather levels, train, compare with the committee on held-out people and phantoms, and write the model folder.

    Every step is kept on disk: called again after an interruption, it goes on where it was.

    Parameters
    ----------
    config : RegressorTraining
        What to train.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Returns
    -------
    pathlib.Path
        The model folder.

    Raises
    ------
    InputError
        If the index cannot be used, too little is known to train on, or the checkpoint was trained on other data.
    EngineError
        If the committee to compare with, or the device, is not there.
    """
    try:
        volumes = read_index(config.index)
    except (OSError, ValueError) as error:
        raise InputError(f"the index of labelled volumes cannot be used: {error}") from error
    check_volumes(volumes)
    train = [v for v in volumes if v.split == "train"]
    made_for = {"spacing": config.network.spacing, "first_phantom": config.first_phantom}
    data = DataNote.of(made_for, train, config.phantoms)
    held_phantoms = _fill_cache(config, train, data)
    # The cache may hold more: who was trained on before may be held out now.
    trained = {v.id for v in train} | {name for _, name in _phantoms(config)}
    levels = read_levels(config.output / "cache", trained)
    try:
        config = dataclasses.replace(config, network=scaled_config(config.network, levels))
        checkpoint = train_regressor(config, levels, device, data)
    except ValueError as error:
        raise InputError(f"the network cannot be trained: {error}") from error
    net = finished_network(checkpoint, config.network)
    held = [v for v in volumes if v.split == "validation"]
    pairs = compare(net, held, held_phantoms, config.committee, config.output / "predictions")
    return pack_regressor(config, net, levels, pairs)


def _fill_cache(config: RegressorTraining, volumes: Sequence[LabelledVolume], data: DataNote) -> range:
    """Cache the training levels, again where they have changed; returns the numbers of the held-out phantoms."""
    folder = config.output / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    blurred_for = {"spacing of the patch": str(config.network.spacing)}
    sources = {v.id: {**data.volumes[v.id], **blurred_for} for v in volumes}
    sources |= {name: blurred_for for _, name in _phantoms(config)}
    drop_changed(folder, {name: Kept(source, (folder / f"{name}.npz",)) for name, source in sources.items()})
    for volume in volumes:
        if not (folder / f"{volume.id}.npz").exists():
            cache_volume(volume, folder, config.network)
            log.info("%s cached", volume.id)
    for number, name in _phantoms(config):
        if not (folder / f"{name}.npz").exists():
            cache_phantom(number, folder, config.network, "train")
            log.info("phantom %d cached", number)
    last = config.first_phantom + config.phantoms
    return range(last, last + config.held_out_phantoms)


def _phantoms(config: RegressorTraining) -> Iterator[tuple[int, str]]:
    """Numbers and names of the training phantoms."""
    for number in range(config.first_phantom, config.first_phantom + config.phantoms):
        yield number, f"phantom-{number:04d}"


def pack_regressor(
    config: RegressorTraining, net: LevelRegressor, levels: Sequence[LevelVolume], pairs: Sequence[LevelPair]
) -> Path:
    """Write the model folder, with the errors on held-out levels and what they allow; returns it.

    Beside it ``levels.csv`` lists every comparison.
    """
    folder = config.output / "model"
    allowed = {key: dataclasses.asdict(value) for key, value in allowed_differences(pairs).items()}
    facts = {
        "trained_on": _trained_on(levels),
        "allowed": allowed,
        "training": config.facts,
        "validation": {"committee": _committee(config.committee) if pairs else "", **evidence_of(pairs)},
    }
    config.output.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([dataclasses.asdict(p) for p in pairs]).to_csv(config.output / "levels.csv", index=False)
    write_reader(folder, config.name, config.version, net, facts)
    write_card_text(folder)
    return folder


def _committee(model: str) -> str:
    """Name and version of the committee whose masks were compared."""
    card = find_model(model)
    return f"{card.name} {card.version}"


def _trained_on(levels: Sequence[LevelVolume]) -> dict[str, Any]:
    """Contrasts and spacings of the training, and how much is known of what."""
    spacings = np.array([v.scan.grid.spacing for v in levels])
    contrasts = {_CONTRASTS[v.contrast].value for v in levels if v.contrast in _CONTRASTS}
    counts = {}
    for name, own in (
        ("people", [v for v in levels if not v.is_phantom]),
        ("phantoms", [v for v in levels if v.is_phantom]),
    ):
        known = np.array([k.values for v in own for k in v.levels], dtype=float).reshape(-1, 2)
        counts[name] = {
            "volumes": len(own),
            "subjects": len({v.subject for v in own}),
            "disc_heights": int(np.isfinite(known[:, 0]).sum()),
            "sac_diameters": int(np.isfinite(known[:, 1]).sum()),
        }
    return {
        "contrasts": sorted(contrasts),
        "slice_mm": _range(spacings[:, 0], _ROOM["slice"]),
        # Finer pixels are blurred to those of the patch, so that they are nothing new.
        "pixel_mm": [_FINEST, _range(spacings[:, 1:], _ROOM["pixel"])[1]],
        **counts,
    }


def _range(values: np.ndarray, room: float) -> list[float]:
    return [round(float(values.min()) * (1 - room), 2), round(float(values.max()) * (1 + room), 2)]
