"""The part of an array that shows something: the picture may end before the array does.

Correction of distortion, rectangular fields of view, stitching and padding leave planes of one value around a picture.
What ends there is cut as by the array's own edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["View", "margins_in_words", "view_from", "view_of", "whole_view"]

View = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First index, and the one after the last, along (k, j, i)."""

_EMPTY = 0.01
"""Share of an image's range within which the values of a plane count as one: noise in air has more."""
_SIDES = (("right", "left"), ("upper", "lower"))


def whole_view(shape: Sequence[int]) -> View:
    """View of an array that is picture throughout."""
    nk, nj, ni = shape
    return (0, nk), (0, nj), (0, ni)


def view_of(image: np.ndarray) -> View:
    """Box of an image without the planes at its edges in which nothing changes.

    Parameters
    ----------
    image : np.ndarray
        Intensities (nk, nj, ni).

    Returns
    -------
    View
        The whole array where nothing in it changes.
    """
    # A few bright voxels must not make noise look even.
    low, high = np.percentile(image, (0.5, 99.5))
    limit = _EMPTY * float(high - low)
    box = [*whole_view(image.shape)]
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        seen = np.flatnonzero(np.ptp(image, axis=others) > limit)
        if not len(seen):
            return whole_view(image.shape)
        box[axis] = int(seen[0]), int(seen[-1]) + 1
    return box[0], box[1], box[2]


def view_from(view: View, start: Sequence[int]) -> View:
    """A view in the indices of a box whose first voxel is ``start``; it may reach beyond the box."""
    (k, k_stop), (j, j_stop), (i, i_stop) = view
    return (k - start[0], k_stop - start[0]), (j - start[1], j_stop - start[1]), (i - start[2], i_stop - start[2])


def margins_in_words(view: View, shape: Sequence[int]) -> str:
    """How many slices and rows at which ends show nothing, for a reader; empty where there are none.

    Columns in front and behind are left out: no spine is cut there.
    """
    found = []
    for (first, stop), size, sides in zip(view[:2], shape[:2], _SIDES, strict=True):
        found += [f"{n} {side}" for n, side in zip((first, size - stop), sides, strict=True) if n]
    return ", ".join(found)
