"""The named spine: which voxel belongs to what, with soft borders and with evidence for the names."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..anatomy.labels import CANAL_VALUE, CORD_VALUE, Label, describe
from ..anatomy.levels import SACRUM_VALUE, level_between, vertebra_value
from ..anatomy.structures import Side, Structure
from .grid import Grid
from .view import View, whole_view

__all__ = ["NamedSpine", "Naming", "Patch"]


@dataclass(frozen=True)
class Naming:
    """How the levels got their names.

    Attributes
    ----------
    named : bool
        False where naming was abstained from; vertebrae are then called V1, V2, … from the lowest up.
    method : str
        ``counted from S1``, ``set by hand`` or ``none``.
    evidence : tuple of str
        What speaks for the names.
    doubts : tuple of str
        What speaks against them, or why there are none.
    """

    named: bool
    method: str
    evidence: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Patch:
    """A box cut from a grid around one object.

    Attributes
    ----------
    occupancy : np.ndarray
        float32 (nk, nj, ni) in reading order: share of a voxel that the object fills; its border is at 0.5.
    grid : Grid
        Where the box lies.
    start : tuple of int
        Index of its first voxel in the whole volume.
    """

    occupancy: np.ndarray
    grid: Grid
    start: tuple[int, int, int]


@dataclass(frozen=True)
class NamedSpine:
    """A segmentation whose objects carry names. Its arrays are never changed in place; an edit makes another spine.

    Attributes
    ----------
    grid : Grid
        Grid of all arrays, in reading order (right→left, superior→inferior, anterior→posterior).
    labels : np.ndarray
        uint16 (nk, nj, ni), values as in :mod:`SpineQuantLib.anatomy.labels`.
    occupancy : dict of Structure to np.ndarray
        float32 (nk, nj, ni) per structure in 0–1; the border of a structure is where it is 0.5, between voxel
        centres by interpolation. From probabilities where there are some; a bare mask works too.
    vertebrae : tuple of str
        Names from the top down, without gaps, ``S1`` last where it is in view.
    naming : Naming
        How they were named.
    view : View or None
        Part of the arrays that shows something, see :mod:`SpineQuantLib.case.view`; None: all of it.
    """

    grid: Grid
    labels: np.ndarray
    occupancy: dict[Structure, np.ndarray]
    vertebrae: tuple[str, ...]
    naming: Naming = field(default_factory=lambda: Naming(True, "set by hand"))
    view: View | None = None

    @classmethod
    def from_labels(
        cls,
        labels: np.ndarray,
        grid: Grid,
        vertebrae: tuple[str, ...],
        naming: Naming | None = None,
        view: View | None = None,
    ) -> NamedSpine:
        """A spine from a label array alone; borders lie halfway between voxels inside and outside."""
        labels = np.asarray(labels, dtype=np.uint16)
        occupancy = {s: np.zeros(labels.shape, np.float32) for s in Structure if s is not Structure.SPINE}
        for value in np.unique(labels[labels > 0]):
            occupancy[describe(int(value)).structure][labels == value] = 1.0
        return cls(grid, labels, occupancy, vertebrae, naming or Naming(True, "set by hand"), view)

    @cached_property
    def boxes(self) -> dict[int, tuple[slice, slice, slice]]:
        """Box around each object that the label array holds, by label value, ascending.

        Looked for once: who wants to know about one object need not go through the whole volume.
        """
        found = ndimage.find_objects(self.labels)
        return {value: box for value, box in enumerate(found, start=1) if box is not None}

    @property
    def shown(self) -> View:
        """Where the picture begins and ends in the arrays."""
        return self.view or whole_view(self.labels.shape)

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels between neighbouring vertebrae, top down, for example ``("L4-L5", "L5-S1")``."""
        return tuple(map(level_between, self.vertebrae, self.vertebrae[1:]))

    def label(self, value: int) -> Label:
        """Meaning of a value in this spine (it knows which vertebra is below which)."""
        upper = describe(value).level.split("-")[0]
        if upper in self.vertebrae[:-1]:
            return describe(value, lower=self.vertebrae[self.vertebrae.index(upper) + 1])
        return describe(value)

    @property
    def objects(self) -> tuple[Label, ...]:
        """What the label array holds: vertebrae top down, discs, sac, foramina right before left."""
        order = {name: n for n, name in enumerate(self.vertebrae)}
        kinds = [Structure.VERTEBRA, Structure.DISC, Structure.CANAL, Structure.FORAMEN]
        found = [self.label(value) for value in self.boxes]
        return tuple(
            sorted(
                found,
                key=lambda x: (
                    kinds.index(x.structure),
                    order.get(x.level.split("-")[0], len(order)),
                    x.side is Side.LEFT,
                ),
            )
        )

    def has(self, value: int) -> bool:
        """Whether any voxel carries the value."""
        return value in self.boxes

    def patch(self, value: int, margin: int = 2) -> Patch | None:
        """Soft mask of one object in the box around it, or None where it is absent.

        Voxels of other objects of the same structure do not count as inside, so that neighbours which touch stay
        apart; voxels around the object which no object claims keep their share, so that its border lies between
        voxel centres.

        Parameters
        ----------
        value : int
            Label value.
        margin : int
            Voxels left around the object; clipped at the edge of the volume.
        """
        box = self._box(value, margin)
        if box is None:
            return None
        parts = self._parts(value)
        structure = describe(value).structure
        crop = self.labels[box]
        soft = self.occupancy[structure][box].astype(np.float32, copy=True)
        inside = np.isin(crop, list(parts))
        for other in self.boxes.keys() - parts:
            if describe(other).structure is structure and _meet(self.boxes[other], box):
                soft[crop == other] = 0.0
        # A voxel that no object claims may touch the border, but its own share must not reach inside.
        np.minimum(soft, 0.4999, out=soft, where=~inside)
        grid = Grid(
            crop.shape,
            self.grid.spacing,
            tuple(self.grid.to_lps(np.array([side.start for side in box])).tolist()),
            self.grid.directions,
        )
        return Patch(soft, grid, (box[0].start, box[1].start, box[2].start))

    def same_around(self, value: int, other: NamedSpine, margin: int = 2) -> bool:
        """Whether one object's :meth:`patch` is the same in another segmentation of the same volume."""
        box = self._box(value, margin)
        if box is None or box != other._box(value, margin) or self._parts(value) != other._parts(value):
            return False
        soft, others = (spine.occupancy.get(describe(value).structure) for spine in (self, other))
        if not np.array_equal(self.labels[box], other.labels[box]):
            return False
        return soft is others or (soft is not None and others is not None and np.array_equal(soft[box], others[box]))

    def _parts(self, value: int) -> set[int]:
        """Values that make up an object. The cord lies in the sac: where it is told apart, the sac is still whole."""
        return {value, CORD_VALUE} & self.boxes.keys() if value == CANAL_VALUE else {value}

    def _box(self, value: int, margin: int) -> tuple[slice, ...] | None:
        """Box around an object with voxels left around it, within the volume; None where the object is absent."""
        if value not in self.boxes:
            return None
        around = zip(*(self.boxes[part] for part in self._parts(value)), strict=True)
        return tuple(
            slice(max(min(side.start for side in sides) - margin, 0), min(max(side.stop for side in sides) + margin, n))
            for sides, n in zip(around, self.labels.shape, strict=True)
        )

    def vertebra_values(self) -> dict[str, int]:
        """Label value of each vertebra, top down."""
        return {name: vertebra_value(name) for name in self.vertebrae}

    @property
    def shows_sacrum(self) -> bool:
        """Whether S1 is among the labels."""
        return self.has(SACRUM_VALUE)

    @property
    def shows_canal(self) -> bool:
        """Whether the dural sac is among the labels."""
        return self.has(CANAL_VALUE)


def _meet(a: tuple[slice, ...], b: tuple[slice, ...]) -> bool:
    """Whether two boxes share a voxel."""
    return all(x.start < y.stop and y.start < x.stop for x, y in zip(a, b, strict=True))
