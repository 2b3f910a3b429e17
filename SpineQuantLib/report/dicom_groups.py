"""Measurement groups of a structured report: all that was found at one structure, level and side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    ContentItem,
    CoordinatesForMeasurement3D,
    FindingSite,
    GraphicTypeValues3D,
    MeasurementProperties,
    MeasurementsAndQualitativeEvaluations,
    MeasurementStatisticalProperties,
    NormalRangeProperties,
    NumContentItem,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr import Measurement as CodedMeasurement
from pydicom.sr.codedict import codes

from ..anatomy.codes import (
    CATEGORY,
    PRIVATE_SCHEME,
    Code,
    codes_for,
    derivation_code,
    interval_codes,
    laterality_code,
    level_code,
    method_code,
    position_code,
    quantity_code,
    structure_code,
    unit_code,
    vertebra_code,
)
from ..anatomy.labels import CORD_VALUE, Label
from ..anatomy.reference import References
from ..anatomy.structures import Side, Structure
from ..case.grid import lps_to_ras
from ..case.measurement import Geometry, Measurement
from ..case.opinion import Score, Verdict
from ..case.result import CaseResult
from .dicom_identity import concept, new_uid
from .ranges import Standing, standing

__all__ = ["Group", "GroupWriter", "SegmentReference", "comment", "groups_of", "verdict_item"]

_VERDICT = Code("VERDICT", PRIVATE_SCHEME, "Verdict on the automatic result")
_VERDICTS = {
    Verdict.PASS: Code("PASS", PRIVATE_SCHEME, "Pass"),
    Verdict.REVIEW: Code("REVIEW", PRIVATE_SCHEME, "Review"),
    Verdict.FAIL: Code("FAIL", PRIVATE_SCHEME, "Fail"),
}
_SCORES = (
    ("von Neumann entropy", "entropy"),
    ("largest eigenvalue", "eigenvalue"),
    ("mean pairwise Dice", "mean_dice"),
)
_GRAPHIC_TYPES = {
    "line": GraphicTypeValues3D.POLYLINE,
    "curve": GraphicTypeValues3D.POLYLINE,
    "closed curve": GraphicTypeValues3D.POLYGON,
}


@dataclass(frozen=True)
class SegmentReference:
    """A segment of a stored segmentation: its number and the UID by which its object is tracked."""

    number: int
    tracking_uid: str


@dataclass
class Group:
    """What was found at one structure, level and side.

    Attributes
    ----------
    structure, level, side
        As in a measurement; the spine where something is said of the whole case.
    label : Label or None
        The segmented object, where it has that very structure, level and side.
    measurements : list of Measurement
        Rows of the table.
    score : Score or None
        Agreement of the committee.
    """

    structure: Structure
    level: str
    side: Side | None
    label: Label | None
    measurements: list[Measurement] = field(default_factory=list)
    score: Score | None = None

    @property
    def tracking_id(self) -> str:
        """Segment id, or a name made the same way where there is no segment."""
        if self.label:
            return self.label.segment_id
        return "_".join(filter(None, (self.structure.value, self.side and self.side.value, self.level)))

    @property
    def finding(self) -> Code:
        """What it is."""
        return codes_for(self.label).type if self.label else structure_code(self.structure)

    @property
    def sites(self) -> tuple[Code, ...]:
        """Where it is: a vertebra or a level; both ends of a stretch of spine such as ``L1-S1``."""
        if self.label:
            site = codes_for(self.label).site
            return (site,) if site else ()
        ends = tuple(filter(None, self.level.split("-")))
        if not ends:
            return (structure_code(Structure.SPINE),)
        if self.structure is Structure.SPINE or len(ends) == 1:
            return tuple(map(vertebra_code, ends))
        return (level_code(self.level),)


def groups_of(result: CaseResult) -> tuple[Group, ...]:
    """Measurements and scores of a case by structure, level and side, in the order in which they come."""
    # What is measured of the canal is the dural sac; the cord inside it shares structure and level.
    objects = [label for label in result.spine.objects if label.value != CORD_VALUE]
    labels = {(label.structure, label.level, label.side): label for label in objects}
    groups: dict[tuple[Structure, str, Side | None], Group] = {}

    def group(structure: Structure, level: str, side: Side | None) -> Group:
        key = structure, level, side
        return groups.setdefault(key, Group(*key, labels.get(key)))

    for measurement in result.measurements:
        group(measurement.structure, measurement.level, measurement.side).measurements.append(measurement)
    for score in result.assessment.scores:
        group(score.structure or Structure.SPINE, score.level, score.side).score = score
    return tuple(groups.values())


def comment(text: str) -> TextContentItem:
    """Free text of a report or a group."""
    return TextContentItem(codes.DCM.Comment, text, RelationshipTypeValues.CONTAINS)


def verdict_item(verdict: Verdict) -> CodeContentItem:
    """What a reader may do with a result, coded."""
    return CodeContentItem(concept(_VERDICT), concept(_VERDICTS[verdict]), RelationshipTypeValues.CONTAINS)


def _remarks(group: Group) -> list[str]:
    """What numbers cannot say: why a value is absent or doubtful, who made it, and the committee's reason."""
    remarks = []
    for m in group.measurements:
        name = f"{m.name} ({m.method})"
        if m.value is None:
            remarks.append(f"{name} was not measured: {m.flag}")
        elif m.flag:
            remarks.append(f"{name}: {m.flag}")
        if m.source != "automatic":
            before = "" if m.automatic is None else f", automatic value {m.automatic:.3f} {m.unit}"
            remarks.append(f"{name}: {m.source}{before}")
        if m.grade:
            remarks.append(f"{name}: {m.grade}")
        if m.value is not None and _interval(m) is None and (m.lower, m.upper) != (None, None):
            remarks.append(f"{name}: interval {m.lower} to {m.upper} {m.unit}")
    if group.score and group.score.reason:
        remarks.append(group.score.reason)
    return remarks


def _interval(m: Measurement) -> tuple[float, float] | None:
    """Distances of the interval's ends from the value; None where one is unknown or the value lies outside."""
    if m.value is None or m.lower is None or m.upper is None or not m.lower <= m.value <= m.upper:
        return None
    return m.value - m.lower, m.upper - m.value


def _property(name: Any, value: float, unit: str) -> NumContentItem:
    """A number that belongs to a measured one."""
    return NumContentItem(name, float(value), concept(unit_code(unit)), None, RelationshipTypeValues.HAS_PROPERTIES)


def _rank(m: Measurement, found: Standing) -> MeasurementStatisticalProperties | None:
    """TID 311: mean and standard deviation of the source's group, and where the value stands among them."""
    values = [
        (codes.SCT.MeanValueOfPopulation, found.reference.mean, m.unit),
        (codes.DCM.StandardDeviationOfPopulation, found.reference.sd, m.unit),
        (codes.DCM.ZScoreOfMeasurement, found.z, "1"),
        (codes.DCM.PercentileRankingOfMeasurement, found.percentile, "%"),
    ]
    numbers = [_property(name, value, unit) for name, value, unit in values if value is not None]
    if not numbers:
        return None
    group = found.reference.group or found.reference.short
    return MeasurementStatisticalProperties(numbers, description=group, authority=found.reference.source)


def _normal(m: Measurement, found: Standing | None) -> NormalRangeProperties | None:
    """TID 312: the range in words, with its ends where the source calls them normal."""
    if not m.reference:
        return None
    ends = (found.reference.low, found.reference.high) if found else (None, None)
    names = (codes.SCT.NormalRangeLowerLimit, codes.SCT.NormalRangeUpperLimit)
    numbers = [_property(name, end, m.unit) for name, end in zip(names, ends, strict=True) if end is not None]
    return NormalRangeProperties(numbers, m.reference, found.reference.source if found else None)


def _properties(m: Measurement, references: References) -> MeasurementProperties | None:
    """TID 310: the range, where the value stands in it, and the interval."""
    found = standing(m, references)
    properties = MeasurementProperties()
    if found and (rank := _rank(m, found)):
        properties.extend(rank)
    if normal := _normal(m, found):
        properties.extend(normal)
    for code, distance in zip(interval_codes(), _interval(m) or (), strict=False):
        properties.append(_property(concept(code), distance, m.unit))
    return properties if len(properties) else None


def _coordinates(geometry: Geometry, frame_of_reference: str) -> CoordinatesForMeasurement3D:
    """Points of a measurement in LPS; those of a contour put exactly into the plane they lie in but for rounding."""
    points = lps_to_ras(np.array(geometry.points))
    kind = _GRAPHIC_TYPES[geometry.kind]
    if kind is GraphicTypeValues3D.POLYGON:
        centre = points.mean(axis=0)
        normal = np.linalg.svd(points - centre, full_matrices=False)[2][-1]
        points = points - np.outer((points - centre) @ normal, normal)
        points = np.vstack([points, points[:1]])
    return CoordinatesForMeasurement3D(kind, points, frame_of_reference)


@dataclass(frozen=True)
class GroupWriter:
    """Turns groups into TID 1411 where the object is a segment, and into TID 1501 elsewhere.

    TID 1411 ties the values to the segment but has no place for the line or contour a value was read from; TID 1501
    has one, and gets it.

    Attributes
    ----------
    segments : mapping of str to SegmentReference
        Segments of the stored segmentation by tracking id.
    segmentation_class, segmentation : str
        SOP class and SOP instance UID of the stored segmentation.
    series, frame_of_reference : str
        UIDs of the source images.
    algorithm : AlgorithmIdentification
        Who measured.
    references : References
        Ranges that the values are told with.
    """

    segments: Mapping[str, SegmentReference]
    segmentation_class: str
    segmentation: str
    series: str
    frame_of_reference: str
    algorithm: AlgorithmIdentification
    references: References

    def write(self, group: Group) -> MeasurementsAndQualitativeEvaluations | None:
        """Content items of a group, or None where it holds nothing."""
        segment = self.segments.get(group.tracking_id)
        remarks: list[ContentItem] = [comment(text) for text in _remarks(group)]
        numbers = [self._number(m, group, segment is None) for m in group.measurements if m.value is not None]
        numbers += self._agreement(group.score)
        if group.score:
            remarks.insert(0, verdict_item(group.score.verdict))
        if not numbers and not remarks:
            return None
        laterality = concept(laterality_code(group.side)) if group.side else None
        common: dict[str, Any] = {
            "finding_category": concept(CATEGORY),
            "finding_type": concept(group.finding),
            "finding_sites": [FindingSite(concept(site), laterality) for site in group.sites],
            "algorithm_id": self.algorithm if self._is_ours(group) else None,
            "measurements": numbers,
        }
        if segment is None:
            tracking = TrackingIdentifier(new_uid(), group.tracking_id)
            items = MeasurementsAndQualitativeEvaluations(tracking_identifier=tracking, **common)
        else:
            items = VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=TrackingIdentifier(segment.tracking_uid, group.tracking_id),
                referenced_segment=ReferencedSegment(
                    self.segmentation_class,
                    self.segmentation,
                    segment.number,
                    source_series=SourceSeriesForSegmentation(self.series),
                ),
                **common,
            )
        items[0].ContentSequence.extend(remarks)
        return items

    @staticmethod
    def _is_ours(group: Group) -> bool:
        """Whether any value of a group, or the committee's score, is what the software found."""
        corrected = [m.source == "corrected" for m in group.measurements if m.value is not None]
        return group.score is not None or not corrected or not all(corrected)

    def _number(self, m: Measurement, group: Group, with_geometry: bool) -> CodedMeasurement:
        position, derivation = position_code(m.name), derivation_code(m.name)
        sites = [FindingSite(concept(site), None, concept(position)) for site in group.sites] if position else None
        place = [_coordinates(m.geometry, self.frame_of_reference)] if with_geometry and m.geometry else None
        return CodedMeasurement(
            name=concept(quantity_code(m.name)),
            value=float(m.value),
            unit=concept(unit_code(m.unit)),
            # The code names the quantity; the key keeps the words it was named by and is that of the markup.
            tracking_identifier=TrackingIdentifier(new_uid(), m.key),
            method=concept(method_code(m.method)),
            derivation=concept(derivation) if derivation else None,
            finding_sites=sites,
            properties=_properties(m, self.references),
            referenced_coordinates=place,
        )

    @staticmethod
    def _agreement(score: Score | None) -> list[CodedMeasurement]:
        if score is None:
            return []
        values = [(name, getattr(score, attribute)) for name, attribute in _SCORES]
        return [
            CodedMeasurement(concept(quantity_code(name)), float(value), concept(unit_code("1")))
            for name, value in values
            if value is not None
        ]
