"""Voxels of a stack: decoded, rescaled slice by slice, and put on its grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.pixels import iter_pixels
from pydicom.uid import UID, ImplicitVRLittleEndian

from ...case.errors import InputError, UnsuitableError
from ..silence import silence_libraries
from .scan import quiet
from .slices import DAMAGED, Slice
from .stacks import Stack

__all__ = ["read_stack"]

_UNDECODABLE = (*DAMAGED, RuntimeError, MemoryError)


def read_stack(stack: Stack) -> tuple[sitk.Image, tuple[str, ...]]:
    """Volume of a stack.

    Stored values are decoded by pydicom, or by ITK (GDCM) where pydicom has no decoder for the compression; bits
    beyond BitsStored are dropped; rescale slope and intercept of each slice are applied; MONOCHROME1 is turned over
    within the range of its values.

    Returns
    -------
    image : sitk.Image
        3D float32; i along rows, j down columns, k along their cross product.
    notes : tuple of str
        What a reader should know.

    Raises
    ------
    InputError
        If pixels are missing, damaged, or compressed in a way that nothing here decodes.
    UnsuitableError
        If different images share one position.
    """
    planes = _decode([*stack.slices, *(other for _, other in stack.copies)])
    for kept, other in stack.copies:
        if not np.array_equal(planes[_key(kept)], planes[_key(other)]):
            raise UnsuitableError(
                f"images {kept.number} and {other.number} differ but lie at the same position, and nothing in their "
                "headers tells them apart; export one volume"
            )
    notes = []
    if stack.copies:
        notes.append(f"{len(stack.copies)} duplicate {'slice' if len(stack.copies) == 1 else 'slices'} left out")
    volume = np.stack([planes[_key(s)] for s in stack.slices])
    if stack.first.inverted:
        volume = volume.max() + volume.min() - volume
        notes.append("stored with bright as low (MONOCHROME1): turned over")
    image = sitk.GetImageFromArray(volume)
    assert stack.spacing is not None
    image.SetSpacing(stack.spacing)
    image.SetOrigin(stack.first.position)
    image.SetDirection(stack.directions.ravel().tolist())
    return image, tuple(notes)


def _key(s: Slice) -> tuple[Path, int]:
    return s.path, s.frame


def _decode(slices: list[Slice]) -> dict[tuple[Path, int], np.ndarray]:
    by_file: dict[Path, list[Slice]] = {}
    for s in slices:
        by_file.setdefault(s.path, []).append(s)
    planes = {}
    with quiet():
        for path, frames in by_file.items():
            for s, plane in zip(frames, _planes(path, frames), strict=True):
                planes[_key(s)] = plane
    return planes


def _planes(path: Path, frames: list[Slice]) -> Iterator[np.ndarray]:
    """Rescaled float32 planes of a file."""
    syntax = "unknown"
    try:
        dataset = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        uid = UID(dataset.file_meta.TransferSyntaxUID)
        syntax = uid.name if uid.is_transfer_syntax else "an unknown transfer syntax"
        bits = int(dataset.BitsStored)
        stored = list(iter_pixels(dataset, indices=[s.frame for s in frames]))
    except _UNDECODABLE as error:
        # GDCM turns MONOCHROME1 over by itself, about another value; of several frames it may change the order.
        if len(frames) == 1 and "missing dependencies" in str(error) and not frames[0].inverted:
            yield _by_gdcm(path, frames[0], syntax)
            return
        raise InputError(_reason(path, syntax, error)) from None
    for s, plane in zip(frames, stored, strict=True):
        if plane.shape != (s.rows, s.columns):
            raise InputError(f"'{path.name}' is damaged: its pixels do not fill {s.columns} × {s.rows}")
        unused = 8 * plane.dtype.itemsize - bits
        if unused > 0 and plane.dtype.kind in "iu":
            plane = (plane << unused) >> unused
        yield (plane.astype(np.float64) * s.slope + s.intercept).astype(np.float32)


def _by_gdcm(path: Path, s: Slice, syntax: str) -> np.ndarray:
    """A plane decoded and rescaled by ITK."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        with silence_libraries():
            plane = sitk.GetArrayFromImage(reader.Execute()).reshape(s.rows, s.columns)
    except (RuntimeError, ValueError):
        raise InputError(
            f"'{path.name}' is compressed as {syntax}, which cannot be decoded here; store it uncompressed"
        ) from None
    return plane.astype(np.float32)


def _reason(path: Path, syntax: str, error: BaseException) -> str:
    text = str(error)
    if "missing dependencies" in text:
        return f"'{path.name}' is compressed as {syntax}, for which a decoder is missing: pip install python-gdcm"
    if isinstance(error, MemoryError):
        return f"'{path.name}' does not fit in memory"
    if isinstance(error, AttributeError) and "Pixel" in text:
        return f"'{path.name}' holds no pixels; copy it again"
    return f"'{path.name}' is damaged or truncated: its pixels cannot be decoded ({syntax}); copy it again"
