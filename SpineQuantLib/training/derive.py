"""Labels that follow from other labels: discs from the bodies around them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from ..anatomy.levels import VERTEBRA_VALUES, column_with, vertebra_name

__all__ = ["adjoin", "column_order", "disc_between", "gap_between", "undrawn_discs"]


def column_order(values: Iterable[int]) -> list[int]:
    """Label values of bodies and discs from the top down; a disc lies below the body that it is named after."""
    order = list(VERTEBRA_VALUES.values())
    return sorted(values, key=lambda v: (order.index(v % 100), v))


def adjoin(upper: int, lower: int) -> bool:
    """Whether a vertebra may lie just above another, by their label values."""
    try:
        column_with(vertebra_name(upper), vertebra_name(lower))
    except ValueError:
        return False
    return True


def undrawn_discs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Pairs of label values of neighbouring bodies between which no disc is drawn, top down.

    Two bodies between which another one was left out are no neighbours.

    Parameters
    ----------
    values : iterable of int
        Of all bodies and discs that are drawn.
    """
    pairs = itertools.pairwise(column_order(values))
    return [(upper, lower) for upper, lower in pairs if max(upper, lower) < 100 and adjoin(upper, lower)]


def _both(upper: np.ndarray, lower: np.ndarray, pixels: int = 20) -> bool:
    return upper.sum() >= pixels and lower.sum() >= pixels


def _gap(upper: np.ndarray, lower: np.ndarray, sampling: tuple[float, float]) -> float:
    """Median millimetres from the lower rim of one body down to the other, over the columns that show both."""
    columns = upper.any(axis=0) & lower.any(axis=0)
    if not columns.any():
        return float(ndimage.distance_transform_edt(~upper, sampling)[lower].min())
    last = upper.shape[0] - 1 - np.argmax(upper[::-1, columns], axis=0)
    first = np.argmax(lower[:, columns], axis=0)
    return float(np.median(first - last)) * sampling[0]


_REACH = 9.0
"""Millimetres of each body's end, measured from the other body's nearest point, that span the gap's hull."""


def _hull(u: np.ndarray, v: np.ndarray, sampling: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Gap between two bodies on a sagittal slice (nj, ni), and in it the distance from the nearer body in mm."""
    rows, columns = (np.flatnonzero((u | v).any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inner_u, inner_v = u[box], v[box]
    to_u = ndimage.distance_transform_edt(~inner_u, sampling)
    to_v = ndimage.distance_transform_edt(~inner_v, sampling)
    gap_u, gap_v = to_v[inner_u].min(), to_u[inner_v].min()
    ends = (inner_u & (to_v < gap_u + _REACH)) | (inner_v & (to_u < gap_v + _REACH))
    inner = convex_hull_image(ends) & ~inner_u & ~inner_v
    # Between the endplates only: beside a body the hull follows its waist, which is no disc.
    inner &= np.abs(to_u - to_v) < 0.85 * (to_u + to_v)
    hull, nearer = np.zeros(u.shape, bool), np.zeros(u.shape)
    hull[box], nearer[box] = inner, np.minimum(to_u, to_v)
    return hull, nearer


def gap_between(upper: np.ndarray, lower: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """The whole gap between two neighbouring vertebral bodies, from endplate to endplate.

    Parameters
    ----------
    upper, lower : np.ndarray
        bool (nk, nj, ni) in reading order.
    spacing : tuple of float
        Millimetres (k, j, i).

    Returns
    -------
    np.ndarray
        bool (nk, nj, ni).
    """
    gap = np.zeros(upper.shape, bool)
    for k in range(upper.shape[0]):
        if _both(upper[k], lower[k]):
            gap[k], _ = _hull(upper[k], lower[k], spacing[1:])
    return gap


def disc_between(
    upper: np.ndarray, lower: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The disc in the gap between two neighbouring vertebral bodies.

    In each sagittal slice the disc is the convex hull of the two facing ends of the bodies without the bodies; its
    margin (one pixel) and the layer at the endplates (about a millimetre, where annotators who draw discs and those
    who draw bodies differ) are doubtful.

    Parameters
    ----------
    upper, lower : np.ndarray
        bool (nk, nj, ni) in reading order.
    spacing : tuple of float
        Millimetres (k, j, i).

    Returns
    -------
    disc, doubtful : np.ndarray
        bool (nk, nj, ni), disjoint.
    """
    disc = np.zeros(upper.shape, bool)
    doubtful = np.zeros(upper.shape, bool)
    sampling = spacing[1:]
    heights = {k: _gap(upper[k], lower[k], sampling) for k in range(upper.shape[0]) if _both(upper[k], lower[k])}
    usual = float(np.median(list(heights.values()))) if heights else 0.0
    for k, height in heights.items():
        u, v = upper[k], lower[k]
        hull, to_nearer = _hull(u, v, sampling)
        core = ndimage.binary_erosion(hull, iterations=1) & (to_nearer > 1.2)
        # In the outermost slices the bodies are cut at their rounded rim and the gap is no longer the disc.
        if height > 1.5 * usual:
            core[:] = False
        disc[k] = core
        doubtful[k] = ndimage.binary_dilation(hull, iterations=1) & ~core & ~u & ~v
    return disc, doubtful
