"""DICOM both ways: from which files a volume came, and results into Slicer's database."""

from pathlib import Path

import ctk
import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from SpineQuantLib.case.errors import InputError

_POSITION, _ORIENTATION, _SPACING, _ROWS, _COLUMNS = "0020,0032", "0020,0037", "0028,0030", "0028,0010", "0028,0011"
_SAME_PLACE = 0.1
"""Millimetres by which a volume may lie beside its DICOM images: they write decimals, and Slicer rounds."""
_SAME_LENGTH = 0.001
"""Part of the length of an edge by which it may be off: direction cosines are written with few digits."""


def dicomFiles(volumeNode) -> tuple[list[Path], str]:
    """The DICOM files that a volume was loaded from, where it can still be analysed from them.

    :returns: The files, or none and why not; both are empty for a volume that did not come from DICOM.
    """
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if not uids:
        return [], ""
    if volumeNode.GetParentTransformNode() is not None:
        return [], _("the volume lies under a transform")
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        return [], _("the DICOM database is not open")
    files = [database.fileForInstance(uid) for uid in uids]
    if not all(file and Path(file).is_file() for file in files):
        return [], _("its DICOM files are no longer where they were")
    if volumeNode.GetImageData() is None or len(files) not in volumeNode.GetImageData().GetDimensions():
        return [], _("it has another number of slices than its DICOM series")
    if _liesElsewhere(volumeNode, database, files):
        # A hardened transform and "Center volume" leave the UIDs as they are; the result would not lie on the volume.
        return [], _("it was moved or resampled since it was loaded")
    return [Path(file) for file in files], ""


def _liesElsewhere(volumeNode, database, files: list[str]) -> bool:
    """Whether the corners of a volume are not where its DICOM images say; not where these do not say it."""
    from SpineQuantLib.case.grid import lps_to_ras

    ends = [_numbers(database, file, _POSITION, 3) for file in (files[0], files[-1])]
    if ends[0] is None or ends[1] is None:
        return False
    ni, nj, nk = volumeNode.GetImageData().GetDimensions()
    corner, *others = _corners(volumeNode, ((0, 0, 0), (ni - 1, 0, 0), (0, nj - 1, 0), (0, 0, nk - 1)))
    # Slices are read in the order of their places, which may not be that of the files.
    first, last = sorted(lps_to_ras(np.array(ends)), key=lambda end: float(np.linalg.norm(end - corner)))
    if np.linalg.norm(first - corner) > _SAME_PLACE:
        return True
    for edge, wanted in zip((point - corner for point in others), _edges(database, files[0]), strict=False):
        if np.linalg.norm(edge - wanted) > _SAME_PLACE + _SAME_LENGTH * np.linalg.norm(wanted):
            return True
    # A series whose slices are not quite evenly spaced is read as if they were.
    half = 0.5 * np.linalg.norm(last - first) / max(len(files) - 1, 1)
    return bool(np.linalg.norm(others[2] - last) > _SAME_PLACE + half)


def _edges(database, file: str) -> tuple[np.ndarray, ...]:
    """Both edges of an image in the patient's RAS, from the first voxel to the last; none if the file lacks them."""
    from SpineQuantLib.case.grid import lps_to_ras

    wanted = ((_ORIENTATION, 6), (_SPACING, 2), (_COLUMNS, 1), (_ROWS, 1))
    found = [_numbers(database, file, tag, count) for tag, count in wanted]
    if any(numbers is None for numbers in found):
        return ()
    directions, spacing, columns, rows = found
    across, down = lps_to_ras(directions.reshape(2, 3))
    # DICOM writes the distance of the rows first.
    return across * spacing[1] * (columns[0] - 1), down * spacing[0] * (rows[0] - 1)


def _corners(volumeNode, indices) -> np.ndarray:
    """Where voxels of a volume lie in RAS, one a row."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return np.array([matrix.MultiplyPoint((*map(float, index), 1.0))[:3] for index in indices])


def _numbers(database, file: str, tag: str, count: int) -> np.ndarray | None:
    """Numbers of a tag of a file; None where it has not so many."""
    try:
        numbers = np.array([float(text) for text in str(database.fileValue(file, tag) or "").split("\\")])
    except ValueError:
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def filesOfCase(case) -> list[Path]:
    """The DICOM images that a case was analysed from, as Slicer's database has them now.

    :returns: The files; none for a case that does not come from DICOM, or where the database does not know them.
    """
    database = getattr(slicer, "dicomDatabase", None)
    series = str(case.result.input.dicom.get("SeriesInstanceUID") or "")
    if case.result.input.format != "DICOM" or not series or database is None or not database.isOpen:
        return []
    files = [Path(file) for file in database.filesForSeries(series)]
    return files if all(file.is_file() for file in files) else []


def intoDatabase(case) -> int:
    """Put a case's SEG and SR into Slicer's DICOM database.

    :returns: How many files.
    :raises InputError: if there are none, or the database is not open.
    """
    files = sorted((case.folder / "dicom").glob("*.dcm"))
    if not files:
        raise InputError(_("this case holds no DICOM files; only cases that were analysed from DICOM have them"))
    if case.review.changed:
        raise InputError(_("the case was corrected since its files were written; accept it first"))
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        raise InputError(_("the DICOM database is not open; open the module DICOM once"))
    indexer = ctk.ctkDICOMIndexer()
    # Copied, because a case folder may be written again or moved.
    indexer.addDirectory(database, str(case.folder / "dicom"), True)
    indexer.waitForImportFinished()
    return len(files)
