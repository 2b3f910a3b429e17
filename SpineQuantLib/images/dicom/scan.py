"""Find the DICOM images in a folder. Nothing in it is trusted: not its size, nor its links, nor its files."""

from __future__ import annotations

import logging
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from ...case.errors import InputError, UnsuitableError
from .slices import DAMAGED, Slice, read_slices

__all__ = ["Scan", "is_dicom", "is_dicomdir", "quiet", "refuse_mixed_patients", "scan"]

MAX_FILES = 50_000
# Files written without preamble start with an element of group 0002 or 0008.
_BARE_STARTS = tuple(
    bytes((group, 0, element, 0)) for group in (0x02, 0x08) for element in (0x00, 0x01, 0x02, 0x05, 0x08, 0x16)
)


@dataclass
class Scan:
    """What was found.

    Attributes
    ----------
    slices : list of Slice
        All image planes.
    damaged : list of Path
        DICOM files that could not be read.
    others : int
        DICOM files that hold no image (structured reports, presentation states, directories).
    """

    slices: list[Slice] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    others: int = 0


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings about sloppy but readable files from the user's terminal."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def is_dicom(path: Path) -> bool:
    """Whether a file's first bytes are those of DICOM, with or without preamble."""
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        return False
    return head[128:132] == b"DICM" or head.startswith(_BARE_STARTS)


def is_dicomdir(path: Path) -> bool:
    """Whether a file is the directory of a DICOM medium (``DICOMDIR``)."""
    try:
        with quiet():
            return read_file_meta_info(path).get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    except DAMAGED:
        return False


def scan(path: Path, *, recursive: bool = True) -> Scan:
    """Read the headers of all DICOM images in a folder, or of one file.

    Parameters
    ----------
    path : Path
        Folder or file. Links to folders are not followed.
    recursive : bool
        Whether folders inside the folder are searched.

    Raises
    ------
    InputError
        If the folder cannot be read or holds more than :data:`MAX_FILES` files.
    """
    found = Scan()
    with quiet():
        for file in [path] if path.is_file() else _files(path, recursive):
            if is_dicom(file):
                _add(found, file)
    return found


def refuse_mixed_patients(slices: list[Slice]) -> None:
    """Refuse images of several people: a value measured on the wrong person is worse than none.

    Two images are of different people where both carry a patient's id, or name, or birth date, and these differ.

    Raises
    ------
    UnsuitableError
        Says how many, and no names.
    """
    for values in zip(*(s.patient for s in slices), strict=True):
        known = {v for v in values if v}
        if len(known) > 1:
            raise UnsuitableError(
                f"images of {len(known)} patients are mixed; name the folder of one patient, or a file of a series"
            )


def _files(folder: Path, recursive: bool) -> Iterator[Path]:
    count = 0

    def fail(error: OSError) -> None:
        raise InputError(f"folder '{error.filename}' cannot be read: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        if not recursive:
            folders.clear()
        for name in sorted(names):
            path = Path(root) / name
            try:
                regular = stat.S_ISREG(path.stat().st_mode)
            except OSError:
                continue
            if not regular:
                continue
            count += 1
            if count > MAX_FILES:
                raise InputError(f"'{folder}' holds more than {MAX_FILES} files; name the folder of one study")
            yield path


def _add(found: Scan, file: Path) -> None:
    try:
        if _deflated(file):
            found.damaged.append(file)
            return
        slices = read_slices(file)
    except DAMAGED:
        found.damaged.append(file)
        return
    found.slices.extend(slices)
    found.others += not slices


def _deflated(file: Path) -> bool:
    """Whether a whole dataset is compressed: hardly anyone writes that, and a few bytes could unpack to gigabytes."""
    with file.open("rb") as stream:
        if stream.read(132)[128:] != b"DICM":
            return False
    return read_file_meta_info(file).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
