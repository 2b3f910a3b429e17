"""One measured number, with its method, its interval and the geometry it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..anatomy.structures import Side, Structure

__all__ = ["Geometry", "Measurement"]

_FITS = 1e-3
"""How far, as a share, the size of a geometry may be from the value that is read from it."""


@dataclass(frozen=True)
class Geometry:
    """Where in the patient a value was measured.

    Attributes
    ----------
    kind : str
        ``line`` (two points), ``curve`` (open), ``closed curve`` (contour in one plane).
    points : tuple of tuple of float
        RAS millimetres.
    """

    kind: str
    points: tuple[tuple[float, float, float], ...]

    @classmethod
    def of(cls, kind: str, ras: np.ndarray) -> Geometry:
        """Geometry from an (n, 3) array of RAS millimetres."""
        return cls(kind, tuple((r, a, s) for r, a, s in np.asarray(ras, dtype=float).tolist()))

    def size(self, unit: str) -> float | None:
        """What the geometry measures in a unit; None where it measures nothing in it.

        Parameters
        ----------
        unit : str
            ``mm``: length of a line or curve, perimeter of a closed curve. ``mm2``: area of a closed curve, seen along
            the normal of its mean plane (Newell).
        """
        points = np.array(self.points, dtype=float)
        if unit == "mm":
            ring = np.vstack((points, points[:1])) if self.kind == "closed curve" else points
            return float(np.linalg.norm(np.diff(ring, axis=0), axis=1).sum())
        if unit == "mm2" and self.kind == "closed curve":
            around = points - points.mean(axis=0)
            return float(np.linalg.norm(np.cross(around, np.roll(around, -1, axis=0)).sum(axis=0)) / 2)
        return None


@dataclass(frozen=True)
class Measurement:
    """A row of ``measurements.csv``.

    Attributes
    ----------
    structure, level, side
        What was measured: ``disc``, ``L4-L5``, and the patient's side where there is one.
    name : str
        The quantity in words: ``height``, ``area``, ``AP diameter``.
    method : str
        The named method; methods differ by millimetres, so the name is always shown.
    value : float or None
        None where it could not be measured; ``flag`` then says why.
    unit : str
        UCUM: ``mm``, ``mm2``, ``mm3``, ``deg``, ``1``, ``%``.
    lower, upper : float or None
        Interval around the value; None where none is known.
    reference : str
        Reference range in words with its source, or empty.
    grade : str
        Grade by a published cut-off, with its source; a place in words (``left of the middle``); or empty.
    flag : str
        Reason to doubt the value or why it is absent; empty where there is none.
    source : str
        ``automatic`` or ``corrected``.
    automatic : float or None
        Where ``source`` is ``corrected``: the value before, None if there was none.
    geometry : Geometry or None
        Where it was read from.
    spread : float or None
        Standard deviation across the members of the committee, each measured by its own masks in the committee's
        planes; None where too few can be.
    accuracy : float or None
        What voxels and slices leave uncertain even on a perfect mask: ± in the unit, within which 95 of 100 errors on
        phantoms lie; None where it is not known, as of ratios and what a reader measured.
    """

    structure: Structure
    level: str
    side: Side | None
    name: str
    method: str
    value: float | None
    unit: str
    lower: float | None = None
    upper: float | None = None
    reference: str = ""
    grade: str = ""
    flag: str = ""
    source: str = "automatic"
    automatic: float | None = None
    geometry: Geometry | None = None
    spread: float | None = None
    accuracy: float | None = None

    def __post_init__(self) -> None:
        if self.value is None and not self.flag:
            raise ValueError(f"{self.structure} {self.level} {self.name}: absent without a reason")
        if self.value is not None and not np.isfinite(self.value):
            raise ValueError(f"{self.structure} {self.level} {self.name}: {self.value} is not a number")

    @property
    def can_be_moved(self) -> bool:
        """Whether the value is the size of the geometry, so that moving its points moves the value.

        Means of several lines, angles, volumes and ratios are not: they follow from other rows or from the mask.
        """
        if self.value is None or self.geometry is None or len(self.geometry.points) < 2:
            return False
        size = self.geometry.size(self.unit)
        return size is not None and abs(abs(self.value) - size) <= _FITS * max(size, 1.0)

    @cached_property
    def key(self) -> str:
        """Stable name of the measurement, for example ``disc_L4-L5_height_Dabbs``; used for markup names."""
        words = [
            self.structure.value,
            *([self.side.value] if self.side else []),
            self.level,
            self.name,
            self.method,
        ]
        return "_".join(w.replace(" ", "-") for w in words if w)
