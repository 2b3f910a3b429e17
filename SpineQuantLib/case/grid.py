"""A voxel grid in the patient: the one place where indices, LPS and RAS millimetres are converted.

Inside the library every array lies in *reading order*: axis 0 (``k``) runs from the patient's right to left, axis 1
(``j``) from superior to inferior, axis 2 (``i``) from anterior to posterior, as far as an oblique scan allows. An
image is brought into it by permuting and flipping its axes (ITK orientation ``PIL``), never by resampling, so
mirrored or rotated copies of one volume become the same array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

__all__ = ["READING_ORDER", "Grid", "from_reading_order", "lps_to_ras", "to_reading_order"]

READING_ORDER = "PIL"
"""ITK orientation of arrays inside the library: ``i`` to posterior, ``j`` to inferior, ``k`` to left."""


def lps_to_ras(points: np.ndarray) -> np.ndarray:
    """Turn points (…, 3) from LPS (DICOM, ITK) to RAS (Slicer) or back; millimetres."""
    return np.asarray(points, dtype=float) * np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Grid:
    """Geometry of an array of shape ``(nk, nj, ni)``.

    Attributes
    ----------
    shape : tuple of int
        ``(nk, nj, ni)``.
    spacing : tuple of float
        Millimetres between voxel centres along ``(k, j, i)``.
    origin : tuple of float
        LPS millimetres of the centre of voxel ``(0, 0, 0)``.
    directions : tuple of tuple of float
        Rows are the unit vectors, in LPS, along which ``k``, ``j`` and ``i`` increase.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    directions: tuple[tuple[float, float, float], ...]

    @classmethod
    def of(cls, image: sitk.Image) -> Grid:
        """Grid of a 3D image, in the image's own axis order (``k`` is its slowest axis)."""
        matrix = np.array(image.GetDirection()).reshape(3, 3)
        rows = tuple(tuple(float(c) for c in matrix[:, axis]) for axis in (2, 1, 0))
        return cls(image.GetSize()[::-1], image.GetSpacing()[::-1], image.GetOrigin(), rows)

    @property
    def matrix(self) -> np.ndarray:
        """(4, 4) matrix from homogeneous ``(k, j, i)`` indices to LPS millimetres."""
        out = np.eye(4)
        out[:3, :3] = np.array(self.directions).T * np.array(self.spacing)
        out[:3, 3] = self.origin
        return out

    def to_lps(self, index: np.ndarray) -> np.ndarray:
        """LPS millimetres of continuous ``(k, j, i)`` indices (…, 3)."""
        matrix = self.matrix
        return np.asarray(index, dtype=float) @ matrix[:3, :3].T + matrix[:3, 3]

    def to_ras(self, index: np.ndarray) -> np.ndarray:
        """RAS millimetres of continuous ``(k, j, i)`` indices (…, 3)."""
        return lps_to_ras(self.to_lps(index))

    def to_index(self, lps: np.ndarray) -> np.ndarray:
        """Continuous ``(k, j, i)`` indices of LPS millimetres (…, 3)."""
        matrix = self.matrix
        return (np.asarray(lps, dtype=float) - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T

    def image(self, array: np.ndarray) -> sitk.Image:
        """An array on this grid as an image.

        Raises
        ------
        ValueError
            If the array has another shape.
        """
        if array.shape != self.shape:
            raise ValueError(f"array of shape {array.shape} does not lie on a grid of shape {self.shape}")
        image = sitk.GetImageFromArray(np.ascontiguousarray(array))
        image.SetSpacing(self.spacing[::-1])
        image.SetOrigin(self.origin)
        image.SetDirection(np.array(self.directions)[::-1].T.ravel().tolist())
        return image


def to_reading_order(image: sitk.Image) -> sitk.Image:
    """Permute and flip an image's axes into reading order; values are moved, never interpolated."""
    return sitk.DICOMOrient(image, READING_ORDER)


def from_reading_order(image: sitk.Image, like: sitk.Image) -> sitk.Image:
    """Permute and flip an image in reading order back to the axes of ``like``, whose geometry it then has exactly.

    Raises
    ------
    ValueError
        If the two do not cover the same grid.
    """
    matrix = np.array(like.GetDirection()).reshape(3, 3)
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(matrix.ravel().tolist())
    back = sitk.DICOMOrient(image, code)
    if back.GetSize() != like.GetSize():
        raise ValueError(f"image of size {back.GetSize()} does not lie on a grid of size {like.GetSize()}")
    if not np.allclose(
        [back.TransformIndexToPhysicalPoint(i) for i in ((0, 0, 0), tuple(s - 1 for s in back.GetSize()))],
        [like.TransformIndexToPhysicalPoint(i) for i in ((0, 0, 0), tuple(s - 1 for s in like.GetSize()))],
        atol=1e-3,
    ):
        raise ValueError("image does not lie where the grid it should return to lies")
    back.CopyInformation(like)
    return back
