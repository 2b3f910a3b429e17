"""Corrections made in other programs: label maps and markups as files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..anatomy.labels import parse_segment_id
from ..case.errors import InputError
from ..case.grid import Grid, lps_to_ras, to_reading_order
from ..case.measurement import Measurement

__all__ = ["MarkupFile", "read_label_map", "read_markup", "row_of_markup"]

_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".mhd")
_KINDS = {"Line": "line", "Curve": "curve", "ClosedCurve": "closed curve"}
_PLACE = 1e-2


@dataclass(frozen=True)
class MarkupFile:
    """A markup as Slicer stores it.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Name of the markup: the file's, without its endings.
    points : np.ndarray
        (n, 3) RAS millimetres of its placed control points.
    """

    path: Path
    name: str
    points: np.ndarray


def read_markup(path: Path) -> MarkupFile:
    """Read a ``.mrk.json`` file with one markup.

    Raises
    ------
    InputError
        If it cannot be read or holds no line or curve.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        (markup,) = document["markups"]
        if markup["type"] not in _KINDS:
            raise InputError(f"{path} holds a markup of type {markup['type']}; lines and curves can be measured")
        placed = [p for p in markup["controlPoints"] if p.get("positionStatus", "defined") == "defined"]
        points = np.array([p["position"] for p in placed], float).reshape(-1, 3)
        system = str(markup.get("coordinateSystem", "LPS")).upper()
        if system not in ("LPS", "RAS") or markup.get("coordinateUnits", "mm") != "mm":
            raise InputError(f"{path} is not in LPS or RAS millimetres; store it again from Slicer")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read as a markup ({type(error).__name__}: {error})") from error
    name = re.sub(r"(\.mrk)?\.json$", "", path.name)
    return MarkupFile(path, name, lps_to_ras(points) if system == "LPS" else points)


def row_of_markup(markup: MarkupFile, rows: tuple[Measurement, ...]) -> Measurement:
    """The row that a markup shows, by its name.

    Raises
    ------
    InputError
        If there is none.
    """
    for row in rows:
        if re.sub(r"[^A-Za-z0-9_.+-]", "_", row.key) == markup.name:
            return row
    raise InputError(
        f"{markup.path} belongs to no measurement of the case; a markup is named like the measurement that it shows, "
        "see the folder markups"
    )


def read_label_map(path: Path, grid: Grid) -> np.ndarray:
    """Read an edited label map, as labels or as a segmentation of Slicer.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD or MetaImage with label values, or ``.seg.nrrd``. Its axes may be in any order; it may be smaller
        than the case where nothing lies outside.
    grid : Grid
        Grid of the case, in reading order.

    Returns
    -------
    np.ndarray
        int64 (nk, nj, ni) in reading order.

    Raises
    ------
    InputError
        If it cannot be read, or its voxels are not voxels of the case.
    """
    if not path.name.lower().endswith(_ENDINGS):
        raise InputError(f"{path} is no label map; give NIfTI, NRRD or MetaImage")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read ({str(error).strip().splitlines()[-1]})") from error
    if image.GetDimension() != 3:
        raise InputError(f"{path} has {image.GetDimension()} dimensions; a label map has three")
    if path.name.lower().endswith(".seg.nrrd"):
        image = _segments(path, image)
    elif image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path} has several values in a voxel; a label map has one")
    return _placed(path, to_reading_order(image), grid)


def _segments(path: Path, image: sitk.Image) -> sitk.Image:
    """One label map from the layers of a segmentation, each segment with the value that its id stands for."""
    layers = sitk.GetArrayFromImage(image)
    layers = layers[..., None] if image.GetNumberOfComponentsPerPixel() == 1 else layers
    out = np.zeros(layers.shape[:3], np.int64)
    for n, keys in _numbered(image):
        layer = int(keys.get("Layer", "0"))
        if not 0 <= layer < layers.shape[3]:
            raise InputError(f"{path} is damaged: segment {n} lies in layer {layer}, which there is not")
        mask = layers[..., layer] == int(keys.get("LabelValue", "1"))
        if not mask.any():
            continue
        try:
            value = parse_segment_id(keys.get("ID", ""))
        except ValueError as error:
            title = keys.get("Name") or keys.get("ID") or str(n)
            raise InputError(
                f"{path}: the segment '{title}' is none of the case's; move what was drawn in it to the segment of its "
                "level, or remove it"
            ) from error
        if out[mask].any():
            raise InputError(
                f"{path}: '{keys.get('Name')}' overlaps another segment in {np.count_nonzero(out[mask])} voxels; a "
                "voxel can belong to one structure only"
            )
        out[mask] = value
    merged = sitk.GetImageFromArray(out)
    merged.SetSpacing(image.GetSpacing())
    merged.SetOrigin(image.GetOrigin())
    merged.SetDirection(image.GetDirection())
    return merged


def _numbered(image: sitk.Image) -> list[tuple[int, dict[str, str]]]:
    """Header fields ``SegmentN_Name`` by number and name."""
    found: dict[int, dict[str, str]] = {}
    for key in image.GetMetaDataKeys():
        match = re.fullmatch(r"Segment(\d+)_(\w+)", key)
        if match:
            found.setdefault(int(match.group(1)), {})[match.group(2)] = image.GetMetaData(key)
    return sorted(found.items())


def _placed(path: Path, image: sitk.Image, grid: Grid) -> np.ndarray:
    """Values of an image in reading order on the case's grid."""
    labels: Any = sitk.GetArrayFromImage(image)
    own = Grid.of(image)
    index = np.array([[0, 0, 0], *np.diag(np.array(own.shape) - 1)], float)
    where = grid.to_index(own.to_lps(index))
    start = np.rint(where[0]).astype(int)
    # NIfTI rounds its geometry to 32 bit, so that far corners may be off by a hair.
    if np.abs(where - start - index).max() > _PLACE * 5:
        raise InputError(
            f"{path} does not lie on the voxels of the case's volume; save it on the grid of the volume, without "
            "resampling"
        )
    if not np.array_equal(labels, np.rint(labels)):
        raise InputError(f"{path} holds fractions; a label map holds whole numbers")
    low = np.maximum(start, 0)
    high = np.minimum(start + own.shape, grid.shape)
    inside = tuple(slice(a - s, max(b, a) - s) for a, b, s in zip(low, high, start, strict=True))
    beyond = labels.copy()
    beyond[inside] = 0
    if beyond.any():
        raise InputError(f"{path} holds labels outside of the volume of the case; erase them there")
    out = np.zeros(grid.shape, np.int64)
    out[tuple(slice(a, max(b, a)) for a, b in zip(low, high, strict=True))] = labels[inside]
    return out
