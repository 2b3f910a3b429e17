"""Bounds of the flags: which score decides and where, measured on subjects that had no part in choosing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from ..anatomy.structures import Structure
from ..uncertainty.thresholds import SCORES, Thresholds, confidence_of
from .examine import CaseRecord
from .risk import detection, risk_coverage

__all__ = [
    "BAD",
    "WISH",
    "FlagStudy",
    "choose_scores",
    "fit_thresholds",
    "object_table",
    "structure_table",
    "study_flags",
]

BAD = 0.75
"""Dice below which an object is bad and should be flagged."""
WISH = (0.90, 0.80)
"""Share of bad objects flagged and of good ones not flagged that is wanted."""
_FAILED = 0.5
_FEW = 8
_MANY = 30
_LEAST_OF_EACH = 0.8
"""Share of the bad objects of each single structure that is flagged at least."""
_MARGIN = 1.645
_PRICES = np.logspace(-1, 3, 100)
"""Needless flags that a missed bad object is worth, tried in turn."""
_MOST_IN_DOUBT = 0.5


def object_table(records: Sequence[CaseRecord]) -> pd.DataFrame:
    """One row an object: its case, its name, ``dice``, ``missed``, ``announced``, ``case_failed``, and its scores."""
    rows = [
        {
            "case": r.key,
            "subject": r.subject,
            "kind": r.kind,
            "contrast": r.contrast,
            "family": r.family or "clean",
            "grade": r.grade,
            "structure": o.structure,
            "level": o.level,
            "side": o.side,
            "dice": o.dice,
            "missed": o.missed,
            "announced": o.announced,
            "case_failed": r.failed or bool(r.refused),
            **{name: o.scores.get(name, math.nan) for name in SCORES},
        }
        for r in records
        for o in r.objects
    ]
    columns = ["case", "subject", "kind", "contrast", "family", "grade", "structure", "level", "side", "dice"]
    return pd.DataFrame(rows, columns=[*columns, "missed", "announced", "case_failed", *SCORES])


def _confidence(table: pd.DataFrame, name: str) -> np.ndarray:
    return SCORES[name][0] * table[name].to_numpy(float)


@dataclass(frozen=True)
class _Ladder:
    """Objects of a structure from the least sure upwards, and what a bound above each of them flags.

    Attributes
    ----------
    confidence, dice : np.ndarray
        (n,) ascending confidence, and Dice.
    bad, good : np.ndarray
        (n + 1,) bad and good objects among the first 0, 1, … n.
    """

    confidence: np.ndarray
    dice: np.ndarray
    bad: np.ndarray
    good: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, score: str) -> _Ladder:
        confidence, dice = _confidence(table, score), table["dice"].to_numpy(float)
        order = np.argsort(confidence, kind="stable")
        bad = dice[order] < BAD
        counts = (np.concatenate([[0], np.cumsum(hit)]) for hit in (bad, ~bad))
        return cls(confidence[order], dice[order], *counts)

    def _worths(self, price: float) -> np.ndarray:
        return np.where(self.bad >= _LEAST_OF_EACH * self.bad[-1], price * self.bad - self.good, -np.inf)

    def step(self, price: float) -> int:
        """How many objects to flag where a missed bad one costs so many needless flags; at least most bad ones."""
        worths = self._worths(price)
        return int(np.flatnonzero(worths == worths.max())[-1])

    def worth(self, price: float) -> float:
        """What the best step is worth: the price of the bad objects flagged, less the needless flags."""
        return float(self._worths(price).max())

    def bound(self, step: int) -> float:
        """Confidence midway between the last object that is flagged and the next."""
        if step == 0:
            return float(self.confidence[0]) - 1e-3 * max(float(np.ptp(self.confidence)), 1e-3)
        if step == len(self.confidence):
            return float(self.confidence[-1]) + 1e-9
        return float(self.confidence[step - 1] + self.confidence[step]) / 2


def _aim(wish: float, bad: int) -> float:
    """How many of so many bad objects to flag: the wish and a one-sided 95 % margin of a binomial share.

    The bounds shall hold for people who had no part in them.
    """
    return min(wish + _MARGIN * math.sqrt(wish * (1 - wish) / max(bad, 1)), 1.0) * bad


def _steps(ladders: Mapping[Structure, _Ladder], wish: float) -> dict[Structure, int]:
    """How many objects of each structure to flag: the wished share of all bad ones, with the fewest needless flags."""
    aim = _aim(wish, sum(int(ladder.bad[-1]) for ladder in ladders.values()))
    for price in _PRICES:
        steps = {structure: ladder.step(price) for structure, ladder in ladders.items()}
        if sum(int(ladders[s].bad[n]) for s, n in steps.items()) >= aim:
            return steps
    return {structure: int(np.argmax(ladder.bad)) for structure, ladder in ladders.items()}


def fit_thresholds(table: pd.DataFrame, scores: Mapping[Structure, str], wish: float = WISH[0]) -> Thresholds:
    """Bounds of each structure on its score, from a table of objects.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`object_table`.
    scores : mapping of Structure to str
        The score that decides for each structure.
    wish : float
        Share of bad objects to flag.

    Returns
    -------
    Thresholds
        An object passes above ``enough``; the bounds flag the wished share of the bad objects of all structures, and
        most of each, with as few needless flags as can be. It fails below ``least``, where a Dice below 0.5 is to be
        expected of one that is so unsure. A structure without objects takes its bounds from all together.
    """
    ladders = {}
    for structure, score in scores.items():
        seen = table[~table["missed"] & table[score].notna()]
        own = seen[seen["structure"] == structure.value]
        if seen.empty:
            return Thresholds()
        ladders[structure] = _Ladder.of(seen if own.empty else own, score)
    enough, least = {}, {}
    for structure, step in _steps(ladders, wish).items():
        sign, ladder = SCORES[scores[structure]][0], ladders[structure]
        bound = ladder.bound(step)
        enough[structure] = sign * bound
        least[structure] = sign * min(_failing(ladder.confidence, ladder.dice), bound)
    bounds = Thresholds(dict(scores), enough, least)
    return replace(bounds, share=_shares(table, bounds, wish))


def structure_table(table: pd.DataFrame, flagged: np.ndarray) -> pd.DataFrame:
    """One row a structure of a case: ``dice``, the mean over its objects, and ``share``, how many of them are flagged.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`object_table`.
    flagged : np.ndarray
        bool (objects,).
    """
    seen = table.assign(share=np.asarray(flagged, float))
    return seen.groupby(["case", "subject", "structure"], as_index=False, sort=False)[["dice", "share"]].mean()


def _shares(table: pd.DataFrame, bounds: Thresholds, wish: float) -> dict[Structure, float]:
    """Largest share of doubtful objects with which a structure passes, so that the wished share of bad ones does not.

    A structure of a case is bad if the mean Dice of its objects is below the bound of a bad object. One with too few
    bad cases takes its share from all structures together; more than half in doubt never passes.
    """
    whole = structure_table(table, _flagged(table, bounds))
    out = {}
    for structure in bounds.enough:
        own = whole[whole["structure"] == structure.value]
        if (own["dice"] < BAD).sum() < _FEW:
            own = whole
        bad = np.sort(own.loc[own["dice"] < BAD, "share"])
        rank = len(bad) - min(math.ceil(wish * (len(bad) + 1)), len(bad))
        out[structure] = min(max(float(bad[rank]) - 1e-6, 0.0), _MOST_IN_DOUBT) if len(bad) else 0.0
    return out


def _failing(confidence: np.ndarray, dice: np.ndarray) -> float:
    """Largest confidence at which a Dice below 0.5 is to be expected, by isotonic regression."""
    order = np.argsort(confidence, kind="stable")
    expected = isotonic_regression(dice[order]).x
    hit = np.flatnonzero(expected < _FAILED)
    return float(confidence[order][hit[-1]]) if len(hit) else float(confidence.min()) - 1e-3


def _flagged(table: pd.DataFrame, thresholds: Thresholds) -> np.ndarray:
    """Whether a reader is warned of each object.

    By its own flag; a missed one where the case says that it was not seen; all of them where the case fails.
    """
    unsure = np.zeros(len(table), bool)
    for structure, score in thresholds.score.items():
        own = (table["structure"] == structure.value).to_numpy()
        unsure[own] = ~(_confidence(table[own], score) >= confidence_of(score, thresholds.enough[structure]))
    missed = table["missed"].to_numpy(bool)
    own = np.where(missed, table["announced"].to_numpy(bool), unsure)
    return own | table["case_failed"].to_numpy(bool)


@dataclass(frozen=True)
class FlagStudy:
    """What the scores are worth.

    Attributes
    ----------
    winner : str
        The best score over all structures.
    thresholds : Thresholds
        The scores that :func:`choose_scores` takes, and bounds on them from all subjects.
    scores : pandas.DataFrame
        structure, score, n, aurc, random, optimal, naurc, spearman, cross-fitted sensitivity and specificity.
    held_out : pandas.DataFrame
        Objects with ``flagged``: by scores and bounds chosen without their subject.
    structures : pandas.DataFrame
        Structures of cases as in :func:`structure_table`, with ``flagged``: too many objects in doubt, likewise.
    curves : dict of str to (coverage, risk)
        Of each score over all structures.
    """

    winner: str
    thresholds: Thresholds
    scores: pd.DataFrame
    held_out: pd.DataFrame
    structures: pd.DataFrame
    curves: dict[str, tuple[list[float], list[float]]]


def _naurc(table: pd.DataFrame, score: str) -> float:
    """Mean normalised AURC over the structures, each counting by its objects; missed ones have no score."""
    values, weights = [], []
    for _, own in table[~table["missed"] & table[score].notna()].groupby("structure"):
        value = risk_coverage(_confidence(own, score), own["dice"].to_numpy(float)).normalised
        if math.isfinite(value):
            values.append(value)
            weights.append(len(own))
    return float(np.average(values, weights=weights)) if values else float("nan")


def choose_score(table: pd.DataFrame) -> str:
    """The score with the largest mean normalised AURC over the structures, each counting by its objects."""
    found = {name: _naurc(table, name) for name in SCORES}
    found = {name: value for name, value in found.items() if math.isfinite(value)}
    return max(found, key=lambda name: found[name]) if found else "mean_dice"


def choose_scores(table: pd.DataFrame, wish: float = WISH[0]) -> dict[Structure, str]:
    """The score of each structure with which the wished share of all bad objects costs the fewest needless flags.

    A structure with few objects takes the score that does so on the objects of all of them.
    """
    seen = table[~table["missed"]]
    if seen.empty:
        return dict.fromkeys(Thresholds().score, "mean_dice")
    ladders: dict[Structure, dict[str, _Ladder]] = {}
    for structure in Thresholds().score:
        own = seen[seen["structure"] == structure.value]
        own = own if len(own) >= _MANY else seen
        usable = {name: own[own[name].notna()] for name in SCORES}
        ladders[structure] = {name: _Ladder.of(part, name) for name, part in usable.items() if len(part)}
    bad = sum(max(int(ladder.bad[-1]) for ladder in own.values()) for own in ladders.values())
    aim = _aim(wish, bad)
    chosen: dict[Structure, str] = {}
    for price in _PRICES:
        chosen = {s: max(own, key=lambda name, own=own: own[name].worth(price)) for s, own in ladders.items()}
        if sum(int(own[chosen[s]].bad[own[chosen[s]].step(price)]) for s, own in ladders.items()) >= aim:
            break
    return chosen


def _cross_fit(table: pd.DataFrame, choose: Callable[[pd.DataFrame], Mapping[Structure, str]]) -> np.ndarray:
    """Flags of every object by a score and bounds that its subject had no part in; clean and degraded together."""
    flags = np.zeros(len(table), bool)
    for subject in table["subject"].unique():
        own = (table["subject"] == subject).to_numpy()
        rest = table[~own]
        flags[own] = _flagged(table[own], fit_thresholds(rest, choose(rest)))
    return flags


def study_flags(table: pd.DataFrame) -> FlagStudy:
    """Compare the scores, choose one, and measure its flags by cross-fitting over subjects."""
    winner = choose_score(table)
    rows, curves = [], {}
    seen = table[~table["missed"]]
    for name in SCORES:
        usable = seen[seen[name].notna()]
        if usable.empty:
            continue
        flags = _cross_fit(table, lambda _, name=name: dict.fromkeys(Thresholds().score, name))
        groups = [("all", slice(None), usable)]
        groups += [(s, (table["structure"] == s).to_numpy(), usable[usable["structure"] == s]) for s in _kinds(table)]
        for structure, which, own in groups:
            if own.empty:
                continue
            found = risk_coverage(_confidence(own, name), own["dice"].to_numpy(float))
            part = table[which] if structure != "all" else table
            sensitivity, specificity = detection(flags[which], (part["dice"] < BAD).to_numpy())
            rows.append(
                {
                    "structure": structure,
                    "score": name,
                    "n": len(own),
                    "aurc": found.aurc,
                    "random": found.random,
                    "optimal": found.optimal,
                    "naurc": found.normalised,
                    "spearman": found.spearman,
                    "sensitivity": sensitivity,
                    "specificity": specificity,
                }
            )
            if structure == "all":
                curves[name] = (found.coverage.tolist(), found.risk.tolist())
    held_out = table.assign(flagged=_cross_fit(table, choose_scores))
    return FlagStudy(
        winner,
        fit_thresholds(table, choose_scores(table)),
        pd.DataFrame(rows),
        held_out,
        _held_out_structures(table),
        curves,
    )


def _held_out_structures(table: pd.DataFrame) -> pd.DataFrame:
    """Structures of cases, flagged by bounds and shares that their subject had no part in."""
    found = []
    for subject in table["subject"].unique():
        own, rest = table[table["subject"] == subject], table[table["subject"] != subject]
        bounds = fit_thresholds(rest, choose_scores(rest))
        whole = structure_table(own, _flagged(own, bounds))
        allowed = np.array([bounds.share[Structure(s)] for s in whole["structure"]], float)
        found.append(whole.assign(flagged=whole["share"].to_numpy() > allowed))
    return pd.concat(found, ignore_index=True)


def _kinds(table: pd.DataFrame) -> list[str]:
    return [s.value for s in Structure if (table["structure"] == s.value).any()]
