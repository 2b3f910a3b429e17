"""Outlines on a sampled plane: marching squares, all squares at once.

The same lines as ``skimage.measure.find_contours`` draws, several times as fast for the few hundred points of one
object's outline, of which a case has thousands.
"""

from __future__ import annotations

import numpy as np

__all__ = ["rings"]

_TOP, _LEFT, _BOTTOM, _RIGHT = range(4)
_LINES: tuple[tuple[tuple[int, int], ...], ...] = (
    (),
    ((_TOP, _LEFT),),
    ((_RIGHT, _TOP),),
    ((_RIGHT, _LEFT),),
    ((_LEFT, _BOTTOM),),
    ((_TOP, _BOTTOM),),
    ((_RIGHT, _TOP), (_LEFT, _BOTTOM)),
    ((_RIGHT, _BOTTOM),),
    ((_BOTTOM, _RIGHT),),
    ((_TOP, _LEFT), (_BOTTOM, _RIGHT)),
    ((_BOTTOM, _TOP),),
    ((_BOTTOM, _LEFT),),
    ((_LEFT, _RIGHT),),
    ((_TOP, _RIGHT),),
    ((_LEFT, _TOP),),
    (),
)
"""From which side of a square to which the line runs, by the sum of 1, 2, 4, 8 for its corners above the level: upper
left, upper right, lower left, lower right. Where two corners across are above, what lies below the level is joined."""
_FROM, _TO = (
    np.array([[lines[n][end] if n < len(lines) else -1 for n in (0, 1)] for lines in _LINES], np.intp) for end in (0, 1)
)


def rings(values: np.ndarray, level: float) -> list[np.ndarray]:
    """Closed lines along which values interpolated between samples reach a level.

    Parameters
    ----------
    values : np.ndarray
        (n, m), below the level along its rim.
    level : float
        Which level.

    Returns
    -------
    list of np.ndarray
        (points, 2) places in steps along the two axes each, the last point repeating the first; what is above the level
        always lies on the same hand. Where corners of a square that lie across from each other are above the level and
        the other two are not, the line keeps them apart.
    """
    values = np.asarray(values, np.float64)
    high = values > level
    code = high[:-1, :-1] + 2 * high[:-1, 1:].astype(np.uint8) + 4 * high[1:, :-1] + 8 * high[1:, 1:]
    flat = np.flatnonzero((code != 0) & (code != 15))
    if not len(flat):
        return []
    kinds = code.ravel()[flat]
    row, column = np.divmod(flat, values.shape[1] - 1)
    starts, ends = (_sides(sides[kinds], row, column, values.size, values.shape[1]) for sides in (_FROM, _TO))
    # Every side that a line enters through it leaves through, into the next square: the lines close.
    order = np.argsort(starts)
    following = order[np.searchsorted(starts, ends, sorter=order)].tolist()
    points = _crossings(starts, values, level)
    found, left = [], set(range(len(following)))
    while left:
        first = min(left)
        ring = [first]
        here = following[first]
        while here != first:
            ring.append(here)
            here = following[here]
        left.difference_update(ring)
        found.append(points[[*ring, first]])
    return found


def _sides(sides: np.ndarray, row: np.ndarray, column: np.ndarray, size: int, width: int) -> np.ndarray:
    """Numbers (lines,) of the sides (squares, 2) at which lines begin or end; the same side of two squares has one.

    Sides along a row are numbered as the sample at their left end, those across as their upper one plus ``size``.
    """
    at = row * width + column
    numbers = np.stack([at, size + at, at + width, size + at + 1], axis=1)
    square, line = np.nonzero(sides >= 0)
    return numbers[square, sides[square, line]]


def _crossings(sides: np.ndarray, values: np.ndarray, level: float) -> np.ndarray:
    """(sides, 2) where the level lies on each numbered side."""
    across = sides >= values.size
    at = np.where(across, sides - values.size, sides)
    here, there = values.ravel()[at], values.ravel()[np.where(across, at + values.shape[1], at + 1)]
    share = (level - here) / (there - here)
    row, column = np.divmod(at, values.shape[1])
    return np.column_stack([row + np.where(across, share, 0.0), column + np.where(across, 0.0, share)])
