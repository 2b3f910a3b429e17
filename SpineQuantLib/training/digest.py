"""What is made from labelled volumes, in numbers: other volumes, other people in a set, or other labels change them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..images.detached import hash_volume
from .collect import LabelledVolume

__all__ = ["digest_of", "row_of", "sources_of"]

_FILES = ("image", "labels", "annotations")


def row_of(volume: LabelledVolume) -> dict[str, Any]:
    """Everything that decides what is made from a volume; of files, and of lists of them, their SHA-256.

    Names of files play no part, so that a data set may be moved; what is in them does.

    Parameters
    ----------
    volume : LabelledVolume
        With the set that it is in.

    Raises
    ------
    InputError
        If a file cannot be read, or one that a header names is not there.
    """
    return {
        "id": volume.id,
        "subject": volume.subject,
        "split": volume.split,
        "complete": volume.complete,
        "sacrum": volume.sacrum,
        "contrast": volume.contrast,
        "image": hash_volume(volume.image),
        "labels": hash_volume(volume.labels),
        "annotations": sorted(map(hash_volume, volume.taught)),
    }


def digest_of(rows: Sequence[Mapping[str, Any]], phantoms: int) -> str:
    """SHA-256 of everything that decides what a cache holds, but the grid.

    Parameters
    ----------
    rows : sequence of mapping
        One of :func:`row_of` for each volume.
    phantoms : int
        How many are added.
    """
    return _sha256([rows, phantoms])


def sources_of(row: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the parts of a row of :func:`row_of`, by what they are called in messages."""
    rest = {name: value for name, value in row.items() if name not in _FILES}
    return {**{name: _sha256(row[name]) for name in _FILES}, "row of the index": _sha256(rest)}


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
