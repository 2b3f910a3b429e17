"""How far the members of a committee agree about one mask, without a ground truth.

The matrix ``S`` of Dice overlaps between members is positive semidefinite with ones on its diagonal, so that ``S / M``
has eigenvalues that sum to one, like a density matrix. Three numbers are read from it: its von Neumann entropy, the
largest eigenvalue of the disagreement matrix ``1 − S`` ("eigenrank by committee", Medical Image Analysis 67:101834),
and the mean Dice over pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "Agreement",
    "agreement_of",
    "dice_matrix",
    "disagreement_eigenvalue",
    "mean_pairwise_dice",
    "von_neumann_entropy",
]


@dataclass(frozen=True)
class Agreement:
    """Agreement of M members.

    Attributes
    ----------
    entropy : float
        Von Neumann entropy of the Dice matrix, 0 (all agree) to 1 (all disjoint).
    eigenvalue : float
        Largest eigenvalue of 1 − S, 0 (all agree) to M − 1 (all disjoint).
    mean_dice : float
        Mean Dice over pairs of members, 1 (all agree) to 0 (all disjoint).
    """

    entropy: float
    eigenvalue: float
    mean_dice: float


def dice_matrix(masks: np.ndarray) -> np.ndarray:
    """Dice overlap of every two members.

    Parameters
    ----------
    masks : np.ndarray
        bool (members, …).

    Returns
    -------
    np.ndarray
        float (members, members), symmetric, ones on the diagonal. Two empty masks overlap wholly, an empty and a
        filled one not at all.

    Raises
    ------
    ValueError
        If there are fewer than two members.
    """
    masks = np.asarray(masks, bool)
    if masks.ndim < 1 or len(masks) < 2:
        raise ValueError("agreement is between members: at least two are needed")
    sizes = [int(np.count_nonzero(mask)) for mask in masks]
    matrix = np.eye(len(masks))
    for a in range(len(masks)):
        for b in range(a):
            total = sizes[a] + sizes[b]
            shared = int(np.count_nonzero(masks[a] & masks[b])) if sizes[a] and sizes[b] else 0
            matrix[a, b] = matrix[b, a] = 2 * shared / total if total else 1.0
    return matrix


def von_neumann_entropy(dice: np.ndarray) -> float:
    """−Σ λ ln λ / ln M over the eigenvalues λ of ``S / M``: 0 if all agree, 1 if all are disjoint."""
    values = np.linalg.eigvalsh(dice) / len(dice)
    values = values[values > 1e-12]
    return float(np.clip(-(values * np.log(values)).sum() / np.log(len(dice)), 0.0, 1.0))


def disagreement_eigenvalue(dice: np.ndarray) -> float:
    """Largest eigenvalue of ``1 − S``: 0 if all agree, M − 1 if all are disjoint."""
    return float(max(np.linalg.eigvalsh(1.0 - dice)[-1], 0.0))


def mean_pairwise_dice(dice: np.ndarray) -> float:
    """Mean of ``S`` over pairs of different members."""
    return float(dice[np.triu_indices(len(dice), 1)].mean())


def agreement_of(dice: np.ndarray) -> Agreement:
    """The three scores of a Dice matrix (members, members)."""
    return Agreement(von_neumann_entropy(dice), disagreement_eigenvalue(dice), mean_pairwise_dice(dice))
