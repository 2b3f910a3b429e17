"""The verdict after a correction: what a reader settled is no reason any more, what is new is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..anatomy.structures import Side, Structure
from ..case.opinion import Assessment, Score, Verdict
from ..case.spine import NamedSpine
from ..uncertainty.assess import absent_objects, reasons_in_spine

__all__ = ["reassessed"]


def reassessed(
    assessment: Assessment, before: NamedSpine, after: NamedSpine, renamed: Callable[[str], str] | None = None
) -> Assessment:
    """The assessment of an edited spine.

    What the members of the committee said stays; it is told under the new names. Gaps that were filled are no
    reasons any more, and objects that were removed become gaps.

    Parameters
    ----------
    assessment : Assessment
        Before.
    before, after : NamedSpine
        The spine before and after the edit.
    renamed : callable, optional
        Text of the committee's own reasons with the new names.
    """
    gaps = absent_objects(before)
    settled = {*reasons_in_spine(before), *(gap.reason for gap in gaps)}
    told = renamed or (lambda text: text)
    kept = [told(reason) for reason in assessment.reasons if reason not in settled]
    removed = set() if renamed else _objects(before) - _objects(after)
    case, *others = [_renamed(s, told) for s in assessment.scores if s not in gaps]
    scores = [s for s in others if (s.structure, s.level, s.side) not in removed]
    new_gaps = absent_objects(after)
    news = [*reasons_in_spine(after), *(gap.reason for gap in new_gaps)]
    failed = assessment.verdict is Verdict.FAIL
    reasons = tuple(dict.fromkeys([*kept, *news] if failed else [*news, *kept]))
    verdict = Verdict.FAIL if failed else Verdict.REVIEW if reasons else Verdict.PASS
    case = replace(case, verdict=verdict, reason=reasons[0] if reasons else "")
    return replace(assessment, verdict=verdict, reasons=reasons, scores=(case, *scores, *new_gaps))


def _renamed(score: Score, told: Callable[[str], str]) -> Score:
    return replace(score, level=told(score.level), reason=told(score.reason))


def _objects(spine: NamedSpine) -> set[tuple[Structure, str, Side | None]]:
    return {(o.structure, o.level, o.side) for o in spine.objects}
