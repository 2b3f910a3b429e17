"""The direct regression in use: loaded once, asked for every level of a case."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..case.direct import QUANTITIES, LevelPlace
from ..case.errors import EngineError
from ..case.grid import Grid, lps_to_ras
from .regressor import LevelRegressor, RegressorConfig, Scan, patch_offsets, sample
from .store import find_folder, read_tensors, write_card, write_tensors

__all__ = ["DEFAULT_REGRESSOR", "Allowed", "DirectCard", "DirectReader", "load_reader", "read_levels", "write_reader"]

DEFAULT_REGRESSOR = "lumbar-direct"
_KIND = "direct regression"


@dataclass(frozen=True)
class Allowed:
    """Differences mask − direct, in mm, that errors explain."""

    low: float
    high: float


@dataclass(frozen=True)
class DirectCard:
    """What the model folder says about itself.

    Attributes
    ----------
    folder : Path
        Where it lies.
    name, version, sha256 : str
        Of the model; hash of its weights.
    file : str
        Name of the weights.
    network : RegressorConfig
        Size and patch.
    contrasts : tuple of str
        Weightings that it was trained on, as a case names them.
    slice_mm, pixel_mm : tuple of float
        Slice distances and pixel sizes, from … to …, that it was trained on.
    allowed : dict of str to Allowed
        By :attr:`~SpineQuantLib.case.direct.Quantity.key`; a quantity without it is not compared.
    """

    folder: Path
    name: str
    version: str
    sha256: str
    file: str
    network: RegressorConfig
    contrasts: tuple[str, ...]
    slice_mm: tuple[float, float]
    pixel_mm: tuple[float, float]
    allowed: dict[str, Allowed]

    def unsuited(self, contrast: str, spacing: tuple[float, float, float]) -> str:
        """Why a volume is outside of what the network was trained on; empty where it is not.

        Parameters
        ----------
        contrast : str
            Weighting of the case.
        spacing : tuple of float
            Millimetres (k, j, i).
        """
        if contrast not in self.contrasts:
            return f"contrast {contrast} is outside its training ({', '.join(self.contrasts)})"
        for name, values, (low, high) in (
            ("slice distance", spacing[:1], self.slice_mm),
            ("pixel size", spacing[1:], self.pixel_mm),
        ):
            if not all(low - 1e-3 <= v <= high + 1e-3 for v in values):
                shown = " × ".join(f"{v:.2g}" for v in dict.fromkeys(values))
                return f"{name} {shown} mm is outside its training ({low:g}–{high:g} mm)"
        return ""


@dataclass(frozen=True)
class DirectReader:
    """The network with its card."""

    card: DirectCard
    net: LevelRegressor


def find_card(name: str = DEFAULT_REGRESSOR) -> DirectCard:
    """Card of a model, by name or folder.

    Raises
    ------
    EngineError
        If there is none, or it cannot be read or is of another kind.
    """
    folder = find_folder(name)
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        if card.get("kind") != _KIND:
            raise EngineError(f"model '{name}' is no network for direct regression")
        if card["quantities"] != [q.key for q in QUANTITIES]:
            raise EngineError(f"model '{name}' reads {', '.join(card['quantities'])}; this version needs another model")
        member = card["members"][0]
        trained = card["trained_on"]
        return DirectCard(
            folder,
            card["name"],
            card["version"],
            member["sha256"],
            member["file"],
            RegressorConfig.from_dict(card["network"]),
            tuple(trained["contrasts"]),
            tuple(trained["slice_mm"]),
            tuple(trained["pixel_mm"]),
            {k: Allowed(**v) for k, v in card["allowed"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise EngineError(f"the card of model '{name}' cannot be read ({error}); install the model again") from error


@lru_cache(maxsize=2)
def load_reader(name: str = DEFAULT_REGRESSOR) -> DirectReader:
    """Load the network, once.

    Raises
    ------
    EngineError
        If it is not there or damaged, or its weights do not fit its card.
    """
    card = find_card(name)
    net = LevelRegressor(card.network)
    try:
        net.load_state_dict(read_tensors(card.folder / card.file, card.sha256))
    except RuntimeError as error:
        raise EngineError(f"model '{card.name}': weights do not fit the network of its card") from error
    return DirectReader(card, net.eval().to(memory_format=torch.channels_last_3d))


def write_reader(folder: Path, name: str, version: str, net: LevelRegressor, facts: dict[str, Any]) -> DirectCard:
    """Write a network into a model folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    name, version : str
        Of the model.
    net : LevelRegressor
        The network; its kernels are stored as scaled 8-bit numbers.
    facts : dict
        The rest of the card: ``trained_on``, ``allowed`` and what else it shall tell.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entry = write_tensors(folder / "weights.safetensors", net.state_dict(), eight_bit=True)
    card = {
        "name": name,
        "version": version,
        "kind": _KIND,
        "quantities": [q.key for q in QUANTITIES],
        "network": net.config.to_dict(),
        "members": [entry],
        **facts,
    }
    write_card(folder, card)
    return find_card(str(folder))


def read_levels(net: LevelRegressor, image: np.ndarray, grid: Grid, places: tuple[LevelPlace, ...]) -> np.ndarray:
    """Millimetres at each level, read from the image.

    Each patch is read as it is and mirrored from right to left, and the mean is taken.

    Parameters
    ----------
    net : LevelRegressor
        In evaluation mode.
    image : np.ndarray
        (nk, nj, ni) intensities in reading order.
    grid : Grid
        Its grid.
    places : tuple of LevelPlace
        The levels.

    Returns
    -------
    np.ndarray
        (levels, quantities); NaN where a patch lies so far outside of the volume that half of its voxels are air.

    Raises
    ------
    ValueError
        If the image is constant.
    """
    if not places:
        return np.empty((0, len(QUANTITIES)))
    offsets = patch_offsets(net.config)
    flat = offsets.reshape(-1, 3).numpy()
    corners = np.array(np.meshgrid(*zip(flat.min(axis=0), flat.max(axis=0), strict=True))).reshape(3, -1).T
    window = np.concatenate([np.array(p.centre) + corners @ p.axes for p in places])
    scan = Scan.of(image, grid, net.config, window)
    return read_scan(net, scan, grid, places)


def read_scan(net: LevelRegressor, scan: Scan, whole: Grid, places: tuple[LevelPlace, ...]) -> np.ndarray:
    """As :func:`read_levels`, from a prepared scan of a volume on the grid ``whole``."""
    offsets = patch_offsets(net.config)
    found = np.full((len(places), len(QUANTITIES)), math.nan)
    with torch.inference_mode():
        for n, place in enumerate(places):
            if _share_inside(whole, place, offsets) < 0.5:
                continue
            patch = sample(scan, place, offsets)[None, None]
            both = torch.cat([patch, patch.flip(2)])
            found[n] = net.to_mm(net(both)).mean(dim=0).numpy()
    return found


def _share_inside(grid: Grid, place: LevelPlace, offsets: torch.Tensor) -> float:
    """Share of a patch that lies in a volume."""
    coarse = offsets[::4, ::4, ::4].reshape(-1, 3).numpy()
    index = grid.to_index(lps_to_ras(np.array(place.centre) + coarse @ place.axes))
    return float(((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)).all(axis=1).mean())
