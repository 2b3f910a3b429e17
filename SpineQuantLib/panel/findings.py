"""What to look at first: the objects of a case, the doubtful ones before the others."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from ..case.opinion import Score, Verdict
from ..case.result import CaseResult
from ..report.ranges import standing
from ..report.words import title

__all__ = ["Finding", "findings_of"]

_GRAVITY = {Verdict.FAIL: 0, Verdict.REVIEW: 1, Verdict.PASS: 2}


@dataclass(frozen=True)
class Finding:
    """One structure at one level.

    Attributes
    ----------
    structure, level, side
        Which.
    verdict : Verdict
        How far the committee agrees on it.
    doubt : float
        Their disagreement, 0 to 1; 1 where too few members found it to compare.
    why : str
        In words; empty where there is nothing to say.
    corrected : bool
        Whether a reader has corrected one of its values.
    """

    structure: Structure
    level: str
    side: Side | None
    verdict: Verdict
    doubt: float
    why: str
    corrected: bool = False

    @property
    def title(self) -> str:
        """For example ``L4-L5 right foramen``."""
        return title(self.structure, self.level, self.side)

    @property
    def doubtful(self) -> bool:
        """Whether a reader should look at it in any case."""
        return self.verdict is not Verdict.PASS or bool(self.why)


def _outside(m: Measurement, result: CaseResult) -> str:
    found = standing(m, result.references)
    return found.place if found is not None and found.place in ("below", "above") else ""


def _remarks(rows: list[Measurement], result: CaseResult) -> list[str]:
    measured = [m for m in rows if m.value is not None]
    # Many a quantity needs what is not in view. Only where nothing could be measured at all is that a finding.
    out = [m.flag for m in (measured or rows) if m.flag]
    out += [f"{m.name} {place} the usual range" for m in rows if (place := _outside(m, result))]
    return list(dict.fromkeys(out))


def findings_of(result: CaseResult) -> tuple[Finding, ...]:
    """Every structure at every level that was judged or measured.

    Failed ones come first, then those to review, each by the members' disagreement; then those with a remark on one
    of their values; then the others from the top down.
    """
    rows: dict[tuple, list[Measurement]] = {}
    for m in result.measurements:
        if m.level:
            rows.setdefault((m.structure, m.level, m.side), []).append(m)
    scores: dict[tuple, Score] = {(s.structure, s.level, s.side): s for s in result.assessment.scores if s.level}
    found = []
    for place in dict.fromkeys((*scores, *rows)):
        score, own = scores.get(place), rows.get(place, [])
        # The list shows the title beside it.
        reason = score.reason.removeprefix(f"{title(*place)}: ") if score is not None else ""
        why = [reason] if reason else []
        why += [words for words in _remarks(own, result) if words not in why]
        verdict = score.verdict if score is not None else Verdict.PASS
        unknown = score is not None and score.entropy is None and verdict is not Verdict.PASS
        doubt = 1.0 if unknown else (score.entropy or 0.0) if score is not None else 0.0
        corrected = any(m.source == "corrected" for m in own)
        found.append(Finding(*place, verdict, doubt, "; ".join(why), corrected))
    order = {finding: n for n, finding in enumerate(found)}
    return tuple(
        sorted(
            found,
            key=lambda f: (
                _GRAVITY[f.verdict],
                -f.doubt if f.verdict is not Verdict.PASS else 0.0,
                not f.why,
                order[f],
            ),
        )
    )
