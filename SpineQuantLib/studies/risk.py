"""How well a score tells good objects from bad ones: risk–coverage curves and what follows from them.

Objects are kept from the surest down. At each coverage (share that is kept) the *selective risk* is the mean of
1 − Dice over those kept; its mean over all coverages is the AURC (Geifman & El-Yaniv 2017; Jaeger et al. 2023,
arXiv:2211.15259). The normalised AURC is (random − AURC) / (random − optimal): 1 for an order as good as the truth
itself gives, 0 for one no better than chance, below 0 for a misleading one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, spearmanr

__all__ = ["RiskCoverage", "detection", "risk_coverage"]


@dataclass(frozen=True)
class RiskCoverage:
    """A score against the truth.

    Attributes
    ----------
    coverage, risk : np.ndarray
        float (n,): share kept, and the mean risk of what is kept.
    aurc, random, optimal : float
        Area under the curve, of a random order (the mean risk), and of the order by risk itself.
    spearman : float
        Rank correlation of confidence with Dice; NaN where one of them is constant.
    """

    coverage: np.ndarray
    risk: np.ndarray
    aurc: float
    random: float
    optimal: float
    spearman: float

    @property
    def normalised(self) -> float:
        """(random − AURC) / (random − optimal); NaN where all risks are equal, so that no order is better."""
        room = self.random - self.optimal
        return (self.random - self.aurc) / room if room > 1e-12 else float("nan")


def _selective(confidence: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """Mean risk of the n surest for n = 1…; tied objects count with the mean of their risks."""
    ranks = rankdata(-confidence, method="dense") - 1
    sums = np.bincount(ranks, risk)
    means = (sums / np.bincount(ranks))[ranks]
    order = np.argsort(ranks, kind="stable")
    return np.cumsum(means[order]) / np.arange(1, len(risk) + 1)


def risk_coverage(confidence: np.ndarray, dice: np.ndarray) -> RiskCoverage:
    """Curve and areas of a score.

    Parameters
    ----------
    confidence : np.ndarray
        (n,) higher is surer.
    dice : np.ndarray
        (n,) 0 to 1.

    Raises
    ------
    ValueError
        If there is nothing to judge, or a number is none.
    """
    confidence, risk = np.asarray(confidence, float), 1.0 - np.asarray(dice, float)
    if not len(risk) or not (np.isfinite(confidence).all() and np.isfinite(risk).all()):
        raise ValueError("scores and Dice must be finite, and at least one")
    curve = _selective(confidence, risk)
    constant = np.ptp(confidence) == 0 or np.ptp(risk) == 0
    rho = float("nan") if constant else float(spearmanr(confidence, -risk).statistic)
    return RiskCoverage(
        np.arange(1, len(risk) + 1) / len(risk),
        curve,
        float(curve.mean()),
        float(risk.mean()),
        float(_selective(-risk, risk).mean()),
        rho,
    )


def detection(flagged: np.ndarray, bad: np.ndarray) -> tuple[float, float]:
    """Share of the bad that are flagged, and share of the good that are not; NaN where there are none."""
    flagged, bad = np.asarray(flagged, bool), np.asarray(bad, bool)
    sensitivity = float(flagged[bad].mean()) if bad.any() else float("nan")
    specificity = float((~flagged[~bad]).mean()) if (~bad).any() else float("nan")
    return sensitivity, specificity
