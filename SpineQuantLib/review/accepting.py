"""An accepted case on its way to disk: was somebody faster, where are the images, what to keep."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import SimpleITK as sitk

from ..case.errors import InputError, SpineQuantError
from ..case.folder import new_case_folder
from ..case.journey import Journey
from ..case.progress import ProgressEvent
from ..case.record import read_record
from ..case.result import CaseResult, InputInfo
from ..images.read import read_volume
from .history import FILE_NAME, write_corrections
from .stamp import check_unchanged, stamp
from .state import State

__all__ = ["Signed", "Written", "keep_strangers", "with_sources", "write_signed"]


@dataclass(frozen=True, eq=False)
class Signed:
    """A case as a reader has accepted it, before it is written.

    Attributes
    ----------
    before : State
        What the reader saw.
    after : State
        The same with the acceptance, and the reader's name on edits that named nobody.
    native : sitk.Image
        The input volume on its own grid, with its own numbers.
    folder : Path
        Case folder that it was opened from.
    stamp : str
        :func:`~SpineQuantLib.review.stamp.stamp` of that folder when it was opened.
    """

    before: State
    after: State
    native: sitk.Image
    folder: Path
    stamp: str


@dataclass(frozen=True, eq=False)
class Written:
    """An accepted case on disk.

    Attributes
    ----------
    result : CaseResult
        The case as it was written.
    folder : Path
        Where.
    stamp : str
        Stamp of what was written, whatever has become of the folder since.
    """

    result: CaseResult
    folder: Path
    stamp: str


def write_signed(
    signed: Signed,
    target: Path | None = None,
    *,
    source: Path | None = None,
    progress: Callable[[ProgressEvent], None] | None = None,
) -> Written:
    """Write an accepted case; see :meth:`~SpineQuantLib.review.case_review.CaseReview.accept`.

    Parameters
    ----------
    signed : Signed
        The case.
    target : Path, optional
        Where to write; the case's own folder by default.
    source : Path, optional
        Where the DICOM images are now.
    progress : callable, optional
        Told about each step.

    Returns
    -------
    Written
        What is on disk now.

    Raises
    ------
    OutputError
        If it cannot be written, or somebody else has changed the case's own folder meanwhile.
    """
    # Imported here: to open and correct a case nothing has to be drawn.
    from ..writing import WRITING_SHARES, write_case

    target = signed.folder if target is None else target
    own = target.resolve() == signed.folder.resolve()
    if own:
        check_unchanged(target, signed.stamp)
    with new_case_folder(target, overwrite=True) as part:
        result = replace(signed.after.result, input=with_sources(signed.after.result, source))
        write_corrections(signed.after, part / FILE_NAME)
        result = write_case(result, signed.native, part, Journey(WRITING_SHARES, progress))
        keep_strangers(target, part)
        # Of what lies here, and not of the folder afterwards: somebody may save into it as soon as it is there.
        written = Written(result, target, stamp(part))
        if own:
            check_unchanged(target, signed.stamp)
    return written


def with_sources(result: CaseResult, source: Path | None) -> InputInfo:
    """The input with its files, where they still are what was analysed; DICOM results refer to them."""
    info = result.input
    if info.format != "DICOM":
        return info
    series = str(info.dicom.get("SeriesInstanceUID") or "") or None
    for place in filter(None, (source, info.path)):
        try:
            found = read_volume(place, series).info
        except SpineQuantError:
            continue
        if found.sha256 == info.sha256:
            return replace(info, files=found.files, dicom=found.dicom)
    return info


def keep_strangers(old: Path, part: Path) -> None:
    """Carry over what SpineQuant did not write into a case folder that is written again."""
    if not old.is_dir():
        return
    try:
        ours = {*read_record(old / "case.json").files, "case.json"}
    except InputError:
        # A damaged record does not tell; then all is kept that is not written anew.
        ours = {"case.json"}
    for path in sorted(old.rglob("*")):
        name = path.relative_to(old)
        if path.is_file() and name.as_posix() not in ours and not (part / name).exists():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, part / name)
