"""One DICOM image (or one frame of a multi-frame image): what its header says, in plain types."""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from ...anatomy.reference import MAX_AGE
from ..checks import MAX_VOXELS
from ..weighting import Acquisition
from .tags import ATTRIBUTES, GROUPS, PATIENT, SPLITTERS, TAGS

__all__ = ["DAMAGED", "Slice", "read_slices"]

DAMAGED = (
    InvalidDicomError,
    BytesLengthException,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on a damaged file."""

_TEXT_LIMIT = 64


@dataclass(frozen=True)
class Slice:
    """One image plane.

    Attributes
    ----------
    path : Path
        Its file.
    frame : int
        Counted from 0 within the file.
    sop_uid : str
        SOPInstanceUID.
    patient : tuple of str
        What tells patients apart; compared while reading and never kept.
    rows, columns : int
        Pixels.
    position : tuple of float or None
        LPS millimetres of the first pixel's centre.
    orientation : tuple of float or None
        Six direction cosines: along a row, then down a column.
    pixel_spacing : tuple of float or None
        Millimetres between rows, between columns.
    slope, intercept : float
        From stored to real values.
    grey : bool
        One sample per pixel, in shades of grey.
    inverted : bool
        MONOCHROME1: low values are bright.
    number : int
        InstanceNumber, or the frame's.
    splitters : tuple
        Attributes in which images at one position may differ when a series mixes several volumes.
    acquisition : Acquisition
        How it was made.
    attributes : dict
        Other attributes by keyword, strings and numbers only.
    """

    path: Path
    frame: int
    sop_uid: str
    patient: tuple[str, ...]
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    slope: float
    intercept: float
    grey: bool
    inverted: bool
    number: int
    splitters: tuple[Any, ...]
    acquisition: Acquisition
    attributes: dict[str, Any]

    @property
    def series_uid(self) -> str:
        """SeriesInstanceUID; empty where it is missing."""
        return str(self.attributes.get("SeriesInstanceUID", ""))


def read_slices(path: Path) -> list[Slice]:
    """Header of a DICOM file as a list of its frames; empty where it holds no image.

    Raises
    ------
    Exception
        Any of :data:`DAMAGED` where the file is damaged.
    """
    dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS, force=True)
    rows, columns = _number(dataset, "Rows"), _number(dataset, "Columns")
    if not rows or not columns:
        return []
    frames = int(_number(dataset, "NumberOfFrames") or 1)
    if frames < 1 or frames * rows * columns > MAX_VOXELS:
        raise ValueError(f"{frames} frames of {columns:g} × {rows:g} pixels")
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if frames > 1 and len(per_frame) not in (0, frames):
        raise ValueError("frames without description")
    common = _Common(dataset, path, int(rows), int(columns))
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    layers = [*_items(shared[0] if shared else None), dataset]
    return [common.slice(n, [*_items(per_frame[n] if per_frame else None), *layers]) for n in range(frames)]


class _Common:
    """What all frames of one file share."""

    def __init__(self, dataset: Dataset, path: Path, rows: int, columns: int) -> None:
        self.path, self.rows, self.columns = path, rows, columns
        self.uid = _text(dataset, "SOPInstanceUID")
        self.patient = tuple(_text(dataset, key).strip(" ^").casefold() for key in PATIENT)
        self.number = int(_number(dataset, "InstanceNumber") or 0)
        photometric = _text(dataset, "PhotometricInterpretation")
        self.grey = _number(dataset, "SamplesPerPixel") in (None, 1) and photometric in (
            "",
            "MONOCHROME1",
            "MONOCHROME2",
        )
        self.inverted = photometric == "MONOCHROME1"

    def slice(self, frame: int, layers: list[Dataset]) -> Slice:
        """One frame; of several layers that give an attribute, the first one holds."""
        slope, intercept = _first(layers, "RescaleSlope"), _first(layers, "RescaleIntercept")
        attributes = {key: value for key in ATTRIBUTES if (value := _plain(layers, key)) not in (None, "")}
        if age := _age(attributes.get("PatientAge"), layers):
            attributes["PatientAge"] = age
        return Slice(
            path=self.path,
            frame=frame,
            sop_uid=self.uid,
            patient=self.patient,
            rows=self.rows,
            columns=self.columns,
            position=_vector(layers, "ImagePositionPatient", 3),
            orientation=_vector(layers, "ImageOrientationPatient", 6),
            pixel_spacing=_vector(layers, "PixelSpacing", 2),
            slope=1.0 if slope is None else slope,
            intercept=0.0 if intercept is None else intercept,
            grey=self.grey,
            inverted=self.inverted,
            number=frame + 1 if frame else self.number,
            splitters=_split_values(layers),
            acquisition=_acquisition(layers),
            attributes=attributes,
        )


def _age(stated: Any, layers: list[Dataset]) -> str | None:
    """Age as DICOM writes it, capped where it would tell who the person is; None where it is not known."""
    born, seen = (str(_plain(layers, key) or "") for key in ("PatientBirthDate", "StudyDate"))
    years = None
    if re.fullmatch(r"\d{3}Y", str(stated)):
        years = int(str(stated)[:3])
    elif not stated and re.fullmatch(r"\d{8}", born) and re.fullmatch(r"\d{8}", seen) and born <= seen:
        years = int(seen[:4]) - int(born[:4]) - (seen[4:] < born[4:])
    return stated if years is None else f"{min(years, int(MAX_AGE)):03d}Y"


def _items(groups: Dataset | None) -> list[Dataset]:
    """The single items of a functional group, each of which is a dataset of its own."""
    if groups is None:
        return []
    return [item for key in GROUPS for item in list(groups.get(key) or [])[:1]]


def _acquisition(layers: list[Dataset]) -> Acquisition:
    words = (_plain(layers, key) for key in ("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName"))
    sequence = list(_words(layers, "ScanningSequence"))
    pulse = str(_plain(layers, "EchoPulseSequence") or "")
    sequence += {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}.get(pulse, [])
    if _plain(layers, "InversionRecovery") == "YES":
        sequence.append("IR")
    inversion = _first(layers, "InversionTime")
    if inversion is None:
        inversion = _first(layers, "InversionTimes")
    echo = _first(layers, "EffectiveEchoTime")
    return Acquisition(
        text=" ".join(str(w) for w in words if w),
        echo_time=_first(layers, "EchoTime") if echo is None else echo,
        repetition_time=_first(layers, "RepetitionTime"),
        inversion_time=inversion,
        sequence=tuple(sequence),
        options=_words(layers, "ScanOptions"),
        image_type=_words(layers, "FrameType") or _words(layers, "ImageType"),
        acquisition_contrast=str(_plain(layers, "AcquisitionContrast") or ""),
        agent=bool(_plain(layers, "ContrastBolusAgent")),
    )


def _split_values(layers: list[Dataset]) -> tuple[Any, ...]:
    echo = _first(layers, "EffectiveEchoTime")
    kind = _words(layers, "FrameType") or _words(layers, "ImageType")
    return (*(_plain(layers, key) for key in SPLITTERS), echo or _first(layers, "EchoTime"), kind)


def _layer_values(layers: list[Dataset], keyword: str) -> Iterator[Any]:
    for layer in layers:
        try:
            value = layer.get(keyword)
        except DAMAGED:
            continue
        if value is not None and value != "":
            yield value


def _plain(layers: list[Dataset], keyword: str) -> str | float | int | None:
    """An attribute as a number or as short text without control characters."""
    value = next(_layer_values(layers, keyword), None)
    if value is None:
        return None
    if isinstance(value, (int, float)):
        number = float(value)
        if not math.isfinite(number):
            return None
        return int(number) if number.is_integer() and keyword.endswith(("Number", "Length")) else number
    return _clean(value)


def _clean(value: Any) -> str:
    return "".join(c if c.isprintable() else " " for c in str(value)).strip()[:_TEXT_LIMIT]


def _text(dataset: Dataset, keyword: str) -> str:
    return _clean(next(_layer_values([dataset], keyword), ""))


def _words(layers: list[Dataset], keyword: str) -> tuple[str, ...]:
    value = next(_layer_values(layers, keyword), ())
    items = [value] if isinstance(value, str) else list(value)
    return tuple(_clean(item).upper() for item in items[:16])


def _vector(layers: list[Dataset], keyword: str, length: int) -> tuple[float, ...] | None:
    for value in _layer_values(layers, keyword):
        try:
            numbers = tuple(float(v) for v in value)
        except (TypeError, ValueError):
            continue
        if len(numbers) == length and all(map(math.isfinite, numbers)):
            return numbers
    return None


def _first(layers: list[Dataset], keyword: str) -> float | None:
    """The first number of an attribute; not finite counts as absent."""
    for value in _layer_values(layers, keyword):
        try:
            number = float(value if isinstance(value, (str, int, float)) else value[0])
        except (TypeError, ValueError, IndexError):
            continue
        if math.isfinite(number):
            return number
    return None


def _number(dataset: Dataset, keyword: str) -> float | None:
    return _first([dataset], keyword)
