"""A mask that a reader edited: what was touched, whether it can be right, and where its borders lie."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy import ndimage

from ..anatomy.labels import CANAL_VALUE, describe
from ..anatomy.levels import vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.errors import InputError
from ..case.spine import NamedSpine

__all__ = ["edited_spine", "touched_values", "voxels_of"]

_THICK = 1.5
"""Slice distance over pixel size from which the slices beside a painted one are left as they were."""


def touched_values(before: np.ndarray, after: np.ndarray) -> tuple[int, ...]:
    """Label values that lost or gained voxels, ascending."""
    differ = np.asarray(before != after)
    if not differ.any():
        return ()
    box = _around(differ)
    differ = differ[box]
    return tuple(sorted({int(v) for labels in (before, after) for v in np.unique(labels[box][differ])} - {0}))


def voxels_of(spine: NamedSpine, values: tuple[int, ...]) -> dict[str, int]:
    """Number of voxels by segment id."""
    return {spine.label(value).segment_id: _count(spine, value) for value in values}


def _count(spine: NamedSpine, value: int) -> int:
    return int(np.count_nonzero(spine.labels[spine.boxes[value]] == value)) if spine.has(value) else 0


def edited_spine(spine: NamedSpine, labels: np.ndarray) -> NamedSpine:
    """The spine with an edited label map.

    Where voxels changed hands, and in the voxels next to them within the slice, the border follows the mask as it was
    drawn: halfway between voxels inside and outside. Everywhere else it stays where it was.

    Parameters
    ----------
    spine : NamedSpine
        Before.
    labels : np.ndarray
        (nk, nj, ni) whole numbers in reading order, values as in :mod:`SpineQuantLib.anatomy.labels`.

    Raises
    ------
    InputError
        If it does not lie on the spine's grid, holds a value that means nothing here, or what was drawn contradicts
        the names or the sides.
    """
    labels = _checked(spine, labels)
    touched = touched_values(spine.labels, labels)
    vertebrae = _vertebrae(spine, touched)
    occupancy = dict(spine.occupancy)
    for structure in {_structure(value) for value in touched}:
        soft = occupancy.get(structure)
        if soft is None:
            soft = np.zeros(labels.shape, np.float32)
        occupancy[structure] = _borders(soft, spine.labels, labels, structure, spine.grid.spacing)
    edited = replace(spine, labels=labels, occupancy=occupancy, vertebrae=vertebrae)
    _check_order(edited, touched)
    _check_sides(edited, touched)
    return edited


def _structure(value: int) -> Structure:
    return describe(value).structure


def _checked(spine: NamedSpine, labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != spine.grid.shape:
        raise InputError(
            f"the edited label map has the shape {labels.shape}, the case {spine.grid.shape}; export it on the grid of "
            "the volume that was analysed"
        )
    if labels.dtype.kind == "f" and np.array_equal(labels, np.rint(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iu" or (labels.size and (labels.min() < 0 or labels.max() > 65535)):
        raise InputError("the edited label map must hold label values, which are whole numbers from 0 up")
    # What the case held before is known to mean something.
    for value in np.unique(labels[labels != spine.labels]):
        try:
            if value:
                describe(int(value))
        except ValueError as error:
            raise InputError(f"{error}; draw into the segments of the case and add none") from error
    return labels.astype(np.uint16)


def _vertebrae(spine: NamedSpine, touched: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the vertebrae; one that was drawn must be among them, and so must both beside a disc or foramen."""
    known = set(spine.vertebrae)
    for value in touched:
        if value == CANAL_VALUE or not (spine.vertebrae and describe(value).level):
            continue
        label = spine.label(value)
        strange = [name for name in label.level.split("-") if name not in known]
        if strange and not (label.structure is Structure.VERTEBRA and spine.has(value)):
            raise InputError(
                f"{label.name} does not belong to this case, whose vertebrae are {spine.vertebrae[0]} to "
                f"{spine.vertebrae[-1]}; rename the levels first where these are wrong"
            )
    return spine.vertebrae


def _borders(
    soft: np.ndarray, before: np.ndarray, after: np.ndarray, structure: Structure, spacing: tuple[float, float, float]
) -> np.ndarray:
    box = _around(before != after)
    inside, was_inside = (_of_structure(labels[box], structure) for labels in (after, before))
    changed = (before[box] != after[box]) & (inside | was_inside)
    thin = np.array(spacing) < _THICK * min(spacing)
    cross = ndimage.generate_binary_structure(3, 1)
    for axis in np.flatnonzero(~thin):
        cross[tuple(slice(None) if a != axis else [0, 2] for a in range(3))] = False
    near = ndimage.binary_dilation(changed, cross)
    out = soft.copy()
    out[box] = np.where(near, inside.astype(np.float32), soft[box])
    return out


def _of_structure(labels: np.ndarray, structure: Structure) -> np.ndarray:
    return np.isin(labels, [v for v in np.unique(labels) if v and _structure(int(v)) is structure])


def _around(mask: np.ndarray) -> tuple[slice, ...]:
    """Box around a mask with one voxel more on each side, within the volume."""
    box = []
    for axis, size in enumerate(mask.shape):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(max(int(hit[0]) - 1, 0), min(int(hit[-1]) + 2, size)))
    return tuple(box)


def _middle(spine: NamedSpine, value: int) -> np.ndarray | None:
    """Mean index (3,) of an object's voxels; None where it has none."""
    if not spine.has(value):
        return None
    box = spine.boxes[value]
    return np.argwhere(spine.labels[box] == value).mean(axis=0) + [side.start for side in box]


def _check_order(spine: NamedSpine, touched: tuple[int, ...]) -> None:
    """Bodies and discs must follow each other from the top down as their names do."""
    for structure in (Structure.VERTEBRA, Structure.DISC):
        column = [label for label in spine.objects if label.structure is structure]
        for upper, lower in pairwise(column):
            if not {upper.value, lower.value} & set(touched):
                continue
            high, low = _middle(spine, upper.value), _middle(spine, lower.value)
            if high is not None and low is not None and low[1] <= high[1]:
                raise InputError(
                    f"{lower.name} would lie above {upper.name}; draw into the segment of the level, or rename the "
                    "levels"
                )


def _check_sides(spine: NamedSpine, touched: tuple[int, ...]) -> None:
    """A foramen lies on its own side of the spine at its level; sides come from the patient, never from a name."""
    for value in touched:
        label = spine.label(value)
        foramen = _middle(spine, value)
        if label.structure is not Structure.FORAMEN or foramen is None:
            continue
        middle = _midline(spine, round(float(foramen[1])), label.level.split("-"))
        if middle is not None and (foramen[0] > middle) != (label.side is Side.LEFT):
            raise InputError(
                f"{label.name} would lie on the patient's {label.side.opposite} side; draw it into the segment of the "
                "other side"
            )


def _midline(spine: NamedSpine, row: int, names: list[str]) -> float | None:
    """Slice index of the middle of the sac at a row, or of the bodies beside it."""
    sac = np.argwhere(spine.labels[:, row] == CANAL_VALUE)
    if len(sac):
        return float(sac[:, 0].mean())
    middles = [m for n in names if (m := _middle(spine, vertebra_value(n))) is not None]
    return float(np.mean([m[0] for m in middles])) if middles else None
