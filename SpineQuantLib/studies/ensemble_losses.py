"""Losses of members and ensembles of them, case by case, and what follows from convexity.

For probabilities p_m of M members and convex weights w, the ensemble says p̄ = Σ w_m p_m. Cross-entropy and the Brier
score are convex in p, so that by Jensen's inequality the ensemble's loss is at most the weighted mean of the members'
losses, on every voxel and so on every case. For the Brier score the difference is exactly the members' weighted
variance, Σ w_m ‖p_m − p̄‖² (Krogh & Vedelsby 1995).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ..anatomy.structures import CLASSES_OF, Structure
from .opinions import KnownVoxels

__all__ = ["CaseLosses", "brier_of_weights", "case_losses", "cross_entropy_of_weights", "subsets"]

_FLOOR = 1e-7
"""Least probability whose logarithm is taken; half precision knows no smaller ones."""
_KEPT = 40_000


@dataclass(frozen=True)
class CaseLosses:
    """One case.

    Attributes
    ----------
    name, subject : str
        Which.
    gram : np.ndarray
        float64 (M, M): mean over voxels of (p_a − y)·(p_b − y), from which the Brier score of any weights follows.
    variance : float
        Mean over voxels of the members' variance, Σ ‖p_m − p̄‖² / M.
    true : np.ndarray
        float32 (M, n): each member's probability of the true class, in at most 40,000 voxels drawn at random.
    dice : dict of Structure to np.ndarray
        float (subsets,): Dice of the mean of each subset of members, in the order of :func:`subsets`.
    voxels : int
        How many.
    """

    name: str
    subject: str
    gram: np.ndarray
    variance: float
    true: np.ndarray
    dice: dict[Structure, np.ndarray]
    voxels: int


def subsets(members: int) -> list[tuple[int, ...]]:
    """All subsets of members but the empty one, single members first and the whole committee last."""
    return [s for size in range(1, members + 1) for s in itertools.combinations(range(members), size)]


def case_losses(name: str, subject: str, known: KnownVoxels) -> CaseLosses:
    """Losses of a case from its known voxels."""
    p = known.probabilities.astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    members, classes, count = p.shape
    error = p.copy()
    error[:, known.classes, np.arange(count)] -= 1.0
    flat = error.reshape(members, classes * count)
    gram = flat @ flat.T / count
    mean = p.mean(axis=0)
    variance = float(((p - mean) ** 2).sum() / (members * count))
    at = np.arange(count)
    if count > _KEPT:
        at = np.sort(np.random.default_rng(0).choice(count, _KEPT, replace=False))
    true = p[:, known.classes[at], at].astype(np.float32)
    return CaseLosses(name, subject, gram, variance, true, _dice(p, known.classes), count)


def _dice(p: np.ndarray, classes: np.ndarray) -> dict[Structure, np.ndarray]:
    truths = {s: np.isin(classes, list(c)) for s, c in CLASSES_OF.items()}
    truths = {s: t for s, t in truths.items() if t.any()}
    out: dict[Structure, list[float]] = {s: [] for s in truths}
    for subset in subsets(len(p)):
        guess = p[list(subset)].mean(axis=0).argmax(axis=0)
        for structure, truth in truths.items():
            own = np.isin(guess, list(CLASSES_OF[structure]))
            out[structure].append(2.0 * (own & truth).sum() / max(own.sum() + truth.sum(), 1))
    return {s: np.array(v) for s, v in out.items()}


def brier_of_weights(case: CaseLosses, weights: np.ndarray) -> float:
    """Brier score (0 to 2) of the ensemble with these weights: wᵀ G w, because the weights sum to one."""
    return float(weights @ case.gram @ weights)


def cross_entropy_of_weights(case: CaseLosses, weights: np.ndarray) -> float:
    """Cross-entropy in nats of the ensemble with these weights."""
    return float(-np.log(np.maximum(weights @ case.true.astype(np.float64), _FLOOR)).mean())
