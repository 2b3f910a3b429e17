"""One-sided confidence bounds on a mean of bounded, independent values."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["empirical_bernstein", "hoeffding"]


def hoeffding(values: np.ndarray, width: float, confidence: float) -> float:
    """Amount by which the true mean may differ from the sample's, in one direction: width·√(ln(1/δ) / 2n).

    Parameters
    ----------
    values : np.ndarray
        (n,) independent values.
    width : float
        Of the range in which every value must lie.
    confidence : float
        1 − δ.

    Raises
    ------
    ValueError
        If there is no value.
    """
    if not len(values):
        raise ValueError("a bound needs at least one value")
    return width * math.sqrt(math.log(1 / (1 - confidence)) / (2 * len(values)))


def empirical_bernstein(values: np.ndarray, width: float, confidence: float) -> float:
    """The same from the sample's variance: √(2 V ln(2/δ) / n) + 7·width·ln(2/δ) / (3(n − 1)).

    Maurer & Pontil 2009, theorem 4 (arXiv:0907.3740). Tighter than Hoeffding's where values vary little and are many.

    Raises
    ------
    ValueError
        If there are fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise ValueError("a bound from the variance needs at least two values")
    log = math.log(2 / (1 - confidence))
    variance = float(np.var(values, ddof=1))
    return math.sqrt(2 * variance * log / n) + 7 * width * log / (3 * (n - 1))
