"""What annotators drew in a volume, as objects with names, and what they left open."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ...anatomy.labels import describe, disc_value
from ...anatomy.levels import SACRUM_VALUE, VERTEBRA_VALUES, column, vertebra_name
from ...anatomy.structures import NetworkClass, Structure
from ...case.grid import Grid
from ...case.spine import NamedSpine
from ..collect import LabelledVolume, read_annotation, read_labels
from ..derive import disc_between, gap_between, undrawn_discs
from ..label_check import OPEN_VALUE
from ..targets import target_of

__all__ = ["BETWEEN_BODIES", "DRAWN", "LABELS", "Reference", "read_references", "reference_spine", "shows_sacrum"]

LABELS = "labels"
"""Name of the annotator of bodies and discs."""
DRAWN = "drawn"
BETWEEN_BODIES = "gap between drawn bodies"
"""What a manual mask rests on."""
_DRAWN_BY_RATERS = (NetworkClass.CANAL, NetworkClass.FORAMEN)


@dataclass(frozen=True)
class Reference:
    """One annotator's work on one volume.

    Attributes
    ----------
    rater : str
        :data:`LABELS`, or the name of the rater's folder.
    grid : Grid
        Of the volume in reading order.
    objects : np.ndarray
        uint16 (nk, nj, ni): what was drawn or follows from it, by label value.
    target : np.ndarray
        uint8 bit sets of the classes that each voxel may belong to.
    classes : tuple of NetworkClass
        Those that this annotator speaks about.
    derived : frozenset of int
        Label values whose border is not drawn but follows from other objects.
    """

    rater: str
    grid: Grid
    objects: np.ndarray
    target: np.ndarray
    classes: tuple[NetworkClass, ...]
    derived: frozenset[int] = frozenset()

    def derives(self, level: str) -> bool:
        """Whether the disc at a level, such as ``L4-L5``, was not drawn but follows from the bodies around it."""
        return bool(self.derived) and disc_value(level.split("-")[0]) in self.derived


def _body_values(labels: np.ndarray) -> list[int]:
    """Label values of the bodies, top down."""
    found = set(np.unique(labels).tolist())
    return [v for v in VERTEBRA_VALUES.values() if v in found]


def read_references(volume: LabelledVolume) -> tuple[Reference, ...]:
    """Every annotator's work on a volume: bodies and discs first, then each rater's sac and foramina.

    What a committee proposed is nobody's work, and left out.

    Raises
    ------
    InputError
        If the labels or an annotation cannot be used.
    """
    read, grid = read_labels(volume)
    labels = read.astype(np.uint16)
    target = target_of(labels, grid.spacing, None, volume.complete, volume.sacrum)
    objects, derived = labels.copy(), set()
    if not volume.complete:
        for upper, lower in undrawn_discs(int(v) for v in np.unique(labels) if v):
            value = disc_value(vertebra_name(upper))
            disc, _ = disc_between(labels == upper, labels == lower, grid.spacing)
            objects[disc & (labels == 0)] = value
            derived.add(value)
    spoken = tuple(c for c in NetworkClass if c and (volume.complete or c not in _DRAWN_BY_RATERS))
    out = [Reference(LABELS, grid, objects, target, spoken, frozenset(derived))]
    for path in volume.annotations:
        drawn = read_annotation(volume, path, grid)
        target = target_of(labels, grid.spacing, drawn)
        drawn[(labels > 0) | (drawn == OPEN_VALUE)] = 0
        out.append(Reference(path.parent.name, grid, drawn, target, _DRAWN_BY_RATERS))
    return tuple(out)


def reference_spine(labels: Reference, rater: Reference | None = None) -> NamedSpine:
    """The annotators' masks as a spine that can be measured; borders lie halfway between voxels.

    Discs that were not drawn are the whole gap between the bodies, from endplate to endplate.

    Parameters
    ----------
    labels : Reference
        Bodies and discs.
    rater : Reference, optional
        Whose sac and foramina are added.
    """
    array = labels.objects.copy()
    array[np.isin(array, list(labels.derived))] = 0
    bodies = _body_values(array)
    for upper, lower in itertools.pairwise(bodies):
        if disc_value(vertebra_name(upper)) in labels.derived:
            gap = gap_between(array == upper, array == lower, labels.grid.spacing)
            array[gap & (array == 0)] = disc_value(vertebra_name(upper))
    if rater is not None:
        array[(array == 0) & (rater.objects > 0)] = rater.objects[(array == 0) & (rater.objects > 0)]
    return NamedSpine.from_labels(array, labels.grid, _names(array, bodies))


def _names(array: np.ndarray, bodies: list[int]) -> tuple[str, ...]:
    """Vertebrae from the highest to the lowest that anything drawn belongs to."""
    uppers = {
        describe(int(v)).level.split("-")[0]
        for v in np.unique(array[array > 0])
        if describe(int(v)).structure in (Structure.DISC, Structure.FORAMEN)
    }
    names = {vertebra_name(v) for v in bodies} | uppers
    lumbar = 6 if "L6" in names else 4 if "S1" in names and "L5" not in names else 5
    order = column(lumbar, 13 if "T13" in names else 12)
    rank = sorted(order.index(n) for n in names)
    # A disc or foramen lies between two vertebrae, the lower of which may not be drawn.
    last = rank[-1] + 1 if order[rank[-1]] in uppers else rank[-1]
    return order[rank[0] : last + 1]


def shows_sacrum(reference: Reference) -> bool:
    """Whether S1 is among what was drawn."""
    return bool((reference.objects == SACRUM_VALUE).any())
