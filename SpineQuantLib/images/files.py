"""NIfTI, NRRD and MetaImage files."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from pathlib import Path

import SimpleITK as sitk

from ..case.errors import InputError, UnsuitableError
from .checks import check_file, check_size, check_spacing
from .nifti import check_nifti, looks_like_nifti
from .silence import silence_libraries
from .textheader import check_metaimage, check_nrrd, looks_like_metaimage, looks_like_nrrd

__all__ = ["SUFFIXES", "hash_files", "read_file"]

SUFFIXES = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
}
_READERS = {"NIfTI": "NiftiImageIO", "NRRD": "NrrdImageIO", "MetaImage": "MetaImageIO"}
_COMPLEX = (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)
_BEST_COMPRESSION = 1100
"""Deflate makes nothing more than 1032 times smaller."""
_CHUNK = 1 << 20


def hash_files(files: Iterable[Path]) -> str:
    """SHA-256 of one file; of several, the hash over their hashes, sorted, so that names and order do not matter.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    digests = []
    for path in files:
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise InputError(f"'{path}' cannot be read: {error.strerror}") from None
        digests.append(digest.hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def read_file(path: Path) -> tuple[sitk.Image, str, tuple[Path, ...], tuple[str, ...]]:
    """Read a volume from a single file (or a header and its data file).

    Parameters
    ----------
    path : Path
        ``.nii``, ``.nii.gz``, ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mhd``; what it holds must agree with its name.

    Returns
    -------
    image : sitk.Image
        3D float32 with the file's geometry.
    format : str
        ``NIfTI``, ``NRRD`` or ``MetaImage``.
    files : tuple of Path
        The header first.
    notes : tuple of str
        What a reader should know.

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, damaged, or of no known format.
    UnsuitableError
        If it is no volume of one value per voxel.
    """
    check_file(path)
    kind = _format(path)
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = (path,)
    if kind == "NIfTI":
        notes = check_nifti(path)
    elif kind == "MetaImage":
        files, notes = check_metaimage(path)
    else:
        files, notes = check_nrrd(path)
    image, more = _read(path, kind, sum(f.stat().st_size for f in files))
    return image, kind, files, (*notes, *more)


def _format(path: Path) -> str:
    name = path.name.lower()
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), None)
    found = None
    if looks_like_nrrd(path):
        found = "NRRD"
    elif looks_like_nifti(path):
        found = "NIfTI"
    elif looks_like_metaimage(path):
        found = "MetaImage"
    if suffix is None:
        known = ", ".join(SUFFIXES)
        hint = f"it holds {found}: name it accordingly" if found else f"known are a DICOM file or folder, {known}"
        raise InputError(f"'{path.name}' has no known format; {hint}")
    # A compressed NIfTI that breaks off within its first bytes is told by the NIfTI check.
    if found != SUFFIXES[suffix] and not (found is None and suffix == ".nii.gz" and _is_gzip(path)):
        holds = f"holds {found}" if found else "holds something else"
        raise InputError(f"'{path.name}' is named as {SUFFIXES[suffix]}, but {holds}")
    return SUFFIXES[suffix]


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _read(path: Path, kind: str, stored: int) -> tuple[sitk.Image, tuple[str, ...]]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO(_READERS[kind])
    reader.SetFileName(str(path))
    try:
        with silence_libraries():
            reader.ReadImageInformation()
            notes = _check_information(path.name, reader, stored)
            reader.SetOutputPixelType(sitk.sitkFloat32)
            image = reader.Execute()
    except RuntimeError as error:
        raise _translated(path.name, str(error)) from None
    # A copy of voxels and geometry leaves behind the header's free text, which may name the patient.
    bare = sitk.GetImageFromArray(sitk.GetArrayViewFromImage(image))
    bare.CopyInformation(image)
    return bare, notes


def _check_information(name: str, reader: sitk.ImageFileReader, stored: int) -> tuple[str, ...]:
    """Check the header that ITK understood, and have trailing axes of length one dropped."""
    if reader.GetPixelID() in _COMPLEX:
        raise UnsuitableError(f"'{name}' holds complex numbers: save its magnitude")
    components = reader.GetNumberOfComponents()
    if components > 1:
        raise UnsuitableError(f"'{name}' has {components} values per voxel (colour, vectors): save it in grey")
    whole = reader.GetSize()
    size = list(whole)
    while len(size) > 3 and size[-1] == 1:
        size.pop()
    check_size(name, tuple(size))
    check_spacing(name, reader.GetSpacing()[:3])
    if math.prod(size) > stored * _BEST_COMPRESSION:
        raise InputError(f"'{name}' is truncated, or its header is damaged: {stored} bytes cannot hold its voxels")
    if len(whole) == 3:
        return ()
    reader.SetExtractSize((*size, *(0 for _ in whole[3:])))
    return (f"{len(whole)}D with a single time point: read as a volume",)


def _translated(name: str, text: str) -> InputError | UnsuitableError:
    """One line from the several that ITK writes."""
    if "orthonormal" in text:
        return UnsuitableError(f"'{name}' has axes that are not at right angles: resample it to a regular grid")
    if "spacing" in text.lower():
        return InputError(f"'{name}' gives no valid voxel size: convert it again from the original")
    if "expected" in text or "fread got" in text or "data not read completely" in text:
        return InputError(f"'{name}' is truncated: it ends before its last voxel; copy or download it again")
    if "allocat" in text.lower():
        return InputError(f"'{name}' does not fit in memory: crop it, or use a machine with more memory")
    lines = [line for line in text.splitlines() if line.strip()] or ["unknown reason"]
    reason = re.sub(r"^.*?(ITK ERROR: \w+(\(0x[0-9a-f]+\))?:|\[nrrd\] \w+:)\s*", "", lines[-1]).strip()
    return InputError(f"'{name}' cannot be read, it is probably damaged: {reason[:160]}")
