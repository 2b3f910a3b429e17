"""The measurements as a DICOM structured report (TID 1500, Comprehensive 3D SR)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydicom
from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    Comprehensive3DSR,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    MeasurementReport,
    NumContentItem,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
    UIDRefContentItem,
)
from pydicom.sr.codedict import codes

from ..anatomy.codes import Code
from ..case.errors import InputError, UnsuitableError
from ..case.result import CaseResult, ModelInfo
from .dicom_groups import GroupWriter, SegmentReference, comment, groups_of, verdict_item
from .dicom_hands import person_observer
from .dicom_identity import (
    MANUFACTURER,
    algorithm_parameters,
    algorithm_version,
    concept,
    device_uid,
    equipment,
    new_uid,
    save,
)
from .dicom_source import SourceImages

__all__ = ["write_sr"]

# Behind the segmentation, see dicom_seg.
_SERIES_NUMBER = 9002
# TID 1500, row 12.
_QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")


def _context(result: CaseResult) -> ObservationContext:
    """The observers: this software, and before it whoever accepted the case."""
    model = result.model
    device = DeviceObserverIdentifyingAttributes(
        uid=device_uid(model),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=model.name,
        serial_number=model.sha256[:64] or None,
    )
    return ObservationContext(
        observer_person_context=person_observer(result),
        observer_device_context=ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=device,
        ),
    )


def _algorithm(model: ModelInfo) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=f"{MANUFACTURER} {model.name}",
        version=algorithm_version(model),
        parameters=[f"{key}={value}" for key, value in algorithm_parameters(model).items()],
    )


def _container(name: CodedConcept, items: Sequence[ContentItem]) -> ContainerContentItem:
    container = ContainerContentItem(name=name, relationship_type=RelationshipTypeValues.CONTAINS)
    container.ContentSequence = ContentSequence(items)
    return container


def _image_library(source: SourceImages, frame_of_reference: str) -> ContainerContentItem:
    """TID 1600: one group with what all images share, and a reference to each.

    Where the images lie is left to their own headers, which also hold for multi-frame images.
    """
    context = RelationshipTypeValues.HAS_ACQ_CONTEXT
    pixels = CodedConcept("{pixels}", "UCUM", "Pixels")
    shared = [
        CodeContentItem(codes.DCM.Modality, codes.DCM.MagneticResonance, context),
        UIDRefContentItem(codes.DCM.FrameOfReferenceUID, frame_of_reference, context),
        NumContentItem(codes.DCM.PixelDataRows, int(source.first.Rows), pixels, None, context),
        NumContentItem(codes.DCM.PixelDataColumns, int(source.first.Columns), pixels, None, context),
    ]
    images = [
        ImageContentItem(
            codes.SCT.Source,
            image.SOPClassUID,
            image.SOPInstanceUID,
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
        for image in source.headers
    ]
    group = _container(codes.DCM.ImageLibraryGroup, [*shared, *images])
    return _container(codes.DCM.ImageLibrary, [group])


def _evaluations(result: CaseResult) -> ContainerContentItem:
    """The verdict on the case and what a reader should know before using any number."""
    naming = result.spine.naming
    remarks = [
        *result.assessment.reasons,
        f"Levels: {naming.method}" if naming.named else "Levels are not named; V1 is the lowest vertebra in view",
        *naming.evidence,
        *naming.doubts,
        *result.input.notes,
        *result.input.remarks,
    ]
    items = [verdict_item(result.assessment.verdict), *map(comment, remarks)]
    return _container(concept(_QUALITATIVE_EVALUATIONS), items)


def _segmentation(path: Path, source: SourceImages) -> pydicom.Dataset:
    try:
        segmentation = pydicom.dcmread(path, stop_before_pixels=True)
    except (OSError, pydicom.errors.InvalidDicomError) as error:
        raise InputError(f"cannot read the DICOM segmentation {path}: {error}") from error
    if segmentation.get("StudyInstanceUID") != source.first.StudyInstanceUID:
        raise InputError(f"{path} is a segmentation of another study than the source images")
    return segmentation


def write_sr(result: CaseResult, source_files: Sequence[Path], seg_path: Path, path: Path) -> None:
    """Write the measurements of a case as a DICOM structured report after TID 1500.

    One measurement group for each structure, level and side. A measurement carries its value, unit and method, the
    distances of its interval's ends from the value, its range (mean and standard deviation of the source's group, z
    score and percentile, or limits of normal) with the source, and the line or contour it was read from where the
    group has no segment of its own. A grade is a comment of its group, with the source of the cut-off. A value that
    could not be measured is left out and named with its reason in a comment of its group: the standard also knows an
    empty number with a reason as code, but common readers stumble over it. A value that a reader corrected
    stands with the comment what the software had measured, and a group in which no value is the software's any more
    names no algorithm. The observer is the software, and with it the person who accepted the case. The report is
    preliminary and unverified all the same: to accept a case is not to sign a finding.

    Parameters
    ----------
    result : CaseResult
        The case.
    source_files : sequence of Path
        The images that were analysed, as for :func:`SpineQuantLib.report.dicom_seg.write_seg`.
    seg_path : Path
        The segmentation of this case as ``write_seg`` wrote it.
    path : Path
        File to write; its folder is made where absent.

    Raises
    ------
    InputError
        If a header does not allow a reference, or the segmentation belongs to another study.
    UnsuitableError
        If there is neither a measurement nor a score.
    OutputError
        If the file cannot be written.
    """
    source = SourceImages.read(source_files, result.input.dicom.get("FrameNumbers", ()))
    segmentation = _segmentation(seg_path, source)
    writer = GroupWriter(
        segments={s.TrackingID: SegmentReference(s.SegmentNumber, s.TrackingUID) for s in segmentation.SegmentSequence},
        segmentation_class=segmentation.SOPClassUID,
        segmentation=segmentation.SOPInstanceUID,
        series=source.first.SeriesInstanceUID,
        frame_of_reference=segmentation.FrameOfReferenceUID,
        algorithm=_algorithm(result.model),
        references=result.references,
    )
    groups = [items for items in map(writer.write, groups_of(result)) if items is not None]
    if not groups:
        raise UnsuitableError("nothing was measured, and a DICOM measurement report cannot be empty")
    report = MeasurementReport(
        observation_context=_context(result),
        procedure_reported=codes.cid100.MRIUnspecifiedBodyRegion,
        imaging_measurements=groups,
    )
    # Row order of TID 1500: image library, imaging measurements, qualitative evaluations.
    content = report[0].ContentSequence
    content.insert(len(content) - 1, _image_library(source, segmentation.FrameOfReferenceUID))
    content.append(_evaluations(result))
    dataset = Comprehensive3DSR(
        evidence=[*source.headers, segmentation],
        content=report,
        series_instance_uid=new_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        series_description="Spine measurements",
        is_complete=True,
        **equipment(result.model),
    )
    save(dataset, path)
