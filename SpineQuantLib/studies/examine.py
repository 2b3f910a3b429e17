"""One volume, as it is or made worse: how right the committee was, and what it felt about it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..anatomy.levels import is_unnamed, vertebra_value
from ..anatomy.structures import Structure
from ..case.errors import UnsuitableError
from ..case.measurement import Measurement
from ..case.opinion import CommitteeOpinion, Verdict
from ..case.spine import NamedSpine
from ..measure.landmarks import Landmarks
from ..measure.spine import measure_brief, measure_spine
from ..models.committee import Committee
from ..segment.spine import name_spine
from ..uncertainty.assess import assess
from ..uncertainty.calibration import Calibration
from ..uncertainty.intervals import member_spines, row_key, spreads
from ..uncertainty.territory import Territory, sac_territories, territories
from .matching import ObjectRecord, judge_objects, name_map
from .opinions import opinion_of
from .sample import Sample
from .truth import Truth

__all__ = ["CaseRecord", "RowRecord", "examine"]


@dataclass(frozen=True)
class RowRecord:
    """One measurement of a case beside its true value.

    Attributes
    ----------
    structure, level, side, name, method, unit : str
        As in :class:`~SpineQuantLib.case.measurement.Measurement`; level as the truth names it.
    value, truth : float
        From the committee's masks, and from the rater's.
    spread : float
        Standard deviation across members.
    """

    structure: str
    level: str
    side: str
    name: str
    method: str
    unit: str
    value: float
    truth: float
    spread: float


@dataclass
class CaseRecord:
    """What was learnt from one volume.

    Attributes
    ----------
    id, subject, contrast, kind : str
        The volume; ``kind`` is real or phantom.
    family, grade, words
        How it was made worse; empty and 0 if it was not.
    refused : str
        Why nothing was made of it; empty where a spine was found.
    failed : bool
        Whether the case fails by bounds that no calibration had a part in.
    named : bool
        Whether its levels were named.
    right_names : bool or None
        Whether they were named as the truth does; None where that cannot be told.
    objects : list of ObjectRecord
        Single objects.
    rows : list of RowRecord
        Measurements, of clean and of mildly degraded volumes.
    embedding : list of float
        Empty where only a part of the volume was shown.
    seconds : float
        Time it took.
    """

    id: str
    subject: str
    contrast: str
    kind: str
    family: str = ""
    grade: int = 0
    words: str = ""
    refused: str = ""
    failed: bool = False
    named: bool = False
    right_names: bool | None = None
    objects: list[ObjectRecord] = field(default_factory=list)
    rows: list[RowRecord] = field(default_factory=list)
    embedding: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def key(self) -> str:
        """Name for files."""
        return f"{self.id}__{self.family.replace(' ', '-')}-{self.grade}" if self.family else self.id

    def write(self, path: Path) -> None:
        """Write as JSON, aside and then in place."""
        part = path.with_name(f".{path.stem}.{os.getpid()}.json")
        part.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> CaseRecord:
        """Read what :meth:`write` wrote."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values["objects"] = [ObjectRecord(**o) for o in values["objects"]]
        values["rows"] = [RowRecord(**r) for r in values["rows"]]
        return cls(**values)


def examine(
    committee: Committee, sample: Sample, record: CaseRecord, path: Path, calibration: Calibration
) -> CaseRecord:
    """Fill a record.

    Parameters
    ----------
    committee : Committee
        The networks.
    sample : Sample
        What they are shown.
    record : CaseRecord
        With the volume's names; filled in place and returned.
    path : Path
        Where the opinion is kept.
    calibration : Calibration
        Temperatures of the probabilities.
    """
    began = time.monotonic()
    opinion = opinion_of(committee, sample, path)
    if sample.whole and opinion.embedding is not None:
        record.embedding = [float(f"{v:.6g}") for v in opinion.embedding]
    try:
        spine = name_spine(opinion)
    except UnsuitableError as error:
        record.refused = str(error)
        record.objects = _all_missed(sample)
    else:
        _judge(opinion, spine, sample, record, calibration)
    record.seconds = round(time.monotonic() - began, 2)
    return record


def _judge(
    opinion: CommitteeOpinion, spine: NamedSpine, sample: Sample, record: CaseRecord, calibration: Calibration
) -> None:
    record.named = spine.naming.named
    objects = territories(spine)
    if not sample.truths:
        return
    assessment = assess(opinion, spine, calibration=calibration, objects=objects)
    record.failed = assess(opinion, spine, objects=objects).verdict is Verdict.FAIL
    record.objects = judge_objects(spine, assessment, sac_territories(spine), sample.truths)
    record.right_names = _right(spine, sample.truths[0]) if spine.naming.named else None
    if record.grade <= 1:
        # Measuring every member is most of the time; intervals are of use where the image is no wreck.
        record.rows = _rows(opinion, spine, objects, sample)


def _right(spine: NamedSpine, truth: Truth) -> bool | None:
    names = name_map(spine, truth)
    return all(a == b for a, b in names.items()) if names else None


def _all_missed(sample: Sample) -> list[ObjectRecord]:
    """Nothing was found, and the case says so: every drawn object is missed and announced."""
    return [
        ObjectRecord(structure.value, truth.level(value), "", 0.0, {}, missed=True, announced=True)
        for truth in sample.truths[:1]
        for structure in (Structure.VERTEBRA, Structure.DISC)
        for value in truth.values(structure)
    ]


def _rows(opinion: CommitteeOpinion, spine: NamedSpine, objects: list[Territory], sample: Sample) -> list[RowRecord]:
    """Measurements that can be made on the committee's masks, on at least three members', and on a rater's."""
    found = {row_key(row): row for row in measure_spine(spine) if row.value is not None}
    planes = Landmarks(spine)
    spread = spreads(member_spines(opinion, spine, objects), lambda own: measure_brief(own, planes=planes))
    records = []
    for n, truth in enumerate(sample.truths):
        true_spine = truth.spine(sample.grid)
        if true_spine is None:
            continue
        names = name_map(spine, truth)
        true = {row_key(row): row for row in measure_spine(true_spine) if row.value is not None}
        for key, row in found.items():
            level = _renamed(row, names, true_spine)
            other = true.get((row.structure, level, key[2], row.name, row.method)) if level else None
            # Bodies and discs are the same for all raters; discs are compared where their margins can be found.
            comparable = (n == 0 or row.structure in (Structure.CANAL, Structure.FORAMEN)) and (
                truth.bodies or row.structure is not Structure.DISC
            )
            if other is not None and other.value is not None and key in spread and comparable:
                records.append(
                    RowRecord(
                        row.structure.value,
                        level,
                        key[2],
                        row.name,
                        row.method,
                        row.unit,
                        float(row.value),
                        float(other.value),
                        spread[key],
                    )
                )
    return records


def _renamed(row: Measurement, names: dict[str, str], true_spine: NamedSpine) -> str:
    """Level of a row as the truth names it; empty where the truth has none."""
    upper, *lower = row.level.split("-")
    name = names.get(upper, "")
    if not name or is_unnamed(vertebra_value(name)):
        return ""
    if not lower:
        return name
    return next((level for level in true_spine.levels if level.split("-")[0] == name), "")
