"""Read a DICOM study folder, series or file as one volume."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from ...case.errors import InputError, SpineQuantError
from ..checks import check_file
from ..series import SeriesInfo
from ..weighting import Acquisition
from .choose import Candidate, candidates, choose, series_info
from .pixels import read_stack
from .scan import Scan, is_dicom, is_dicomdir, quiet, refuse_mixed_patients, scan
from .slices import DAMAGED, Slice, read_slices
from .stacks import Stack, group

__all__ = ["is_dicom", "list_dicom", "read_dicom"]


def read_dicom(
    path: Path, series: str | None = None
) -> tuple[sitk.Image, tuple[Path, ...], Acquisition, dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Read one stack of a DICOM folder or file.

    Parameters
    ----------
    path : Path
        A folder, searched with the folders in it; a multi-frame file, read by itself; any other file, which stands
        for its series in its folder; or a ``DICOMDIR``, which stands for its folder.
    series : str, optional
        Series number or key, UID, or part of the description; by default the best is taken
        (:func:`~SpineQuantLib.images.dicom.choose.choose`).

    Returns
    -------
    image : sitk.Image
        3D float32.
    files : tuple of Path
        In slice order along k.
    acquisition : Acquisition
        How it was made.
    attributes : dict
        DICOM attributes by keyword, with the SOPInstanceUIDs in slice order; nothing that names the patient.
    notes : tuple of str
        What makes the input doubtful.
    remarks : tuple of str
        What a reader may like to know: other series.

    Raises
    ------
    InputError, UnsuitableError
        With the reason.
    """
    found, stacks = _collect(path)
    chosen, notes, remarks = choose(candidates(stacks), series)
    if found.damaged:
        notes = (*notes, f"{len(found.damaged)} damaged DICOM files were left out")
    image, more = read_stack(chosen.stack)
    slices = chosen.stack.slices
    files = tuple(dict.fromkeys(s.path for s in slices))
    return (
        image,
        files,
        chosen.stack.first.acquisition,
        _attributes(chosen.stack),
        (
            *notes,
            *chosen.stack.notes,
            *more,
            *_region_notes(slices[0]),
        ),
        remarks,
    )


def list_dicom(path: Path) -> list[SeriesInfo]:
    """All stacks of a DICOM folder or file, by series number; see :func:`read_dicom` for what a path stands for.

    Raises
    ------
    InputError, UnsuitableError
        If there is no image, or there are images of several patients.
    """
    _, stacks = _collect(path)
    found = candidates(stacks)
    return [series_info(c, c is _unasked(found)) for c in found]


def _unasked(found: list[Candidate]) -> Candidate | None:
    """What is read when no series is named; None where nothing suits."""
    try:
        return choose(found, None)[0]
    except SpineQuantError:
        return None


def _collect(path: Path) -> tuple[Scan, list[Stack]]:
    """Stacks that a path stands for."""
    if path.is_dir():
        found = scan(path)
        own: list[Slice] = []
    elif is_dicomdir(path):
        found, own = scan(path.parent), []
    else:
        own = _own_slices(path)
        found = Scan(own) if len(own) > 1 else scan(path.parent, recursive=False)
    slices: Iterable[Slice] = found.slices
    if own:
        slices = [s for s in found.slices if s.series_uid == own[0].series_uid]
    slices = list(slices)
    if not slices:
        raise InputError(_nothing(path, found))
    refuse_mixed_patients(slices)
    stacks = group(slices)
    if len(own) == 1:
        stacks = [st for st in stacks if any(s.path == path for s in _all_slices(st))]
    return found, stacks


def _all_slices(stack: Stack) -> list[Slice]:
    return [*stack.slices, *(other for _, other in stack.copies)]


def _own_slices(path: Path) -> list[Slice]:
    check_file(path)
    try:
        with quiet():
            own = read_slices(path)
    except DAMAGED:
        raise InputError(f"'{path.name}' is a damaged DICOM file; copy it again") from None
    if not own:
        raise InputError(f"'{path.name}' is a DICOM file without an image (a report or a presentation state?)")
    return own


def _nothing(path: Path, found: Scan) -> str:
    if found.damaged:
        return f"'{path}' holds {len(found.damaged)} DICOM files, all of them damaged; copy them again"
    if found.others:
        return f"'{path}' holds DICOM files, but no images"
    return f"'{path}' holds no DICOM files"


def _attributes(stack: Stack) -> dict[str, Any]:
    first, acquisition = stack.first, stack.first.acquisition
    more = {
        "EchoTime": acquisition.echo_time,
        "RepetitionTime": acquisition.repetition_time,
        "InversionTime": acquisition.inversion_time,
        "ScanningSequence": list(acquisition.sequence),
        "ImageType": list(acquisition.image_type),
    }
    attributes = {**first.attributes, **{key: value for key, value in more.items() if value not in (None, [])}}
    attributes["SOPInstanceUIDs"] = list(dict.fromkeys(s.sop_uid for s in stack.slices))
    if len({s.path for s in stack.slices}) == 1:
        attributes["FrameNumbers"] = [s.frame + 1 for s in stack.slices]
    return attributes


def _region_notes(first: Slice) -> tuple[str, ...]:
    text = f"{first.attributes.get('BodyPartExamined', '')} {first.acquisition.text}".lower()
    if any(word in text for word in ("brain", "head", "skull", "neuro")) and "spine" not in text:
        return ("the header says head or brain, not spine",)
    return ()
