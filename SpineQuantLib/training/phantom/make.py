"""A phantom from its knobs: image, labels and truth on the scanner's grid."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...anatomy.labels import CORD_VALUE
from ...anatomy.levels import vertebra_value
from ...anatomy.structures import Side, Structure
from ...case.grid import READING_ORDER, Grid
from ...case.measurement import Measurement
from ...case.spine import NamedSpine, Naming
from .canal import build_sac
from .column import build_column
from .cord import build_cord
from .foramen import build_foramina
from .frames import Lattice, rotation
from .paint import Anatomy, paint
from .scan import scan
from .spec import PhantomSpec
from .truth import UPRIGHT, true_measurements

__all__ = ["Phantom", "make_phantom", "save_phantom"]

_FINE = 0.5
_FINE_THROUGH = 1.0


@dataclass(frozen=True)
class Phantom:
    """A phantom MRI with its truth.

    Attributes
    ----------
    spec : PhantomSpec
        What it was made from.
    image : sitk.Image
        int16, in the spec's orientation.
    labels : sitk.Image
        uint16 on the same grid, values as in :mod:`SpineQuantLib.anatomy.labels`. Vertebrae are bodies; below S1
        nothing is labelled but the S1-S2 disc of a lumbarised S1.
    occupancy : dict of Structure to np.ndarray
        float32 (nk, nj, ni) in reading order: share of each voxel that a structure fills.
    vertebrae : tuple of str
        Those with a labelled voxel, top down.
    anatomy : Anatomy
        The shapes themselves, in the body frame.
    grid : Grid
        Grid of ``occupancy``.
    cord : np.ndarray or None
        float32 (nk, nj, ni) in reading order: share of each voxel that the spinal cord fills, which is part of the
        sac; None in a lumbar phantom, whose cord is drawn but not told apart.
    """

    spec: PhantomSpec
    image: sitk.Image
    labels: sitk.Image
    occupancy: dict[Structure, np.ndarray]
    vertebrae: tuple[str, ...]
    anatomy: Anatomy
    grid: Grid
    cord: np.ndarray | None = None

    def spine(self, *, cord: bool = False) -> NamedSpine:
        """The exact segmentation as a named spine.

        Parameters
        ----------
        cord : bool
            Whether the spinal cord is told apart from the rest of the sac, where the phantom has one of its own.
        """
        labels = sitk.GetArrayFromImage(sitk.DICOMOrient(self.labels, READING_ORDER))
        if cord and self.cord is not None:
            labels[self.cord >= 0.5] = CORD_VALUE
        return NamedSpine(self.grid, labels, self.occupancy, self.vertebrae, Naming(True, "set by hand"))

    def to_lps(self, body: np.ndarray) -> np.ndarray:
        """LPS millimetres of body-frame millimetres (…, 3)."""
        return np.asarray(body, dtype=float) @ rotation(self.spec.patient_rotation).T

    @cached_property
    def truth(self) -> tuple[Measurement, ...]:
        """True value of every measurement whose structure lies in the field of view, without intervals."""
        column = self.anatomy.column
        shapes = column.bodies, column.discs, self.anatomy.foramina, self.anatomy.sac
        upright = rotation(self.spec.patient_rotation).T @ UPRIGHT
        return true_measurements(*shapes, self.in_view, upright, self.anatomy.cord)

    def true_value(self, structure: Structure, level: str, name: str, method: str, side: Side | None = None) -> float:
        """One true value; KeyError where the phantom does not show it."""
        for row in self.truth:
            if (row.structure, row.level, row.name, row.method, row.side) == (structure, level, name, method, side):
                return float(row.value)
        raise KeyError(f"this phantom does not show {structure} {level} {name}, {method}, {side or 'no side'}")

    def in_view(self, body: np.ndarray) -> bool:
        """Whether body-frame points (n, 3) lie within the outermost voxel centres."""
        index = self.grid.to_index(self.to_lps(body))
        return bool(((index >= 0) & (index <= np.array(self.grid.shape) - 1)).all())


def make_phantom(spec: PhantomSpec) -> Phantom:
    """Make a phantom; the same spec gives the same phantom.

    Raises
    ------
    ValueError
        If a disc is narrowed so far that its endplates would touch.
    """
    column = build_column(spec)
    sac = build_sac(column, spec)
    cord = None if spec.region == "lumbar" else build_cord(sac, spec)
    anatomy = Anatomy(column, sac, build_foramina(column, spec), cord)
    grid = _grid(spec)
    lattice, factors = _lattice(spec, grid)
    painting = paint(anatomy, spec, lattice, factors)
    present = set(np.unique(painting.labels).tolist())
    return Phantom(
        spec,
        sitk.DICOMOrient(grid.image(scan(painting.tissue, factors, spec)), spec.orientation),
        sitk.DICOMOrient(grid.image(painting.labels), spec.orientation),
        painting.occupancy,
        tuple(n for n in spec.names if vertebra_value(n) in present),
        anatomy,
        grid,
        painting.cord,
    )


def _grid(spec: PhantomSpec) -> Grid:
    """Grid of the image in reading order, around the spec's centre, which is given in the body frame."""
    turn = rotation(spec.slice_rotation)
    directions = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ turn.T
    spacing = np.array(spec.spacing)
    middle = rotation(spec.patient_rotation) @ np.array(spec.centre)
    origin = middle - ((np.array(spec.size) - 1) / 2 * spacing) @ directions
    rows = tuple(tuple(float(c) for c in row) for row in directions)
    return Grid(spec.size, spec.spacing, (float(origin[0]), float(origin[1]), float(origin[2])), rows)


def _lattice(spec: PhantomSpec, grid: Grid) -> tuple[Lattice, tuple[int, int, int]]:
    """Fine lattice in the body frame: points every half millimetre, every millimetre through thick slices."""
    through = int(np.argmax(spec.spacing))
    factors, positions = [], []
    for axis, (count, step) in enumerate(zip(spec.size, spec.spacing, strict=True)):
        thick = spec.slice_thickness if axis == through and spec.slice_thickness else step
        factor = max(1, round(thick / (_FINE_THROUGH if axis == through and step >= 1.5 else _FINE)))
        inside = ((np.arange(factor) + 0.5) / factor - 0.5) * thick
        positions.append((np.arange(count)[:, None] * step + inside).ravel())
        factors.append(factor)
    turn = rotation(spec.patient_rotation)
    lattice = Lattice(
        np.array(grid.origin) @ turn, np.array(grid.directions) @ turn, (positions[0], positions[1], positions[2])
    )
    return lattice, (factors[0], factors[1], factors[2])


def save_phantom(phantom: Phantom, folder: Path) -> None:
    """Write ``image.nii.gz``, ``labels.nii.gz`` and ``truth.csv`` into a folder, which is made if need be.

    A cervical or thoracic phantom also has ``cord.nii.gz``, the mask of the spinal cord; ``labels.nii.gz`` holds the
    whole sac, cord included.

    ``truth.csv`` has the columns structure, level, side, measurement, method, value, unit.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(phantom.image, str(folder / "image.nii.gz"), useCompression=True)
    sitk.WriteImage(phantom.labels, str(folder / "labels.nii.gz"), useCompression=True)
    if phantom.cord is not None:
        mask = np.where(phantom.cord >= 0.5, CORD_VALUE, 0).astype(np.uint8)
        cord = sitk.DICOMOrient(phantom.grid.image(mask), phantom.spec.orientation)
        sitk.WriteImage(cord, str(folder / "cord.nii.gz"), useCompression=True)
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("structure", "level", "side", "measurement", "method", "value", "unit"))
        for row in phantom.truth:
            table.writerow(
                (row.structure, row.level, row.side or "", row.name, row.method, f"{row.value:.4f}", row.unit)
            )
