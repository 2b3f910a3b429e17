"""Whose work a case is, for DICOM: which segments a reader drew, and who that reader is."""

from __future__ import annotations

import re

from highdicom.seg import SegmentAlgorithmTypeValues
from highdicom.sr import ObserverContext, PersonObserverIdentifyingAttributes
from pydicom.sr.codedict import codes

from ..anatomy.labels import describe, disc_value, foramen_value, parse_segment_id
from ..anatomy.levels import split_level, vertebra_value
from ..anatomy.structures import Structure
from ..case.correction import Edit
from ..case.result import CaseResult

__all__ = ["algorithm_types", "person_name", "person_observer", "reader_of"]

_AUTOMATIC = SegmentAlgorithmTypeValues.AUTOMATIC
_SEMIAUTOMATIC = SegmentAlgorithmTypeValues.SEMIAUTOMATIC
_MANUAL = SegmentAlgorithmTypeValues.MANUAL

_LONGEST_NAME = 64
# Not allowed in a DICOM name, or dividing it into parts.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\\^=]+")


def algorithm_types(result: CaseResult) -> dict[int, SegmentAlgorithmTypeValues]:
    """How each segment came about, by its label value; DICOM's Segment Algorithm Type (0062,0008).

    ``AUTOMATIC`` as the networks left it, ``SEMIAUTOMATIC`` where a reader changed what they had found, and ``MANUAL``
    where they had found nothing and a reader drew it. A new name alone changes no mask.
    """
    drawn: dict[int, SegmentAlgorithmTypeValues] = {}
    for edit in result.edits:
        if edit.kind == "mask":
            _draw(drawn, edit)
        elif edit.kind == "levels":
            drawn = _renamed(drawn, edit)
    return {label.value: drawn.get(label.value, _AUTOMATIC) for label in result.spine.objects}


def _draw(drawn: dict[int, SegmentAlgorithmTypeValues], edit: Edit) -> None:
    """What an edit of masks makes of the segments; its record tells their voxels before and after."""
    for segment, after in edit.after.items():
        value = parse_segment_id(segment)
        if not after:
            # Drawn anew later on, it is the reader's alone.
            drawn[value] = _MANUAL
        elif not edit.before.get(segment):
            drawn[value] = _MANUAL
        else:
            drawn.setdefault(value, _SEMIAUTOMATIC)


def _renamed(drawn: dict[int, SegmentAlgorithmTypeValues], edit: Edit) -> dict[int, SegmentAlgorithmTypeValues]:
    before, after = edit.before.get("vertebrae", ()), edit.after.get("vertebrae", ())
    names = dict(zip(before, after, strict=False)) if len(before) == len(after) else {}
    return {_value_under(value, names): kind for value, kind in drawn.items()}


def _value_under(value: int, names: dict[str, str]) -> int:
    """Label value of the same object after its vertebrae got other names."""
    label = describe(value)
    if not label.level:
        return value
    upper = label.level if label.structure is Structure.VERTEBRA else split_level(label.level)[0]
    upper = names.get(upper, upper)
    if label.structure is Structure.VERTEBRA:
        return vertebra_value(upper)
    if label.structure is Structure.DISC:
        return disc_value(upper)
    return foramen_value(upper, label.side)


def reader_of(result: CaseResult) -> str:
    """Who answers for the case as it is: who accepted it, or else corrected it last; empty where nobody did."""
    if result.accepted is not None:
        return result.accepted.rater
    return result.raters[-1] if result.raters else ""


def person_name(name: str) -> str:
    """A name as DICOM writes one (value representation PN), taken as a family name, since its parts are not known."""
    return _NOT_IN_NAMES.sub(" ", name).strip()[: _LONGEST_NAME - 1] + "^"


def person_observer(result: CaseResult) -> ObserverContext | None:
    """The reader as the observer of a report (TID 1003); None where nobody has read the case."""
    name = reader_of(result)
    if not name:
        return None
    return ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=person_name(name)),
    )
