"""Fill a case folder: the same files, whether networks or a reader had the last word."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .case.borders import write_borders, write_members
from .case.canal_profile import write_canal_profile
from .case.errors import InputError, UnsuitableError
from .case.grid import from_reading_order
from .case.journey import Journey
from .case.record import write_record
from .case.result import CaseResult
from .report.dicom_seg import write_seg
from .report.dicom_sr import write_sr
from .report.html import write_report
from .report.pdf import write_pdf
from .report.ranges import copy_tables, with_ranges
from .report.tables import write_measurements_csv, write_measurements_json
from .report.workbook import write_workbook
from .scene.files import write_markups, write_scene, write_segmentation

__all__ = ["WRITING_SHARES", "write_case"]

log = logging.getLogger(__name__)

WRITING_SHARES = {"files": 0.08, "scene": 0.6, "report": 0.95, "dicom": 1.0}
"""Fraction that is done after each stage where nothing but writing is to do."""


def write_case(result: CaseResult, native: sitk.Image, folder: Path, journey: Journey) -> CaseResult:
    """Write all files of a case.

    Parameters
    ----------
    result : CaseResult
        The case.
    native : sitk.Image
        The input volume on its own grid, with its own numbers.
    folder : Path
        Empty folder. ``case.json`` comes last, when all else is there and all costs are known.
    journey : Journey
        Told of the stages ``files``, ``scene``, ``report`` and ``dicom``.

    Returns
    -------
    CaseResult
        The case as it was written: with what the stages cost and with notes on what could not be written.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    clock = journey.clock
    before = result.costs
    result = replace(
        result,
        analysed=result.analysed or datetime.now(timezone.utc),
        measurements=with_ranges(result.measurements, result.references),
    )
    journey.tell("files", "writing masks and tables")
    with clock.stage("files"):
        _write_masks(result, native, folder)
        write_measurements_csv(result.measurements, folder / "measurements.csv")
        write_measurements_json(result.measurements, folder / "measurements.json")
        if result.canal_profile is not None:
            write_canal_profile(result.canal_profile, folder / "canal_profile.csv")
        copy_tables(result.references, folder)
    journey.finish("files")
    journey.tell("scene", "writing the Slicer scene")
    with clock.stage("scene"):
        write_segmentation(result, native, folder / "segmentation.seg.nrrd", time=result.analysed)
        write_markups(result, folder / "markups")
        write_scene(result, native, folder / "scene.mrb", time=result.analysed)
    journey.finish("scene")
    journey.tell("report", "drawing the report")
    result = replace(result, costs=(*before, *clock.costs))
    with clock.stage("report"):
        pictures = write_report(result, folder)
        write_pdf(result, folder, pictures)
        write_workbook(result, folder / "measurements.xlsx")
    journey.finish("report")
    if result.input.format == "DICOM":
        journey.tell("dicom", "writing DICOM SEG and SR")
        with clock.stage("dicom"):
            result = _write_dicom(result, folder / "dicom")
    journey.finish("dicom")
    # What an earlier analysis cost stays; writing again is not part of it.
    result = replace(result, costs=before or tuple(clock.costs))
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    write_record(result, folder / "case.json", files)
    journey.tell("dicom", "done")
    return result


def _write_masks(result: CaseResult, native: sitk.Image, folder: Path) -> None:
    spine = result.spine
    labels = spine.labels
    kind = np.uint8 if labels.max(initial=0) < 256 else np.uint16
    for array, name in ((labels.astype(kind), "segmentation"), (result.assessment.disagreement, "disagreement")):
        image = from_reading_order(spine.grid.image(array), native)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"), useCompression=True)
    write_borders(labels, spine.occupancy, spine.grid, native, folder / "borders.npz")
    write_members(result.members, folder / "members.npz")


def _write_dicom(result: CaseResult, folder: Path) -> CaseResult:
    """Write SEG and SR; a series that they cannot refer to costs these two files and not the case."""
    folder.mkdir()
    try:
        if not result.input.files:
            raise InputError("the images that were analysed are not where they were; say where they are now")
        write_seg(result, result.input.files, folder / "seg.dcm")
        write_sr(result, result.input.files, folder / "seg.dcm", folder / "sr.dcm")
    except (InputError, UnsuitableError) as error:
        note = f"DICOM SEG and SR were not written: {error}"
        log.warning(note)
        notes = tuple(dict.fromkeys((*result.input.notes, note)))
        return replace(result, input=replace(result.input, notes=notes))
    return result
