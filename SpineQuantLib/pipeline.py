"""The whole journey of a case: from a file on disk to a case folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .anatomy.reference import Reference
from .anatomy.structures import Structure
from .case.errors import EngineError, InputError
from .case.folder import new_case_folder
from .case.journey import Journey
from .case.measurement import Measurement
from .case.progress import ProgressEvent
from .case.result import CaseResult, Contrast, InputInfo
from .case.spine import NamedSpine
from .case.view import margins_in_words
from .images.contrast import contrast_from_tissues
from .images.read import read_volume
from .images.volume import SpineVolume
from .measure.landmarks import Landmarks
from .measure.spine import measure_brief, measure_spine_and_canal
from .models.committee import Committee, describe_device, load_committee, load_fast
from .models.crosscheck import cross_check
from .models.store import DEFAULT_MODEL
from .report.ranges import load_tables, person_of, references_for, unused_rows
from .segment.inference import ask_committee
from .segment.second_look import levels_to_see_again, look_again
from .segment.spine import name_spine
from .segment.upright import lean_of, look_upright
from .uncertainty.assess import assess
from .uncertainty.calibration import Calibration, OtherWeightsError, read_calibration
from .uncertainty.crosscheck import with_cross_check
from .uncertainty.distinct import ensure_distinct
from .uncertainty.intervals import add_intervals, member_spines, spreads
from .uncertainty.territory import territories
from .writing import write_case

__all__ = ["QUALITIES", "AnalyzeOptions", "analyze"]

_SHARE = {"read": 0.02, "load": 0.08, "segment": 0.50, "name": 0.55, "measure": 0.60, "files": 0.65}
_SHARE |= {"scene": 0.78, "report": 0.97, "dicom": 1.0}
"""Fraction of the whole that is done after each stage, for the progress bar."""


QUALITIES: dict[str, Callable[[str, str], Committee]] = {"committee": load_committee, "fast": load_fast}
"""Who is asked: all members, or for a quick look the network that was taught by them."""
_QUICK = "fast"


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
    quality : str
        One of :data:`QUALITIES`: ``committee``, or ``fast`` for a quick look by one network, which was taught by the
        committee and looks at the volume and at its mirror image; its flags are not calibrated and its values have no
        intervals.
    overwrite : bool
        Replace an earlier case in the output folder.
    ranges : tuple of Path
        Tables of reference values of your own, the first counting most; the shipped one comes after them.
    sex, age, height
        ``F`` or ``M``, years, and body height in cm, on which ranges may depend; sex and age are read from a DICOM
        header where they are None.
    """

    series: str | None = None
    lowest_disc: str | None = None
    contrast: str | None = None
    device: str = "auto"
    model: str = DEFAULT_MODEL
    quality: str = "committee"
    overwrite: bool = False
    ranges: tuple[Path, ...] = ()
    sex: str | None = None
    age: float | None = None
    height: float | None = None


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
    journey = Journey(_SHARE, progress)
    try:
        tables = load_tables(options.ranges)
        with new_case_folder(Path(output), options.overwrite) as folder:
            volume = _read(Path(source), options, journey)
            committee = _load(options, journey)
            result = _judge(volume, committee, options, journey)
            result = _with_references(result, options, tables)
            result = write_case(result, volume.image, folder, journey)
    except MemoryError as error:
        raise EngineError("out of memory; use a machine with more memory or a smaller volume") from error
    return result


def _read(source: Path, options: AnalyzeOptions, journey: Journey) -> SpineVolume:
    journey.tell("read", f"reading {source.name}")
    with journey.clock.stage("read"):
        volume = read_volume(source, options.series)
    journey.finish("read")
    return volume


def _load(options: AnalyzeOptions, journey: Journey) -> Committee:
    journey.tell("load", "loading the committee")
    with journey.clock.stage("load"):
        if options.quality not in QUALITIES:
            raise InputError(f"there is no quality '{options.quality}'; choose {' or '.join(QUALITIES)}")
        committee = QUALITIES[options.quality](options.model, options.device)
    where = describe_device(committee.device)
    if options.device == "auto" and where == "CPU":
        where = "the CPU (no GPU found; this takes longer)"
    journey.finish("load")
    journey.tell("segment", f"{committee.words} on {where}")
    return committee


def _judge(volume: SpineVolume, committee: Committee, options: AnalyzeOptions, journey: Journey) -> CaseResult:
    """From voxels to names, numbers and a verdict."""
    clock = journey.clock
    image = volume.reading

    def member(done: int, of: int) -> None:
        journey.tell("segment", f"network {done} of {of}", done / of)

    said: list[str] = []

    def tell(message: str) -> None:
        if message not in said:
            said.append(message)
            journey.tell("segment", message)

    with clock.stage("segment"):
        opinion = ask_committee(committee, image, member, tell=tell)
        ensure_distinct(opinion.members)
    journey.finish("segment")
    journey.tell("name", "finding and naming levels")
    with clock.stage("name"):
        spine = name_spine(opinion, lowest_disc=options.lowest_disc)
    lean = lean_of(spine)
    if lean is not None and lean.matters:
        with clock.stage("upright look"):
            lowest = options.lowest_disc
            opinion, spine = look_upright(committee, image, opinion, spine, lean, lowest_disc=lowest, tell=tell)
    if again := levels_to_see_again(spine):
        names = ", ".join(level.name for level in again)
        tell(f"a second look at {names}, with the disc turned level: it is steep, or a foramen was not seen")
        with clock.stage("second look"):
            opinion = look_again(committee, image, opinion, again, tell)
            spine = name_spine(opinion, lowest_disc=options.lowest_disc)
    journey.finish("name")
    journey.tell("measure", "measuring")
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    info = _settle_contrast(volume.info, options, array, spine)
    if margins := margins_in_words(spine.shown, array.shape):
        said.append(f"slices and rows at the edge of the array that show nothing count as out of view: {margins}")
    info = replace(info, remarks=(*info.remarks, *said))
    with clock.stage("measure"):
        landmarks = Landmarks(spine)
        measurements, profile = measure_spine_and_canal(spine, array, info.contrast, landmarks=landmarks)
    with clock.stage("assess"):
        calibration, info = _calibration(committee, info, options)
        objects = territories(spine)
        assessment = assess(opinion, spine, _doubts(info), calibration, objects)
        spread = spreads(member_spines(opinion, spine, objects), _measure_again(calibration, landmarks))
        measurements = tuple(add_intervals(measurements, spread, calibration, assessment.distance))
    with clock.stage("cross-check"):
        check = cross_check(array, spine.grid, measurements, info.contrast)
        measurements, assessment = with_cross_check(measurements, assessment, check)
    journey.finish("measure")
    return CaseResult(
        image=array,
        spine=spine,
        members=opinion.members,
        measurements=measurements,
        canal_profile=profile,
        cross_check=check,
        assessment=assessment,
        input=info,
        model=committee.card.info,
        device=describe_device(committee.device),
    )


def _with_references(
    result: CaseResult, options: AnalyzeOptions, tables: tuple[tuple[Reference, ...], ...]
) -> CaseResult:
    """The case with the ranges that hold for this person and scan."""
    person = person_of(result.input, options.sex, options.age, options.height)
    references = references_for(result.input, person, tables)
    remarks = (*result.input.remarks, *unused_rows(result.measurements, references))
    return replace(result, references=references, input=replace(result.input, remarks=remarks))


def _calibration(
    committee: Committee, info: InputInfo, options: AnalyzeOptions
) -> tuple[Calibration | None, InputInfo]:
    """The calibration of the model; what is to be said where there is none for these weights."""
    card = committee.card
    if options.quality == _QUICK:
        note = f"a quick look by {committee.words}: flags are not calibrated, values have no intervals"
        return None, replace(info, notes=(*info.notes, note))
    try:
        found = read_calibration(card.folder, card.info.sha256)
    except OtherWeightsError as error:
        return None, replace(info, notes=(*info.notes, f"flags are not calibrated, values have no intervals: {error}"))
    if found is None:
        remark = (
            f"model '{card.name}' has no calibration: bounds of flags are set by judgement, values have no intervals"
        )
        info = replace(info, remarks=(*info.remarks, remark))
    return found, info


def _measure_again(calibration: Calibration | None, planes: Landmarks) -> Callable[[NamedSpine], list[Measurement]]:
    """How members' masks are measured: in the committee's planes, and where a measurement has an interval."""
    structures = {key.split("|")[0] for key in calibration.intervals} if calibration else {s.value for s in Structure}
    return lambda spine: measure_brief(spine, lambda structure, _level: structure.value in structures, planes)


def _doubts(info: InputInfo) -> tuple[str, ...]:
    """What is odd about the input."""
    if info.contrast is Contrast.UNKNOWN:
        return (*info.notes, "contrast unknown: neither the header nor the tissues tell; set it with --contrast")
    return info.notes


def _settle_contrast(info: InputInfo, options: AnalyzeOptions, image: np.ndarray, spine: NamedSpine) -> InputInfo:
    """What the user says goes before the header, the header before the tissues."""
    if options.contrast:
        return replace(info, contrast=Contrast(options.contrast), contrast_evidence="set by hand")
    if info.contrast is not Contrast.UNKNOWN:
        return info
    contrast, evidence = contrast_from_tissues(image, spine.labels, spine.grid.spacing)
    return replace(info, contrast=contrast, contrast_evidence=evidence)
