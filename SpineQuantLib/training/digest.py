"""What a cache was filled from, in one number: other volumes, other people in a set, or other labels change it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ..images.files import hash_files
from .collect import LabelledVolume

__all__ = ["digest_of"]


def digest_of(volumes: Sequence[LabelledVolume], phantoms: int) -> str:
    """SHA-256 of everything that decides what the cache holds, but the grid.

    Names of files play no part, so that a data set may be moved; what is in them does.

    Parameters
    ----------
    volumes : sequence of LabelledVolume
        With the sets that they are in.
    phantoms : int
        How many are added.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    rows = [
        {
            "id": v.id,
            "subject": v.subject,
            "split": v.split,
            "complete": v.complete,
            "sacrum": v.sacrum,
            "contrast": v.contrast,
            "image": hash_files([v.image]),
            "labels": hash_files([v.labels]),
            "annotations": sorted(hash_files([path]) for path in v.taught),
        }
        for v in volumes
    ]
    return hashlib.sha256(json.dumps([rows, phantoms]).encode()).hexdigest()
