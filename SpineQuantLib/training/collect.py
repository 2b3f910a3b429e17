"""Gather labelled volumes into the cache that training reads.

A cached case is one ``.npz`` with the normalised image (float16) and the target (uint8 bit sets) on the network's
grid, in reading order. Thin slices are averaged in groups, at every offset, so that a volume with 2 mm slices gives
two with 4 mm; where the slices of a group differ in their label, the target keeps both possibilities. Where the network
is shown interleaved stacks of thin slices, these are cases as well. Pixels of another size are resampled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from ..case.errors import InputError
from ..case.grid import Grid, to_reading_order
from ..images.resample import resample_like, resample_to_spacing
from ..models.network import NetworkConfig
from ..models.preprocess import normalise
from ..models.slices import shown_slices
from .label_check import annotation_problem, problem_of
from .phantom import PhantomSpec, make_phantom
from .targets import target_of

__all__ = [
    "CachedCase",
    "LabelledVolume",
    "cache_phantom",
    "cache_volume",
    "check_volumes",
    "read_annotation",
    "read_array",
    "read_index",
    "read_labels",
    "read_split",
    "write_split",
    "write_volumes",
]


@dataclass(frozen=True)
class LabelledVolume:
    """A row of an index of labelled volumes.

    Attributes
    ----------
    id : str
        Unique name.
    subject : str
        Person; sets are split by it.
    contrast : str
        Weighting, for tables.
    image, labels : Path
        Files on one grid; ``labels`` holds bodies, discs or both (or everything, if ``complete``).
    annotations : tuple of Path
        Sac and foramina, one file a rater; trained on where all agree, open where they differ.
    split : str
        ``train`` or ``validation``.
    complete : bool
        Whether ``labels`` labels all that is in view.
    sacrum : tuple of (float, float)
        Outline of the S1 body on the mid-sagittal slice as (i, j) pixels in reading order, where ``labels`` lacks it.
    source : str
        Data set that it comes from, for tables.
    grown : tuple of Path
        Sac and foramina that a committee proposed and a person accepted. They are trained on like ``annotations``;
        no committee is scored against them.
    """

    id: str
    subject: str
    contrast: str
    image: Path
    labels: Path
    annotations: tuple[Path, ...] = ()
    split: str = "train"
    complete: bool = False
    sacrum: tuple[tuple[float, float], ...] = ()
    source: str = ""
    grown: tuple[Path, ...] = ()

    @property
    def taught(self) -> tuple[Path, ...]:
        """Every file of sac and foramina that training uses."""
        return (*self.annotations, *self.grown)


@dataclass(frozen=True)
class CachedCase:
    """Where a cached case lies and what it is."""

    file: str
    id: str
    subject: str
    contrast: str
    split: str
    complete: bool
    spacing: tuple[float, float, float]


def read_index(path: Path) -> list[LabelledVolume]:
    """Index of labelled volumes.

    The CSV has the columns ``id, subject, contrast, image, labels, annotations, grown, split, complete, sacrum,
    source``; paths are relative to it, several annotations are separated by a semicolon, ``sacrum`` is
    ``i,j i,j i,j i,j``. Those after ``labels`` may be left out, except ``split``.

    Raises
    ------
    ValueError
        If a column or a file is missing, an id occurs twice, a subject stands in both sets, or a folder stands where a
        file should.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = {"id", "subject", "contrast", "image", "labels", "split"} - set(table.columns)
    if missing:
        raise ValueError(f"{path.name} lacks the columns {', '.join(sorted(missing))}")
    if table["id"].duplicated().any():
        raise ValueError(f"{path.name}: ids occur twice: {', '.join(table['id'][table['id'].duplicated()])}")
    both = table.groupby("subject")["split"].nunique()
    if (both > 1).any():
        raise ValueError(f"{path.name}: subjects stand in both sets: {', '.join(both[both > 1].index)}")
    out = []
    for row in table.to_dict("records"):
        image, labels = path.parent / row["image"], path.parent / row["labels"]
        drawn, grown = (
            tuple(path.parent / f for f in row.get(column, "").split(";") if f) for column in ("annotations", "grown")
        )
        absent = [str(p) for p in (image, labels, *drawn, *grown) if not p.exists()]
        if absent:
            raise ValueError(f"{path.name}, {row['id']}: not found: {', '.join(absent)}")
        folders = [str(p) for p in (image, labels, *drawn, *grown) if p.is_dir()]
        if folders:
            raise ValueError(
                f"{path.name}, {row['id']}: {', '.join(folders)} is a folder, but a file must stand here; "
                "convert DICOM to NIfTI first"
            )
        complete = row.get("complete", "").lower() in ("1", "true", "yes")
        out.append(
            LabelledVolume(
                row["id"],
                row["subject"],
                row["contrast"],
                image,
                labels,
                drawn,
                row["split"],
                complete,
                tuple(tuple(map(float, c.split(","))) for c in row.get("sacrum", "").split()),
                row.get("source", ""),
                grown,
            )
        )
    return out


def write_volumes(volumes: Iterable[LabelledVolume], path: Path) -> None:
    """Write an index that :func:`read_index` reads, with absolute paths."""

    def listed(files: Iterable[Path]) -> str:
        return ";".join(str(f.absolute()) for f in files)

    rows = [
        {
            "id": v.id,
            "subject": v.subject,
            "contrast": v.contrast,
            "image": listed([v.image]),
            "labels": listed([v.labels]),
            "annotations": listed(v.annotations),
            "grown": listed(v.grown),
            "split": v.split,
            "complete": "true" if v.complete else "",
            "sacrum": " ".join(f"{i},{j}" for i, j in v.sacrum),
            "source": v.source,
        }
        for v in volumes
    ]
    part = path.with_name(f"{path.name}.part")
    pd.DataFrame(rows).to_csv(part, index=False)
    part.replace(path)


_ALIKE = 0.05
"""Relative difference up to which a spacing is taken as it is: augmentation changes it by more."""


def read_array(path: Path) -> tuple[np.ndarray, Grid]:
    """Voxels of a file in reading order, and their grid."""
    image = to_reading_order(sitk.ReadImage(str(path)))
    return sitk.GetArrayFromImage(image), Grid.of(image)


def read_labels(volume: LabelledVolume, grid: Grid | None = None) -> tuple[np.ndarray, Grid]:
    """Labels of a volume in reading order, and their grid.

    Parameters
    ----------
    volume : LabelledVolume
        Whose they are.
    grid : Grid, optional
        Of the image in reading order, where the labels are to be used together with it.

    Raises
    ------
    InputError
        If they are not what training and evaluation can use, or lie on another grid; the message says what to do.
    """
    labels, own = read_array(volume.labels)
    if grid is not None:
        _check_grid(volume, volume.labels, own, grid)
    if problem := problem_of(labels, complete=volume.complete, annotated=bool(volume.taught)):
        raise InputError(f"{volume.id}: the labels {volume.labels} cannot be used: {problem}")
    return labels, own


def read_annotation(volume: LabelledVolume, path: Path, grid: Grid) -> np.ndarray:
    """Sac and foramina of a volume from one of its files, uint16 in reading order.

    Parameters
    ----------
    volume : LabelledVolume
        Whose they are.
    path : Path
        The file.
    grid : Grid
        Of the image in reading order.

    Raises
    ------
    InputError
        If the file holds something else, nothing, or lies on another grid; the message says what to do.
    """
    drawn, own = read_array(path)
    _check_grid(volume, path, own, grid)
    if problem := annotation_problem(drawn):
        raise InputError(f"{volume.id}: the annotation {path} cannot be used: {problem}")
    return drawn.astype(np.uint16)


def _check_grid(volume: LabelledVolume, path: Path, own: Grid, grid: Grid) -> None:
    if own.shape != grid.shape or not np.allclose(own.matrix, grid.matrix, atol=1e-3):
        raise InputError(f"{volume.id}: {path} does not lie on the grid of the image; resample it onto {volume.image}")


def check_volumes(volumes: Iterable[LabelledVolume]) -> None:
    """Refuse labels and annotations that cannot be used before anything that takes long begins.

    Raises
    ------
    InputError
        As :func:`read_labels` and :func:`read_annotation`.
    """
    for volume in volumes:
        _, grid = read_array(volume.image)
        read_labels(volume, grid)
        for path in volume.taught:
            read_annotation(volume, path, grid)


def _views(
    image: np.ndarray, target: np.ndarray, grid: Grid, config: NetworkConfig
) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[float, float, float]]]:
    """The volume on grids that the network may meet; several where thin slices can be grouped in several ways."""
    low, high = config.keep_slices
    pixels = grid.spacing[1:]
    if not np.allclose(pixels, config.spacing[1:], rtol=_ALIKE):
        pixels = config.spacing[1:]
    for part, merged, slice_mm in _groups(image, target, grid, config):
        own = Grid(part.shape, (slice_mm, *grid.spacing[1:]), grid.origin, grid.directions)
        kept = low * (1 - _ALIKE) <= slice_mm <= high * (1 + _ALIKE)
        wanted = (slice_mm if kept else config.spacing[0], *pixels)
        if wanted == own.spacing:
            yield part, merged, own.spacing
            continue
        shown = resample_to_spacing(own.image(part.astype(np.float32)), wanted)
        carried = resample_like(merged, own, Grid.of(shown), "nearest")
        yield sitk.GetArrayFromImage(shown), carried, Grid.of(shown).spacing


def _groups(
    image: np.ndarray, target: np.ndarray, grid: Grid, config: NetworkConfig
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Thin slices averaged to about the network's slice distance, at every offset, and as interleaved stacks."""
    slice_mm = grid.spacing[0]
    size = 1 if slice_mm >= config.keep_slices[0] - 1e-3 else max(round(config.spacing[0] / slice_mm), 1)
    if size == 1:
        yield image, target, slice_mm
        return
    for offset in range(size):
        n = (image.shape[0] - offset) // size
        cut = slice(offset, offset + n * size)
        grouped = image[cut].reshape(n, size, *image.shape[1:]).mean(axis=1)
        merged = np.bitwise_or.reduce(target[cut].reshape(n, size, *target.shape[1:]), axis=1)
        yield grouped, merged, slice_mm * size
    shown_mm, stacks = shown_slices(slice_mm, config)
    if stacks == 1:
        return
    shown = resample_to_spacing(grid.image(image.astype(np.float32)), (shown_mm, *grid.spacing[1:]))
    values, carried = sitk.GetArrayFromImage(shown), resample_like(target, grid, Grid.of(shown), "nearest")
    for offset in range(stacks):
        yield values[offset::stacks], carried[offset::stacks], shown_mm * stacks


def cache_volume(volume: LabelledVolume, folder: Path, config: NetworkConfig) -> list[CachedCase]:
    """Write a labelled volume into the cache.

    A volume of other pixels than the network's is resampled, images linearly and without aliasing, targets to the
    nearest voxel.

    Raises
    ------
    InputError
        If the labels or an annotation cannot be used, or lie on another grid than the image.
    """
    image, grid = read_array(volume.image)
    labels, _ = read_labels(volume, grid)
    drawn = [read_annotation(volume, path, grid) for path in volume.taught] or [None]
    targets = [target_of(labels, grid.spacing, one, volume.complete, volume.sacrum) for one in drawn]
    # What raters agree about is certain; where they differ, each one's answer stays possible.
    target = np.bitwise_or.reduce(targets)
    cases = []
    for n, (part, merged, spacing) in enumerate(_views(image, target, grid, config)):
        case = CachedCase(
            f"{volume.id}_{n}.npz",
            volume.id,
            volume.subject,
            volume.contrast,
            volume.split,
            volume.complete,
            spacing,
        )
        _store(folder, case, part, merged, config)
        cases.append(case)
    return cases


def cache_phantom(spec: PhantomSpec, folder: Path, config: NetworkConfig) -> CachedCase:
    """Draw a phantom into the cache as a completely labelled training case."""
    phantom = make_phantom(spec)
    image, labels = to_reading_order(phantom.image), to_reading_order(phantom.labels)
    grid = Grid.of(image)
    target = target_of(sitk.GetArrayFromImage(labels), grid.spacing, complete=True)
    name = f"phantom-{spec.seed:04d}"
    part, merged, spacing = next(_views(sitk.GetArrayFromImage(image), target, grid, config))
    case = CachedCase(f"{name}.npz", name, name, spec.contrast, "train", True, spacing)
    _store(folder, case, part, merged, config)
    return case


def _store(folder: Path, case: CachedCase, image: np.ndarray, target: np.ndarray, config: NetworkConfig) -> None:
    shown = normalise(image, config.window).astype(np.float16)
    np.savez_compressed(folder / case.file, image=shown, target=target)


def write_split(cases: list[CachedCase], folder: Path) -> None:
    """List the cached cases in ``cases.json``, aside and then in place: where it is, the cache is complete."""
    part = folder / "cases.json.part"
    part.write_text(json.dumps([asdict(c) for c in cases], indent=1), encoding="utf-8")
    part.replace(folder / "cases.json")


def read_split(folder: Path, split: str) -> list[CachedCase]:
    """Cached cases of one set."""
    rows = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    return [CachedCase(**{**r, "spacing": tuple(r["spacing"])}) for r in rows if r["split"] == split]
