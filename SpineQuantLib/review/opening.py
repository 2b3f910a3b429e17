"""A case folder read back as the case it was written from."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..case.borders import Borders, read_borders, read_members
from ..case.canal_profile import read_canal_profile
from ..case.errors import InputError
from ..case.grid import to_reading_order
from ..case.opinion import Assessment
from ..case.record import CaseRecord, read_record
from ..case.result import CaseResult
from ..case.spine import NamedSpine
from ..case.view import view_of
from ..report.ranges import read_case_references
from ..report.tables import read_measurements
from .history import FILE_NAME, read_corrections
from .stamp import stamp
from .state import State

__all__ = ["OpenedCase", "open_case", "read_result"]

_PROFILE = "canal_profile.csv"
_TRIES = 3
"""To read a folder that another program is writing; a case takes its place by renaming, so that one more will do."""


class OpenedCase:
    """What a folder holds.

    Attributes
    ----------
    folder : Path
        Where it lies.
    state : State
        The case with what readers have changed so far.
    native : sitk.Image
        The input volume on its own grid, with its own numbers.
    record : CaseRecord
        ``case.json``.
    stamp : str
        :func:`~SpineQuantLib.review.stamp.stamp` of the folder with this content.
    """

    def __init__(self, folder: Path, state: State, native: sitk.Image, record: CaseRecord, stamp: str) -> None:
        self.folder = folder
        self.state = state
        self.native = native
        self.record = record
        self.stamp = stamp


def open_case(folder: Path) -> OpenedCase:
    """Read a case folder.

    Raises
    ------
    InputError
        If it is none, is not whole, was written by a version that kept no borders, or is being changed all the time.
    """
    folder = Path(folder)
    for _ in range(_TRIES):
        # Before the reading, and once more after it: what changed in between belongs to neither state.
        before = stamp(folder)
        try:
            opened = _opened(folder, before)
        except InputError:
            if stamp(folder) == before:
                raise
            continue
        if stamp(folder) == before:
            return opened
    raise InputError(f"{folder} is being changed by another program; wait until that is done, and open the case again")


def _opened(folder: Path, before: str) -> OpenedCase:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; name a case folder as 'spinequant analyze' writes it")
    if not (folder / "case.json").is_file():
        raise InputError(f"{folder} is no case folder: it holds no case.json")
    record = read_record(folder / "case.json")
    if not (folder / "borders.npz").is_file():
        raise InputError(f"{folder} holds no borders.npz, so that it cannot be corrected; analyse the case again")
    borders = read_borders(folder / "borders.npz")
    native = _native_image(folder, borders, record)
    result = read_result(folder, record, borders, native)
    edits, automatic, by_hand = read_corrections(folder / FILE_NAME)
    result = replace(result, edits=edits, accepted=record.accepted)
    return OpenedCase(folder, State(result, automatic, by_hand), native, record, before)


def read_result(folder: Path, record: CaseRecord, borders: Borders, native: sitk.Image) -> CaseResult:
    """The case as it was measured, without what readers changed.

    Raises
    ------
    InputError
        If a file is missing, damaged, or does not fit the others.
    """
    grid = borders.grid
    image = sitk.GetArrayFromImage(to_reading_order(native)).astype(np.float32)
    view = view_of(image)
    spine = NamedSpine(grid, borders.labels, borders.occupancy, record.vertebrae, record.naming, view)
    disagreement = sitk.GetArrayFromImage(_in_reading_order(folder / "disagreement.nii.gz", borders)).astype(np.uint8)
    profile = read_canal_profile(folder / _PROFILE) if (folder / _PROFILE).is_file() else None
    return CaseResult(
        image=image,
        spine=spine,
        members=read_members(folder / "members.npz", grid),
        measurements=tuple(read_measurements(folder / "measurements.json")),
        assessment=Assessment(record.verdict, record.reasons, record.scores, disagreement, record.distance),
        input=record.input,
        model=record.model,
        device=record.device,
        costs=record.costs,
        references=read_case_references(folder),
        canal_profile=profile,
        analysed=record.analysed,
        cross_check=record.cross_check,
    )


def _read_image(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path} cannot be read ({reason}); analyse the case again") from error


def _in_reading_order(path: Path, borders: Borders) -> sitk.Image:
    image = _read_image(path)
    if not _lies_on(image, borders.native, 1e-2):
        raise InputError(f"{path} does not lie on the grid of the case; analyse the case again")
    # NIfTI rounds geometry to 32 bit; the axes are those of the input for certain.
    image.CopyInformation(borders.native)
    return to_reading_order(image)


def _lies_on(image: sitk.Image, like: sitk.Image, tolerance: float) -> bool:
    """Whether two images have the same size and their corners in the same places, within so many mm."""
    if image.GetSize() != like.GetSize():
        return False
    corners = [(0, 0, 0), *np.diag(np.array(like.GetSize()) - 1).tolist()]
    places = [[i.TransformIndexToPhysicalPoint(tuple(map(int, c))) for c in corners] for i in (image, like)]
    return bool(np.allclose(places[0], places[1], atol=tolerance))


def _native_image(folder: Path, borders: Borders, record: CaseRecord) -> sitk.Image:
    """The input volume: the scene of the case holds it, whatever has become of the file it came from."""
    path = folder / "scene.mrb"
    try:
        with zipfile.ZipFile(path) as bundle, tempfile.TemporaryDirectory(prefix="spinequant-") as scratch:
            for name in bundle.namelist():
                if not name.endswith(".nrrd") or name.endswith(".seg.nrrd"):
                    continue
                # Under a name of our own: those in the bundle are not to be trusted.
                part = Path(scratch) / "volume.nrrd"
                part.write_bytes(bundle.read(name))
                image = _read_image(part)
                if image.GetNumberOfComponentsPerPixel() == 1 and _lies_on(image, borders.native, 1e-3):
                    image.CopyInformation(borders.native)
                    return image
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path} cannot be read ({error}); analyse the case again") from error
    raise InputError(f"{path} does not hold the volume of the case ({record.input.path.name}); analyse the case again")
