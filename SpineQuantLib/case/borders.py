"""``borders.npz`` and ``members.npz``: what a mask alone does not hold, so that a case can be taken up again.

A label map says which voxel belongs to what; the border between voxels, and what each member of the committee said,
are kept beside it. Arrays are in reading order and lose nothing: a case that is read back measures exactly as before.
Both files are compressed and are read without pickle.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..anatomy.structures import Structure
from .errors import InputError
from .grid import Grid

__all__ = ["Borders", "read_borders", "read_members", "write_borders", "write_members"]

_VERSION = 1


@dataclass(frozen=True, eq=False)
class Borders:
    """Labels with soft borders and their exact geometry.

    Attributes
    ----------
    grid : Grid
        Grid of the arrays, in reading order.
    native : sitk.Image
        Empty uint8 image with the size and geometry of the input, in the input's own order of axes.
    labels : np.ndarray
        uint16 (nk, nj, ni).
    occupancy : dict of Structure to np.ndarray
        float32 (nk, nj, ni) each.
    """

    grid: Grid
    native: sitk.Image
    labels: np.ndarray
    occupancy: dict[Structure, np.ndarray]


def _filled(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First index and content of the box outside of which an array is zero."""
    box = []
    for axis in range(3):
        hit = np.flatnonzero(array.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append((int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, 0))
    return np.array([a for a, _ in box]), array[tuple(slice(a, b) for a, b in box)]


def write_borders(
    labels: np.ndarray,
    occupancy: dict[Structure, np.ndarray],
    grid: Grid,
    native: sitk.Image,
    path: Path,
    *,
    compressed: bool = True,
) -> None:
    """Write labels, soft borders and geometry.

    Parameters
    ----------
    labels : np.ndarray
        uint16 (nk, nj, ni) in reading order.
    occupancy : dict of Structure to np.ndarray
        float32 (nk, nj, ni) each.
    grid : Grid
        Where they lie.
    native : sitk.Image
        The input on its own grid; its geometry is kept, not its voxels.
    path : Path
        File to write.
    compressed : bool
        Whether it shall be small rather than quickly written.
    """
    arrays: dict[str, np.ndarray] = {
        "version": np.array(_VERSION),
        "spacing": np.array(grid.spacing, float),
        "origin": np.array(grid.origin, float),
        "directions": np.array(grid.directions, float),
        "native_size": np.array(native.GetSize(), np.int64),
        "native_spacing": np.array(native.GetSpacing(), float),
        "native_origin": np.array(native.GetOrigin(), float),
        "native_direction": np.array(native.GetDirection(), float),
        "labels": labels.astype(np.uint16),
    }
    for structure, soft in occupancy.items():
        start, box = _filled(soft)
        arrays[f"{structure}_start"] = start
        arrays[f"{structure}_box"] = box.astype(np.float32)
    (np.savez_compressed if compressed else np.savez)(path, **arrays)


def read_borders(path: Path) -> Borders:
    """Read what :func:`write_borders` wrote, exactly.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another version.
    """
    arrays = _load(path)
    try:
        if int(arrays["version"]) != _VERSION:
            raise InputError(
                f"{path} has version {int(arrays['version'])}, this software reads {_VERSION}; analyse the case again"
            )
        labels = arrays["labels"]
        if labels.dtype != np.uint16 or labels.ndim != 3:
            raise ValueError("labels are not a volume of uint16")
        rows = tuple(tuple(map(float, row)) for row in arrays["directions"])
        grid = Grid(labels.shape, tuple(map(float, arrays["spacing"])), tuple(map(float, arrays["origin"])), rows)
        native = sitk.Image([int(n) for n in arrays["native_size"]], sitk.sitkUInt8)
        native.SetSpacing([float(x) for x in arrays["native_spacing"]])
        native.SetOrigin([float(x) for x in arrays["native_origin"]])
        native.SetDirection([float(x) for x in arrays["native_direction"]])
        if native.GetNumberOfPixels() != labels.size:
            raise ValueError("the input's size is not that of the labels")
        occupancy = {s: _whole(arrays, s, labels.shape) for s in Structure if f"{s}_box" in arrays}
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise _damaged(path, error) from error
    return Borders(grid, native, labels, occupancy)


def _whole(arrays: dict[str, np.ndarray], structure: Structure, shape: tuple[int, ...]) -> np.ndarray:
    start, box = arrays[f"{structure}_start"], arrays[f"{structure}_box"]
    if box.dtype != np.float32 or (start < 0).any() or (start + box.shape > shape).any():
        raise ValueError(f"borders of {structure} do not lie in the volume")
    out = np.zeros(shape, np.float32)
    out[tuple(slice(a, a + n) for a, n in zip(start.tolist(), box.shape, strict=True))] = box
    return out


def write_members(members: np.ndarray, path: Path) -> None:
    """Write each member's most probable class, uint8 (members, nk, nj, ni)."""
    np.savez_compressed(path, members=members.astype(np.uint8))


def read_members(path: Path, grid: Grid) -> np.ndarray:
    """Read what :func:`write_members` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged, or does not lie on the grid.
    """
    members = _load(path).get("members")
    if members is None or members.dtype != np.uint8 or members.ndim != 4 or members.shape[1:] != grid.shape:
        raise _damaged(path, "no masks of members on the case's grid")
    return members


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); analyse the case again") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, reason: object) -> InputError:
    return InputError(f"{path} is damaged ({reason}); analyse the case again")
