"""Training targets from partial annotations of lumbar volumes."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask

from ..anatomy.labels import CANAL_VALUE, describe
from ..anatomy.levels import SACRUM_VALUE, VERTEBRA_VALUES
from ..anatomy.structures import NetworkClass, Side, Structure
from .corridor import Corridor
from .derive import adjoin, column_order, disc_between, undrawn_discs
from .label_check import OPEN_VALUE, annotation_problem, problem_of
from .partial import bit, bits, forbid, from_classes, permit, set_class

__all__ = ["network_classes", "target_of"]

B = NetworkClass
_ABOVE_DISC = 22.0
"""Millimetres above the centre of the topmost labelled disc where unlabelled anatomy begins."""
_RIM = 2.0
"""Millimetres below the highest point of the topmost labelled body from where on there may be the disc above it."""
_NEAR_MIDLINE = 10.0
_LAST_LUMBAR = frozenset({VERTEBRA_VALUES["L5"], VERTEBRA_VALUES["L6"]})
_OUTLINE_ERROR = 2
"""Pixels by which an outline of four corners may miss the border."""


def network_classes(labels: np.ndarray) -> np.ndarray:
    """Network class of each voxel of a complete segmentation; uint8, same shape."""
    out = np.zeros(labels.shape, np.uint8)
    kinds = {Structure.DISC: B.DISC, Structure.CANAL: B.CANAL, Structure.FORAMEN: B.FORAMEN}
    for value in np.unique(labels[labels > 0]):
        label = describe(int(value))
        body = B.SACRUM if value == SACRUM_VALUE else B.BODY
        out[labels == value] = kinds.get(label.structure, body)
    return out


def _centres(labels: np.ndarray, values: list[int]) -> np.ndarray:
    return np.array([np.argwhere(labels == v).mean(axis=0) for v in values])


def target_of(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    annotation: np.ndarray | None = None,
    complete: bool = False,
    sacrum: tuple[tuple[float, float], ...] = (),
) -> np.ndarray:
    """Bit sets of the classes that each voxel may belong to.

    Parameters
    ----------
    labels : np.ndarray
        Integer (nk, nj, ni) in reading order: vertebral bodies (and S1), discs, or both. Beyond the topmost and the
        lowest, and where one between was left out, it stays open what lies there.
    spacing : tuple of float
        Millimetres (k, j, i).
    annotation : np.ndarray, optional
        Sac and foramina of the same volume; a drawn sac is complete, a foramen that is not drawn is unknown, and so
        is what carries :data:`~SpineQuantLib.training.label_check.OPEN_VALUE`.
    complete : bool
        True where ``labels`` labels everything in view (phantoms).
    sacrum : tuple of (float, float), optional
        Outline of S1 on the mid-sagittal slice, (i, j) pixels; it is taken to hold near the midline.

    Returns
    -------
    np.ndarray
        uint8 (nk, nj, ni), see :mod:`~SpineQuantLib.training.partial`.

    Raises
    ------
    ValueError
        If ``labels`` or ``annotation`` hold what they may not, or ``labels`` less than two objects.
    """
    if problem := problem_of(labels, complete=complete, annotated=annotation is not None):
        raise ValueError(problem)
    if annotation is not None and (problem := annotation_problem(annotation)):
        raise ValueError(problem)
    if complete:
        return from_classes(network_classes(labels))
    values = column_order(int(v) for v in np.unique(labels) if v > 0)
    centres = _centres(labels, values)
    bodies = min(values) < 100
    lowest = _below(values[-1] % 100)
    corridor = Corridor.through(centres, labels.shape, spacing, ends_below=B.BODY not in lowest)
    target = np.full(labels.shape, bit(B.BACKGROUND), np.uint8)
    rows = np.arange(labels.shape[1])[None, :, None]
    above = rows < _upper_end(labels, values[0], corridor, spacing[1])
    below = rows > corridor.bottom
    near = (corridor.aside < 45) & (corridor.away < 60)
    behind = (corridor.behind > 5) & (corridor.behind < 55) & (corridor.beside < 25)
    beside = (corridor.behind > -5) & (corridor.behind < 50) & (corridor.beside < 45)
    permit(target, np.broadcast_to(behind, target.shape), B.CANAL)
    permit(target, np.broadcast_to(beside, target.shape), B.FORAMEN)
    # The disc above the topmost body is not labelled, and reaches below that body's highest corner where it is tilted.
    beyond = above | (rows < corridor.top) | below
    permit(target, np.broadcast_to(near & beyond, target.shape), B.DISC, B.CANAL, B.FORAMEN)
    permit(target, np.broadcast_to(near & above, target.shape), B.BODY)
    permit(target, np.broadcast_to(near & below, target.shape), *lowest)
    if bodies:
        _open_undrawn(target, labels, values, corridor)
        _mark_bodies(target, labels, values, spacing)
    else:
        _mark_discs(target, labels, values, corridor)
    if sacrum:
        _mark_sacrum(target, labels, values[-1], np.array(sacrum), spacing)
    if annotation is not None:
        _mark_annotation(target, annotation, labels)
    return target


def _below(lowest: int) -> tuple[NetworkClass, ...]:
    """What lies below a vertebra or its disc: below L5 and L6 the sacrum alone, below others bodies as well."""
    if lowest in _LAST_LUMBAR or lowest == SACRUM_VALUE:
        return (B.SACRUM,)
    return (B.BODY, B.SACRUM)


def _upper_end(labels: np.ndarray, topmost: int, corridor: Corridor, row_mm: float) -> float:
    """Row above which nothing is labelled."""
    if topmost >= 100:
        return corridor.top - _ABOVE_DISC / row_mm
    return float(np.flatnonzero((labels == topmost).any(axis=(0, 2)))[0]) + _RIM / row_mm


def _mark_bodies(
    target: np.ndarray, labels: np.ndarray, values: list[int], spacing: tuple[float, float, float]
) -> None:
    """Bodies, S1 where it is labelled, and the discs between: drawn, or what follows from the gap."""
    for upper, lower in undrawn_discs(values):
        disc, doubtful = disc_between(labels == upper, labels == lower, spacing)
        set_class(target, disc, B.DISC)
        permit(target, doubtful, B.DISC, B.BACKGROUND)
    if SACRUM_VALUE in values:
        # Below a labelled S1 there is neither disc nor vertebra that a reader would count.
        forbid(target, np.ones(target.shape, bool), B.SACRUM)
        bottom = np.argwhere(labels == SACRUM_VALUE)[:, 1].mean()
        rows = np.broadcast_to(np.arange(target.shape[1])[None, :, None] > bottom, target.shape)
        forbid(target, rows, B.DISC)
    for value in values:
        kind = B.DISC if value >= 100 else B.SACRUM if value == SACRUM_VALUE else B.BODY
        set_class(target, labels == value, kind)


def _open_undrawn(target: np.ndarray, labels: np.ndarray, values: list[int], corridor: Corridor) -> None:
    """Bodies, and discs beside them, that are there but not drawn, where both were labelled but not all of either."""
    rows = np.arange(labels.shape[1])[None, :, None]
    near = (corridor.away < 35) & (corridor.aside < 40)

    def reopen(first: int, last: int, *classes: NetworkClass) -> None:
        permit(target, near & (rows >= first) & (rows <= last), *classes)

    for upper, lower in itertools.pairwise(values):
        if missing := _undrawn(upper, lower):
            reopen(_rows_of(labels, upper)[0], _rows_of(labels, lower)[-1], *missing)
    # A tilted body reaches past the near end of the disc beside it.
    if values[0] >= 100:
        reopen(0, _rows_of(labels, values[0])[-1], B.BODY)
    if values[-1] >= 100:
        reopen(_rows_of(labels, values[-1])[0], labels.shape[1], *_below(values[-1] - 100))


def _rows_of(labels: np.ndarray, value: int) -> np.ndarray:
    return np.flatnonzero((labels == value).any(axis=(0, 2)))


def _undrawn(upper: int, lower: int) -> tuple[NetworkClass, ...]:
    """What lies undrawn between two labelled objects; the disc between two neighbouring bodies follows from them."""
    if lower < 100 and adjoin(upper % 100, lower):
        return ()
    if upper >= 100 and lower >= 100:
        return (B.BODY,)
    return () if lower - 100 == upper else (B.BODY, B.DISC)


def _mark_discs(target: np.ndarray, labels: np.ndarray, values: list[int], corridor: Corridor) -> None:
    """Labelled discs; the bodies between them are there but not drawn."""
    rows = np.arange(labels.shape[1])[None, :, None]
    near = np.broadcast_to((corridor.away < 35) & (corridor.aside < 40), target.shape)
    permit(target, near, B.BODY)
    # A tilted sacrum reaches past the upper end of the disc that lies on it.
    permit(target, near & (rows >= _rows_of(labels, values[-1])[0]), B.SACRUM)
    for value in values:
        set_class(target, labels == value, B.DISC)


def _mark_sacrum(
    target: np.ndarray, labels: np.ndarray, lowest: int, outline: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    """S1 and the disc above it on the slices near the midline, where S1's outline hardly changes."""
    middle = np.argwhere(labels == lowest)[:, 0].mean()
    near = np.abs(np.arange(target.shape[0]) - middle)[:, None, None] * spacing[0] <= _NEAR_MIDLINE
    inside = polygon2mask(target.shape[1:], outline[:, ::-1])
    ring = ndimage.binary_dilation(inside, iterations=_OUTLINE_ERROR) & ~inside
    body = near & inside[None] & (labels == 0)
    forbid(target, np.broadcast_to(near & ~(inside | ring)[None], target.shape), B.SACRUM)
    # Below other bodies than the last lumbar one there may be more of them before S1 comes.
    if lowest in _LAST_LUMBAR:
        disc, doubtful = disc_between((labels == lowest) & near, body, spacing)
        set_class(target, disc & ~(near & ring[None]), B.DISC)
        permit(target, doubtful, B.DISC, B.BACKGROUND)
    permit(target, near & ring[None] & (labels == 0), B.SACRUM, B.DISC, B.BACKGROUND)
    set_class(target, body, B.SACRUM)


def _mark_annotation(target: np.ndarray, annotation: np.ndarray, labels: np.ndarray) -> None:
    """Drawn sac and foramina."""
    everywhere = np.ones(target.shape, bool)
    # What is open lies beside the column; a committee's fancies elsewhere in the body are background.
    opened = (annotation == OPEN_VALUE) & (labels == 0) & (target & bits(B.CANAL, B.FORAMEN) > 0)
    sac = annotation == CANAL_VALUE
    if sac.any():
        forbid(target, everywhere, B.CANAL)
    middle = float(np.argwhere(sac if sac.any() else labels > 0)[:, 0].mean())
    slices = np.arange(target.shape[0])[:, None, None]
    for value in (int(v) for v in np.unique(annotation[annotation > 0]) if v not in (CANAL_VALUE, OPEN_VALUE)):
        drawn = annotation == value
        hit = np.argwhere(drawn)
        rows = np.arange(target.shape[1])[None, :, None]
        side = slices < middle if describe(value).side is Side.RIGHT else slices > middle
        # A foramen and the pedicles beside it are about as high as a vertebra: there, nothing else is one.
        margin = 4
        level = (rows >= hit[:, 1].min() - margin) & (rows <= hit[:, 1].max() + margin) & side
        forbid(target, np.broadcast_to(level, target.shape), B.FORAMEN)
    set_class(target, sac & (labels == 0), B.CANAL)
    foramina = (annotation > 0) & ~sac & (annotation != OPEN_VALUE) & (labels == 0)
    set_class(target, foramina, B.FORAMEN)
    permit(target, opened, B.BACKGROUND, B.CANAL, B.FORAMEN)
