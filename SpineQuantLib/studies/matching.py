"""Which found object is which true one, by overlap and not by name, and how well it is met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..anatomy.labels import CANAL_VALUE, describe
from ..anatomy.levels import vertebra_value
from ..anatomy.structures import Structure
from ..case.opinion import Assessment, Score, Verdict
from ..case.spine import NamedSpine
from ..segment.instances import LEFT_OUT
from ..uncertainty.territory import Territory, level_rows
from ..uncertainty.thresholds import SCORES
from .truth import Truth

__all__ = ["ObjectRecord", "judge_objects", "name_map"]

_SINGLE = (Structure.VERTEBRA, Structure.DISC, Structure.FORAMEN)
_LEAST_KNOWN = 0.5


@dataclass
class ObjectRecord:
    """One object of a case: what the committee felt about it, and how right it was.

    Attributes
    ----------
    structure, level, side : str
        Level as the truth names it; for what is not there in truth, as the committee does.
    dice : float
        Dice with the truth, over voxels where that is known; mean over raters; 0 for a missed object.
    scores : dict of str to float
        By name; empty for a missed object.
    missed : bool
        Drawn by a rater and not found.
    announced : bool
        Of a missed object: whether the assessment says that it was not seen.
    """

    structure: str
    level: str
    side: str
    dice: float
    scores: dict[str, float] = field(default_factory=dict)
    missed: bool = False
    announced: bool = False


def _pairs(found: np.ndarray, true: np.ndarray) -> dict[int, int]:
    """True value → found value where each is the other's largest overlap."""
    both = (found > 0) & (true > 0)
    if not both.any():
        return {}
    values, counts = np.unique(np.stack([true[both], found[both]]), axis=1, return_counts=True)
    best_found: dict[int, tuple[int, int]] = {}
    best_true: dict[int, tuple[int, int]] = {}
    for (t, f), n in zip(values.T.tolist(), counts.tolist(), strict=True):
        best_found[t] = max(best_found.get(t, (0, 0)), (n, f))
        best_true[f] = max(best_true.get(f, (0, 0)), (n, t))
    return {t: f for t, (_, f) in best_found.items() if best_true[f][1] == t}


def _only(labels: np.ndarray, structure: Structure) -> np.ndarray:
    values = [v for v in np.unique(labels) if v and describe(int(v)).structure is structure and v != CANAL_VALUE]
    return np.where(np.isin(labels, values), labels, 0)


def _dice(found: np.ndarray, true: np.ndarray, known: np.ndarray) -> float:
    found = found & known
    total = int(found.sum()) + int(true.sum())
    return float(2 * (found & true).sum() / total) if total else 1.0


def name_map(spine: NamedSpine, truth: Truth) -> dict[str, str]:
    """Name of each vertebra in the spine → its name in the truth; from bodies, else from the discs below them."""
    names: dict[str, str] = {}
    for structure in (Structure.DISC, Structure.VERTEBRA):
        for t, f in _pairs(_only(spine.labels, structure), _only(truth.labels, structure)).items():
            names[spine.label(f).level.split("-")[0]] = truth.level(t).split("-")[0]
    return names


def _values(score: Score) -> dict[str, float]:
    return {name: float(value) for name in SCORES if (value := getattr(score, name)) is not None}


def judge_objects(
    spine: NamedSpine, assessment: Assessment, sac: Sequence[Territory], truths: Sequence[Truth]
) -> list[ObjectRecord]:
    """Every object that a rater drew, and, where the truth is complete, every one that was made up.

    Parameters
    ----------
    spine : NamedSpine
        What was found.
    assessment : Assessment
        With a score for each object of it.
    sac : sequence of Territory
        Stretches of the dural sac, level by level.
    truths : sequence of Truth
        One a rater.
    """
    scores = {(s.structure, s.level, s.side): s for s in assessment.scores if s.structure and s.level}
    rated: dict[tuple[str, str, str], list[ObjectRecord]] = {}
    for n, truth in enumerate(truths):
        # Bodies and discs are the same for all raters.
        kinds = _SINGLE if n == 0 else (Structure.FORAMEN,)
        records = [r for kind in kinds for r in _judge_kind(kind, spine, assessment, scores, truth)]
        records += _judge_sac(spine, assessment, scores, sac, truth)
        for record in records:
            rated.setdefault((record.structure, record.level, record.side), []).append(record)
    return [_mean(records) for records in rated.values()]


def _mean(records: list[ObjectRecord]) -> ObjectRecord:
    first = records[0]
    dice = float(np.mean([r.dice for r in records]))
    return ObjectRecord(
        first.structure, first.level, first.side, dice, first.scores, all(r.missed for r in records), first.announced
    )


def _judge_kind(
    structure: Structure,
    spine: NamedSpine,
    assessment: Assessment,
    scores: dict[tuple[Structure, str, object], Score],
    truth: Truth,
) -> list[ObjectRecord]:
    found, true, known = _only(spine.labels, structure), _only(truth.labels, structure), truth.known(structure)
    pairs = _pairs(found, true)
    names = _with_unseen(spine, truth, {t: f for f, t in name_map(spine, truth).items()})
    records = []
    for t in truth.values(structure):
        level, side = truth.level(t), describe(t).side
        if t in pairs:
            label = spine.label(pairs[t])
            score = scores[structure, label.level, label.side]
            dice = _dice(found == pairs[t], true == t, known)
            records.append(ObjectRecord(structure.value, level, side.value if side else "", dice, _values(score)))
            continue
        if truth.cut_by_view(t):
            # Of what the edge of the view cuts nothing is claimed, so that nothing can be missed.
            continue
        upper = names.get(level.split("-")[0])
        beyond = upper is None and _told_to_end(level, truth, names, assessment.reasons)
        announced = beyond or any(
            s.structure is structure
            and s.mean_dice is None
            and s.verdict is not Verdict.PASS
            and (not s.level or (s.level.split("-")[0] == upper and s.side == side))
            for s in assessment.scores
        )
        records.append(
            ObjectRecord(structure.value, level, side.value if side else "", 0.0, {}, missed=True, announced=announced)
        )
    if truth.complete:
        used = set(pairs.values())
        for f in (int(v) for v in np.unique(found) if v and int(v) not in used):
            if known[found == f].mean() >= _LEAST_KNOWN and not (true[found == f] > 0).any():
                label = spine.label(f)
                score = scores[structure, label.level, label.side]
                side = label.side.value if label.side else ""
                records.append(ObjectRecord(structure.value, f"{label.level} (none)", side, 0.0, _values(score)))
    return records


_ENDS_BELOW = ("the sacrum is not in view", "below the lowest disc in view no body was recognised")


def _told_to_end(level: str, truth: Truth, names: dict[str, str], reasons: Sequence[str]) -> bool:
    """Whether the case says that its result does not reach as far as a level that it knows nothing of."""
    order = truth.vertebrae
    known = [order.index(name) for name in names if name in order]
    below = not known or level.split("-")[0] not in order or order.index(level.split("-")[0]) > max(known)
    return any(
        reason.startswith("field of view") or LEFT_OUT in reason or (below and any(w in reason for w in _ENDS_BELOW))
        for reason in reasons
    )


def _with_unseen(spine: NamedSpine, truth: Truth, names: dict[str, str]) -> dict[str, str]:
    """Name in the truth → name in the spine, also of bodies that the spine counts without having seen them."""
    order, found = truth.vertebrae, spine.vertebrae
    steps = {n: found.index(names[t]) - n for n, t in enumerate(order) if names.get(t) in found}
    out = dict(names)
    for n, t in enumerate(order):
        if t in out or not steps:
            continue
        above = [step for at, step in steps.items() if at < n][-1:]
        below = [step for at, step in steps.items() if at > n][:1]
        # Between two known neighbours the count has to agree from both sides.
        if above == below and not spine.has(vertebra_value(found[n + above[0]])):
            out[t] = found[n + above[0]]
    return out


def _judge_sac(
    spine: NamedSpine,
    assessment: Assessment,
    scores: dict[tuple[Structure, str, object], Score],
    sac: Sequence[Territory],
    truth: Truth,
) -> list[ObjectRecord]:
    true = truth.labels == CANAL_VALUE
    if not true.any():
        return []
    kind = Structure.CANAL.value
    if not spine.has(CANAL_VALUE):
        return [ObjectRecord(kind, "", "", 0.0, {}, missed=True, announced=True)]
    names, known = name_map(spine, truth), truth.known(Structure.CANAL)
    stretches = {t.level: t for t in sac}
    records = []
    for level, rows in level_rows(spine).items():
        upper = names.get(level.split("-")[0])
        if upper is None:
            continue
        if level in stretches:
            t = stretches[level]
            if known[t.box].mean() >= _LEAST_KNOWN:
                dice = _dice(t.own, true[t.box], known[t.box])
                records.append(ObjectRecord(kind, upper, "", dice, _values(scores[Structure.CANAL, level, None])))
        elif true[:, rows].any():
            told = any(reason.startswith("the dural sac near") for reason in assessment.reasons)
            records.append(ObjectRecord(kind, upper, "", 0.0, {}, missed=True, announced=told))
    return records
