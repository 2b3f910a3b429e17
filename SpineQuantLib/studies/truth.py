"""What is known of a labelled volume: single objects by name, and for each voxel what it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..anatomy.labels import CANAL_VALUE, describe, disc_value
from ..anatomy.levels import VERTEBRA_VALUES, column, level_between, vertebra_name
from ..anatomy.structures import CLASSES_OF, Structure
from ..case.grid import Grid
from ..case.spine import NamedSpine
from ..training.derive import disc_between, undrawn_discs
from ..training.label_check import OPEN_VALUE
from ..training.partial import bits
from ..training.targets import target_of

__all__ = ["Truth", "truths_of"]


@dataclass(frozen=True)
class Truth:
    """One rater's truth of a volume.

    Attributes
    ----------
    labels : np.ndarray
        uint16 (nk, nj, ni): every object that is known, values as in :mod:`SpineQuantLib.anatomy.labels`.
    target : np.ndarray
        uint8, same shape: bit sets of the classes that a voxel may belong to.
    complete : bool
        Whether everything in view is labelled.
    bodies : bool
        Whether bodies are labelled, so that discs can be measured between them.
    """

    labels: np.ndarray
    target: np.ndarray
    complete: bool
    bodies: bool

    def crop(self, box: tuple[slice, slice, slice]) -> Truth:
        """The part within a box."""
        return Truth(
            np.ascontiguousarray(self.labels[box]), np.ascontiguousarray(self.target[box]), self.complete, self.bodies
        )

    def known(self, structure: Structure) -> np.ndarray:
        """bool (nk, nj, ni): where it is known whether a voxel belongs to a structure."""
        own = np.uint8(bits(*CLASSES_OF[structure]))
        return ((self.target & own) == 0) | ((self.target & ~own) == 0)

    def values(self, structure: Structure) -> list[int]:
        """Label values of a structure's objects."""
        return [int(v) for v in np.unique(self.labels) if v and describe(int(v)).structure is structure]

    def level(self, value: int) -> str:
        """Level of an object; empty for the sac."""
        upper, *lower = describe(value).level.split("-")
        names = self.vertebrae
        if lower and upper in names[:-1]:
            return level_between(upper, names[names.index(upper) + 1])
        return describe(value).level

    def cut_by_view(self, value: int) -> bool:
        """Whether an object, or the body above it if that is labelled, reaches the upper or lower edge."""
        body = VERTEBRA_VALUES.get(describe(value).level.split("-")[0])
        return bool({value, body} & self._at_edge)

    @cached_property
    def _at_edge(self) -> set[int]:
        return {int(v) for v in np.unique(self.labels[:, [0, -1]]) if v}

    @cached_property
    def vertebrae(self) -> tuple[str, ...]:
        """Names from the top down without gaps, as far as labels name them."""
        bodies = {vertebra_name(v) for v in self.values(Structure.VERTEBRA)}
        uppers = {describe(v).level.split("-")[0] for v in self.values(Structure.DISC)}
        four = {"L4", "S1"} <= bodies and "L5" not in bodies | uppers
        order = column(6 if "L6" in bodies | uppers else 4 if four else 5)
        at = [order.index(name) for name in bodies if name in order]
        for name in uppers & set(order[:-1]):
            at += [order.index(name), order.index(name) + 1]
        return order[min(at) : max(at) + 1] if at else ()

    def spine(self, grid: Grid) -> NamedSpine | None:
        """The truth as something that can be measured; None where no level is named."""
        names = self.vertebrae
        return NamedSpine.from_labels(self.labels, grid, names) if len(names) >= 2 else None


def truths_of(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    annotations: Sequence[np.ndarray],
    complete: bool,
    sacrum: tuple[tuple[float, float], ...],
) -> list[Truth]:
    """Truth of a volume, one a rater, or one where nobody annotated it.

    Parameters
    ----------
    labels : np.ndarray
        Bodies, discs or both, or everything if ``complete``.
    spacing : tuple of float
        Millimetres (k, j, i).
    annotations : sequence of np.ndarray
        Sac and foramina; what is left open is no object.
    complete : bool
        Whether ``labels`` labels all that is in view.
    sacrum : tuple of (float, float)
        Outline of S1 on the middle slice.
    """
    found = []
    for drawn in annotations or [None]:
        target = target_of(labels, spacing, drawn, complete, sacrum)
        objects = labels.astype(np.uint16)
        bodies = any(0 < v < CANAL_VALUE - 1 for v in np.unique(labels))
        if not complete:
            if bodies:
                _add_discs(objects, labels, spacing)
            if drawn is not None:
                own = (labels == 0) & (drawn > 0) & (drawn != OPEN_VALUE)
                objects[own] = drawn[own]
        found.append(Truth(objects, target, complete, bodies))
    return found


def _add_discs(objects: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float]) -> None:
    """Discs between neighbouring labelled bodies, where nobody drew them, in place."""
    for upper, lower in undrawn_discs(int(v) for v in np.unique(labels) if v):
        disc, _ = disc_between(labels == upper, labels == lower, spacing)
        objects[disc & (labels == 0)] = disc_value(vertebra_name(upper))
