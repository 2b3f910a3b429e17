"""Scores from probabilities: voxel entropy, mutual information, and the Dice that the probabilities lead to expect.

In a voxel with the members' mean probabilities ``p`` the *entropy* H(p) is how unsure the committee is, in bits. It is
the sum of the members' mean entropy, which is what each is unsure of itself, and the *mutual information* between
class and member, which is what they differ in; the latter is never negative, because entropy is concave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["VoxelScores", "entropy_bits", "expected_dice", "temper", "voxel_scores"]


@dataclass(frozen=True)
class VoxelScores:
    """Means over a region.

    Attributes
    ----------
    entropy : float
        Mean entropy of the mean probability, bits, 0 to log₂ of the number of classes.
    mutual_information : float or None
        Mean mutual information, bits, 0 to ``entropy``; None where the members' own entropy was not kept.
    """

    entropy: float
    mutual_information: float | None


def entropy_bits(probabilities: np.ndarray) -> np.ndarray:
    """Entropy in bits along the first axis; float32."""
    p = np.asarray(probabilities, np.float32)
    return -(p * np.log2(np.maximum(p, 1e-12))).sum(axis=0)


def voxel_scores(probabilities: np.ndarray, member_entropy: np.ndarray | None) -> VoxelScores:
    """Scores of a region.

    Parameters
    ----------
    probabilities : np.ndarray
        (classes, n) mean of the members' probabilities in the region's voxels.
    member_entropy : np.ndarray, optional
        (n,) mean of the members' own entropies, bits.

    Returns
    -------
    VoxelScores
        Zero for a region without voxels: nobody says anything, and nobody doubts it.
    """
    if probabilities.shape[1] == 0:
        return VoxelScores(0.0, None if member_entropy is None else 0.0)
    total = float(entropy_bits(probabilities).mean())
    if member_entropy is None:
        return VoxelScores(total, None)
    own = float(np.asarray(member_entropy, np.float32).mean())
    # Half precision may put the members' mean a trifle above the whole.
    return VoxelScores(total, float(np.clip(total - own, 0.0, total)))


def temper(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Temperature scaling of a binary probability: its logit divided by ``temperature``.

    Above 1 it becomes less sure, below 1 surer; one half stays one half, so that no border moves (Guo et al. 2017,
    arXiv:1706.04599).
    """
    p = np.clip(np.asarray(probability, np.float32), 1e-6, 1 - 1e-6)
    return 1.0 / (1.0 + np.exp(-(np.log(p) - np.log1p(-p)) / temperature))


def expected_dice(probability: np.ndarray, mask: np.ndarray) -> float:
    """Dice between a mask and a truth drawn from the probabilities, to first order: 2 Σ_mask p / (|mask| + Σ p).

    Parameters
    ----------
    probability : np.ndarray
        Probability of belonging to the object, in all voxels that may.
    mask : np.ndarray
        bool, same shape: what was called the object.

    Returns
    -------
    float
        0 to 1; 1 where the mask is empty and so are the probabilities.
    """
    p = np.asarray(probability, np.float64)
    total = float(np.count_nonzero(mask)) + float(p.sum())
    return float(2.0 * p[mask].sum() / total) if total > 1e-6 else 1.0
