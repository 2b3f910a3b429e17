"""Choose one stack among those of a study: the sagittal T2 of the lumbar spine, or what the user asks for."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...case.errors import InputError, UnsuitableError
from ...case.result import Contrast
from ..checks import MIN_VOXELS_PER_AXIS
from ..series import SeriesInfo
from ..weighting import contrast_from_header
from .stacks import Stack

__all__ = ["Candidate", "candidates", "choose", "describe", "series_info"]

_PREFERENCE = {Contrast.T2: 3, Contrast.T1: 2, Contrast.STIR: 1, Contrast.UNKNOWN: 0}
_LUMBAR = re.compile(r"lumb|(?<![a-z])(l.?spine|lsp|ls.?spine|lws|lwk|ls|rachis lomb)(?![a-z])|lenden")
_ELSEWHERE = re.compile(
    r"cerv|thor|brain|skull|knee|(?<![a-z])(c.?spine|t.?spine|hws|bws|head|neck|hip|pelvis|isg|sij)(?![a-z])"
)
_LISTED = 12


@dataclass(frozen=True)
class Candidate:
    """A stack with the name it goes by."""

    key: str
    stack: Stack
    contrast: Contrast
    evidence: str

    @property
    def number(self) -> int | None:
        """SeriesNumber."""
        value = self.stack.first.attributes.get("SeriesNumber")
        return int(value) if isinstance(value, (int, float)) else None

    @property
    def description(self) -> str:
        """SeriesDescription."""
        return str(self.stack.first.attributes.get("SeriesDescription", ""))

    @property
    def kind(self) -> tuple[bool, bool, Contrast, int]:
        """Stacks of one kind may stand in for each other."""
        acquisition = self.stack.first.acquisition
        return self.stack.plane == "sagittal", not acquisition.makeshift, self.contrast, self._region

    @property
    def rank(self) -> tuple[float, ...]:
        """Larger is better, first things first."""
        sagittal, proper, contrast, region = self.kind
        pixel = self.stack.first.pixel_spacing
        count = len(self.stack.slices)
        return (
            sagittal,
            proper,
            region,
            _PREFERENCE[contrast],
            not self.stack.first.acquisition.fat_suppressed,
            count >= MIN_VOXELS_PER_AXIS,
            -round(max(pixel), 2) if pixel else -math.inf,
            count,
            self.number or 0,
        )

    @property
    def _region(self) -> int:
        attributes = self.stack.first.attributes
        text = f"{self.stack.first.acquisition.text} {attributes.get('BodyPartExamined', '')}".lower()
        return bool(_LUMBAR.search(text)) - bool(_ELSEWHERE.search(text))


def candidates(stacks: Sequence[Stack]) -> list[Candidate]:
    """Stacks with their keys and contrasts, by series number."""
    uids_of_number: dict[int, set[str]] = {}
    for stack in stacks:
        number = stack.first.attributes.get("SeriesNumber")
        if isinstance(number, (int, float)):
            uids_of_number.setdefault(int(number), set()).add(stack.first.series_uid)
    in_series = Counter(stack.first.series_uid for stack in stacks)
    seen: Counter[str] = Counter()
    found = []
    for stack in stacks:
        uid = stack.first.series_uid
        number = stack.first.attributes.get("SeriesNumber")
        unique = isinstance(number, (int, float)) and len(uids_of_number[int(number)]) == 1
        key = str(int(number)) if unique else uid
        seen[uid] += 1
        if in_series[uid] > 1:
            key = f"{key}.{seen[uid]}"
        found.append(Candidate(key, stack, *contrast_from_header(stack.first.acquisition)))
    return sorted(found, key=lambda c: (c.number is None, c.number or 0, c.key))


def choose(found: Sequence[Candidate], series: str | None) -> tuple[Candidate, tuple[str, ...], tuple[str, ...]]:
    """The stack to read, notes that are reasons for doubt, and remarks on what else there is.

    Unasked, the best is taken: sagittal before other planes, proper images before localizers and maps, lumbar before
    other regions, T2 before T1 before STIR, without before with fat suppression, then resolution. Where the best cannot
    be read, another of the same kind stands in for it with a note; one of another kind never does.

    Parameters
    ----------
    found : sequence of Candidate
        All stacks.
    series : str or None
        Key, number, UID, or a part of the description.

    Raises
    ------
    InputError
        If ``series`` fits nothing or several series, or the chosen stack is damaged.
    UnsuitableError
        If nothing is suitable.
    """
    pool = list(found) if series is None else _asked_for(found, series)
    ranked = sorted(pool, key=lambda c: c.rank, reverse=True)
    best = ranked[0]
    if series is None and len(found) > 1 and best.stack.plane != "sagittal":
        raise UnsuitableError(f"there is no sagittal series; found are {_list(found)}. --series takes one all the same")
    same = [c for c in ranked if c.kind == best.kind]
    usable = next((c for c in same if c.stack.problem is None), None)
    if usable is None:
        assert best.stack.problem is not None
        others = [c for c in found if c is not best]
        hint = f". Also found: {_list(others)}; --series takes another" if others and series is None else ""
        raise type(best.stack.problem)(f"{best.stack.problem}{hint}")
    notes = [f"passed over: {c.stack.problem}" for c in same[: same.index(usable)]]
    remarks = []
    others = [c for c in found if c is not usable]
    if series is None and others:
        remarks.append(f"read {describe(usable)}; also found: {_list(others)}; --series takes another")
        if usable.contrast is not Contrast.T2:
            notes.append(f"no sagittal T2 was found by its header; {usable.contrast} was taken")
    return usable, tuple(notes), tuple(remarks)


def _asked_for(found: Sequence[Candidate], series: str) -> list[Candidate]:
    wanted = series.strip()
    tests = (
        lambda c: c.stack.first.series_uid == wanted,
        lambda c: c.key == wanted,
        lambda c: str(c.number) == wanted,
        lambda c: bool(wanted) and wanted.casefold() in c.description.casefold(),
    )
    for test in tests:
        hits = [c for c in found if test(c)]
        if len({c.stack.first.series_uid for c in hits}) > 1:
            raise InputError(f"--series '{wanted}' fits several: {_list(hits, uids=True)}; give its number or UID")
        if hits:
            return hits
    raise InputError(f"--series '{wanted}' fits none of: {_list(found)}")


def describe(candidate: Candidate) -> str:
    """A stack in a few words: ``5 'T2 TSE sag' (T2 sagittal, 15 slices)``."""
    stack = candidate.stack
    modality = stack.first.attributes.get("Modality", "")
    kind = " ".join(
        word
        for word in (
            modality if modality not in ("", "MR") else "",
            str(candidate.contrast) if candidate.contrast is not Contrast.UNKNOWN else "",
            stack.plane,
        )
        if word
    )
    count = f"{len(stack.slices)} slice{'s' if len(stack.slices) != 1 else ''}"
    title = f" '{candidate.description}'" if candidate.description else ""
    return f"{candidate.key}{title} ({', '.join(filter(None, (kind, count)))})"


def _list(found: Sequence[Candidate], *, uids: bool = False) -> str:
    lines = [
        describe(c) + (f" {c.stack.first.series_uid}" if uids and c.stack.first.series_uid not in c.key else "")
        for c in found[:_LISTED]
    ]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return "; ".join(lines) + more


def series_info(candidate: Candidate, chosen: bool) -> SeriesInfo:
    """A stack as it is listed."""
    stack = candidate.stack
    return SeriesInfo(
        key=candidate.key,
        uid=stack.first.series_uid,
        number=candidate.number,
        description=candidate.description,
        modality=str(stack.first.attributes.get("Modality", "")),
        contrast=candidate.contrast,
        plane=stack.plane,
        slices=len(stack.slices),
        spacing=stack.spacing,
        problem=str(stack.problem or ""),
        chosen=chosen,
    )
