"""Intervals: fitted on residuals of held-out volumes, and their coverage on subjects that had no part in the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..anatomy.structures import Structure
from ..uncertainty.calibration import Calibration, IntervalRule
from ..uncertainty.intervals import fit_rule
from .examine import CaseRecord

__all__ = ["CoverageStudy", "fit_rules", "row_table", "study_coverage"]

_LEAST_ROWS, _LEAST_SUBJECTS = 20, 3


def row_table(records: Sequence[CaseRecord]) -> pd.DataFrame:
    """One row a measurement with its true value; ``rule`` is the key of its interval."""
    rows = [
        {"case": r.key, "subject": r.subject, "kind": r.kind, "family": r.family or "clean", **vars(row)}
        for r in records
        for row in r.rows
    ]
    columns = ["case", "subject", "kind", "family", "structure", "level", "side", "name", "method", "unit"]
    table = pd.DataFrame(rows, columns=[*columns, "value", "truth", "spread"])
    table["rule"] = [
        Calibration.rule_key(Structure(s), n, m)
        for s, n, m in zip(table["structure"], table["name"], table["method"], strict=True)
    ]
    return table


def _enough(rows: pd.DataFrame) -> bool:
    return len(rows) >= _LEAST_ROWS and rows["subject"].nunique() >= _LEAST_SUBJECTS


def fit_rules(table: pd.DataFrame, coverage: float) -> dict[str, IntervalRule]:
    """Rule of every measurement: from real volumes where there are enough, else from phantoms, else none.

    Enough are 20 residuals of 3 people. Levels and sides share a rule: with so few people there are too few of each.
    """
    rules = {}
    for key, rows in table[table["family"] == "clean"].groupby("rule"):
        for basis in ("real", "phantom"):
            own = rows[rows["kind"] == basis]
            if not _enough(own):
                continue
            people, levels = own["subject"].tolist(), own["level"].tolist()
            rule = fit_rule(own["value"] - own["truth"], own["spread"], people, coverage, basis, levels)
            if rule is not None:
                rules[str(key)] = rule
                break
    return rules


def _covered(table: pd.DataFrame, rules: dict[str, IntervalRule]) -> pd.DataFrame:
    """Rows that have a rule of their own kind of volume, with ``inside`` and ``width``."""
    own = table[
        [key in rules and rules[key].basis == kind for key, kind in zip(table["rule"], table["kind"], strict=True)]
    ]
    scale = np.array([rules[k].floor for k in own["rule"]]) + own["spread"].to_numpy(float)
    scale = scale * [rules[k].widening(level) for k, level in zip(own["rule"], own["level"], strict=True)]
    lower = own["value"] - np.array([rules[k].lower for k in own["rule"]]) * scale
    upper = own["value"] + np.array([rules[k].upper for k in own["rule"]]) * scale
    return own.assign(inside=(own["truth"] >= lower) & (own["truth"] <= upper), width=upper - lower)


@dataclass(frozen=True)
class CoverageStudy:
    """Intervals and how often they hold the truth.

    Attributes
    ----------
    rules : dict of str to IntervalRule
        From all subjects.
    by_measurement, by_level, by_structure : pandas.DataFrame
        Cross-fitted coverage of clean volumes; ``n`` rows of ``subjects`` people, median half-width.
    degraded : pandas.DataFrame
        The same for mildly degraded volumes, which no rule was fitted on.
    """

    rules: dict[str, IntervalRule]
    by_measurement: pd.DataFrame
    by_level: pd.DataFrame
    by_structure: pd.DataFrame
    degraded: pd.DataFrame


def study_coverage(table: pd.DataFrame, coverage: float) -> CoverageStudy:
    """Fit the rules, and measure them by leaving out one subject after the other."""
    held_out = []
    for subject in table["subject"].unique():
        own = table["subject"] == subject
        held_out.append(_covered(table[own], fit_rules(table[~own], coverage)))
    found = pd.concat(held_out) if held_out else _covered(table, {})
    clean = found[found["family"] == "clean"]
    return CoverageStudy(
        fit_rules(table, coverage),
        _summary(clean, ["structure", "name", "method", "unit", "kind"]),
        _summary(clean, ["structure", "level", "kind"]),
        _summary(clean, ["structure", "kind"]),
        _summary(found[found["family"] != "clean"], ["family", "kind"]),
    )


def _summary(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(columns=[*by, "n", "subjects", "coverage", "half_width"])
    grouped = table.groupby(by, sort=False)
    out = pd.DataFrame(
        {
            "n": grouped.size(),
            "subjects": grouped["subject"].nunique(),
            "coverage": grouped["inside"].mean(),
            "half_width": grouped["width"].median() / 2,
        }
    )
    return out.reset_index()
