"""The corridor of the spine through a volume, from whatever is labelled in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Corridor"]


@dataclass(frozen=True)
class Corridor:
    """Course of the vertebral column, as offsets of each voxel from it.

    Attributes
    ----------
    behind : np.ndarray
        float32 (1, nj, ni): millimetres behind the centre of the column (negative in front).
    beside : np.ndarray
        float32 (nk, nj, 1): millimetres beside it, without sign.
    away, aside : np.ndarray
        float32 (1, nj, ni) and (nk, nj, 1): millimetres in front or behind, and beside, without sign. Beyond what is
        labelled the column may go on straight, turn towards the long axis of the image, or do something in between;
        here the nearest of these counts.
    top, bottom : np.ndarray
        float (nk?) scalars: row of the highest and of the lowest labelled object's centre.
    """

    behind: np.ndarray
    beside: np.ndarray
    away: np.ndarray
    aside: np.ndarray
    top: float
    bottom: float

    @classmethod
    def through(
        cls,
        centres: np.ndarray,
        shape: tuple[int, int, int],
        spacing: tuple[float, float, float],
        *,
        ends_below: bool = False,
    ) -> Corridor:
        """Corridor through object centres, continued straight beyond the first and the last.

        Parameters
        ----------
        centres : np.ndarray
            (n, 3) indices (k, j, i), top down, n ≥ 2.
        shape : tuple of int
            Of the volume.
        spacing : tuple of float
            Millimetres (k, j, i).
        ends_below : bool
            Whether no vertebra but the sacrum can lie below the last centre: then it turns no more there.
        """
        rows = np.arange(shape[1], dtype=float)
        after = rows > centres[-1, 1]
        straight, upright = [], []
        for axis in (0, 2):
            upright.append(np.interp(rows, centres[:, 1], centres[:, axis]))
            line = upright[-1].copy()
            for end, inner, beyond in ((0, 1, rows < centres[0, 1]), (-1, -2, after)):
                slope = (centres[end, axis] - centres[inner, axis]) / max(
                    centres[end, 1] - centres[inner, 1], 1e-6, key=abs
                )
                line[beyond] = centres[end, axis] + slope * (rows[beyond] - centres[end, 1])
            if ends_below:
                upright[-1][after] = line[after]
            straight.append(line)
        k = np.arange(shape[0], dtype=float)[:, None]
        i = np.arange(shape[2], dtype=float)[None, :]
        beside = np.abs(k - straight[0][None, :]) * spacing[0]
        behind = (i - straight[1][:, None]) * spacing[2]
        aside = _outside(k, straight[0][None, :], upright[0][None, :]) * spacing[0]
        away = _outside(i, straight[1][:, None], upright[1][:, None]) * spacing[2]
        return cls(
            behind[None].astype(np.float32),
            beside[..., None].astype(np.float32),
            away[None].astype(np.float32),
            aside[..., None].astype(np.float32),
            float(centres[0, 1]),
            float(centres[-1, 1]),
        )


def _outside(at: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far places lie outside of the interval between two others."""
    return np.maximum(np.maximum(np.minimum(one, other) - at, at - np.maximum(one, other)), 0)
