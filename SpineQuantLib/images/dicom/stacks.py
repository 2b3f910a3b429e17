"""Group DICOM images into stacks of parallel slices, and find out whether a stack is a volume.

A stack is refused rather than mended where its geometry would be wrong: a missing slice shifts every slice beyond it
by millimetres, and filling the gap would invent anatomy that is then measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...case.errors import InputError, SpineQuantError, UnsuitableError
from ..checks import check_size, check_spacing
from .slices import Slice

__all__ = ["Stack", "group"]

SAME_DIRECTION = 5e-3
"""Direction cosines that differ by less are equal (0.3°)."""
SAME_POSITION_MM = 0.05
SAME_OFFSET_MM = 1.0
ROUNDING = 0.01
UNEVEN = 0.10
"""Slice distances may differ by 1 % without a word, by 10 % with a note."""


@dataclass(frozen=True)
class Stack:
    """Parallel slices of one series, sorted along their normal.

    Attributes
    ----------
    slices : tuple of Slice
        One for each position, in ascending order along the cross product of row and column directions.
    copies : tuple of (Slice, Slice)
        A slice that is kept and another at the same position, which must turn out to hold the same pixels.
    step : float
        Mean millimetres from slice to slice; NaN for a single slice.
    notes : tuple of str
        What a reader should know.
    problem : SpineQuantError or None
        Why it cannot be read as a volume.
    """

    slices: tuple[Slice, ...]
    copies: tuple[tuple[Slice, Slice], ...]
    step: float
    notes: tuple[str, ...]
    problem: SpineQuantError | None

    @property
    def first(self) -> Slice:
        """The slice at index 0."""
        return self.slices[0]

    @property
    def directions(self) -> np.ndarray:
        """(3, 3) orthonormal columns in LPS: along a row (i), down a column (j), from slice to slice (k)."""
        return _directions(self.first)

    @property
    def plane(self) -> str:
        """``sagittal``, ``coronal`` or ``axial``, whichever is nearest; empty without an orientation."""
        if self.first.orientation is None:
            return ""
        return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(self.directions[:, 2])))]

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Millimetres along i, j, k; None where it is not known."""
        if self.first.pixel_spacing is None or not math.isfinite(self.step):
            return None
        rows, columns = self.first.pixel_spacing
        return columns, rows, self.step


def group(slices: Iterable[Slice]) -> list[Stack]:
    """Stacks of all slices: by series, by direction, and by whatever tells images at one position apart.

    Slices at the same place are told apart by in-plane offset (stations), stack, echo, time point, kind of image and
    acquisition, each only where it has to be: an attribute that varies from slice to slice within one volume does not
    tear it apart.
    """
    stacks = []
    for series in _by(slices, lambda s: s.series_uid):
        for parallel in _cluster(series, lambda s: s.orientation, SAME_DIRECTION):
            stacks += [_stack(part) for part in _split(parallel)]
    return stacks


def _by(slices: Iterable[Slice], key: Callable[[Slice], Hashable]) -> list[list[Slice]]:
    groups: dict[Hashable, list[Slice]] = {}
    for s in slices:
        groups.setdefault(key(s), []).append(s)
    return list(groups.values())


def _cluster(
    slices: list[Slice], vector: Callable[[Slice], tuple[float, ...] | None], tolerance: float
) -> list[list[Slice]]:
    """Slices whose vectors are within a tolerance of the first of their group."""
    groups: list[tuple[np.ndarray | None, list[Slice]]] = []
    for s in slices:
        value = vector(s)
        here = None if value is None else np.array(value)
        for there, members in groups:
            if (here is None and there is None) or (
                here is not None and there is not None and np.abs(here - there).max() <= tolerance
            ):
                members.append(s)
                break
        else:
            groups.append((here, [s]))
    return [members for _, members in groups]


def _split(slices: list[Slice]) -> list[list[Slice]]:
    if any(s.position is None or s.orientation is None for s in slices):
        return [slices]
    parts = [slices]
    offsets = {id(s): n for n, c in enumerate(_cluster(slices, _offset, SAME_OFFSET_MM)) for s in c}
    keys: list[Callable[[Slice], Hashable]] = [lambda s: offsets[id(s)]]
    keys += [lambda s, n=n: s.splitters[n] for n in range(len(slices[0].splitters))]
    for key in keys:
        parts = [p for part in parts for p in (_by(part, key) if _collide(part, key) else [part])]
    return parts


def _offset(s: Slice) -> tuple[float, ...]:
    return tuple((_directions(s)[:, :2].T @ np.array(s.position)).tolist())


def _collide(slices: list[Slice], key: Callable[[Slice], Hashable]) -> bool:
    """Whether slices at one position differ in an attribute."""
    return any(len({key(s) for s in place}) > 1 for place in _places(slices))


def _places(slices: list[Slice]) -> list[list[Slice]]:
    """Slices by their position along the normal, ascending."""
    normal = _directions(slices[0])[:, 2]
    depths = [float(normal @ np.array(s.position)) for s in slices]
    places: list[list[Slice]] = []
    last = -math.inf
    for n in np.argsort(depths, kind="stable"):
        if depths[n] - last > SAME_POSITION_MM:
            places.append([])
            last = depths[n]
        places[-1].append(slices[n])
    return places


def _directions(s: Slice) -> np.ndarray:
    """Orthonormal columns nearest to the written direction cosines, which are rounded."""
    row, column = np.array(s.orientation[:3]), np.array(s.orientation[3:])
    row = row / max(np.linalg.norm(row), 1e-12)
    column = column - row * (row @ column)
    column = column / max(np.linalg.norm(column), 1e-12)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _stack(slices: list[Slice]) -> Stack:
    problem = _slice_problem(slices)
    if problem is not None:
        ordered = tuple(sorted(slices, key=lambda s: s.number))
        return Stack(ordered, (), math.nan, (), problem)
    places = _places(slices)
    kept = tuple(place[0] for place in places)
    copies = tuple((place[0], other) for place in places for other in place[1:])
    notes: list[str] = []
    step = math.nan
    try:
        if len(kept) > 1:
            step = _step(kept, notes)
        check_size(_name(kept[0]), (kept[0].columns, kept[0].rows, len(kept)))
        check_spacing(_name(kept[0]), (*(kept[0].pixel_spacing or ()), step))
    except SpineQuantError as error:
        problem = error
    return Stack(kept, copies, step, tuple(notes), problem)


def _name(s: Slice) -> str:
    return f"series {s.attributes.get('SeriesNumber', s.series_uid)}"


def _slice_problem(slices: list[Slice]) -> SpineQuantError | None:
    """Why single slices cannot be put together, whatever their positions."""
    first, name = slices[0], _name(slices[0])
    modality = first.attributes.get("Modality", "")
    if modality not in ("", "MR"):
        return UnsuitableError(f"{name} is {modality}; only MR images are analysed")
    if not all(s.grey for s in slices):
        return UnsuitableError(f"{name} is in colour; only grey-scale MR images are analysed")
    if any(s.position is None or s.orientation is None for s in slices):
        return UnsuitableError(f"{name} carries no position in the patient (a screenshot or a report?)")
    if len({(s.rows, s.columns) for s in slices}) > 1:
        return UnsuitableError(f"{name} mixes slices of different sizes; export the volume again")
    if any(s.pixel_spacing is None for s in slices):
        return InputError(f"{name} gives no pixel spacing; export it again from the original")
    spacings = np.array([s.pixel_spacing for s in slices])
    if not np.allclose(spacings, spacings[0], rtol=1e-3):
        return UnsuitableError(f"{name} mixes slices of different pixel spacing; export the volume again")
    row, column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose(lengths, 1.0, atol=0.01) or abs(row @ column) > 0.01:
        return InputError(f"{name} has a damaged orientation; export it again from the original")
    if any(s.slope == 0 for s in slices):
        return InputError(f"{name} has a rescale slope of 0; export it again from the original")
    return None


def _step(slices: tuple[Slice, ...], notes: list[str]) -> float:
    """Mean distance of the slices; raises where they do not form a regular grid."""
    name = _name(slices[0])
    directions = _directions(slices[0])
    positions = np.array([s.position for s in slices]) - np.array(slices[0].position)
    _refuse_tilt(name, positions @ directions, min(slices[0].pixel_spacing or (1.0,)))
    depths = positions @ directions[:, 2]
    steps = np.diff(depths)
    usual = float(np.median(steps))
    _refuse_gaps(name, slices, steps, usual)
    uneven = float(np.abs(steps - usual).max() / usual)
    if uneven > UNEVEN:
        raise UnsuitableError(
            f"{name} has slices {steps.min():.2f} to {steps.max():.2f} mm apart; a volume needs equal distances"
        )
    if uneven > ROUNDING:
        notes.append(
            f"slice distances differ by up to {uneven:.0%} ({steps.min():.2f}–{steps.max():.2f} mm); mean used"
        )
    return float(depths[-1] / len(steps))


def _refuse_tilt(name: str, offsets: np.ndarray, pixel: float) -> None:
    """Slices must lie straight above each other: half a pixel over the whole stack is rounding, more is a shear."""
    drift = float(np.linalg.norm(offsets[:, :2], axis=1).max())
    if drift <= 0.5 * pixel:
        return
    angle = math.degrees(math.atan2(drift, float(np.abs(offsets[:, 2]).max())))
    raise UnsuitableError(
        f"{name} is sheared: its slices are shifted against each other by up to {drift:.1f} mm ({angle:.1f}°, "
        "tilted gantry?); resample it to a regular grid"
    )


def _refuse_gaps(name: str, slices: tuple[Slice, ...], steps: np.ndarray, usual: float) -> None:
    """Missing slices leave steps that are whole multiples of the usual one."""
    multiples = steps / usual
    whole = np.abs(multiples - np.rint(multiples)) <= UNEVEN * np.maximum(np.rint(multiples), 1)
    if whole.all() and (multiples > 1.5).any():
        missing = int(np.rint(multiples).sum() - len(steps))
        where = ", ".join(
            f"{a.number} and {b.number}" for (a, b), m in zip(pairwise(slices), multiples, strict=True) if m > 1.5
        )
        verb = "slice is" if missing == 1 else "slices are"
        raise InputError(f"{name}: {missing} {verb} missing (between images {where}); copy the whole series again")
    told = slices[0].attributes.get("SpacingBetweenSlices")
    thickness = slices[0].attributes.get("SliceThickness")
    # Some scanners write the gap into SpacingBetweenSlices; a distance is at least about the thickness.
    if isinstance(told, float) and isinstance(thickness, float) and told >= 0.95 * thickness > 0:
        ratio = usual / told
        if ratio > 1.5 and abs(ratio - round(ratio)) < 0.05:
            raise InputError(
                f"{name}: slices lie {usual:.2f} mm apart, but were taken every {told:.2f} mm: only every "
                f"{round(ratio)}. is there; copy the whole series again"
            )
