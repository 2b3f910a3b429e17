"""A small spine of boxes in the patient, MR series that see it from any side, and its case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.measurement import Geometry, Measurement
from SpineQuantLib.case.opinion import Assessment, Score, Verdict
from SpineQuantLib.case.result import CaseResult, Contrast, InputInfo, ModelInfo
from SpineQuantLib.case.spine import NamedSpine

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"

# Centre and half size in LPS millimetres: x to the left, y to posterior, z to superior.
BOXES = {
    vertebra_value("L4"): ((0.3, -12.1, 20.2), (16.2, 12.2, 9.7)),
    vertebra_value("L5"): ((0.3, -12.1, -20.2), (16.2, 12.2, 9.7)),
    disc_value("L4"): ((0.3, -12.1, 0.1), (16.2, 12.2, 9.3)),
    CANAL_VALUE: ((0.3, 8.2, 0.1), (7.1, 5.2, 28.9)),
    foramen_value("L4", Side.RIGHT): ((-14.2, 8.2, 0.1), (5.3, 4.2, 7.9)),
    foramen_value("L4", Side.LEFT): ((13.1, 8.2, 0.1), (4.2, 4.2, 7.9)),
}


def labels_at(lps: np.ndarray) -> np.ndarray:
    """Label value at LPS points (…, 3)."""
    out = np.zeros(lps.shape[:-1], np.uint16)
    for value, (centre, half) in BOXES.items():
        out[(np.abs(lps - centre) < half).all(axis=-1)] = value
    return out


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """(3, 3) rotation by degrees about x, then y, then z."""
    out = np.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        a, b = [n for n in range(3) if n != axis]
        turn = np.eye(3)
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
        out = turn @ out
    return out


@dataclass(frozen=True)
class View:
    """How a scanner sees the spine.

    Attributes
    ----------
    columns, rows, normal : tuple of float
        LPS directions of growing column index, row index and slice before the scan is tilted.
    """

    columns: tuple[float, float, float]
    rows: tuple[float, float, float]
    normal: tuple[float, float, float]


SAGITTAL_FROM_RIGHT = View((0, 1, 0), (0, 0, -1), (1, 0, 0))
SAGITTAL_FROM_LEFT = View((0, 1, 0), (0, 0, -1), (-1, 0, 0))
AXIAL_FROM_BELOW = View((1, 0, 0), (0, 1, 0), (0, 0, 1))
AXIAL_FROM_ABOVE = View((1, 0, 0), (0, 1, 0), (0, 0, -1))
CORONAL = View((1, 0, 0), (0, 0, -1), (0, 1, 0))


@dataclass(frozen=True)
class Scan:
    """Geometry of a scan: slices in scanning order.

    Attributes
    ----------
    columns, rows : np.ndarray
        (3,) unit vectors in LPS.
    positions : np.ndarray
        (slices, 3) LPS millimetres of the first pixel of each slice.
    spacing : tuple of float
        Millimetres between slices (mean), rows, columns.
    size : tuple of int
        Slices, rows, columns.
    """

    columns: np.ndarray
    rows: np.ndarray
    positions: np.ndarray
    spacing: tuple[float, float, float]
    size: tuple[int, int, int]

    @classmethod
    def of(
        cls,
        view: View = SAGITTAL_FROM_RIGHT,
        size: tuple[int, int, int] = (12, 44, 36),
        spacing: tuple[float, float, float] = (4.4, 1.7, 1.3),
        tilt: tuple[float, float, float] = (6.0, 3.0, -9.0),
        jitter: float = 0.0,
    ) -> Scan:
        turn = rotation(*tilt)
        columns, rows, normal = (turn @ np.array(v, float) for v in (view.columns, view.rows, view.normal))
        half = [(n - 1) / 2 * s for n, s in zip(size, spacing, strict=True)]
        corner = np.array([0.9, -2.3, 1.1]) - half[0] * normal - half[1] * rows - half[2] * columns
        along = np.arange(size[0]) * spacing[0]
        along[1:-1] += jitter * np.cos(np.arange(1, size[0] - 1) * 2.0)
        return cls(columns, rows, corner + along[:, None] * normal, spacing, size)

    @property
    def image(self) -> sitk.Image:
        """An empty volume as a DICOM reader would make it."""
        image = sitk.Image(*(int(n) for n in self.size[::-1]), sitk.sitkUInt16)
        step = self.positions[-1] - self.positions[0]
        distance = np.linalg.norm(step) / (self.size[0] - 1)
        image.SetSpacing((self.spacing[2], self.spacing[1], distance))
        image.SetOrigin(self.positions[0].tolist())
        image.SetDirection(np.array([self.columns, self.rows, step / np.linalg.norm(step)]).T.ravel().tolist())
        return image

    @property
    def grid(self) -> Grid:
        """Grid in reading order."""
        return Grid.of(to_reading_order(self.image))


def pixel_lps(position: np.ndarray, orientation: np.ndarray, spacing: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """LPS millimetres (rows, columns, 3) of a frame's pixels, DICOM PS3.3 C.7.6.2.1.1."""
    r, c = np.mgrid[: size[0], : size[1]]
    return (
        np.asarray(position, float)
        + r[..., None] * float(spacing[0]) * np.asarray(orientation[3:], float)
        + c[..., None] * float(spacing[1]) * np.asarray(orientation[:3], float)
    )


def _decimal(values: np.ndarray) -> list[str]:
    return [f"{v:.10f}"[:16] for v in np.asarray(values, float)]


def _pixels(scan: Scan, n: int) -> bytes:
    """A slice that differs from every other."""
    return np.random.default_rng(n).integers(0, 1000, scan.size[1:], np.uint16).tobytes()


def _header(scan: Scan, sop_class: str) -> pydicom.Dataset:
    header = pydicom.Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = sop_class
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = sop_class
    header.PatientName = "Müller^Jörg"
    header.PatientID = "P-17"
    header.PatientBirthDate = "19600229"
    header.PatientSex = "M"
    header.StudyInstanceUID = generate_uid()
    header.SeriesInstanceUID = generate_uid()
    header.FrameOfReferenceUID = generate_uid()
    header.PositionReferenceIndicator = ""
    header.StudyDate = "20240131"
    header.StudyTime = "101500"
    header.StudyID = "7"
    header.AccessionNumber = "A42"
    header.ReferringPhysicianName = ""
    header.Modality = "MR"
    header.SeriesNumber = 3
    header.Manufacturer = "Maker"
    header.Rows, header.Columns = scan.size[1:]
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelRepresentation = 0
    return header


def _save(header: pydicom.Dataset, path: Path) -> None:
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.save_as(path, enforce_file_format=True)


def write_series(scan: Scan, folder: Path, **changes: object) -> list[Path]:
    """Single-frame files of a scan, in scanning order; ``changes`` overwrite attributes, None removes them."""
    shared = _header(scan, MR_IMAGE)
    for keyword, value in changes.items():
        if value is None:
            delattr(shared, keyword)
        else:
            setattr(shared, keyword, value)
    files = []
    for n, position in enumerate(scan.positions):
        header = pydicom.Dataset(shared)
        header.file_meta = FileMetaDataset(shared.file_meta)
        header.SOPInstanceUID = generate_uid()
        header.InstanceNumber = n + 1
        header.PixelSpacing = _decimal(scan.spacing[1:])
        header.SliceThickness = scan.spacing[0]
        header.ImageOrientationPatient = _decimal([*scan.columns, *scan.rows])
        header.ImagePositionPatient = _decimal(position)
        header.PixelData = _pixels(scan, n)
        files.append(folder / f"image{n:03d}.dcm")
        _save(header, files[-1])
    return files


def write_multiframe(scan: Scan, folder: Path, order: list[int]) -> list[Path]:
    """One enhanced multi-frame file whose frames are stored in ``order``; a slice named twice is stored twice."""
    header = _header(scan, ENHANCED_MR_IMAGE)
    header.SOPInstanceUID = generate_uid()
    header.InstanceNumber = 1
    header.NumberOfFrames = len(order)
    shared, measures, orientation = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing = _decimal(scan.spacing[1:])
    measures.SliceThickness = scan.spacing[0]
    orientation.ImageOrientationPatient = _decimal([*scan.columns, *scan.rows])
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    header.SharedFunctionalGroupsSequence = [shared]
    header.PerFrameFunctionalGroupsSequence = []
    for n in order:
        groups, position, content = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        position.ImagePositionPatient = _decimal(scan.positions[n])
        content.DimensionIndexValues = [n + 1]
        groups.PlanePositionSequence = [position]
        groups.FrameContentSequence = [content]
        header.PerFrameFunctionalGroupsSequence.append(groups)
    header.PixelData = b"".join(_pixels(scan, n) for n in order)
    path = folder / "multiframe.dcm"
    _save(header, path)
    return [path]


def _measured() -> tuple[Measurement, ...]:
    contour = Geometry(
        "closed curve",
        tuple((7 * np.cos(a), -8.2 + 5 * np.sin(a), 0.1 + np.cos(a)) for a in np.linspace(0, 6, 40)),
    )
    line = Geometry("line", ((0.0, 12.0, -9.0), (0.0, 12.0, 9.0)))
    right, left = Side.RIGHT, Side.LEFT
    return (
        Measurement(
            Structure.DISC, "L4-L5", None, "height", "Dabbs", 7.25, "mm", 6.5, 8.5, "6.7 ± 1.2 mm", geometry=line
        ),
        Measurement(Structure.DISC, "L4-L5", None, "volume", "voxels", 7412.0, "mm3"),
        Measurement(Structure.VERTEBRA, "L4", None, "anterior height", "mid-sagittal", 27.5, "mm", geometry=line),
        Measurement(
            Structure.CANAL,
            "L4-L5",
            None,
            "area",
            "perpendicular to centre line",
            141.0,
            "mm2",
            130.0,
            152.0,
            geometry=contour,
        ),
        Measurement(
            Structure.CANAL,
            "L5",
            None,
            "AP diameter",
            "mid-sagittal",
            11.5,
            "mm",
            flag="edge of the scan",
            geometry=line,
        ),
        Measurement(Structure.FORAMEN, "L4-L5", right, "height", "pedicle to pedicle", 14.5, "mm", 15.0, 16.0),
        Measurement(
            Structure.FORAMEN,
            "L4-L5",
            left,
            "height",
            "pedicle to pedicle",
            None,
            "mm",
            flag="cut by the field of view – 2 mm²",
        ),
        Measurement(
            *(Structure.FORAMEN, "L4-L5", right, "height", "narrowest sagittal section", 11.0, "mm", 10.5, 11.5),
            reference="≥ 15 mm (called normal; spinebase.org)",
            grade="moderate stenosis (spinebase.org)",
        ),
        Measurement(
            *(Structure.SPINE, "L1-S1", None, "lordosis", "Cobb", 41.0, "deg"), source="corrected", automatic=38.25
        ),
    )


def make_case(scan: Scan) -> CaseResult:
    """The case of the boxes on the grid of a scan."""
    grid = scan.grid
    labels = labels_at(grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)))
    scores = (
        Score(None, "", None, 0.03, 0.1, 0.97, Verdict.REVIEW, "one foramen is doubtful"),
        Score(Structure.FORAMEN, "L4-L5", Side.LEFT, 0.6, 2.4, 0.41, Verdict.FAIL, "members disagree"),
        Score(Structure.DISC, "L4-L5", None, 0.02, 0.1, 0.98, Verdict.PASS),
    )
    return CaseResult(
        image=np.zeros(grid.shape, np.float32),
        spine=NamedSpine.from_labels(labels, grid, ("L4", "L5")),
        members=np.zeros((5, *grid.shape), np.uint8),
        measurements=_measured(),
        assessment=Assessment(Verdict.REVIEW, ("one foramen is doubtful",), scores, np.zeros(grid.shape, np.uint8)),
        input=InputInfo(
            path=Path("series"),
            files=(),
            format="DICOM",
            sha256="0" * 64,
            size=grid.shape[::-1],
            spacing=grid.spacing[::-1],
            orientation="PIL",
            contrast=Contrast.T2,
            contrast_evidence="echo time",
        ),
        model=ModelInfo("lumbar", "1", "ab" * 32, 5),
        device="CPU",
    )
