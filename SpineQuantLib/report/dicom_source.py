"""The DICOM images a result was made from: their headers, and the way from reading order back to their frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import DA, TM

from ..case.errors import InputError
from ..case.grid import Grid
from .dicom_identity import UTF8, new_uid

__all__ = ["Plane", "SourceImages"]

# Attributes of type 2 that a derived object takes from its source: they may be empty there, but must be present.
_INHERITED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_PARALLEL = 0.999
_SAME_PLACE_MM = 1e-3


@dataclass(frozen=True)
class Plane:
    """Where a frame lies.

    Attributes
    ----------
    position : np.ndarray
        (3,) LPS millimetres of the centre of the first pixel.
    rows, columns : np.ndarray
        (3,) unit vectors in LPS along which the row index and the column index increase.
    spacing : tuple of float
        Millimetres between rows and between columns.
    """

    position: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    spacing: tuple[float, float]

    @property
    def normal(self) -> np.ndarray:
        """(3,) unit vector across the plane."""
        return np.cross(self.columns, self.rows)

    def at(self, row: float, column: float) -> np.ndarray:
        """(3,) LPS millimetres of the centre of a pixel (DICOM PS3.3 C.7.6.2.1.1)."""
        return self.position + row * self.spacing[0] * self.rows + column * self.spacing[1] * self.columns


def _group(header: pydicom.Dataset, frame: int, name: str) -> pydicom.Dataset:
    """Functional group of a frame, from the shared groups or its own; the image itself where it is single-frame."""
    if "PerFrameFunctionalGroupsSequence" not in header:
        return header
    for groups in (header.PerFrameFunctionalGroupsSequence[frame], *header.get("SharedFunctionalGroupsSequence", [])):
        if name in groups:
            return groups[name].value[0]
    raise AttributeError(name)


def _plane(header: pydicom.Dataset, frame: int) -> Plane:
    orientation = np.array(
        _group(header, frame, "PlaneOrientationSequence").ImageOrientationPatient,
        dtype=float,
    )
    return Plane(
        np.array(_group(header, frame, "PlanePositionSequence").ImagePositionPatient, dtype=float),
        rows=orientation[3:],
        columns=orientation[:3],
        spacing=tuple(float(s) for s in _group(header, frame, "PixelMeasuresSequence").PixelSpacing),
    )


def _well_formed(keyword: str, value: str) -> bool:
    """Whether a value may be copied into an object that is written strictly."""
    if keyword == "PatientSex":
        return value in ("M", "F", "O")
    parse = {"DA": DA, "TM": TM}.get(dictionary_VR(keyword))
    if parse is None:
        return True
    try:
        parse(value)
    except ValueError:
        return False
    return True


def _mended(header: pydicom.Dataset) -> pydicom.Dataset:
    """The header in UTF-8, what is absent or malformed among the inherited attributes left empty."""
    header.decode()
    header.SpecificCharacterSet = UTF8
    for keyword in _INHERITED:
        value = header.get(keyword)
        text = "" if value is None else str(value).strip()
        setattr(header, keyword, text if _well_formed(keyword, text) else "")
    return header


def _read(path: Path) -> pydicom.Dataset:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except (OSError, pydicom.errors.InvalidDicomError) as error:
        raise InputError(f"cannot read the DICOM header of {path}: {error}") from error
    missing = [keyword for keyword in _REQUIRED if not header.get(keyword)]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}, without which nothing can refer to it")
    return _mended(header)


def _stored_frames(header: pydicom.Dataset) -> int:
    return int(header.get("NumberOfFrames") or 1)


def _keep_frames(header: pydicom.Dataset, frames: Sequence[int]) -> None:
    header.PerFrameFunctionalGroupsSequence = [header.PerFrameFunctionalGroupsSequence[n] for n in frames]
    header.NumberOfFrames = len(frames)


def _give_frame_of_reference(headers: Iterable[pydicom.Dataset]) -> None:
    """De-identified images may lack it, yet what is derived from them has to name one."""
    uid = new_uid()
    for header in headers:
        header.FrameOfReferenceUID = uid


def _same(headers: Iterable[pydicom.Dataset], keyword: str) -> None:
    values = {str(header.get(keyword)) for header in headers}
    if len(values) > 1:
        raise InputError(f"the source files differ in {keyword}; name the files of one series")


@dataclass(frozen=True)
class SourceImages:
    """Headers of a series of single-frame images, or of one multi-frame image.

    Attributes
    ----------
    headers : tuple of pydicom.Dataset
        Without pixels; single-frame images along their normal, a multi-frame image with the frames of the volume
        alone. A series whose images name no frame of reference has been given a new one.
    planes : tuple of Plane
        Of each frame, in the order in which they are stored.
    frames : tuple of int
        Index, from 0, of each of these frames among all that the image stores.
    """

    headers: tuple[pydicom.Dataset, ...]
    planes: tuple[Plane, ...]
    frames: tuple[int, ...]

    @classmethod
    def read(cls, files: Sequence[Path], frame_numbers: Sequence[int] = ()) -> SourceImages:
        """Read the headers of a series, in any order of its files.

        Parameters
        ----------
        files : sequence of Path
            Single-frame images of one series, or one multi-frame image.
        frame_numbers : sequence of int
            Frames of a multi-frame image that make up the volume, counted from 1, in any order; all if empty.

        Raises
        ------
        InputError
            If a header cannot be read or lacks what a reference needs, or if the files are not one volume.
        """
        headers = [_read(Path(file)) for file in files]
        if not headers:
            raise InputError("no DICOM files were named")
        for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            _same(headers, keyword)
        if len(headers) > 1 and any("PerFrameFunctionalGroupsSequence" in header for header in headers):
            raise InputError("several multi-frame images were named; name one")
        if not headers[0].get("FrameOfReferenceUID"):
            _give_frame_of_reference(headers)
        frames = sorted(n - 1 for n in frame_numbers) or range(_stored_frames(headers[0]))
        try:
            planes = [_plane(header, frame) for header in headers for frame in frames]
            if len(frames) > 1:
                _keep_frames(headers[0], frames)
        except (AttributeError, IndexError) as error:
            raise InputError(f"the headers do not say where the images lie: {error}") from error
        if len(headers) > 1:
            order = np.argsort([plane.position @ planes[0].normal for plane in planes], kind="stable")
            headers, planes = [headers[n] for n in order], [planes[n] for n in order]
            frames = range(len(headers))
        along = np.sort([plane.position @ planes[0].normal for plane in planes])
        if (np.diff(along) < _SAME_PLACE_MM).any():
            raise InputError("two of the source images lie in the same place; name the files of one volume")
        return cls(tuple(headers), tuple(planes), tuple(frames))

    @property
    def first(self) -> pydicom.Dataset:
        """Header whose patient, study and frame of reference a derived object takes over."""
        return self.headers[0]

    @cached_property
    def _rank(self) -> np.ndarray:
        """(frames,) position of each plane along the normal, from 0."""
        along = np.array([plane.position @ self.planes[0].normal for plane in self.planes])
        return np.argsort(np.argsort(along, kind="stable"), kind="stable")

    def frames_of(self, array: np.ndarray, grid: Grid) -> np.ndarray:
        """Arrange an array in reading order as the frames of the source; values are moved, never interpolated.

        Parameters
        ----------
        array : np.ndarray
            (nk, nj, ni) on ``grid``.
        grid : Grid
            Grid in reading order that covers the source.

        Returns
        -------
        np.ndarray
            (frames, rows, columns) in the order of the stored frames.

        Raises
        ------
        InputError
            If the source's frames do not cover the grid.
        """
        plane = self.planes[0]
        axes = np.array([plane.normal, plane.rows, plane.columns])
        cosines = axes @ np.array(grid.directions).T
        order = np.abs(cosines).argmax(axis=1)
        along = cosines[range(3), order]
        if len(set(order)) < 3 or np.abs(along).min() < _PARALLEL:
            raise InputError("the source images are not parallel to the grid of the result")
        stack = np.flip(array.transpose(order), axis=[axis for axis in range(3) if along[axis] < 0])
        size = (len(self.planes), int(self.first.Rows), int(self.first.Columns))
        if stack.shape != size:
            raise InputError(f"the source images hold {size} slices, rows and columns, the result {stack.shape}")
        self._check_positions(grid, order, along)
        return np.ascontiguousarray(stack[self._rank])

    def restore_frame_numbers(self, derived: pydicom.Dataset) -> None:
        """Let the references of a derived image count all frames that the source stores."""
        if len(self.headers) > 1:
            return
        # Frames of several segments share the item that names their source.
        references = {
            id(reference): reference
            for groups in derived.PerFrameFunctionalGroupsSequence
            for derivation in groups.get("DerivationImageSequence", [])
            for reference in derivation.SourceImageSequence
            if "ReferencedFrameNumber" in reference
        }
        for reference in references.values():
            reference.ReferencedFrameNumber = self.frames[reference.ReferencedFrameNumber - 1] + 1

    def _check_positions(self, grid: Grid, order: np.ndarray, along: np.ndarray) -> None:
        """Raise InputError unless the first and the last pixel of every frame lie where they lie in the grid.

        Within its plane a frame may be off by half a pixel. Across it, one slice distance is allowed: a grid has
        equal distances, while those of a scan may vary a little.
        """
        spacing, shape = np.array(grid.spacing)[order], np.array(grid.shape)[order]
        start, step = np.where(along < 0, shape - 1, 0), np.sign(along)
        for rank, plane in zip(self._rank, self.planes, strict=True):
            for pixel in (np.zeros(2), shape[1:] - 1):
                index = np.empty(3)
                index[order] = start + step * np.array([rank, *pixel])
                gap = plane.at(*pixel) - grid.to_lps(index)
                off = np.abs([gap @ plane.normal, gap @ plane.rows, gap @ plane.columns]) / spacing
                if (off > (1.0, 0.5, 0.5)).any():
                    far = np.linalg.norm(gap)
                    raise InputError(f"slice {rank + 1} of the source lies {far:.1f} mm away from that of the result")
