"""What a committee gains over its members: what is guaranteed, what is bounded on held-out people, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from ..anatomy.structures import Structure
from ..case.errors import InputError, OutputError
from ..training.collect import LabelledVolume
from .bounds import empirical_bernstein, hoeffding
from .ensemble_losses import CaseLosses, brier_of_weights, case_losses, cross_entropy_of_weights, subsets
from .harvest import HarvestConfig, Progress, ask_clean
from .opinions import read_voxels

__all__ = ["LOSSES", "EnsembleStudy", "WeightedHalf", "fit_weights", "study_cases", "study_ensemble"]

Loss = Callable[[CaseLosses, np.ndarray], float]
LOSSES: dict[str, tuple[Loss, float]] = {
    "Brier": (brier_of_weights, 2.0),
    "cross-entropy": (cross_entropy_of_weights, float(-np.log(1e-7))),
}
"""Convex losses, and the largest value that each can take."""


@dataclass(frozen=True)
class WeightedHalf:
    """Weights fitted on one half of the people and tried on the other.

    Attributes
    ----------
    loss : str
        Which was minimised.
    weights : tuple of float
        Of the members, fitted.
    best : int
        The best single member of the fitting half, counted from 0.
    fitted : dict of str to float
        Mean loss on the fitting half of ``best``, ``equal`` weights and the ``fitted`` ones.
    held_out : dict of str to float
        The same on the other half.
    people : int
        In the other half.
    upper : dict of str to float
        One-sided upper bounds on the mean loss of the fitted weights for new people, by name of the bound.
    """

    loss: str
    weights: tuple[float, ...]
    best: int
    fitted: dict[str, float]
    held_out: dict[str, float]
    people: int
    upper: dict[str, float]


@dataclass(frozen=True)
class EnsembleStudy:
    """The study's numbers.

    Attributes
    ----------
    cases : pandas.DataFrame
        A row a case: members' mean, best and worst loss, the ensemble's, the gap, the variance, and by how much the
        Brier gap differs from it.
    halves : tuple of WeightedHalf
        For each loss, fitted on either half.
    by_size : pandas.DataFrame
        Mean losses and Dice over all subsets of each size.
    by_subset : pandas.DataFrame
        A row a subset: size, diversity, gains.
    dice : pandas.DataFrame
        A row a structure: Dice of the committee and of the single member that was best on the other half of the
        people, on the one half, the gain, and lower bounds on the gain for new people.
    confidence : float
        Of the bounds.
    """

    cases: pd.DataFrame
    halves: tuple[WeightedHalf, ...]
    by_size: pd.DataFrame
    by_subset: pd.DataFrame
    dice: pd.DataFrame
    confidence: float


def _equal(case: CaseLosses) -> np.ndarray:
    return np.full(len(case.gram), 1 / len(case.gram))


def _single(case: CaseLosses, member: int) -> np.ndarray:
    return np.eye(len(case.gram))[member]


def _by_person(cases: Sequence[CaseLosses], value: Callable[[CaseLosses], float]) -> np.ndarray:
    """One number a person: the mean over their cases. People are independent, cases of one person are not."""
    table = pd.DataFrame({"subject": [c.subject for c in cases], "value": [value(c) for c in cases]})
    return table.groupby("subject", sort=True)["value"].mean().to_numpy()


def fit_weights(cases: Sequence[CaseLosses], loss: Loss) -> np.ndarray:
    """Convex weights with the least mean loss over people; never worse there than the best single member.

    The problem is convex; it is solved by sequential quadratic programming, started at equal weights, and compared
    with the corners of the simplex, so that rounding cannot cost the guarantee.
    """
    members = len(cases[0].gram)

    def mean(weights: np.ndarray) -> float:
        weights = np.clip(weights, 0, None)
        return float(_by_person(cases, lambda c: loss(c, weights / weights.sum())).mean())

    found = minimize(
        mean,
        np.full(members, 1 / members),
        method="SLSQP",
        bounds=[(0, 1)] * members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-10},
    ).x
    weights = np.clip(found, 0, None) / np.clip(found, 0, None).sum()
    return min([weights, *np.eye(members)], key=mean)


def _half(name: str, fitting: Sequence[CaseLosses], held_out: Sequence[CaseLosses], confidence: float) -> WeightedHalf:
    loss, width = LOSSES[name]
    weights = fit_weights(fitting, loss)
    members = len(weights)
    singles = [_by_person(fitting, lambda c, m=m: loss(c, _single(c, m))).mean() for m in range(members)]
    best = int(np.argmin(singles))

    def means(cases: Sequence[CaseLosses]) -> dict[str, float]:
        return {
            "best": float(_by_person(cases, lambda c: loss(c, _single(c, best))).mean()),
            "equal": float(_by_person(cases, lambda c: loss(c, _equal(c))).mean()),
            "fitted": float(_by_person(cases, lambda c: loss(c, weights)).mean()),
        }

    people = _by_person(held_out, lambda c: loss(c, weights))
    upper = {"Hoeffding": float(people.mean() + hoeffding(people, width, confidence))}
    if len(people) > 1:
        upper["empirical Bernstein"] = float(people.mean() + empirical_bernstein(people, width, confidence))
    return WeightedHalf(name, tuple(map(float, weights)), best, means(fitting), means(held_out), len(people), upper)


def _case_table(cases: Sequence[CaseLosses]) -> pd.DataFrame:
    rows = []
    for case in cases:
        members = range(len(case.gram))
        brier = np.diag(case.gram)
        entropy = np.array([cross_entropy_of_weights(case, _single(case, m)) for m in members])
        own_brier = brier_of_weights(case, _equal(case))
        own_entropy = cross_entropy_of_weights(case, _equal(case))
        rows.append(
            {
                "case": case.name,
                "voxels": case.voxels,
                "members_brier": float(brier.mean()),
                "best_brier": float(brier.min()),
                "committee_brier": own_brier,
                "gap_brier": float(brier.mean()) - own_brier,
                "variance": case.variance,
                "rounding": abs(float(brier.mean()) - own_brier - case.variance),
                "members_cross_entropy": float(entropy.mean()),
                "best_cross_entropy": float(entropy.min()),
                "committee_cross_entropy": own_entropy,
                "gap_cross_entropy": float(entropy.mean()) - own_entropy,
            }
        )
    return pd.DataFrame(rows)


def _subset_table(cases: Sequence[CaseLosses]) -> pd.DataFrame:
    """Every subset with equal weights: losses, diversity (Brier variance) and gains over its members' mean."""
    members = len(cases[0].gram)
    rows = []
    for n, subset in enumerate(subsets(members)):
        weights = np.zeros(members)
        weights[list(subset)] = 1 / len(subset)
        brier = float(_by_person(cases, lambda c, w=weights: brier_of_weights(c, w)).mean())
        each = float(_by_person(cases, lambda c, w=weights: float(w @ np.diag(c.gram))).mean())
        dice = _mean_dice(cases, n)
        alone = float(np.mean([_mean_dice(cases, m) for m in subset]))
        rows.append(
            {
                "members": "+".join(str(m) for m in subset),
                "size": len(subset),
                "diversity": each - brier,
                "brier": brier,
                "cross_entropy": float(_by_person(cases, lambda c, w=weights: cross_entropy_of_weights(c, w)).mean()),
                "dice": dice,
                "dice_gain": dice - alone,
            }
        )
    return pd.DataFrame(rows)


def _mean_dice(cases: Sequence[CaseLosses], subset: int) -> float:
    """Mean over people of the mean Dice over structures of a subset, by its number."""
    return float(_by_person(cases, lambda c: float(np.mean([d[subset] for d in c.dice.values()]))).mean())


def _dice_table(cases: Sequence[CaseLosses], halves: tuple[list[CaseLosses], ...], confidence: float) -> pd.DataFrame:
    """On one half of the people, the committee against the single member that did best on the other half.

    One direction only: people of both halves together would not be independent of both choices.
    """
    rows = []
    for structure in (s for s in Structure if any(s in c.dice for c in cases)):
        own, single = _against_best(structure, *halves)
        if not len(own):
            continue
        gain = own - single
        row = {
            "structure": structure.value,
            "people": len(gain),
            "committee": float(own.mean()),
            "best_member": float(single.mean()),
            "gain": float(gain.mean()),
            "hoeffding": float(gain.mean() - hoeffding(gain, 2.0, confidence)),
            "bernstein": float("nan"),
        }
        if len(gain) > 1:
            row["bernstein"] = float(gain.mean() - empirical_bernstein(gain, 2.0, confidence))
        rows.append(row)
    return pd.DataFrame(rows)


def _against_best(
    structure: Structure, fitting: Sequence[CaseLosses], tried: Sequence[CaseLosses]
) -> tuple[np.ndarray, np.ndarray]:
    """Dice on ``tried``, a number a person, of the committee and of the member that is best on ``fitting``."""
    fitting = [c for c in fitting if structure in c.dice]
    tried = [c for c in tried if structure in c.dice]
    if not fitting or not tried:
        return np.zeros(0), np.zeros(0)
    members = len(tried[0].gram)
    means = [_by_person(fitting, lambda c, m=m: c.dice[structure][m]).mean() for m in range(members)]
    best = int(np.argmax(means))
    return _by_person(tried, lambda c: c.dice[structure][-1]), _by_person(tried, lambda c: c.dice[structure][best])


def study_cases(cases: Sequence[CaseLosses], confidence: float = 0.95) -> EnsembleStudy:
    """All numbers of the study.

    Parameters
    ----------
    cases : sequence of CaseLosses
        Of at least two people.
    confidence : float
        Of the one-sided bounds.

    Raises
    ------
    InputError
        If there are fewer than two people: there is no other half.
    """
    people = sorted({c.subject for c in cases})
    if len(people) < 2:
        raise InputError("the study needs volumes of at least two people: weights are fitted on one half of them")
    first = set(people[::2])
    halves = ([c for c in cases if c.subject in first], [c for c in cases if c.subject not in first])
    table = _subset_table(cases)
    return EnsembleStudy(
        _case_table(cases),
        tuple(_half(name, *pair, confidence) for name in LOSSES for pair in (halves, halves[::-1])),
        table.groupby("size")[["brier", "cross_entropy", "dice", "diversity"]].mean().reset_index(),
        table,
        _dice_table(cases, halves, confidence),
        confidence,
    )


def study_ensemble(
    config: HarvestConfig, output: Path, confidence: float = 0.95, progress: Progress | None = None
) -> Path:
    """Ask the committee, compute, and write the report.

    Returns
    -------
    pathlib.Path
        ``ensemble.html``; beside it ``ensemble.md`` and tables.

    Raises
    ------
    InputError
        If there are too few volumes.
    OutputError
        If the folder cannot be written.
    """
    from .ensemble_report import write_report

    try:
        output.mkdir(parents=True, exist_ok=True)
        voxels = ask_clean(config, progress)
        subjects = {v.id: v.subject for v in config.everything if isinstance(v, LabelledVolume)}
        cases = []
        for n, (name, path) in enumerate(voxels.items(), start=1):
            cases.append(case_losses(name, subjects.get(name, name), read_voxels(path)))
            if progress:
                progress("losses", n, len(voxels))
        return write_report(study_cases(cases, confidence), output)
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror or error}") from error
