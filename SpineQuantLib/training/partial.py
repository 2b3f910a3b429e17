"""Partial labels: for each voxel the set of classes that it may belong to.

A target is a uint8 array of bit sets; bit ``c`` is set where the voxel may belong to network class ``c``. A voxel
with one bit is labelled, one with all bits is unknown, and everything between is what an annotator knows without
having drawn it: behind the discs there is no vertebral body, above the fifth lumbar vertebra no sacrum.
"""

from __future__ import annotations

import numpy as np

from ..anatomy.structures import NetworkClass

__all__ = ["UNKNOWN", "bit", "bits", "forbid", "from_classes", "permit", "set_class"]

UNKNOWN = (1 << len(NetworkClass)) - 1


def bit(network_class: int) -> int:
    """Bit of one class."""
    return 1 << int(network_class)


def bits(*classes: int) -> int:
    """Bits of several classes together."""
    out = 0
    for c in classes:
        out |= bit(c)
    return out


def from_classes(classes: np.ndarray) -> np.ndarray:
    """Target of a complete annotation given as class numbers."""
    return (1 << classes.astype(np.uint8)).astype(np.uint8)


def set_class(target: np.ndarray, mask: np.ndarray, network_class: int) -> None:
    """Label the voxels of a mask, in place."""
    target[mask] = bit(network_class)


def permit(target: np.ndarray, mask: np.ndarray, *classes: int) -> None:
    """Add classes that the voxels of a mask may belong to, in place."""
    target[mask] |= np.uint8(bits(*classes))


def forbid(target: np.ndarray, mask: np.ndarray, *classes: int) -> None:
    """Remove classes from the voxels of a mask, in place; what is left without any class is background."""
    target[mask] &= np.uint8(UNKNOWN & ~bits(*classes))
    target[mask & (target == 0)] = bit(NetworkClass.BACKGROUND)
