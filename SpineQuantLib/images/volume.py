"""A volume as it was read: voxels on the input's own grid, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import SimpleITK as sitk

from ..case.grid import to_reading_order
from ..case.result import InputInfo

__all__ = ["SpineVolume", "orientation_code"]


def orientation_code(image: sitk.Image) -> str:
    """Three letters (of L, R, A, P, S, I) towards which the axes ``i``, ``j``, ``k`` of a 3D image point."""
    return str(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection()))


@dataclass(frozen=True)
class SpineVolume:
    """A volume and where it came from.

    Attributes
    ----------
    image : sitk.Image
        3D, one float32 component, on the input's own grid: axes in the order of the file, LPS millimetres, spacing,
        origin and direction exactly as read. All values are finite.
    info : InputInfo
        Path, hash, geometry, contrast, DICOM attributes and notes.
    """

    image: sitk.Image
    info: InputInfo

    @cached_property
    def reading(self) -> sitk.Image:
        """The same voxels in reading order (:mod:`SpineQuantLib.case.grid`): permuted and flipped, not resampled."""
        return to_reading_order(self.image)
