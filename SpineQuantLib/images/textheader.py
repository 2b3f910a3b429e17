"""Headers of MetaImage and NRRD files, which are text: which files hold the voxels, and are they long enough."""

from __future__ import annotations

import math
from pathlib import Path

from ..case.errors import InputError
from .checks import check_file, check_spacing

__all__ = ["NO_ORIENTATION", "check_metaimage", "check_nrrd", "looks_like_metaimage", "looks_like_nrrd"]

NO_ORIENTATION = "the header records no orientation: which side is left, and which end is up, is not certain"

_HEADER_LIMIT = 1 << 16
_META_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
_META_AXES = {"transformmatrix", "orientation", "rotation"}
_NRRD_DATA = ("data file", "datafile")
_NO_SPACING = "'{}' gives no voxel size: convert it again from the original"


def looks_like_nrrd(path: Path) -> bool:
    """Whether a file starts as a NRRD header."""
    with path.open("rb") as file:
        return file.read(7) == b"NRRD000"


def looks_like_metaimage(path: Path) -> bool:
    """Whether a file starts as a MetaImage header."""
    with path.open("rb") as file:
        head = file.read(_HEADER_LIMIT)
    return b"NDims" in head and b"ElementDataFile" in head


def check_metaimage(path: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Files that hold a MetaImage, the header and the data file where it is detached, and what a reader should know.

    Raises
    ------
    InputError
        If the header is damaged or gives no voxel size, or the data file is missing or too short.
    """
    fields, start = _fields(path, "=")
    target = fields.get("elementdatafile", "")
    name = path.name
    spacing = _numbers(name, fields.get("elementspacing") or fields.get("elementsize") or "")
    if not spacing:
        raise InputError(_NO_SPACING.format(name))
    check_spacing(name, spacing)
    expected = _metaimage_bytes(name, fields)
    if target.upper() == "LOCAL":
        available = path.stat().st_size - start
        files: tuple[Path, ...] = (path,)
    else:
        data = _data_file(path, target)
        available = data.stat().st_size
        files = (path, data)
    if expected is not None and available < expected:
        raise InputError(f"'{files[-1].name}' is truncated: it ends before its last voxel; copy or download it again")
    return files, () if _META_AXES & fields.keys() else (NO_ORIENTATION,)


def check_nrrd(path: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Files that hold a NRRD volume, the header and the data file where it is detached, and what a reader should know.

    Raises
    ------
    InputError
        If the header is damaged or gives no voxel size, or the data file is missing.
    """
    fields, _ = _fields(path, ":")
    if not {"spacings", "space directions"} & fields.keys():
        raise InputError(_NO_SPACING.format(path.name))
    target = next((fields[key] for key in _NRRD_DATA if key in fields), None)
    files = (path,) if target is None else (path, _data_file(path, target))
    return files, () if {"space", "space directions"} & fields.keys() else (NO_ORIENTATION,)


def _fields(path: Path, separator: str) -> tuple[dict[str, str], int]:
    """Fields of a text header by lower-case name, and the byte after its last line."""
    with path.open("rb") as file:
        head = file.read(_HEADER_LIMIT)
    fields: dict[str, str] = {}
    position = 0
    for line in head.split(b"\n"):
        position += len(line) + 1
        text = line.decode("latin-1").strip()
        if not text and separator == ":":
            return fields, position
        key, found, value = text.partition(separator)
        if found and not key.startswith("#"):
            fields[key.strip().lower()] = value.lstrip("=").strip()
        if key.strip() == "ElementDataFile":
            return fields, position
    if separator == "=":
        raise InputError(f"'{path.name}' has a damaged header: it does not say where the voxels are")
    return fields, position


def _data_file(header: Path, target: str) -> Path:
    if not target or target.upper().startswith("LIST") or "%" in target:
        raise InputError(f"'{header.name}' spreads its voxels over several files; convert it to a single file")
    path = header.parent / target
    if not path.is_file():
        raise InputError(f"'{header.name}' needs the file '{target}', which is not there; copy both")
    check_file(path)
    return path


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split())
    except ValueError:
        raise InputError(f"'{name}' has a damaged header: '{text[:40]}' are not numbers") from None


def _metaimage_bytes(name: str, fields: dict[str, str]) -> int | None:
    """Bytes that the voxels take in the file; None where the header does not tell."""
    compressed = _numbers(name, fields.get("compresseddatasize", ""))
    if fields.get("compresseddata", "").lower() == "true":
        return int(compressed[0]) if compressed else None
    size = _numbers(name, fields.get("dimsize", ""))
    channels = _numbers(name, fields.get("elementnumberofchannels", "1"))
    kind = fields.get("elementtype", "").removeprefix("MET_").removesuffix("_ARRAY").replace("UCHAR", "CHAR")
    width = _META_BYTES.get(kind.removeprefix("U"))
    if width is None or not size or not all(math.isfinite(v) and v > 0 for v in (*size, *channels)):
        return None
    return int(math.prod(size) * channels[0]) * width
