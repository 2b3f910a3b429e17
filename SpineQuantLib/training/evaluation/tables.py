"""From single scores to the tables that are read: means with intervals by subject, errors of the measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import pandas as pd

from ..statistics import Estimate, agreement, mean_estimate
from .measures import MeasurePair
from .score import COMMITTEE, MaskScore, NameScore

__all__ = [
    "ALL",
    "RATERS",
    "consensus_table",
    "mask_table",
    "measure_table",
    "name_table",
    "pair_frame",
    "score_frame",
    "text",
]

ALL = "all"
"""In a column of groups: everything together."""
RATERS = "raters"
"""In the column ``judged``: one rater against another."""
_SCORES = ("dice", "nsd", "hd95")
_ERRORS = ("bias", "lower_limit", "upper_limit", "rmse", "mae", "icc")


def score_frame(scores: Sequence[MaskScore]) -> pd.DataFrame:
    """One row a score; the columns are there even without rows."""
    return pd.DataFrame([asdict(s) for s in scores], columns=list(MaskScore.__dataclass_fields__))


def pair_frame(pairs: Sequence[MeasurePair]) -> pd.DataFrame:
    """One row a pair, with its ``error`` (measured − manual)."""
    frame = pd.DataFrame([asdict(p) for p in pairs], columns=list(MeasurePair.__dataclass_fields__))
    frame["measured"] = pd.to_numeric(frame["measured"])
    frame["error"] = frame["measured"] - frame["manual"]
    return frame


def _cells(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {name: estimate.value, f"{name}_lower": estimate.lower, f"{name}_upper": estimate.upper}


def _grouped(frame: pd.DataFrame, keys: list[str], pooled: Sequence[str]) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """Groups by ``keys``, and the same with each of the ``pooled`` keys taken together."""
    out: list[tuple[dict[str, str], pd.DataFrame]] = []
    for together in ((), *((p,) for p in pooled), tuple(pooled)):
        rest = [k for k in keys if k not in together]
        for values, part in frame.groupby(rest, sort=False, dropna=False):
            group = dict(zip(rest, values, strict=True))
            out.append(({k: group.get(k, ALL) for k in keys}, part))
    return out


def _tabulated(
    groups: list[tuple[dict[str, str], pd.DataFrame]], summary: Callable[[pd.DataFrame], dict[str, object]]
) -> pd.DataFrame:
    """A row a group; groups of the same rows, as where there is one contrast only, are summarised once."""
    done: dict[tuple[int, ...], dict[str, object]] = {}
    rows = []
    for group, part in groups:
        members = tuple(part.index)
        if members not in done:
            done[members] = summary(part)
        rows.append({**group, **done[members]})
    return pd.DataFrame(rows)


def mask_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Dice, NSD and HD95 per structure, level, contrast and set, with 95 % intervals by subject.

    Parameters
    ----------
    frame : pandas.DataFrame
        As :func:`score_frame` makes it.

    Returns
    -------
    pandas.DataFrame
        ``judged`` is the committee or ``raters``. Levels are empty for a structure as a whole; contrast and set are
        ``all`` where several are taken together.
    """

    def summary(part: pd.DataFrame) -> dict[str, object]:
        row: dict[str, object] = {"annotations": len(part), "subjects": part["subject"].nunique()}
        for score in _SCORES:
            known = part[part[score].notna()]
            row |= _cells(score, mean_estimate(known[score].tolist(), known["subject"].tolist()))
        row |= {"dice_median": part["dice"].median(), "dice_worst": part["dice"].min()}
        found = part["found"].dropna()
        return row | {"found": int(found.sum()) if len(found) else None, "drawn": len(found) or None}

    keys = ["judged", "structure", "reference", "level", "contrast", "source"]
    return _tabulated(_grouped(_by_kind(frame), keys, ("contrast", "source")), summary)


def measure_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Errors of each measurement: bias, limits of agreement, RMSE, mean absolute error, ICC, with intervals.

    Parameters
    ----------
    frame : pandas.DataFrame
        As :func:`pair_frame` makes it.

    Returns
    -------
    pandas.DataFrame
        ``pairs`` is how many values were compared, ``missed`` how many of the annotator's had no counterpart.
    """

    def summary(part: pd.DataFrame) -> dict[str, object]:
        known = part[part["measured"].notna()]
        found = agreement(known["measured"].tolist(), known["manual"].tolist(), known["subject"].tolist())
        row: dict[str, object] = {"pairs": found.count, "missed": len(part) - len(known), "subjects": found.subjects}
        for name in _ERRORS:
            row |= _cells(name, getattr(found, name))
        return row | {"mean": part["manual"].mean()}

    keys = ["judged", "structure", "measurement", "method", "unit", "reference", "level", "contrast"]
    return _tabulated(_grouped(_by_kind(frame), keys, ("level", "contrast")), summary)


def _by_kind(frame: pd.DataFrame) -> pd.DataFrame:
    """The committee apart from the raters, who are taken together."""
    return frame.assign(judged=frame["judged"].where(frame["judged"] == COMMITTEE, RATERS))


def consensus_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Errors of each measurement against the mean of those who drew the same object, beside those against each alone.

    Single raters err too; what they err differently about leaves their mean. An error against one rater holds that
    rater's own, so that two of equal skill are apart by √2 of it.

    Parameters
    ----------
    frame : pandas.DataFrame
        As :func:`pair_frame` makes it.

    Returns
    -------
    pandas.DataFrame
        Rows are measurements that at least two raters gave a value for. ``values`` is how many such values there
        are, ``alone`` the root mean square error of the committee against single raters, ``mean`` that against their
        mean, ``bias`` its mean, and ``raters`` the root mean square difference between two raters.
    """
    own = frame[(frame["judged"] == COMMITTEE) & frame["measured"].notna()]
    what = ["structure", "measurement", "method", "unit", "reference"]
    objects = own.groupby(["id", "subject", *what, "level", "side"], sort=False, dropna=False)
    several = objects.filter(lambda part: len(part) > 1)
    if several.empty:
        return pd.DataFrame(columns=[*what, "values", "subjects", "alone", "mean", "bias", "raters"])
    means = several.groupby(list(objects.keys), sort=False, dropna=False).agg(
        measured=("measured", "first"),
        manual=("manual", "mean"),
        squares=("error", lambda e: float((e**2).mean())),
        # Of all pairs of values the mean squared difference is twice their variance.
        apart=("manual", lambda v: 2.0 * float(v.var())),
    )
    means["error"] = means["measured"] - means["manual"]
    rows = []
    for key, part in means.reset_index().groupby(what, sort=False, dropna=False):
        row = dict(zip(what, key, strict=True))
        row |= {"values": len(part), "subjects": part["subject"].nunique()}
        row |= {"alone": part["squares"].mean() ** 0.5, "mean": (part["error"] ** 2).mean() ** 0.5}
        rows.append(row | {"bias": part["error"].mean(), "raters": part["apart"].mean() ** 0.5})
    return pd.DataFrame(rows)


def name_table(scores: Sequence[NameScore]) -> pd.DataFrame:
    """Volumes whose levels were named rightly, wrongly, or not; with S1 in view, and without."""
    frame = pd.DataFrame([asdict(s) for s in scores], columns=list(NameScore.__dataclass_fields__))
    rows = []
    for view, part in (("S1 in view", frame[frame["sacrum"]]), ("S1 not in view", frame[~frame["sacrum"]])):
        count = part["outcome"].value_counts()
        outcomes = {o: int(count.get(o, 0)) for o in ("right", "wrong", "abstained", "no spine")}
        sides = {"sides wrong": int(part["sides_wrong"].sum()), "sides": int(part["sides"].sum())}
        rows.append({"view": view, "volumes": len(part), **outcomes, **sides})
    return pd.DataFrame(rows)


def text(row: pd.Series, name: str, decimals: int) -> str:
    """An estimate of a table's row in words, for example ``0.91 (0.89–0.93)``; empty where it is not defined."""
    if pd.isna(row[name]):
        return ""
    value = f"{row[name] + 0.0:.{decimals}f}"
    if pd.isna(row[f"{name}_lower"]):
        return value
    low, high = (f"{row[f'{name}_{end}']:.{decimals}f}" for end in ("lower", "upper"))
    return f"{value} ({low} to {high})"
