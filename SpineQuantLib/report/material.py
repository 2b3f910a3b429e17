"""What all pictures of a case share: grey window, soft masks, the slices worth showing."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from ..anatomy.structures import Side, Structure
from ..case.grid import lps_to_ras
from ..case.measurement import Measurement
from ..case.result import CaseResult
from ..case.spine import Patch
from .views import Box, View, coronal, plane, sagittal

__all__ = ["Material"]

_SMOOTHING_MM = 20.0
_STRAIGHT_MM = 6.0
"""How far the sac may leave a straight slice before the sheet follows it: beyond, the slice shows its rim only."""
_AXIAL_SIZE = (110.0, 110.0)
_AXIAL_STEP = 0.5
_MARGIN = 14.0
_UP = np.array([0.0, 0.0, 1.0])
_LEAST_UPRIGHT = 0.4
"""Least share of a normal along the patient for its plane to count as axial."""


class Material:
    """Prepared parts of a :class:`~SpineQuantLib.case.result.CaseResult`, computed once.

    Parameters
    ----------
    result : CaseResult
        The case; arrays in reading order.
    """

    def __init__(self, result: CaseResult) -> None:
        self.result = result
        self.spine = result.spine
        self.grid = result.spine.grid
        self.objects = self.spine.objects
        self._patches: dict[int, Patch] = {}

    def patch(self, value: int) -> Patch | None:
        """Soft mask of an object; None where the case has none."""
        if value not in self._patches:
            found = self.spine.patch(value)
            if found is None:
                return None
            self._patches[value] = found
        return self._patches[value]

    @cached_property
    def window(self) -> tuple[float, float]:
        """Intensities shown black and white: percentiles around the spine, where one was found."""
        labelled = np.argwhere(self.spine.labels[:, ::4, ::4] > 0)
        part = self.result.image[:, ::2, ::2]
        if len(labelled):
            low, high = labelled.min(axis=0), labelled.max(axis=0) + 1
            part = self.result.image[:, 4 * low[1] : 4 * high[1] : 2, 4 * low[2] : 4 * high[2] : 2]
        black, white = np.percentile(part, (1, 99))
        return float(black), float(white if white > black else black + 1)

    @cached_property
    def midline(self) -> np.ndarray:
        """(nj,) slice index ``k`` of the middle of the sac (without one: of the vertebrae and discs) in each row."""
        labels = self.spine.labels
        spots = labels == CANAL_VALUE
        if not spots.any():
            spots = (labels > 0) & ~np.isin(labels, self._foramen_values)
        weight = spots.sum(axis=2).astype(float)
        filled = np.flatnonzero(weight.sum(axis=0))
        if len(filled) == 0:
            return np.full(self.grid.shape[1], (self.grid.shape[0] - 1) / 2)
        slices = np.arange(self.grid.shape[0])[:, None]
        centre = (weight * slices).sum(axis=0)[filled] / weight.sum(axis=0)[filled]
        # Beyond the ends the sheet goes straight on; a fall to one side there would leave the spine.
        rows = np.interp(np.arange(self.grid.shape[1]), filled, centre)
        return gaussian_filter1d(rows, _SMOOTHING_MM / self.grid.spacing[1], mode="nearest")

    @property
    def _foramen_values(self) -> list[int]:
        """Label values of all foramina in the case."""
        return [o.value for o in self.objects if o.structure is Structure.FORAMEN]

    @property
    def is_curved(self) -> bool:
        """Whether no straight slice stays within the sac."""
        low, high = self.midline.min(), self.midline.max()
        return (high - low) / 2 * self.grid.spacing[0] > _STRAIGHT_MM

    @cached_property
    def middle(self) -> View:
        """Mid-sagittal sheet: the slice through the sac's middle, or one that follows a curved spine."""
        if self.is_curved:
            return sagittal(self.grid, self.midline)
        return sagittal(self.grid, round(float(np.median(self.midline))))

    @cached_property
    def front(self) -> View:
        """Coronal sheet through the middle of the vertebral bodies and discs, row by row."""
        labels = self.spine.labels
        weight = ((labels > 0) & (labels != CANAL_VALUE) & ~np.isin(labels, self._foramen_values)).sum(axis=0)
        filled = np.flatnonzero(weight.sum(axis=1))
        if len(filled) == 0:
            return coronal(self.grid, (self.grid.shape[2] - 1) / 2)
        centre = (weight * np.arange(self.grid.shape[2])).sum(axis=1)[filled] / weight.sum(axis=1)[filled]
        rows = np.interp(np.arange(self.grid.shape[1]), filled, centre)
        return coronal(self.grid, gaussian_filter1d(rows, _SMOOTHING_MM / 2 / self.grid.spacing[1], mode="nearest"))

    def parasagittal(self, side: Side) -> View | None:
        """The slice that shows most of the foramina of one side; None where none was found."""
        values = [o.value for o in self.objects if o.structure is Structure.FORAMEN and o.side is side]
        area = np.zeros(self.grid.shape[0])
        for value in values:
            patch = self.patch(value)
            if patch is not None:
                count = patch.occupancy.sum(axis=(1, 2))
                # Each foramen counts by its share, so that one large foramen does not choose for all.
                area[patch.start[0] : patch.start[0] + len(count)] += count / max(float(count.max()), 1e-6)
        return sagittal(self.grid, int(area.argmax())) if area.any() else None

    def field(self, view: View) -> Box:
        """The part of a sagittal view worth showing: everything that was found, with a margin."""
        rows, columns = np.nonzero((self.spine.labels > 0).any(axis=0))
        if len(rows) == 0:
            return view.box
        (dy, dx), whole = view.step, view.box
        found = Box(columns.min() * dx, columns.max() * dx, rows.min() * dy, rows.max() * dy).grown(_MARGIN)
        # Room for the names of the levels in front of the spine and for the numbers behind it, even where a narrow
        # field of view leaves only black there.
        return Box(found.left - 14, found.right + 8, max(found.top, whole.top), min(found.bottom, whole.bottom))

    def foramen_slice(self, upper: str, level: str, side: Side) -> int | None:
        """Slice a foramen was measured on, or else the one that shows most of it; None where there is none."""
        for item in self.find(Structure.FORAMEN, level, side):
            if item.geometry is not None:
                centre = np.mean(item.geometry.points, axis=0)
                k = round(float(self.grid.to_index(lps_to_ras(centre))[0]))
                return int(np.clip(k, 0, self.grid.shape[0] - 1))
        patch = self.patch(foramen_value(upper, side))
        return None if patch is None else patch.start[0] + int(patch.occupancy.sum(axis=(1, 2)).argmax())

    def find(self, structure: Structure, level: str, side: Side | None = None) -> list[Measurement]:
        """Measurements of one object, in the order of the table."""
        return [m for m in self.result.measurements if m.structure is structure and m.level == level and m.side is side]

    def sac_plane(self, level: str) -> View | None:
        """Plane in which the sac's area was measured at a level; None where it was not."""
        for item in self.find(Structure.CANAL, level):
            if item.geometry is not None and len(item.geometry.points) > 5:
                points = lps_to_ras(np.array(item.geometry.points))
                centre = points.mean(axis=0)
                return self._plane(centre, np.linalg.svd(points - centre, full_matrices=False)[2][2])
        return None

    def disc_plane(self, upper: str) -> View | None:
        """Plane through a disc along its two long axes; None where there is no such disc."""
        patch = self.patch(disc_value(upper))
        if patch is None:
            return None
        points = patch.grid.to_lps(np.argwhere(patch.occupancy > 0.5))
        normal = np.linalg.eigh(np.cov(points.T))[1][:, 0] if len(points) > 3 else _UP
        return self._plane(points.mean(axis=0), normal if abs(normal[2]) > _LEAST_UPRIGHT else _UP)

    def _plane(self, centre: np.ndarray, normal: np.ndarray) -> View | None:
        """Axial plane of the usual size; None where the normal does not point up at all."""
        if abs(normal[2]) < _LEAST_UPRIGHT:
            return None
        return plane(self.grid, centre, normal, _AXIAL_SIZE, _AXIAL_STEP)
