"""Every file that a volume is stored in: a header may keep its voxels in other files, and a folder holds many."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from ..case.errors import InputError
from .files import hash_files
from .textheader import looks_like_metaimage, looks_like_nrrd

__all__ = ["files_of", "hash_volume"]

_ABSENT = "'{}' needs the file '{}', which is not there; keep the two together"
_LONGEST_LINE = 1 << 16
_NRRD_DATA = re.compile(r"data ?file:(.*)", re.IGNORECASE)
_META_DATA = re.compile(r"ElementDataFile\s*=(.*)")
_META_SIZE = re.compile(r"DimSize\s*=.*?(\d+)")
_ANALYZE = {".hdr": (".img", ".img.gz"), ".img": (".hdr",), ".img.gz": (".hdr",)}


def files_of(path: Path) -> tuple[Path, ...]:
    """Files whose contents make up a volume.

    Parameters
    ----------
    path : Path
        A file of any format, or a DICOM folder. A header of MetaImage, NRRD or Analyze is followed by the files that
        hold its voxels, lists and numbered names among them.

    Returns
    -------
    tuple of Path
        ``path`` first; of a folder everything below it, in the order of names.

    Raises
    ------
    InputError
        If the file cannot be read, a folder is empty, or a file that a header names is not there.
    """
    try:
        if path.is_dir():
            return _below(path)
        if looks_like_nrrd(path):
            named = _nrrd_names(path)
        elif looks_like_metaimage(path):
            named = _metaimage_names(path)
        else:
            return (path, *_partner(path))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from None
    found = [path.parent / name for name in named]
    missing = next((file for file in found if not file.is_file()), None)
    if missing is not None:
        raise InputError(_ABSENT.format(path, missing))
    return (path, *found)


def hash_volume(path: Path) -> str:
    """SHA-256 of all that a volume is stored in; of a single file that of its bytes.

    Raises
    ------
    InputError
        As :func:`files_of`, or if a file cannot be read.
    """
    files = files_of(path)
    if len(files) == 1 or path.is_dir():
        return hash_files(files)
    # A header names its files in the order of slices.
    return hashlib.sha256("".join(hash_files([file]) for file in files).encode()).hexdigest()


def _below(folder: Path) -> tuple[Path, ...]:
    files = tuple(sorted(p for p in folder.rglob("*") if p.is_file()))
    if not files:
        raise InputError(f"folder '{folder}' is empty")
    return files


def _lines(path: Path) -> Iterator[str]:
    """Lines of a text header; voxels may follow, so that it is read no further than it is asked for."""
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            yield line.decode("latin-1").strip()


def _nrrd_names(path: Path) -> list[str]:
    lines = _lines(path)
    for line in lines:
        # The first empty line ends the header: its voxels follow.
        if not line:
            break
        if found := _NRRD_DATA.fullmatch(line):
            return _names(path, found[1].strip(), lines)
    return []


def _metaimage_names(path: Path) -> list[str]:
    lines, slices = _lines(path), ""
    for line in lines:
        if found := _META_SIZE.fullmatch(line):
            slices = found[1]
        if found := _META_DATA.fullmatch(line):
            target = found[1].strip()
            return [] if target.upper() == "LOCAL" else _names(path, target, lines, slices)
    return []


def _names(path: Path, target: str, lines: Iterator[str], slices: str = "") -> list[str]:
    """A name, a list of names on the lines that follow, or names such as ``slice%03d.raw`` with their numbers.

    The numbers are the first, the last and the step between; one for each of the ``slices`` where they are left out.
    """
    if target.split()[:1] == ["LIST"]:
        return [name for name in lines if name]
    if "%" not in target:
        return [target]
    name, *numbers = target.split()
    try:
        first, last, step = (int(n) for n in (*(numbers or ("1", slices)), "1")[:3])
        return [name % n for n in range(first, last + (1 if step > 0 else -1), step)]
    except (TypeError, ValueError):
        raise InputError(f"'{path}' has a damaged header: '{target[:80]}' names no data files") from None


def _partner(path: Path) -> tuple[Path, ...]:
    """The other half of an Analyze or NIfTI pair; which of its spellings is there differs."""
    name = path.name.lower()
    for suffix, others in _ANALYZE.items():
        if name.endswith(suffix):
            stem = path.name[: -len(suffix)]
            candidates = [path.with_name(stem + other) for other in others]
            there = tuple(c for c in candidates if c.is_file())
            if not there:
                raise InputError(_ABSENT.format(path, candidates[0]))
            return there
    return ()
