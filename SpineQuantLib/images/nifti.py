"""Header of a NIfTI file, read by itself: ITK mends wrong voxel sizes and fills truncated files without a word."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..case.errors import InputError, UnsuitableError
from .checks import check_size, check_spacing

__all__ = ["NiftiHeader", "check_nifti", "looks_like_nifti"]

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_DAMAGED = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed of a NIfTI-1 or NIfTI-2 header.

    Attributes
    ----------
    shape : tuple of int
        Voxels along each axis, trailing axes of length one left out.
    spacing : tuple of float
        ``pixdim`` of the first three axes as written, whatever its sign.
    end : int
        Bytes up to the end of the voxels, uncompressed.
    qform, sform : np.ndarray or None
        (3, 3) columns: RAS millimetres per voxel along i, j, k; None where the header's code is 0.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    end: int
    qform: np.ndarray | None
    sform: np.ndarray | None


def looks_like_nifti(path: Path) -> bool:
    """Whether a file, compressed or not, starts with a NIfTI header."""
    try:
        return _layout(_head(path)) is not None
    except _DAMAGED:
        return False


def check_nifti(path: Path) -> tuple[str, ...]:
    """Check header and length of a NIfTI file before its voxels are read.

    Returns
    -------
    tuple of str
        Notes about its orientation.

    Raises
    ------
    InputError
        If it is no NIfTI file, is damaged or truncated, or has no valid voxel size.
    UnsuitableError
        If it is no volume, or its voxel sizes contradict each other.
    """
    try:
        head = _head(path)
    except _DAMAGED:
        raise InputError(f"'{path.name}' is damaged: it cannot be decompressed; copy it again") from None
    layout = _layout(head)
    if layout is None:
        raise InputError(f"'{path.name}' is named as NIfTI, but holds something else; convert it first")
    header = _parse(path.name, head, *layout)
    check_size(path.name, header.shape)
    check_spacing(path.name, header.spacing)
    _check_length(path, header.end)
    return _orientation_notes(path.name, header)


def _open(path: Path) -> gzip.GzipFile:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return gzip.open(path, "rb") if compressed else path.open("rb")


def _head(path: Path) -> bytes:
    with _open(path) as file:
        return file.read(540)


def _layout(head: bytes) -> tuple[str, int] | None:
    """Byte order and version, or None where it is no header."""
    for order in "<>":
        for version, size, offset in ((1, 348, 344), (2, 540, 4)):
            if len(head) >= size and struct.unpack_from(f"{order}i", head)[0] == size:
                magic = head[offset : offset + 3]
                if magic in (b"n+1", b"ni1", b"n+2", b"ni2"):
                    return order, version
    return None


def _parse(name: str, head: bytes, order: str, version: int) -> NiftiHeader:
    magic = head[344:347] if version == 1 else head[4:7]
    if magic.startswith(b"ni"):
        raise InputError(f"'{name}' is one half of a .hdr/.img pair; convert it to a single .nii.gz")
    if version == 1:
        dim = struct.unpack_from(f"{order}8h", head, 40)
        bits = struct.unpack_from(f"{order}h", head, 72)[0]
        pixdim = struct.unpack_from(f"{order}8f", head, 76)
        offset = struct.unpack_from(f"{order}f", head, 108)[0]
        codes = struct.unpack_from(f"{order}2h", head, 252)
        quaternion = struct.unpack_from(f"{order}3f", head, 256)
        rows = struct.unpack_from(f"{order}12f", head, 280)
    else:
        bits = struct.unpack_from(f"{order}h", head, 14)[0]
        dim = struct.unpack_from(f"{order}8q", head, 16)
        pixdim = struct.unpack_from(f"{order}8d", head, 104)
        offset = struct.unpack_from(f"{order}q", head, 168)[0]
        codes = struct.unpack_from(f"{order}2i", head, 344)
        quaternion = struct.unpack_from(f"{order}3d", head, 352)
        rows = struct.unpack_from(f"{order}12d", head, 400)
    if not 1 <= dim[0] <= 7 or bits < 1 or not math.isfinite(offset) or offset < 0:
        raise InputError(f"'{name}' has a damaged NIfTI header")
    shape = list(dim[1 : dim[0] + 1])
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    spacing = pixdim[1 : min(len(shape), 3) + 1]
    sform = np.array(rows).reshape(3, 4)[:, :3] if codes[1] > 0 else None
    return NiftiHeader(
        tuple(shape),
        spacing,
        int(offset) + math.prod(max(n, 0) for n in shape) * bits // 8,
        _qform(quaternion, pixdim) if codes[0] > 0 else None,
        sform,
    )


def _qform(quaternion: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray | None:
    """(3, 3) of the quaternion b, c, d with the handedness in ``pixdim[0]``; None where it is invalid."""
    b, c, d = quaternion
    rest = 1.0 - (b * b + c * c + d * d)
    if not math.isfinite(rest) or rest < -1e-3:
        return None
    matrix = Rotation.from_quat([b, c, d, math.sqrt(max(rest, 0.0))]).as_matrix()
    handed = -1.0 if pixdim[0] < 0 else 1.0
    return matrix * np.array([pixdim[1], pixdim[2], pixdim[3] * handed])


def _check_length(path: Path, end: int) -> None:
    """Refuse a file that ends before its voxels do, or whose compressed stream is damaged."""
    short = f"'{path.name}' is truncated: it ends before its last voxel; copy or download it again"
    have = 0
    try:
        with _open(path) as file:
            # One chunk past the end makes gzip verify its checksum, unless something long is appended.
            while have <= end + _CHUNK:
                chunk = file.read(_CHUNK)
                if not chunk:
                    break
                have += len(chunk)
    except EOFError:
        raise InputError(short) from None
    except _DAMAGED:
        raise InputError(f"'{path.name}' is damaged: its checksum is wrong; copy or download it again") from None
    if have < end:
        raise InputError(short)


def _orientation_notes(name: str, header: NiftiHeader) -> tuple[str, ...]:
    if header.sform is None and header.qform is None:
        return ("the header records no orientation: which side is left, and which end is up, is not certain",)
    if header.sform is None:
        return ()
    lengths = np.linalg.norm(header.sform, axis=0)
    if not np.allclose(lengths, header.spacing, rtol=0.01):
        text = " × ".join(f"{v:.4g}" for v in lengths)
        given = " × ".join(f"{v:.4g}" for v in header.spacing)
        raise UnsuitableError(
            f"'{name}' contradicts itself about its voxel size ({given} mm in pixdim, {text} mm in sform): "
            "correct the header"
        )
    if header.qform is not None and not np.allclose(header.sform, header.qform, atol=0.02 * max(header.spacing)):
        return ("the header's two orientations (sform and qform) disagree: check which side is left",)
    return ()
