"""Measurements of the committee's masks against those of the manual masks, and of raters against each other."""

from __future__ import annotations

from dataclasses import dataclass

from ...anatomy.structures import NetworkClass, Structure
from ...case.measurement import Measurement
from ...measure.spine import measure_spine
from ..collect import LabelledVolume
from .predict import Prediction
from .reference import BETWEEN_BODIES, DRAWN, LABELS, Reference, reference_spine
from .score import COMMITTEE, level_names

__all__ = ["MeasurePair", "measure_references", "pair_committee", "pair_raters"]

_CLASS = {
    Structure.CANAL: NetworkClass.CANAL,
    Structure.FORAMEN: NetworkClass.FORAMEN,
    Structure.DISC: NetworkClass.DISC,
}
"""Class that an annotator must speak about for a structure to be theirs; bodies for all others."""
_GAP_HEIGHTS = ("height", "anterior height", "middle height", "posterior height", "mean height")
"""What the gap between bodies tells of a disc; its ends it does not."""

Key = tuple[Structure, str, str, str, str]


@dataclass(frozen=True)
class MeasurePair:
    """One quantity of one object, measured on two masks.

    Attributes
    ----------
    id, subject, source, contrast : str
        The volume.
    judged, rater : str
        Whose mask is compared with whose.
    structure, level, side, measurement, method, unit : str
        What was measured; names are the annotators'.
    reference : str
        ``drawn``, or ``gap between drawn bodies`` for discs that nobody drew.
    measured : float or None
        None where there was nothing to measure.
    manual : float
        On the annotator's mask.
    reason : str
        Why ``measured`` is absent.
    """

    id: str
    subject: str
    source: str
    contrast: str
    judged: str
    rater: str
    structure: str
    level: str
    side: str
    measurement: str
    method: str
    unit: str
    reference: str
    measured: float | None
    manual: float
    reason: str = ""


def _key(m: Measurement, names: dict[str, str] | None = None) -> Key | None:
    """What a row is about; None where its level has no counterpart."""
    level = m.level
    if names is not None and level:
        parts = level.split("-")
        if any(p not in names for p in parts):
            return None
        level = "-".join(names[p] for p in parts)
    return m.structure, level, m.side.value if m.side else "", m.name, m.method


def measure_references(references: tuple[Reference, ...]) -> dict[str, dict[Key, tuple[Measurement, str]]]:
    """Rows of each annotator that have a value, with what they rest on.

    Bodies and discs are :data:`~SpineQuantLib.training.evaluation.reference.LABELS`'s, sac and foramina each rater's.
    """
    labels = references[0]
    out: dict[str, dict[Key, tuple[Measurement, str]]] = {}
    for reference in references:
        rows = measure_spine(reference_spine(labels, None if reference is labels else reference))
        found = {}
        for row in rows:
            spoken = _CLASS.get(row.structure, NetworkClass.BODY) in reference.classes
            if row.value is None or not spoken:
                continue
            basis = DRAWN
            if row.structure is Structure.DISC and labels.derives(row.level):
                basis = BETWEEN_BODIES
                if row.name not in _GAP_HEIGHTS:
                    continue
            found[_key(row)] = (row, basis)
        out[reference.rater] = found
    return out


def pair_committee(
    volume: LabelledVolume,
    prediction: Prediction,
    references: tuple[Reference, ...],
    manual: dict[str, dict[Key, tuple[Measurement, str]]],
) -> list[MeasurePair]:
    """The committee's value, or why there is none, for every value of every annotator.

    Levels are matched by place, not by name: a wrong name is told of elsewhere.
    """
    truth = reference_spine(references[0], references[1] if len(references) > 1 else None)
    names = {} if prediction.problem else level_names(prediction.spine, truth)
    rows_of = measure_spine(prediction.spine) if names else []
    own = {key: m for m in rows_of if (key := _key(m, names)) is not None}
    pairs = []
    for rater, rows in manual.items():
        for key, (row, basis) in rows.items():
            mine = own.get(key)
            reason = (prediction.problem or "level not seen") if mine is None else mine.flag
            value = None if mine is None else mine.value
            pairs.append(_pair(volume, COMMITTEE, rater, row, basis, value, reason))
    return pairs


def pair_raters(volume: LabelledVolume, manual: dict[str, dict[Key, tuple[Measurement, str]]]) -> list[MeasurePair]:
    """Each rater against each rater before, where both have a value."""
    raters = [r for r in manual if r != LABELS]
    return [
        _pair(volume, first, second, row, basis, manual[first][key][0].value, "")
        for n, second in enumerate(raters)
        for first in raters[:n]
        for key, (row, basis) in manual[second].items()
        if key in manual[first]
    ]


def _pair(
    volume: LabelledVolume, judged: str, rater: str, row: Measurement, basis: str, value: float | None, reason: str
) -> MeasurePair:
    side = row.side.value if row.side else ""
    what = (row.structure.value, row.level, side, row.name, row.method, row.unit, basis)
    who = (volume.id, volume.subject, volume.source, volume.contrast, judged, rater)
    return MeasurePair(*who, *what, value, float(row.value), reason if value is None else "")
