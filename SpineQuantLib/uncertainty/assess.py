"""The verdict on a case, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from ..anatomy.levels import LUMBAR_COLUMN, vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.opinion import Assessment, CommitteeOpinion, Score, Verdict
from ..case.spine import NamedSpine
from .agreement import agreement_of
from .calibration import Calibration
from .disagreement import disagreement_map
from .familiarity import FOREIGN, USUAL
from .scores import NOUNS, score_objects, score_structures
from .territory import Territory, sac_territories, territories
from .thresholds import Thresholds

__all__ = ["absent_objects", "assess", "reasons_in_spine"]

_FEW_BODIES = 3
_MANY = 3
_NARROW_SHARE = 0.5
_NARROW_REACH = (8.0, 30.0)
"""Millimetres along the column between a section of the sac and those that it is compared with."""


def assess(
    opinion: CommitteeOpinion,
    spine: NamedSpine,
    notes: Sequence[str] = (),
    calibration: Calibration | None = None,
    objects: Sequence[Territory] | None = None,
) -> Assessment:
    """Judge how far a result can be trusted.

    Parameters
    ----------
    opinion : CommitteeOpinion
        What each member said.
    spine : NamedSpine
        What was made of it, on the same grid.
    notes : sequence of str
        What is odd about the input; each is a reason to review.
    calibration : Calibration, optional
        Bounds, temperatures and training volumes of the model; bounds by judgement where it has none.
    objects : sequence of Territory, optional
        From :func:`~SpineQuantLib.uncertainty.territory.territories`, if that was called already.

    Returns
    -------
    Assessment
        Fails if the input is altogether unlike the training volumes, if the members hardly agree, if most of the spine
        is missing, or if the bodies fail; to be reviewed if an object is absent or probably wrong, if more objects of a
        structure are doubtful than is usual, if the levels have no sure names, or if the view ends within the lumbar
        spine. A doubtful object has its own flag, also in a case that passes. The case's own agreement is of the mean
        of the Dice matrices of the structures, so that each counts alike; its other scores are means over them.
    """
    thresholds = calibration.thresholds if calibration else Thresholds()
    temperatures = calibration.temperatures if calibration else {}
    objects = territories(spine) if objects is None else objects
    single = [t for t in objects if t.structure is not Structure.CANAL]
    matrices, whole = score_structures(opinion, spine, temperatures)
    judged = [
        _judged(score, t.name, thresholds)
        for t, score in zip(single, score_objects(opinion, single, temperatures), strict=True)
    ]
    sac = sac_territories(spine)
    judged += [
        _judged(score, t.name, thresholds)
        for t, score in zip(sac, score_objects(opinion, sac, temperatures), strict=True)
    ]
    judged = [_seen_late(score, t.name, opinion) for t, score in zip([*single, *sac], judged, strict=True)]
    scored = sorted([*judged, *absent_objects(spine)], key=lambda score: _order(spine, score))
    structures = [_whole(whole[s], scored, thresholds) if s in whole else _unseen(s) for s in NOUNS]
    distance = _distance(opinion, calibration)
    foreign, unusual = _unlike(distance)
    fatal = [*foreign, *_fatal(spine, structures)]
    case = _case(matrices, whole)
    if case.mean_dice is not None and case.mean_dice < thresholds.case_least:
        fatal.append(f"the members of the committee hardly agree, Dice {case.mean_dice:.2f}")
    reasons = [
        *fatal,
        *unusual,
        *reasons_in_spine(spine),
        *_doubts(structures, [s for s in scored if s.structure in whole]),
        *notes,
    ]
    reasons = list(dict.fromkeys(reasons))
    verdict = Verdict.FAIL if fatal else Verdict.REVIEW if reasons else Verdict.PASS
    case = replace(case, verdict=verdict, reason=reasons[0] if reasons else "")
    return Assessment(
        verdict, tuple(reasons), (case, *structures, *scored), disagreement_map(opinion.members), distance
    )


def _judged(score: Score, name: str, thresholds: Thresholds) -> Score:
    score = replace(score, verdict=thresholds.verdict(score))
    return replace(score, reason=thresholds.reason(score, name))


def _seen_late(score: Score, name: str, opinion: CommitteeOpinion) -> Score:
    """A foramen that was seen at a second look alone is never passed unread."""
    if score.structure is not Structure.FORAMEN or score.level not in opinion.seen_again or score.reason:
        return score
    reason = f"{name}: seen at a second look, with the disc turned level; check its outline"
    return replace(score, verdict=Verdict.REVIEW, reason=reason)


def _whole(score: Score, objects: Sequence[Score], thresholds: Thresholds) -> Score:
    """A structure as a whole: it fails by its own score, and is to be reviewed if too many of its objects are in doubt.

    An object that was not seen, or that fails, is one too many.
    """
    noun = NOUNS[score.structure]
    judged = _judged(score, noun, thresholds)
    own = [s for s in objects if s.structure is score.structure]
    if judged.verdict is Verdict.FAIL or not own:
        return judged
    doubtful = sum(s.verdict is not Verdict.PASS for s in own)
    lost = any(s.verdict is Verdict.FAIL or s.mean_dice is None for s in own)
    if lost or doubtful > thresholds.share[score.structure] * len(own):
        return replace(judged, verdict=Verdict.REVIEW, reason=f"{noun}: {doubtful} of {len(own)} in doubt")
    return replace(judged, verdict=Verdict.PASS, reason="")


def _unseen(structure: Structure) -> Score:
    return Score(structure, "", None, None, None, None, Verdict.REVIEW, f"no {NOUNS[structure]} found")


def _doubts(structures: Sequence[Score], objects: Sequence[Score]) -> list[str]:
    """Reasons that lie in the scores of structures that do not pass.

    Objects speak for their structure; where most of them are in doubt the structure speaks for all but those that were
    not seen or are probably wrong, since nobody reads a dozen like lines.
    """
    found: list[str] = []
    late: list[str] = []
    for whole in (s for s in structures if s.verdict is not Verdict.PASS):
        own = [s for s in objects if s.structure is whole.structure]
        doubtful = [s for s in own if s.verdict is not Verdict.PASS]
        grave = [s for s in doubtful if s.verdict is Verdict.FAIL or s.mean_dice is None]
        many = len(doubtful) > max(_MANY, len(own) / 2)
        if many or not doubtful or whole.verdict is Verdict.FAIL:
            found.append(whole.reason)
        late += [s.reason for s in (grave if many else doubtful)]
    return [*found, *late]


def _case(matrices: dict[Structure, np.ndarray], whole: dict[Structure, Score]) -> Score:
    """Scores of the case; the verdict is still to come."""
    if not matrices:
        return Score(None, "", None, None, None, None, Verdict.FAIL)
    agreement = agreement_of(np.mean(list(matrices.values()), axis=0))

    def mean(name: str) -> float | None:
        values = [getattr(s, name) for s in whole.values()]
        return None if any(v is None for v in values) else float(np.mean(values))

    return Score(
        None,
        "",
        None,
        agreement.entropy,
        agreement.eigenvalue,
        agreement.mean_dice,
        Verdict.PASS,
        "",
        mean("voxel_entropy"),
        mean("mutual_information"),
        mean("expected_dice"),
    )


def _distance(opinion: CommitteeOpinion, calibration: Calibration | None) -> float | None:
    if calibration is None or calibration.familiarity is None or opinion.embedding is None:
        return None
    return calibration.familiarity.unlikeness(opinion.embedding)


def _unlike(distance: float | None) -> tuple[list[str], list[str]]:
    """Fatal reasons and reasons to review that lie in how unlike the training volumes the image is."""
    if distance is None or distance <= USUAL:
        return [], []
    reason = (
        "the image is unlike those that the networks learnt from (another body part, scanner, contrast or artefact?): "
        f"{distance:.1f} times as far as is usual"
    )
    return ([reason], []) if distance > FOREIGN else ([], [reason])


def _fatal(spine: NamedSpine, structures: Sequence[Score]) -> list[str]:
    """Reasons for which nothing of a case can be used."""
    bodies = sum(spine.has(vertebra_value(name)) for name in spine.vertebrae)
    found = []
    if not spine.shows_canal and bodies < _FEW_BODIES:
        found.append(f"no dural sac and only {bodies} vertebral bodies were found")
    found += [s.reason for s in structures if s.structure is Structure.VERTEBRA and s.verdict is Verdict.FAIL]
    return found


def reasons_in_spine(spine: NamedSpine) -> list[str]:
    """Reasons to review that lie in the names, the view and the shape of the sac, whoever drew and named them."""
    return [*_naming(spine), *_view(spine), *_narrow_sac(spine)]


def _naming(spine: NamedSpine) -> list[str]:
    """Reasons that lie in the names of the levels."""
    if not spine.naming.named:
        return [f"levels could not be named: {doubt}" for doubt in spine.naming.doubts] or ["levels could not be named"]
    return [f"names of the levels: {doubt}" for doubt in spine.naming.doubts]


def _view(spine: NamedSpine) -> list[str]:
    """Reasons that lie in the field of view, where the levels have names."""
    if not spine.naming.named:
        return []
    top, foot = spine.vertebrae[0], spine.vertebrae[-1]
    found = []
    if foot != "S1":
        found.append(f"field of view ends at {foot}; the spine below is not in view")
    if top in LUMBAR_COLUMN[1:]:
        found.append(f"field of view begins at {top}; the lumbar spine above is not in view")
    return found


def _narrow_sac(spine: NamedSpine) -> list[str]:
    """Places where the sac is much smaller than above and below: severe stenosis, or a sac that was half recognised.

    Compared are the sac's cross-sections by rows of the volume, 8 to 30 mm apart. Either cause makes its measures
    there worth a look, and nothing in the members' agreement need tell of it.
    """
    if not spine.shows_canal:
        return []
    box = spine.boxes[CANAL_VALUE]
    area = np.zeros(spine.grid.shape[1])
    area[box[1]] = np.count_nonzero(spine.labels[box] == CANAL_VALUE, axis=(0, 2))
    rows = np.flatnonzero(area)
    low, high = (max(round(mm / spine.grid.spacing[1]), 1) for mm in _NARROW_REACH)
    if len(rows) <= low + high:
        return []
    middle = np.arange(rows[0] + high, rows[-1] + 1 - low)
    windows = sliding_window_view(np.pad(area, (0, high)), high - low + 1)
    above, below = np.median(windows[middle - high], axis=1), windows[middle + low].max(axis=1)
    hits = middle[area[middle] < _NARROW_SHARE * np.minimum(above, below)].tolist()
    values = spine.vertebra_values() if hits else {}
    centres = {name: _middle_row(spine, value) for name, value in values.items() if spine.has(value)}
    near = [min(centres, key=lambda name, row=row: abs(centres[name] - row)) for row in hits]
    return [
        f"the dural sac near {name} has less than half of its area above and below: severe stenosis, or not all of it "
        "was recognised"
        for name in dict.fromkeys(near)
    ]


def _middle_row(spine: NamedSpine, value: int) -> float:
    """Mean row of the volume at which an object lies."""
    box = spine.boxes[value]
    counts = np.count_nonzero(spine.labels[box] == value, axis=(0, 2))
    return box[1].start + float(counts @ np.arange(len(counts)) / counts.sum())


def absent_objects(spine: NamedSpine) -> list[Score]:
    """Objects that should be there and were not found.

    Foramina are missed only between lumbar vertebrae, or, where the levels have no names, between the highest and
    the lowest level that shows any: higher up they are small and often outside of a lumbar view.
    """
    found = [
        _missing(Structure.VERTEBRA, name, None, f"{name} body not seen")
        for name in spine.vertebrae
        if not spine.has(vertebra_value(name))
    ]
    pairs = list(zip(spine.vertebrae, spine.levels, strict=False))
    found += [
        _missing(Structure.DISC, level, None, f"{level} disc not seen")
        for upper, level in pairs
        if not spine.has(disc_value(upper))
    ]
    shown = [n for n, (upper, _) in enumerate(pairs) if any(spine.has(foramen_value(upper, side)) for side in Side)]
    for n, (upper, level) in enumerate(pairs):
        expected = upper.startswith("L") if spine.naming.named else bool(shown) and shown[0] <= n <= shown[-1]
        if expected:
            found += [
                _missing(Structure.FORAMEN, level, side, f"{side} foramen {level} not seen")
                for side in Side
                if not spine.has(foramen_value(upper, side))
            ]
    return found


def _missing(structure: Structure, level: str, side: Side | None, reason: str) -> Score:
    return Score(structure, level, side, None, None, None, Verdict.REVIEW, reason)


def _order(spine: NamedSpine, score: Score) -> tuple[int, int, bool]:
    """Vertebrae, discs, stretches of the sac, foramina; each from the top down; right before left."""
    kinds = [Structure.VERTEBRA, Structure.DISC, Structure.CANAL, Structure.FORAMEN]
    return (
        kinds.index(score.structure),
        spine.vertebrae.index(score.level.split("-")[0]),
        score.side is Side.LEFT,
    )
