"""Agreement of two ways to measure the same thing: bias, limits, RMSE, ICC, with intervals by subject.

Levels of one person are not independent, so intervals come from a bootstrap that draws persons and takes all that
belongs to them. Leaf module: NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Agreement", "Estimate", "agreement", "bootstrap_interval", "icc", "mean_estimate", "resamples"]

_LIMIT = 1.959963984540054
"""Normal quantile of the 95 % limits of agreement."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    value : float or None
        None where it is not defined, for example an ICC of one pair.
    lower, upper : float or None
        Percentile interval; None where fewer than two subjects were seen or the value is not defined.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Agreement:
    """How far a measurement agrees with a reference, in the measurement's unit.

    Attributes
    ----------
    count, subjects : int
        Pairs, and persons they are of.
    bias : Estimate
        Mean of measured − reference.
    sd : Estimate
        Standard deviation of the differences (n − 1).
    lower_limit, upper_limit : Estimate
        95 % limits of agreement, bias ± 1.96 sd (Bland and Altman 1986, doi 10.1016/S0140-6736(86)90837-8).
    rmse, mae : Estimate
        Root of the mean squared, and mean absolute difference.
    icc : Estimate
        ICC(2,1), see :func:`icc`.
    """

    count: int
    subjects: int
    bias: Estimate
    sd: Estimate
    lower_limit: Estimate
    upper_limit: Estimate
    rmse: Estimate
    mae: Estimate
    icc: Estimate


def icc(ratings: np.ndarray) -> float:
    """ICC(2,1): two-way random effects, absolute agreement, single rating.

    Shrout and Fleiss 1979, doi 10.1037/0033-2909.86.2.420, from the mean squares of targets, raters and residual.

    Parameters
    ----------
    ratings : np.ndarray
        (targets, raters), finite.

    Returns
    -------
    float
        NaN with fewer than two targets or raters, or where all ratings are equal.
    """
    x = np.asarray(ratings, dtype=float)
    n, k = x.shape
    if n < 2 or k < 2:
        return float("nan")
    mean, rows, columns = x.mean(), x.mean(axis=1), x.mean(axis=0)
    between = k * ((rows - mean) ** 2).sum() / (n - 1)
    raters = n * ((columns - mean) ** 2).sum() / (k - 1)
    residual = ((x - rows[:, None] - columns + mean) ** 2).sum() / ((n - 1) * (k - 1))
    spread = between + (k - 1) * residual + k * (raters - residual) / n
    return float((between - residual) / spread) if spread > 0 else float("nan")


def resamples(subjects: Sequence[object], count: int = _RESAMPLES, seed: int = 0) -> Iterator[np.ndarray]:
    """Rows of bootstrap samples: subjects are drawn with replacement, each with all its rows.

    Parameters
    ----------
    subjects : sequence
        Subject of each row; compared as text.
    count : int
        Samples.
    seed : int
        Of the draw.

    Yields
    ------
    np.ndarray
        int, indices of rows; their number differs from sample to sample.
    """
    names, code = np.unique(np.asarray([str(s) for s in subjects]), return_inverse=True)
    rows = [np.flatnonzero(code == n) for n in range(len(names))]
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield np.concatenate([rows[n] for n in rng.integers(len(names), size=len(names))])


def bootstrap_interval(
    statistic: Callable[[np.ndarray], Sequence[float] | float],
    subjects: Sequence[object],
    level: float = 0.95,
    count: int = _RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """Estimates of one or several statistics with percentile intervals by subject.

    Parameters
    ----------
    statistic : callable
        Value, or values, of the rows whose indices it is given; NaN where not defined.
    subjects : sequence
        Subject of each row.
    level : float
        Coverage of the intervals.
    count, seed : int
        Bootstrap samples and their seed.

    Returns
    -------
    list of Estimate
        One a value of ``statistic``. Samples in which a value is not defined are left out of its interval; with
        fewer than two subjects there is none.
    """
    subjects = list(subjects)
    if not subjects:
        return [Estimate(None)] * len(np.atleast_1d(statistic(np.array([], int))))
    values = np.atleast_1d(np.asarray(statistic(np.arange(len(subjects))), dtype=float))
    if len({str(s) for s in subjects}) < 2:
        return [Estimate(_defined(v)) for v in values]
    drawn = np.array([np.atleast_1d(statistic(rows)) for rows in resamples(subjects, count, seed)], dtype=float)
    return _intervals(values, drawn, level)


def _intervals(values: np.ndarray, drawn: np.ndarray, level: float = 0.95) -> list[Estimate]:
    """Estimates (n,) with percentile intervals of bootstrap values (samples, n)."""
    out = []
    for value, column in zip(values, drawn.T, strict=True):
        column = column[np.isfinite(column)]
        if np.isfinite(value) and len(column):
            low, high = np.quantile(column, [(1 - level) / 2, (1 + level) / 2])
            out.append(Estimate(float(value), float(low), float(high)))
        else:
            out.append(Estimate(_defined(value)))
    return out


def _multiplicities(subjects: Sequence[object], count: int, seed: int = 0) -> np.ndarray:
    """How often each row occurs in each bootstrap sample by subject, (samples, rows); no sample of one subject."""
    names, code = np.unique(np.asarray([str(s) for s in subjects]), return_inverse=True)
    if len(names) < 2:
        return np.zeros((0, len(code)))
    rng = np.random.default_rng(seed)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=count)[:, code].astype(float)


def mean_estimate(values: Sequence[float], subjects: Sequence[object], count: int = _RESAMPLES) -> Estimate:
    """Mean of values with its interval by subject."""
    x = np.asarray(values, dtype=float)
    if not len(x):
        return Estimate(None)
    weights = _multiplicities(subjects, count)
    return _intervals(np.array([x.mean()]), ((weights @ x) / weights.sum(axis=1))[:, None])[0]


def agreement(
    measured: Sequence[float], reference: Sequence[float], subjects: Sequence[object], count: int = _RESAMPLES
) -> Agreement:
    """Agreement of pairs of values with a reference.

    Parameters
    ----------
    measured, reference : sequence of float
        Finite values of the same things in the same unit.
    subjects : sequence
        Person that each pair is of.
    count : int
        Bootstrap samples.

    Returns
    -------
    Agreement
        In the unit of the values; without pairs every estimate is None.

    Raises
    ------
    ValueError
        If the lengths differ or a value is not finite.
    """
    pairs = np.column_stack([np.asarray(measured, dtype=float), np.asarray(reference, dtype=float)])
    if len(pairs) != len(subjects):
        raise ValueError(f"{len(pairs)} pairs but {len(subjects)} subjects")
    if not np.isfinite(pairs).all():
        raise ValueError("values that are not finite cannot be compared")

    if not len(pairs):
        return Agreement(0, 0, *[Estimate(None)] * 7)
    values = _pair_statistics(pairs, np.ones((1, len(pairs))))[0]
    found = _intervals(values, _pair_statistics(pairs, _multiplicities(subjects, count)))
    return Agreement(len(pairs), len({str(s) for s in subjects}), *found)


def _pair_statistics(pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Bias, sd, limits, RMSE, MAE and ICC(2,1) of pairs (n, 2) that occur ``weights`` (samples, n) times.

    For two raters the mean squares of :func:`icc` follow from the variances of the pairs' means and differences, so
    that all samples are computed at once.
    """
    difference, mean = pairs[:, 0] - pairs[:, 1], pairs.mean(axis=1)
    n = weights.sum(axis=1)
    bias, square, absolute = (weights @ x / n for x in (difference, difference**2, np.abs(difference)))
    # Centred first, so that the difference of two large numbers does not eat the variance.
    centred = mean - mean.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        correction = n / (n - 1)
        variance = np.maximum(square - bias**2, 0.0) * correction
        between = 2 * np.maximum(weights @ centred**2 / n - (weights @ centred / n) ** 2, 0.0) * correction
        residual, raters = variance / 2, n * bias**2 / 2
        spread = between + residual + 2 * (raters - residual) / n
        reliability = np.where(spread > 0, (between - residual) / spread, np.nan)
        sd = np.sqrt(variance)
    limits = (bias - _LIMIT * sd, bias + _LIMIT * sd)
    return np.column_stack([bias, sd, *limits, np.sqrt(square), absolute, reliability])


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
