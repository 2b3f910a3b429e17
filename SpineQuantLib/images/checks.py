"""Is this a volume that can be analysed? Each check says in one line what is wrong and what to do.

What cannot be read raises :class:`InputError`; what was read but is no spine MRI, :class:`UnsuitableError`.
"""

from __future__ import annotations

import math
import stat
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..case.errors import InputError, UnsuitableError
from .volume import orientation_code

__all__ = ["MAX_VOXELS", "check_file", "check_finite", "check_image", "check_size", "check_spacing"]

MAX_VOXELS = 400_000_000
"""More than any spine MRI has (1024 × 1024 × 380); beyond it a header is taken to be damaged or hostile."""
MIN_VOXELS_PER_AXIS = 5
SPACING_RANGE_MM = (0.1, 12.0)
MIN_EXTENT_MM = {"right to left": 10.0, "top to bottom": 50.0, "front to back": 40.0}
"""Less holds no two vertebrae with the canal between them."""
MAX_EXTENT_MM = 2300.0
MAX_NOT_FINITE = 0.01
MIN_DISTINCT_VALUES = 16
"""A label map has fewer values than this, an MR image has hundreds."""
ORTHONORMAL = 1e-3


def check_file(path: Path) -> None:
    """Refuse a path that is missing, cannot be opened, is no regular file, or is empty.

    Raises
    ------
    InputError
        With the reason.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"'{path}' is neither a file nor a folder")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise InputError(f"'{path}' does not exist") from None
    except PermissionError:
        raise InputError(f"'{path}' may not be read by this user: change its permissions") from None
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be opened: {error}") from None
    if status.st_size == 0:
        raise InputError(f"'{path}' is empty")


def check_size(name: str, size: tuple[int, ...]) -> None:
    """Refuse what a header promises, before any memory is taken: too large, 2D, 4D, or hardly any slices.

    Parameters
    ----------
    name : str
        Of the file, for the message.
    size : tuple of int
        Voxels along every axis, trailing axes of length one left out.

    Raises
    ------
    InputError
        If a length is not positive or there are more than :data:`MAX_VOXELS`.
    UnsuitableError
        If it is not a volume.
    """
    text = " × ".join(map(str, size))
    if any(n < 1 for n in size):
        raise InputError(f"'{name}' has a damaged header: its size is {text} voxels")
    if math.prod(size) > MAX_VOXELS:
        raise InputError(
            f"'{name}' claims {text} voxels, more than the {MAX_VOXELS // 1_000_000} million that are read; "
            "its header is damaged, or the volume must be cropped first"
        )
    if len(size) > 3:
        raise UnsuitableError(f"'{name}' has {len(size)} dimensions ({text}): save one time point as a 3D volume")
    if len(size) < 3 or min(size) == 1:
        raise UnsuitableError(f"'{name}' is a 2D image ({text}): a volume of slices is needed")
    if min(size) < MIN_VOXELS_PER_AXIS:
        raise UnsuitableError(f"'{name}' has {text} voxels: at least {MIN_VOXELS_PER_AXIS} slices are needed")


def check_spacing(name: str, spacing: tuple[float, ...]) -> None:
    """Refuse voxel sizes that cannot be measured with.

    Raises
    ------
    InputError
        If one is zero, negative or not a number.
    UnsuitableError
        If one lies outside :data:`SPACING_RANGE_MM`.
    """
    text = " × ".join(f"{s:.4g}" for s in spacing)
    if not all(math.isfinite(s) and s > 0 for s in spacing):
        raise InputError(f"'{name}' gives no valid voxel size ({text} mm): convert it again from the original")
    low, high = SPACING_RANGE_MM
    if min(spacing) < low or max(spacing) > high:
        raise UnsuitableError(f"'{name}' has voxels of {text} mm; between {low:g} and {high:g} mm are expected")


def check_finite(name: str, bad: int, total: int) -> tuple[str, ...]:
    """Refuse more than 1 % of values that are NaN or infinite; a note where there are fewer.

    Raises
    ------
    InputError
        If there are too many.
    """
    if bad == 0:
        return ()
    if bad > MAX_NOT_FINITE * total:
        raise InputError(f"'{name}': {bad / total:.0%} of its values are NaN or infinite; export it again")
    return (f"{bad} values were NaN or infinite and were replaced",)


def check_image(name: str, image: sitk.Image) -> tuple[sitk.Image, tuple[str, ...]]:
    """Check geometry and values of a volume that was read.

    Parameters
    ----------
    name : str
        Of the file or series, for the message.
    image : sitk.Image
        3D, float32.

    Returns
    -------
    image : sitk.Image
        The same, with the few values that were not finite set to the lowest value.
    notes : tuple of str
        What a reader should know.

    Raises
    ------
    InputError
        If the voxel size is invalid, or too many values are not finite.
    UnsuitableError
        If it is constant, a label map, CT, sheared, or shows too little.
    """
    check_size(name, image.GetSize())
    check_spacing(name, image.GetSpacing())
    _check_direction(name, image)
    _check_extent(name, image)
    image, notes = _finite(name, image)
    values = sitk.GetArrayViewFromImage(image)
    _check_values(name, values)
    in_plane = sorted(image.GetSpacing())[1]
    if in_plane > 2.0:
        notes = (*notes, f"coarse: {in_plane:.3g} mm in plane")
    return image, notes


def _check_direction(name: str, image: sitk.Image) -> None:
    matrix = np.array(image.GetDirection()).reshape(3, 3)
    if not np.isfinite(matrix).all() or not np.isfinite(image.GetOrigin()).all():
        raise InputError(f"'{name}' gives no valid position and orientation: convert it again from the original")
    if not np.allclose(matrix.T @ matrix, np.eye(3), atol=ORTHONORMAL):
        raise UnsuitableError(
            f"'{name}' has axes that are not at right angles (sheared, tilted): resample it to a regular grid"
        )


def _check_extent(name: str, image: sitk.Image) -> None:
    ways = {"L": "right to left", "R": "right to left", "S": "top to bottom", "I": "top to bottom"}
    for letter, n, step in zip(orientation_code(image), image.GetSize(), image.GetSpacing(), strict=True):
        way = ways.get(letter, "front to back")
        extent, least = n * step, MIN_EXTENT_MM[way]
        if extent < least:
            raise UnsuitableError(
                f"'{name}' covers {extent:.0f} mm from {way}: too little for a spine ({least:.0f} mm at least)"
            )
        if extent > MAX_EXTENT_MM:
            raise UnsuitableError(f"'{name}' covers {extent / 1000:.1f} m from {way}: its voxel size is wrong")


def _finite(name: str, image: sitk.Image) -> tuple[sitk.Image, tuple[str, ...]]:
    values = sitk.GetArrayViewFromImage(image)
    bad = ~np.isfinite(values)
    notes = check_finite(name, int(bad.sum()), bad.size)
    if not notes:
        return image, ()
    mended = np.where(bad, values[~bad].min(), values).astype(np.float32)
    out = sitk.GetImageFromArray(mended)
    out.CopyInformation(image)
    return out, notes


def _check_values(name: str, values: np.ndarray) -> None:
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise UnsuitableError(f"'{name}' is constant: every voxel is {low:g}")
    if len(np.unique(values)) < MIN_DISTINCT_VALUES:
        raise UnsuitableError(f"'{name}' holds fewer than {MIN_DISTINCT_VALUES} values: a label map, not an MR image")
    if _looks_like_ct(values):
        raise UnsuitableError(f"'{name}' has the values of a CT (air at −1000 HU); only MR images are analysed")


def _looks_like_ct(values: np.ndarray) -> bool:
    """Whether values are Hounsfield units: whole numbers, with air near −1000, soft tissue near 0 and bone above.

    MR magnitudes are not negative, and a mean-free MR image has no empty range between its air and its tissue.
    """
    if values.min() > -900:
        return False
    sample = values.ravel()[:: max(1, values.size // 500_000)]
    if np.abs(sample - np.rint(sample)).max() > 1e-3:
        return False
    share = {
        "air": np.mean((sample > -1100) & (sample < -900)),
        "gap": np.mean((sample > -800) & (sample < -250)),
        "soft": np.mean((sample > -150) & (sample < 250)),
        "bone": np.mean(sample > 250),
    }
    # Air may have been replaced by padding outside the scanner's circle, so soft tissue without a gap counts too.
    return bool(share["soft"] > 0.1 and share["bone"] > 0 and share["gap"] < 0.5 * share["soft"])
