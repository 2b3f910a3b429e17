"""The segmentation as a DICOM Segmentation object on the frames of the images it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.sr.codedict import codes
from skimage.color import rgb2lab

from ..anatomy.codes import codes_for
from ..anatomy.labels import Label
from ..case.errors import UnsuitableError
from ..case.result import CaseResult, ModelInfo
from .dicom_hands import algorithm_types, person_name, reader_of
from .dicom_identity import MANUFACTURER, algorithm_parameters, algorithm_version, concept, equipment, new_uid, save
from .dicom_source import SourceImages

__all__ = ["write_seg"]

# High, so that a result is listed behind the scanner's own series.
_SERIES_NUMBER = 9001


def _algorithm(model: ModelInfo) -> AlgorithmIdentificationSequence:
    return AlgorithmIdentificationSequence(
        name=f"{MANUFACTURER} {model.name}"[:64],
        family=codes.cid7162.ArtificialIntelligence,
        version=algorithm_version(model),
        source=MANUFACTURER,
        parameters=algorithm_parameters(model),
    )


def _segment(
    number: int, label: Label, model: ModelInfo, algorithm_type: SegmentAlgorithmTypeValues
) -> SegmentDescription:
    """Description of a segment; its tracking id is the segment id that all files of a case use.

    What a reader drew alone is no algorithm's work, and names none.
    """
    coded = codes_for(label)
    lightness, a, b = rgb2lab(np.array(label.colour))
    segment = SegmentDescription(
        segment_number=number,
        segment_label=label.name,
        segmented_property_category=concept(coded.category),
        segmented_property_type=concept(coded.type),
        algorithm_type=algorithm_type,
        algorithm_identification=None if algorithm_type is SegmentAlgorithmTypeValues.MANUAL else _algorithm(model),
        tracking_uid=new_uid(),
        tracking_id=label.segment_id,
        anatomic_regions=[concept(coded.site)] if coded.site else None,
        display_color=CIELabColor(float(lightness), float(a), float(b)),
    )
    if coded.type_modifier:
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [concept(coded.type_modifier)]
    return segment


def write_seg(result: CaseResult, source_files: Sequence[Path], path: Path) -> None:
    """Write the segmentation of a case as a DICOM Segmentation object.

    One binary segment for each object, coded as in :mod:`SpineQuantLib.anatomy.codes`, on frames that lie exactly
    where those of the source lie and refer to them. A segment says whether the networks drew it, a reader changed it,
    or a reader drew it alone (:func:`~SpineQuantLib.report.dicom_hands.algorithm_types`). Patient, study and frame of
    reference are the source's.

    Parameters
    ----------
    result : CaseResult
        The case; ``result.spine.labels`` is (nk, nj, ni) in reading order.
    source_files : sequence of Path
        The images that were analysed: single-frame files of one series in any order, or one multi-frame file, of
        which ``result.input.dicom["FrameNumbers"]`` names the frames where they are not all.
    path : Path
        File to write; its folder is made where absent.

    Raises
    ------
    InputError
        If the source's headers do not allow a reference or do not match the result's grid.
    UnsuitableError
        If nothing was segmented.
    OutputError
        If the file cannot be written.
    """
    objects = result.spine.objects
    if not objects:
        raise UnsuitableError("nothing was segmented, and a DICOM segmentation cannot be empty")
    source = SourceImages.read(source_files, result.input.dicom.get("FrameNumbers", ()))
    kinds = algorithm_types(result)
    drawn = any(kind is not SegmentAlgorithmTypeValues.AUTOMATIC for kind in kinds.values())
    numbers = np.zeros(int(result.spine.labels.max()) + 1, np.uint8)
    numbers[[label.value for label in objects]] = np.arange(1, len(objects) + 1)
    dataset = Segmentation(
        source_images=list(source.headers),
        pixel_array=numbers[source.frames_of(result.spine.labels, result.spine.grid)],
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(n, o, result.model, kinds[o.value]) for n, o in enumerate(objects, 1)],
        series_instance_uid=new_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        series_description="Spine segmentation",
        content_label="SPINE",
        content_description="Vertebral bodies, discs, dural sac and foramina",
        content_creator_name=person_name(reader_of(result) if drawn else MANUFACTURER),
        **equipment(result.model),
    )
    source.restore_frame_numbers(dataset)
    save(dataset, path)
