"""The verdict on a case, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from ..anatomy.levels import LUMBAR_COLUMN, vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.opinion import Assessment, CommitteeOpinion, Score, Verdict
from ..case.spine import NamedSpine
from .agreement import agreement_of
from .disagreement import disagreement_map
from .scores import score_objects, score_structures
from .thresholds import Thresholds

__all__ = ["assess"]

_FEW_BODIES = 3
_NARROW_SHARE = 0.5
_NARROW_REACH = (8.0, 30.0)
"""Millimetres along the column between a section of the sac and those that it is compared with."""


def assess(
    opinion: CommitteeOpinion,
    spine: NamedSpine,
    notes: Sequence[str] = (),
    thresholds: Thresholds | None = None,
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
    thresholds : Thresholds, optional
        Bounds on the agreement.

    Returns
    -------
    Assessment
        Fails if the members hardly agree, if most of the spine is missing, or if the bodies fail; to be reviewed if
        an object is doubtful or absent, if the levels have no sure names, or if the view ends within the lumbar spine.
        The case's own scores are of the mean of the Dice matrices of the structures, so that each counts alike.
    """
    thresholds = thresholds or Thresholds()
    matrices, structures = score_structures(opinion, thresholds)
    objects = [*score_objects(opinion, spine, thresholds), *_absent(spine)]
    objects.sort(key=lambda score: _order(spine, score))
    fatal = _fatal(spine, structures)
    agreement = agreement_of(np.mean(list(matrices.values()), axis=0)) if matrices else None
    if agreement is not None and agreement.mean_dice < thresholds.case_least:
        fatal.append(f"the members of the committee hardly agree, Dice {agreement.mean_dice:.2f}")
    # A structure that nobody saw is one reason, not one for each of its levels.
    single = [s for s in objects if s.structure in matrices]
    reasons = [
        *fatal,
        *_naming(spine),
        *_view(spine),
        *_narrow_sac(spine),
        *(s.reason for s in (*structures, *single) if s.verdict is not Verdict.PASS),
        *notes,
    ]
    reasons = list(dict.fromkeys(reasons))
    verdict = Verdict.FAIL if fatal else Verdict.REVIEW if reasons else Verdict.PASS
    case = Score(
        None,
        "",
        None,
        agreement.entropy if agreement else None,
        agreement.eigenvalue if agreement else None,
        agreement.mean_dice if agreement else None,
        verdict,
        reasons[0] if reasons else "",
    )
    return Assessment(verdict, tuple(reasons), (case, *structures, *objects), disagreement_map(opinion.members))


def _fatal(spine: NamedSpine, structures: Sequence[Score]) -> list[str]:
    """Reasons for which nothing of a case can be used."""
    bodies = sum(spine.has(vertebra_value(name)) for name in spine.vertebrae)
    found = []
    if not spine.shows_canal and bodies < _FEW_BODIES:
        found.append(f"no dural sac and only {bodies} vertebral bodies were found")
    found += [s.reason for s in structures if s.structure is Structure.VERTEBRA and s.verdict is Verdict.FAIL]
    return found


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
    area = np.count_nonzero(spine.labels == CANAL_VALUE, axis=(0, 2)).astype(float)
    rows = np.flatnonzero(area)
    low, high = (max(round(mm / spine.grid.spacing[1]), 1) for mm in _NARROW_REACH)
    if len(rows) <= low + high:
        return []
    hits = []
    for row in range(rows[0] + high, rows[-1] + 1 - low):
        above = float(np.median(area[row - high : row - low + 1]))
        if area[row] < _NARROW_SHARE * min(above, float(area[row + low : row + high + 1].max())):
            hits.append(row)
    centres = {
        name: float(np.argwhere(spine.labels == value)[:, 1].mean())
        for name, value in spine.vertebra_values().items()
        if spine.has(value)
    }
    near = [min(centres, key=lambda name, row=row: abs(centres[name] - row)) for row in hits]
    return [
        f"the dural sac near {name} has less than half of its area above and below: severe stenosis, or not all of it "
        "was recognised"
        for name in dict.fromkeys(near)
    ]


def _absent(spine: NamedSpine) -> list[Score]:
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
    """Vertebrae, discs, foramina; each from the top down; right before left."""
    kinds = [Structure.VERTEBRA, Structure.DISC, Structure.FORAMEN]
    return (
        kinds.index(score.structure),
        spine.vertebrae.index(score.level.split("-")[0]),
        score.side is Side.LEFT,
    )
