"""DICOM both ways: from which files a volume came, and results into Slicer's database."""

from pathlib import Path

import ctk
import slicer
from slicer.i18n import tr as _

from SpineQuantLib.case.errors import InputError


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
    return [Path(file) for file in files], ""


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
