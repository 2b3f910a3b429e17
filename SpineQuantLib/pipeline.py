"""The whole journey of a case: from a file on disk to a case folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .case.clock import StageClock
from .case.errors import EngineError, InputError, UnsuitableError
from .case.folder import new_case_folder
from .case.grid import Grid, from_reading_order
from .case.progress import ProgressEvent
from .case.record import write_record
from .case.result import CaseResult, Contrast, InputInfo
from .case.spine import NamedSpine
from .images.contrast import contrast_from_tissues
from .images.read import read_volume
from .images.volume import SpineVolume
from .measure.spine import measure_spine
from .models.committee import Committee, describe_device, load_committee
from .models.store import DEFAULT_MODEL
from .report.dicom_seg import write_seg
from .report.dicom_sr import write_sr
from .report.html import write_report
from .report.tables import write_measurements_csv, write_measurements_json
from .scene.files import write_markups, write_scene, write_segmentation
from .segment.inference import ask_committee
from .segment.spine import name_spine
from .uncertainty.assess import assess
from .uncertainty.distinct import ensure_distinct

__all__ = ["AnalyzeOptions", "analyze"]

log = logging.getLogger(__name__)

_SHARE = {"read": 0.02, "load": 0.08, "segment": 0.50, "name": 0.55, "measure": 0.60, "files": 0.65}
_SHARE |= {"scene": 0.78, "report": 0.97, "dicom": 1.0}
"""Fraction of the whole that is done after each stage, for the progress bar."""


@dataclass(frozen=True)
class AnalyzeOptions:
    """What a user can settle about an analysis.

    Attributes
    ----------
    series : str or None
        DICOM series: UID, number or part of its description; chosen automatically if None.
    lowest_disc : str or None
        Name of the lowest disc level in view, for example ``L5-S1``; counted from the sacrum if None.
    contrast : str or None
        ``T1``, ``T2``, ``STIR``; recognised if None.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    model : str
        Name of a shipped model or path of a model folder.
    overwrite : bool
        Replace an earlier case in the output folder.
    """

    series: str | None = None
    lowest_disc: str | None = None
    contrast: str | None = None
    device: str = "auto"
    model: str = DEFAULT_MODEL
    overwrite: bool = False


class _Journey:
    """Clock and progress of one case."""

    def __init__(self, progress: Callable[[ProgressEvent], None] | None) -> None:
        self.clock = StageClock()
        self._progress = progress
        self._done = 0.0

    def tell(self, stage: str, message: str, part: float = 0.0) -> None:
        if self._progress:
            fraction = self._done + part * (_SHARE[stage] - self._done)
            self._progress(ProgressEvent(stage, min(fraction, 1.0), message, self.clock.seconds))

    def finish(self, stage: str) -> None:
        self._done = _SHARE[stage]


def analyze(
    source: Path,
    output: Path,
    options: AnalyzeOptions | None = None,
    progress: Callable[[ProgressEvent], None] | None = None,
) -> CaseResult:
    """Turn a lumbar MRI into a case folder.

    Parameters
    ----------
    source : Path
        DICOM folder or file, NIfTI, NRRD or MetaImage.
    output : Path
        Folder to make; it exists afterwards only if all went well.
    options : AnalyzeOptions, optional
        What the user settled.
    progress : callable, optional
        Told about each step.

    Returns
    -------
    CaseResult
        What was written.

    Raises
    ------
    SpineQuantError
        With what is wrong and what to do; nothing is left behind.
    """
    options = options or AnalyzeOptions()
    journey = _Journey(progress)
    try:
        with new_case_folder(Path(output), options.overwrite) as folder:
            volume = _read(Path(source), options, journey)
            committee = _load(options, journey)
            result = _judge(volume, committee, options, journey)
            result = _write(result, volume, folder, journey)
    except MemoryError as error:
        raise EngineError("out of memory; use a machine with more memory or a smaller volume") from error
    return result


def _read(source: Path, options: AnalyzeOptions, journey: _Journey) -> SpineVolume:
    journey.tell("read", f"reading {source.name}")
    with journey.clock.stage("read"):
        volume = read_volume(source, options.series)
    journey.finish("read")
    return volume


def _load(options: AnalyzeOptions, journey: _Journey) -> Committee:
    journey.tell("load", "loading the committee")
    with journey.clock.stage("load"):
        committee = load_committee(options.model, options.device)
    where = describe_device(committee.device)
    if options.device == "auto" and where == "CPU":
        where = "the CPU (no GPU found; this takes longer)"
    journey.finish("load")
    journey.tell("segment", f"{len(committee.members)} networks on {where}")
    return committee


def _judge(volume: SpineVolume, committee: Committee, options: AnalyzeOptions, journey: _Journey) -> CaseResult:
    """From voxels to names, numbers and a verdict."""
    clock = journey.clock
    image = volume.reading

    def member(done: int, of: int) -> None:
        journey.tell("segment", f"network {done} of {of}", done / of)

    with clock.stage("segment"):
        opinion = ask_committee(committee, image, member)
        ensure_distinct(opinion.members)
    journey.finish("segment")
    journey.tell("name", "finding and naming levels")
    with clock.stage("name"):
        spine = name_spine(opinion, lowest_disc=options.lowest_disc)
    journey.finish("name")
    journey.tell("measure", "measuring")
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    info = _settle_contrast(volume.info, options, array, spine)
    with clock.stage("measure"):
        measurements = tuple(measure_spine(spine))
    with clock.stage("assess"):
        assessment = assess(opinion, spine, info.notes)
    journey.finish("measure")
    return CaseResult(
        image=array,
        spine=spine,
        members=opinion.members,
        measurements=measurements,
        assessment=assessment,
        input=info,
        model=committee.card.info,
        device=describe_device(committee.device),
    )


def _settle_contrast(info: InputInfo, options: AnalyzeOptions, image: np.ndarray, spine: NamedSpine) -> InputInfo:
    """What the user says goes before the header, the header before the tissues."""
    if options.contrast:
        return replace(info, contrast=Contrast(options.contrast), contrast_evidence="set by hand")
    if info.contrast is not Contrast.UNKNOWN:
        return info
    contrast, evidence = contrast_from_tissues(image, spine.labels, spine.grid.spacing)
    return replace(info, contrast=contrast, contrast_evidence=evidence)


def _write(result: CaseResult, volume: SpineVolume, folder: Path, journey: _Journey) -> CaseResult:
    """Fill the case folder; ``case.json`` comes last, when all costs are known."""
    clock, native = journey.clock, volume.image
    journey.tell("files", "writing masks and tables")
    with clock.stage("files"):
        _write_masks(result, native, folder)
        write_measurements_csv(result.measurements, folder / "measurements.csv")
        write_measurements_json(result.measurements, folder / "measurements.json")
    journey.finish("files")
    journey.tell("scene", "writing the Slicer scene")
    with clock.stage("scene"):
        write_segmentation(result, native, folder / "segmentation.seg.nrrd")
        write_markups(result, folder / "markups")
        write_scene(result, native, folder / "scene.mrb")
    journey.finish("scene")
    journey.tell("report", "drawing the report")
    result = replace(result, costs=tuple(clock.costs))
    with clock.stage("report"):
        write_report(result, folder)
    journey.finish("report")
    if result.input.format == "DICOM":
        journey.tell("dicom", "writing DICOM SEG and SR")
        with clock.stage("dicom"):
            result = _write_dicom(result, folder / "dicom")
    journey.finish("dicom")
    result = replace(result, costs=tuple(clock.costs))
    write_record(result, folder / "case.json")
    journey.tell("dicom", "done")
    return result


def _write_masks(result: CaseResult, native: sitk.Image, folder: Path) -> None:
    grid: Grid = result.spine.grid
    labels = result.spine.labels
    kind = np.uint8 if labels.max(initial=0) < 256 else np.uint16
    for array, name in ((labels.astype(kind), "segmentation"), (result.assessment.disagreement, "disagreement")):
        image = from_reading_order(grid.image(array), native)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"), useCompression=True)


def _write_dicom(result: CaseResult, folder: Path) -> CaseResult:
    """Write SEG and SR; a series that they cannot refer to costs these two files and not the case."""
    folder.mkdir()
    try:
        write_seg(result, result.input.files, folder / "seg.dcm")
        write_sr(result, result.input.files, folder / "seg.dcm", folder / "sr.dcm")
    except (InputError, UnsuitableError) as error:
        note = f"DICOM SEG and SR were not written: {error}"
        log.warning(note)
        return replace(result, input=replace(result.input, notes=(*result.input.notes, note)))
    return result
