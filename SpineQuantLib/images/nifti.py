"""A NIfTI file, looked at before ITK does: ITK mends voxel sizes, fills truncated files and replaces NaN in silence."""

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
from .checks import check_finite, check_size, check_spacing
from .textheader import NO_ORIENTATION

__all__ = ["NiftiHeader", "check_nifti", "looks_like_nifti"]

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 26
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
    squeezed : bool
        Whether there were such trailing axes.
    offset, length : int
        Bytes before the voxels, and of the voxels, uncompressed.
    floats : str
        NumPy type of the stored values where they are floating point; empty otherwise.
    qform, sform : np.ndarray or None
        (3, 3) columns: RAS millimetres per voxel along i, j, k; None where the header's code is 0.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    squeezed: bool
    offset: int
    length: int
    floats: str
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
        Notes about its axes, values and orientation.

    Raises
    ------
    InputError
        If it is no NIfTI file, is damaged or truncated, has no valid voxel size, or holds too many values that are
        not finite.
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
    if len(header.shape) == 5 and header.shape[3] == 1:
        raise UnsuitableError(
            f"'{path.name}' has {header.shape[4]} values per voxel (colour, vectors): save it in grey"
        )
    check_size(path.name, header.shape)
    check_spacing(path.name, header.spacing)
    bad = _read_through(path, header)
    notes = check_finite(path.name, bad, math.prod(header.shape))
    if header.squeezed:
        notes = ("4D with a single time point: read as a volume", *notes)
    return (*notes, *_orientation_notes(path.name, header))


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
        kind, bits = struct.unpack_from(f"{order}2h", head, 70)
        pixdim = struct.unpack_from(f"{order}8f", head, 76)
        offset = struct.unpack_from(f"{order}f", head, 108)[0]
        codes = struct.unpack_from(f"{order}2h", head, 252)
        quaternion = struct.unpack_from(f"{order}3f", head, 256)
        rows = struct.unpack_from(f"{order}12f", head, 280)
    else:
        kind, bits = struct.unpack_from(f"{order}2h", head, 12)
        dim = struct.unpack_from(f"{order}8q", head, 16)
        pixdim = struct.unpack_from(f"{order}8d", head, 104)
        offset = struct.unpack_from(f"{order}q", head, 168)[0]
        codes = struct.unpack_from(f"{order}2i", head, 344)
        quaternion = struct.unpack_from(f"{order}3d", head, 352)
        rows = struct.unpack_from(f"{order}12d", head, 400)
    if not 1 <= dim[0] <= 7 or bits < 1 or not 0 <= offset <= _LONGEST_HEADER:
        raise InputError(f"'{name}' has a damaged NIfTI header")
    shape = list(dim[1 : dim[0] + 1])
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    spacing = pixdim[1 : min(len(shape), 3) + 1]
    sform = np.array(rows).reshape(3, 4)[:, :3] if codes[1] > 0 else None
    return NiftiHeader(
        shape=tuple(shape),
        spacing=spacing,
        squeezed=len(shape) < dim[0],
        offset=int(offset),
        length=math.prod(max(n, 0) for n in shape) * bits // 8,
        floats={16: f"{order}f4", 64: f"{order}f8"}.get(kind, ""),
        qform=_qform(quaternion, pixdim) if codes[0] > 0 else None,
        sform=sform,
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


def _read_through(path: Path, header: NiftiHeader) -> int:
    """Number of values that are not finite; refuses a file that ends early or whose compressed stream is damaged."""
    short = f"'{path.name}' is truncated: it ends before its last voxel; copy or download it again"
    left, bad = header.length, 0
    try:
        with _open(path) as file:
            file.read(header.offset)
            while left > 0:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    raise InputError(short)
                left -= len(chunk)
                if header.floats:
                    whole = len(chunk) - len(chunk) % np.dtype(header.floats).itemsize
                    bad += int((~np.isfinite(np.frombuffer(chunk[:whole], header.floats))).sum())
            # Reading up to the end makes gzip verify its checksum, unless something long is appended.
            file.read(_CHUNK)
    except EOFError:
        raise InputError(short) from None
    except _DAMAGED:
        raise InputError(f"'{path.name}' is damaged: its checksum is wrong; copy or download it again") from None
    return bad


def _orientation_notes(name: str, header: NiftiHeader) -> tuple[str, ...]:
    if header.sform is None and header.qform is None:
        return (NO_ORIENTATION,)
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
