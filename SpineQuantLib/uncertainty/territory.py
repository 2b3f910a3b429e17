"""Which voxels are judged with which object: those near it, and nearer to it than to any other of its kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy.labels import CANAL_VALUE, Label
from ..anatomy.levels import vertebra_value
from ..anatomy.structures import CLASSES_OF, Structure
from ..case.opinion import CommitteeOpinion
from ..case.spine import NamedSpine

__all__ = ["Territory", "class_masks", "level_rows", "sac_territories", "territories"]

_MARGIN = 6.0


@dataclass(frozen=True)
class Territory:
    """An object and the voxels around it.

    Attributes
    ----------
    label : Label
        The object.
    level : str
        Its level; of a stretch of the dural sac that of the disc which it lies behind.
    name : str
        In a reader's words.
    box : tuple of slice
        Where the arrays lie in the volume.
    own : np.ndarray
        bool (nk, nj, ni): the object itself.
    inside : np.ndarray or None
        bool, same shape: voxels that can only belong to it; None for all of the box.
    """

    label: Label
    level: str
    name: str
    box: tuple[slice, slice, slice]
    own: np.ndarray
    inside: np.ndarray | None

    @property
    def structure(self) -> Structure:
        """What it is."""
        return self.label.structure

    def masks(self, opinion: CommitteeOpinion) -> np.ndarray:
        """bool (members, nk, nj, ni): where each member sees it."""
        found = class_masks(opinion.members[(slice(None), *self.box)], self.structure)
        return found if self.inside is None else found & self.inside


def class_masks(members: np.ndarray, structure: Structure) -> np.ndarray:
    """bool, shape of ``members``: where the class is one of a structure's."""
    first, *others = CLASSES_OF[structure]
    masks = members == first
    for other in others:
        masks |= members == other
    return masks


def territories(spine: NamedSpine) -> list[Territory]:
    """Every vertebra, disc and foramen, and the sac as a whole, in the spine's order.

    A territory reaches 6 mm beyond the box around its object.
    """
    boxes = ndimage.find_objects(spine.labels)
    return [_territory(spine, label, boxes[label.value - 1]) for label in spine.objects]


def _territory(spine: NamedSpine, label: Label, box: tuple[slice, ...]) -> Territory:
    spacing = spine.grid.spacing
    near = _grown(box, spacing, _MARGIN, spine.labels.shape)
    crop = spine.labels[near]
    own = crop == label.value
    others = [int(v) for v in np.unique(crop) if v and v != label.value]
    rivals = np.isin(crop, [v for v in others if spine.label(v).structure is label.structure])
    inside = None
    if rivals.any():
        inside = ndimage.distance_transform_edt(~own, sampling=spacing) < ndimage.distance_transform_edt(
            ~rivals, sampling=spacing
        )
    return Territory(label, label.level, label.name, near, own, inside)


def sac_territories(spine: NamedSpine) -> list[Territory]:
    """The dural sac level by level: behind each disc, from the middle of the body above to that of the body below."""
    if not spine.has(CANAL_VALUE):
        return []
    label = spine.label(CANAL_VALUE)
    slices = ndimage.find_objects((spine.labels == CANAL_VALUE).astype(np.uint8))[0]
    box = _grown(slices, spine.grid.spacing, _MARGIN, spine.labels.shape)
    found = []
    for level, rows in level_rows(spine).items():
        part = (box[0], rows, box[2])
        own = spine.labels[part] == CANAL_VALUE
        if own.any():
            found.append(Territory(label, level, f"{level} dural sac", part, own, None))
    return found


def level_rows(spine: NamedSpine) -> dict[str, slice]:
    """Rows of the volume from the middle of the body above each level to that of the body below; both must be seen."""
    middles = {}
    for name in spine.vertebrae:
        rows = np.flatnonzero((spine.labels == vertebra_value(name)).any(axis=(0, 2)))
        if len(rows):
            middles[name] = round((rows[0] + rows[-1]) / 2)
    out = {}
    for upper, lower, level in zip(spine.vertebrae, spine.vertebrae[1:], spine.levels, strict=False):
        if upper in middles and lower in middles and middles[upper] < middles[lower]:
            out[level] = slice(middles[upper], middles[lower])
    return out


def _grown(
    box: tuple[slice, ...], spacing: tuple[float, float, float], margin: float, shape: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    """Box with so many mm around it, within the volume."""
    steps = [max(int(np.ceil(margin / s)), 1) for s in spacing]
    k, j, i = (slice(max(b.start - n, 0), min(b.stop + n, size)) for b, n, size in zip(box, steps, shape, strict=True))
    return k, j, i
