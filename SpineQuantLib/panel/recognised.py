"""What is recognised of a volume, before and after it was analysed, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..case.result import CaseResult, Contrast

__all__ = ["Seen", "describe_case", "describe_volume"]

_NAMES = ("sagittal", "coronal", "axial")
_THICKEST_MM = 7.0


@dataclass(frozen=True)
class Seen:
    """A volume in words.

    Attributes
    ----------
    words : str
        What it is.
    warning : str
        Why it may not be suitable; empty where nothing speaks against it.
    """

    words: str
    warning: str = ""


def describe_volume(size: tuple[int, int, int], ijk_to_ras: np.ndarray) -> Seen:
    """A volume by its geometry alone.

    Parameters
    ----------
    size : tuple of int
        Voxels along i, j, k.
    ijk_to_ras : np.ndarray
        (4, 4) from voxel indices to RAS millimetres.
    """
    axes = np.asarray(ijk_to_ras, float)[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if min(size) < 2 or not spacing.all():
        return Seen("One slice", "A single slice cannot be measured; choose a volume of several.")
    slices = int(np.argmax(spacing)) if spacing.max() > 1.2 * np.median(spacing) else int(np.argmin(size))
    view = _NAMES[int(np.argmax(np.abs(axes[:, slices])))]
    inside = [s for n, s in enumerate(spacing) if n != slices]
    words = f"{view.capitalize()}, {size[slices]} slices of {spacing[slices]:.1f} mm, {np.mean(inside):.2f} mm in plane"
    warning = ""
    if view != "sagittal":
        warning = f"The networks know sagittal scans only; this one is {view}."
    elif spacing[slices] > _THICKEST_MM:
        warning = "The slices are thicker than any that the networks have seen."
    elif size[slices] < 5:
        warning = "So few slices hardly show the foramina."
    return Seen(words, warning)


def describe_case(result: CaseResult) -> Seen:
    """Contrast and levels as the analysis recognised them."""
    contrast = str(result.input.contrast) if result.input.contrast is not Contrast.UNKNOWN else "Contrast unknown"
    evidence = f" ({result.input.contrast_evidence})" if result.input.contrast_evidence else ""
    names, naming = result.spine.vertebrae, result.spine.naming
    levels = f"{names[0]} to {names[-1]} in view, {naming.method}" if names else "no vertebrae in view"
    return Seen(f"{contrast}{evidence} · {levels}", "; ".join(naming.doubts))
