"""The body of the axis (C2) without its dens.

The dens stands on the body where other vertebrae have an upper endplate. It is no part of the body's height, and what
is read between two endplates is not defined for C2; its lower endplate and the level of its middle are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .field import Field

__all__ = ["AXIS", "NO_UPPER_ENDPLATE", "without_dens"]

AXIS = "C2"
NO_UPPER_ENDPLATE = "C2 carries the dens and has no upper endplate"
_BIN = 1.0
_BODY = 12.0
"""Millimetres above the lower end in which the body is as wide as anywhere."""
_LOW, _HIGH = 0.5, 0.6
"""Shares of the body's cross-section: from which it has begun, and below which only the dens is left."""
_LEAST = 6.0


def without_dens(field: Field, up: np.ndarray) -> Field:
    """The body up to where its cross-section falls to that of the dens; the whole field where it never does.

    Parameters
    ----------
    field : Field
        The axis with its dens.
    up : np.ndarray
        Unit LPS vector along the spine, upwards.
    """
    height = field.points @ up
    low = float(height.min())
    step = max(_BIN, float(np.sort(field.spacing)[1]))
    place = (height - low) / step
    below = np.floor(place).astype(int)
    share = place - below
    areas = np.bincount(
        np.concatenate([below, below + 1]), np.concatenate([1.0 - share, share]) * np.tile(field.weights, 2)
    )
    full = float(np.percentile(areas[: max(int(_BODY / step), 1)], 75))
    first = int(np.argmax(areas >= _LOW * full))
    narrow = np.flatnonzero((areas < _HIGH * full) & (np.arange(len(areas)) * step > first * step + _LEAST))
    if not len(narrow):
        return field
    top = low + (float(narrow[0]) - 0.5) * step
    index = np.stack(np.meshgrid(*(np.arange(n) for n in field.occupancy.shape), indexing="ij"), axis=-1)
    kept = field.grid.to_lps(index) @ up <= top
    return replace(field, occupancy=np.where(kept, field.occupancy, 0.0).astype(np.float32))
