"""Volumes and DICOM studies that the tests of this room write themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

T2 = {"EchoTime": 104.0, "RepetitionTime": 3500.0, "ScanningSequence": "SE", "SeriesDescription": "T2 TSE sag"}
T1 = {"EchoTime": 11.0, "RepetitionTime": 550.0, "ScanningSequence": "SE", "SeriesDescription": "T1 TSE sag"}
STIR = {
    "EchoTime": 60.0,
    "RepetitionTime": 4000.0,
    "InversionTime": 160.0,
    "ScanningSequence": ["SE", "IR"],
    "SeriesDescription": "TIRM sag",
}

SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


def texture(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """uint16 (nk, nj, ni) in which every voxel differs from its mirror images."""
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(np.add.outer(np.arange(shape[0]) * 31, np.arange(shape[1]) * 3), np.arange(shape[2]))
    return (ramp + rng.integers(0, 20, shape)).astype(np.uint16)


def make_image(
    array: np.ndarray | None = None,
    spacing: tuple[float, float, float] = (1.5, 1.25, 4.4),
    origin: tuple[float, float, float] = (-30.0, -80.5, 95.25),
    direction: np.ndarray | None = None,
) -> sitk.Image:
    """A sagittal volume: i to posterior, j to inferior, k to left (LPS columns), 64 × 72 × 12 voxels."""
    image = sitk.GetImageFromArray(texture((12, 72, 64)) if array is None else array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is None:
        direction = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], float)
    image.SetDirection(np.asarray(direction, float).ravel().tolist())
    return image


@dataclass(frozen=True)
class Series:
    """A DICOM series to be written.

    ``array`` is (nk, nj, ni) of integers; slice ``k`` lies at ``origin + k * step * normal + shift[k]``, the normal
    being the cross product of the row and column directions.
    """

    array: np.ndarray = field(default_factory=lambda: texture((12, 72, 64)))
    orientation: tuple[tuple[float, ...], tuple[float, ...]] = SAGITTAL
    pixel: tuple[float, float] = (1.25, 1.5)
    step: float = 4.4
    origin: tuple[float, float, float] = (-25.0, -60.0, 110.0)
    number: int | None = 5
    attributes: dict[str, Any] = field(default_factory=lambda: dict(T2))
    per_slice: Callable[[int], dict[str, Any]] = lambda _: {}
    depth: Callable[[int], float] | None = None
    shift: Callable[[int], tuple[float, float, float]] = lambda _: (0.0, 0.0, 0.0)
    uid: str = field(default_factory=generate_uid)
    study: str = "1.2.826.0.1.3680043.8.498.1"
    frame: str = "1.2.826.0.1.3680043.8.498.2"
    patient: str = "P1"

    def but(self, **changes: Any) -> Series:
        """The same with some fields changed, and a UID of its own."""
        return replace(self, **{"uid": generate_uid(), **changes})

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) columns: along a row, down a column, along the normal."""
        row, column = np.array(self.orientation)
        return np.stack([row, column, np.cross(row, column)], axis=1)

    def position(self, k: int) -> list[float]:
        """LPS of the first pixel of slice ``k``."""
        depth = self.depth(k) if self.depth else k * self.step
        point = np.array(self.origin) + depth * self.matrix[:, 2] + np.array(self.shift(k))
        return [round(float(v), 6) for v in point]

    def image(self) -> sitk.Image:
        """What should be read from it."""
        image = sitk.GetImageFromArray(self.array.astype(np.float32))
        image.SetSpacing((self.pixel[1], self.pixel[0], self.step))
        image.SetOrigin(self.position(0))
        image.SetDirection(self.matrix.ravel().tolist())
        return image


def _file(sop_class: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "MR"
    return dataset


def _identify(dataset: Dataset, series: Series) -> None:
    dataset.PatientID = series.patient
    dataset.PatientName = f"Doe^{series.patient}"
    dataset.PatientBirthDate = "19700101"
    dataset.StudyInstanceUID = series.study
    dataset.SeriesInstanceUID = series.uid
    dataset.FrameOfReferenceUID = series.frame
    if series.number is not None:
        dataset.SeriesNumber = series.number
    dataset.Manufacturer = "Test"


def _pixels(dataset: Dataset, array: np.ndarray) -> None:
    dataset.Rows, dataset.Columns = array.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    dataset.PixelData = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()


def slice_dataset(series: Series, k: int) -> FileDataset:
    """One single-frame MR image."""
    dataset = _file(MRImageStorage)
    _identify(dataset, series)
    _pixels(dataset, series.array[k])
    dataset.InstanceNumber = k + 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.PixelSpacing = list(series.pixel)
    dataset.SliceThickness = 4.0
    dataset.ImageOrientationPatient = [v for axis in series.orientation for v in axis]
    dataset.ImagePositionPatient = series.position(k)
    for key, value in {**series.attributes, **series.per_slice(k)}.items():
        setattr(dataset, key, value)
    return dataset


def write_series(
    folder: Path, series: Series, slices: Iterable[int] | None = None, name: str = "s{series}_{k:03}.dcm"
) -> list[Path]:
    """Write slices as files; returns their paths in the order of ``slices``."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(len(series.array)) if slices is None else slices:
        path = folder / name.format(k=k, series=series.number)
        slice_dataset(series, k).save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_enhanced(path: Path, series: Series, order: Iterable[int] | None = None, **attributes: Any) -> Path:
    """Write an Enhanced MR multi-frame file whose frames lie in ``order``."""
    frames = list(range(len(series.array)) if order is None else order)
    dataset = _file(EnhancedMRImageStorage)
    _identify(dataset, series)
    _pixels(dataset, series.array[frames])
    dataset.NumberOfFrames = len(frames)
    dataset.SeriesDescription = "T2 TSE sag"
    dataset.EchoPulseSequence = "SPIN"
    shared = Dataset()
    shared.PlaneOrientationSequence = Sequence([Dataset()])
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [v for axis in series.orientation for v in axis]
    shared.PixelMeasuresSequence = Sequence([Dataset()])
    shared.PixelMeasuresSequence[0].PixelSpacing = list(series.pixel)
    shared.PixelMeasuresSequence[0].SliceThickness = 4.0
    shared.MRTimingAndRelatedParametersSequence = Sequence([Dataset()])
    shared.MRTimingAndRelatedParametersSequence[0].RepetitionTime = 3500.0
    shared.MREchoSequence = Sequence([Dataset()])
    shared.MREchoSequence[0].EffectiveEchoTime = 104.0
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    items = []
    for k in frames:
        item = Dataset()
        item.PlanePositionSequence = Sequence([Dataset()])
        item.PlanePositionSequence[0].ImagePositionPatient = series.position(k)
        item.PixelValueTransformationSequence = Sequence([Dataset()])
        item.PixelValueTransformationSequence[0].RescaleSlope = 2.0
        item.PixelValueTransformationSequence[0].RescaleIntercept = float(k)
        items.append(item)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(items)
    for key, value in attributes.items():
        setattr(dataset, key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def change(path: Path, **attributes: Any) -> None:
    """Change attributes of a DICOM file; None removes one."""
    dataset = pydicom.dcmread(path)
    for key, value in attributes.items():
        if value is None:
            delattr(dataset, key)
        else:
            setattr(dataset, key, value)
    dataset.save_as(path)
