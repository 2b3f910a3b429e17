"""Where a second reading, from the image alone, contradicts what was measured in the masks.

A level at which the two differ by more than the errors of both allow is flagged: the row says both values, and the
object behind it is to be reviewed. Most single contradictions of this size are chance, for a case has a dozen
comparisons; the case as a whole is to be reviewed where one is gross or several levels of a structure are contradicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..anatomy.structures import Structure
from ..case.direct import CrossCheck, DirectReading
from ..case.measurement import Measurement
from ..case.opinion import Assessment, Score, Verdict
from .scores import NOUNS

__all__ = ["contradiction", "with_cross_check"]

_GROSS = 1.5
"""Times what errors allow, from where on a single level is a reason to review the case."""
_SEVERAL = 2


def contradiction(reading: DirectReading) -> str:
    """What a reader is told; empty where the two agree or cannot be compared."""
    if reading.agrees is not False:
        return ""
    return (
        f"measured {reading.mask:.1f} mm in the mask, {reading.direct:.1f} mm read from the image directly "
        f"({reading.name}): one of the two is probably wrong"
    )


def with_cross_check(
    rows: Sequence[Measurement], assessment: Assessment, check: CrossCheck
) -> tuple[tuple[Measurement, ...], Assessment]:
    """Rows and assessment with the contradictions.

    Parameters
    ----------
    rows : sequence of Measurement
        Of the masks.
    assessment : Assessment
        Before.
    check : CrossCheck
        What was read.

    Returns
    -------
    rows : tuple of Measurement
        In the same order, with a flag where they are contradicted.
    assessment : Assessment
        A pass becomes a review at the level, and of the structure and the case where a contradiction is gross or levels
        are several. A score that already doubts keeps its verdict and gets the reason too.
    """
    against = [r for r in check.readings if r.agrees is False]
    if not against:
        return tuple(rows), assessment
    said = {(r.structure, r.level, None, r.name, r.method): contradiction(r) for r in against}
    flagged = tuple(_flagged(m, said.get((m.structure, m.level, m.side, m.name, m.method), "")) for m in rows)
    case, *others = assessment.scores
    known = {(s.structure, s.level) for s in others}
    scores = [_doubted(s, [r for r in against if (r.structure, r.level) == (s.structure, s.level)]) for s in others]
    scores += [_unscored(r) for r in against if (r.structure, r.level) not in known]
    grave = _grave(against)
    scores = [_structure(s, [r.level for r in grave if r.structure is s.structure]) for s in scores]
    reasons = tuple(dict.fromkeys((*assessment.reasons, *map(_named, grave))))
    if len(reasons) > len(assessment.reasons) and assessment.verdict is Verdict.PASS:
        case = replace(case, verdict=Verdict.REVIEW, reason=reasons[0])
        assessment = replace(assessment, verdict=Verdict.REVIEW)
    return flagged, replace(assessment, reasons=reasons, scores=(case, *scores))


def _named(reading: DirectReading) -> str:
    """For example ``L4-L5 disc: measured …``."""
    noun = "dural sac" if reading.structure is Structure.CANAL else reading.structure.value
    return f"{reading.level} {noun}: {contradiction(reading)}"


def _grave(against: Sequence[DirectReading]) -> list[DirectReading]:
    """Contradictions that are a reason to review their structure and the case."""
    found = []
    for structure in dict.fromkeys(r.structure for r in against):
        own = [r for r in against if r.structure is structure]
        if len(own) >= _SEVERAL or any(r.excess > _GROSS for r in own):
            found += own
    return found


def _structure(score: Score, levels: Sequence[str]) -> Score:
    """A structure as a whole does not pass where it is gravely contradicted; scores of single levels stay."""
    if score.structure is None or score.level or not levels or score.verdict is not Verdict.PASS:
        return score
    words = f"{NOUNS[score.structure]}: contradicted by the second reading at {', '.join(levels)}"
    return replace(score, verdict=Verdict.REVIEW, reason=words)


def _flagged(row: Measurement, words: str) -> Measurement:
    return replace(row, flag="; ".join(filter(None, (row.flag, words)))) if words else row


def _doubted(score: Score, against: Sequence[DirectReading]) -> Score:
    if not against:
        return score
    reason = "; ".join(filter(None, (score.reason, *map(_named, against))))
    verdict = Verdict.REVIEW if score.verdict is Verdict.PASS else score.verdict
    return replace(score, verdict=verdict, reason=reason)


def _unscored(reading: DirectReading) -> Score:
    """Where the committee gave no score of that level, the contradiction is all that is known."""
    return Score(reading.structure, reading.level, None, None, None, None, Verdict.REVIEW, _named(reading))
