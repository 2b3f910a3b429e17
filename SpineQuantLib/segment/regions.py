"""From class probabilities to structures with soft borders, cut to the box that holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy.structures import CLASSES_OF, NetworkClass, Structure
from ..case.opinion import CommitteeOpinion
from ..case.view import View, whole_view

__all__ = ["Region", "cut_region"]

_MARGIN = 3


@dataclass
class Region:
    """The box of a volume in which the committee saw anything.

    Attributes
    ----------
    box : tuple of slice
        Where it lies in the whole volume.
    shape : tuple of int
        Shape of the whole volume.
    spacing : tuple of float
        Millimetres along (k, j, i).
    occupancy : dict of Structure to np.ndarray
        float32 (nk, nj, ni) of the box: ``clip(0.5 + (p − strongest other p) / 2, 0, 1)``, so that a structure's
        border, 0.5, lies where it starts to be the most probable one.
    sacrum : np.ndarray
        float32, same shape: probability of the S1 body.
    view : View
        Where the picture begins and ends in the whole volume.
    """

    box: tuple[slice, slice, slice]
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    occupancy: dict[Structure, np.ndarray]
    sacrum: np.ndarray
    view: View

    @property
    def start(self) -> np.ndarray:
        """Index of the first voxel of the box."""
        return np.array([s.start for s in self.box])

    def mask(self, structure: Structure) -> np.ndarray:
        """bool (nk, nj, ni) of the box: where the structure is the most probable one."""
        return self.occupancy[structure] > 0.5

    def millimetres(self, index: np.ndarray) -> np.ndarray:
        """Millimetres (n, 3) from the box's first voxel of indices (n, 3) in the box."""
        return np.asarray(index, dtype=float) * np.array(self.spacing)

    def points(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices (n, 3) of the voxels of a mask, and the same in millimetres."""
        index = np.argwhere(mask)
        return index, self.millimetres(index)


def cut_region(opinion: CommitteeOpinion) -> Region | None:
    """Structures of a committee's opinion, or None where it saw background alone."""
    probabilities = opinion.probabilities
    box = _box(probabilities)
    if box is None:
        return None
    shape = tuple(s.stop - s.start for s in box)
    structures = tuple(CLASSES_OF)
    occupancy = {s: np.empty(shape, np.float32) for s in structures}
    sacrum = np.empty(shape, np.float32)
    # Slice by slice: float16 to float32 of the whole box at once would hold six volumes more.
    for k in range(shape[0]):
        slab = probabilities[(slice(None), slice(box[0].start + k, box[0].start + k + 1), *box[1:])][:, 0]
        slab = slab.astype(np.float32)
        sacrum[k] = slab[NetworkClass.SACRUM]
        shares = np.stack([slab[NetworkClass.BACKGROUND], *(slab[list(CLASSES_OF[s])].sum(axis=0) for s in structures)])
        first = shares.max(axis=0)
        second = np.partition(shares, -2, axis=0)[-2]
        for share, structure in zip(shares[1:], structures, strict=True):
            rival = np.where(share == first, second, first)
            occupancy[structure][k] = np.clip(0.5 + (share - rival) / 2, 0.0, 1.0)
    whole = tuple(probabilities.shape[1:])
    return Region(box, whole, opinion.grid.spacing, occupancy, sacrum, opinion.view or whole_view(whole))


def _box(probabilities: np.ndarray) -> tuple[slice, slice, slice] | None:
    """Box around the voxels that may not be background, with a margin; None where there are none."""
    # A class can win only where background has less than half.
    seen = probabilities[NetworkClass.BACKGROUND] < np.float16(0.5)
    box = []
    for axis in range(3):
        hit = np.flatnonzero(seen.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(hit):
            return None
        box.append(slice(max(int(hit[0]) - _MARGIN, 0), min(int(hit[-1]) + 1 + _MARGIN, seen.shape[axis])))
    return box[0], box[1], box[2]
