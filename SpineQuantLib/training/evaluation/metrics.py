"""Agreement of two masks: Dice, surface Dice at 2 mm and the 95th percentile of the Hausdorff distance, by MONAI."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

__all__ = ["NSD_MM", "Overlap", "overlap"]

NSD_MM = 2.0
"""Tolerance of the normalised surface Dice."""


@dataclass(frozen=True)
class Overlap:
    """Agreement of a mask with a reference.

    Attributes
    ----------
    dice : float
        0–1.
    nsd : float or None
        Share of both surfaces that lies within :data:`NSD_MM` of the other; None where surfaces were not compared.
    hd95 : float or None
        Millimetres; None where surfaces were not compared or the mask is empty.
    """

    dice: float
    nsd: float | None = None
    hd95: float | None = None


def overlap(
    mask: np.ndarray, truth: np.ndarray, spacing: tuple[float, float, float], *, surfaces: bool = True
) -> Overlap:
    """Compare a mask with a reference.

    Parameters
    ----------
    mask, truth : np.ndarray
        bool (nk, nj, ni); ``truth`` is not empty.
    spacing : tuple of float
        Millimetres (k, j, i).
    surfaces : bool
        Whether surfaces are compared too; not where the border of the reference is unknown.

    Raises
    ------
    ValueError
        If the reference is empty.
    """
    if not truth.any():
        raise ValueError("there is nothing to compare with: the reference is empty")
    if not (mask & truth).any() and not mask.any():
        return Overlap(0.0, 0.0 if surfaces else None, None)
    box = _box(mask | truth)
    a, b = (torch.from_numpy(np.ascontiguousarray(np.pad(m[box], 1)))[None, None] for m in (mask, truth))
    dice = float(compute_dice(a, b))
    if not surfaces:
        return Overlap(dice)
    with warnings.catch_warnings():
        # MONAI calls its own function with an argument that it has deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        nsd = compute_surface_dice(a, b, [NSD_MM], include_background=True, spacing=spacing, use_subvoxels=True)
        hd95 = compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=spacing)
    return Overlap(dice, float(nsd), float(hd95))


def _box(mask: np.ndarray) -> tuple[slice, slice, slice]:
    out = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        out.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return out[0], out[1], out[2]
