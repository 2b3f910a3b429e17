"""The store of weights: one folder a model, with its members as safetensors and its card.

``card.json`` is what programs read: name, version, network, members with the hash of their file. ``CARD.md`` is for
people: data, validation, limits. Weights are half precision, or 8-bit numbers with scales, and hold tensors only, so
that loading them runs no code. Models of another kind than a committee have cards of their own and use the same
folders and files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..anatomy.resources import resource
from ..anatomy.structures import NetworkClass
from ..case.errors import EngineError
from ..case.result import ModelInfo
from .catalogue import DEFAULT_MODEL, DEFAULT_REGION, region_of
from .network import NetworkConfig

__all__ = [
    "DEFAULT_MODEL",
    "ModelCard",
    "find_folder",
    "find_model",
    "is_alias",
    "read_tensors",
    "read_weights",
    "write_card",
    "write_model",
    "write_tensors",
]

_SCHEMA = 1
_ALIAS = ".skip_layers."
_SCALE = ".scale"
"""Behind the name of an 8-bit tensor: the float32 factors of its first index."""
_LARGEST = 127


@dataclass(frozen=True)
class ModelCard:
    """What a model folder says about itself.

    Attributes
    ----------
    folder : Path
        Where it lies.
    name, version : str
        Of the model.
    network : NetworkConfig
        Size and grid of every member.
    members : tuple of (str, str)
        File name and SHA-256 of each member's weights.
    region : str
        Of the spine, as in :data:`~SpineQuantLib.models.catalogue.REGIONS`.
    fast : str
        Folder, beside this one, of the network that stands in for the committee in a quick look; empty where there is
        none.
    mirrored : bool
        Whether each network also looks at the mirror image.
    """

    folder: Path
    name: str
    version: str
    network: NetworkConfig
    members: tuple[tuple[str, str], ...]
    region: str = DEFAULT_REGION
    fast: str = ""
    mirrored: bool = False

    @property
    def info(self) -> ModelInfo:
        """Which committee this is, for the case."""
        digest = hashlib.sha256("".join(sha for _, sha in self.members).encode()).hexdigest()
        return ModelInfo(self.name, self.version, digest, len(self.members))


def is_alias(name: str) -> bool:
    """Whether a tensor is another name of one that is stored: DynUNet lists its layers twice."""
    return _ALIAS in name


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_folder(name: str) -> Path:
    """Folder of a model, by the name of a shipped one or by the path of a model folder.

    Raises
    ------
    EngineError
        If there is no such model.
    """
    folder = Path(name)
    if (folder / "card.json").is_file():
        return folder
    try:
        return resource("Models", name)
    except FileNotFoundError as error:
        raise EngineError(f"no model '{name}': neither a shipped model nor a folder with a card.json") from error


def find_model(name: str = DEFAULT_MODEL) -> ModelCard:
    """Card of a model, by the name of a shipped one or by the path of a model folder.

    Raises
    ------
    EngineError
        If there is no such model, or its card cannot be read or is of another kind.
    """
    folder = find_folder(name)
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        classes = card["classes"]
        out = ModelCard(
            folder,
            card["name"],
            card["version"],
            NetworkConfig.from_dict(card["network"]),
            tuple((m["file"], m["sha256"]) for m in card["members"]),
            region_of(card),
            str(card.get("fast", "")),
            bool(card.get("mirrored", False)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"the card of model '{name}' cannot be read ({error}); install the model again") from error
    if classes != [c.name.lower() for c in NetworkClass]:
        raise EngineError(f"model '{name}' predicts {', '.join(classes)}; this version needs a newer or older model")
    return out


def read_weights(card: ModelCard) -> list[dict[str, torch.Tensor]]:
    """Weights of every member, float32.

    Raises
    ------
    EngineError
        If a file is missing, damaged, or not the one that the card names.
    """
    return [read_tensors(card.folder / file, sha) for file, sha in card.members]


def read_tensors(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    """Tensors of one file, float32; 8-bit tensors times their scales.

    Raises
    ------
    EngineError
        If the file is missing, damaged, or has another hash than the card says.
    """
    try:
        if _sha256(path) != sha256:
            raise EngineError(f"{path} is not the file its card names (other checksum); install the model again")
        return _unpacked(load_file(path))
    except (OSError, SafetensorError) as error:
        raise EngineError(f"weights {path} cannot be read ({error}); install the model again") from error


def _unpacked(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    out = {}
    for name, tensor in stored.items():
        scale = stored.get(name + _SCALE)
        if scale is not None:
            out[name] = tensor.float() * scale.view(-1, *[1] * (tensor.ndim - 1))
        elif name.removesuffix(_SCALE) not in stored or not name.endswith(_SCALE):
            out[name] = tensor.float() if tensor.is_floating_point() else tensor
    return out


def _eight_bit(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """A tensor as whole numbers from −127 to 127 and what each first index has to be multiplied by."""
    scale = tensor.float().flatten(1).abs().amax(dim=1).clamp_min(1e-12) / _LARGEST
    whole = (tensor.float() / scale.view(-1, *[1] * (tensor.ndim - 1))).round()
    return {name: whole.to(torch.int8).contiguous(), name + _SCALE: scale}


def write_tensors(path: Path, state: dict[str, torch.Tensor], *, eight_bit: bool = False) -> dict[str, str]:
    """Write tensors, numbers in half precision; returns file name and hash for the card.

    With ``eight_bit`` kernels, which are nearly all, take half as much: 8-bit numbers, scaled for each of their
    output channels (for each input channel where they are transposed).
    """
    packed: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        if is_alias(name):
            continue
        own = tensor.detach().cpu()
        if eight_bit and own.is_floating_point() and own.ndim > 1:
            packed |= _eight_bit(name, own)
        else:
            packed[name] = (own.half() if own.is_floating_point() else own).contiguous()
    save_file(packed, path)
    path.chmod(0o644)
    return {"file": path.name, "sha256": _sha256(path)}


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write ``card.json``; each row of a table takes one line."""
    text = _lines({"schema_version": _SCHEMA, **card})
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")


def _lines(value: object, depth: int = 0) -> str:
    """JSON with a line for every row of a table, and for everything else that holds no more than numbers and words."""
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values()):
        parts = [f"{json.dumps(k, ensure_ascii=False)}: {_lines(v, depth + 1)}" for k, v in value.items()]
        return "{" + inner + f",{inner}".join(parts) + outer + "}"
    if isinstance(value, list) and any(isinstance(v, dict | list) for v in value):
        return "[" + inner + f",{inner}".join(_lines(v, depth + 1) for v in value) + outer + "]"
    return json.dumps(value, ensure_ascii=False)


def write_model(
    folder: Path,
    name: str,
    version: str,
    network: NetworkConfig,
    members: list[dict[str, torch.Tensor]],
    extra: dict[str, Any] | None = None,
    *,
    eight_bit: bool = False,
) -> ModelCard:
    """Write a committee into a model folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    name, version : str
        Of the model.
    network : NetworkConfig
        Of every member.
    members : list of dict
        State of each network; stored in half precision.
    extra : dict, optional
        What else the card shall tell: region, training, validation.
    eight_bit : bool
        See :func:`write_tensors`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"member_{n}.safetensors" for n in range(len(members))]
    files = [write_tensors(folder / n, state, eight_bit=eight_bit) for n, state in zip(names, members, strict=True)]
    card = {
        "name": name,
        "version": version,
        "classes": [c.name.lower() for c in NetworkClass],
        "network": network.to_dict(),
        "members": files,
        **(extra or {}),
    }
    write_card(folder, card)
    return find_model(str(folder))
