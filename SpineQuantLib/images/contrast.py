"""Weighting of an MR volume: by its header, by the image alone, or by the tissues of a segmentation.

From the image alone the answer is often ``unknown``, and never STIR: without knowing what is fat and what is muscle,
a STIR cannot be told from a fat-suppressed T2 or a water image. With a segmentation it is sure enough to rely on.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..anatomy.labels import CANAL_VALUE
from ..anatomy.levels import MAX_UNNAMED, UNNAMED_OFFSET, VERTEBRA_VALUES
from ..case.grid import to_reading_order
from ..case.result import Contrast
from .intensity import foreground_range
from .resample import resample_to_spacing
from .weighting import Acquisition, contrast_from_header

__all__ = ["contrast_from_image", "contrast_from_tissues", "recognise_contrast"]

_PIXEL_MM = 2.0
_SLAB_MM = 14.0
_SKIN_FAT_MM = (6.0, 10.0)
_DEEP_MM = (30.0, 110.0)
_CANAL_DEPTH_MM = (35.0, 130.0)
_NO_CANAL = -1.0

# Measured on 68 lumbar volumes of four sources (19 T2, 3 T1, 2 TIRM, 44 water images) and one thoracolumbar T2.
_T1_TUBE, _T1_FAT = 0.47, 2.4
_T2_TUBE, _T2_FAT = 0.55, 2.2
_T1_SAC, _FLUID_SAC = 1.1, 1.4
_T2_MUSCLE, _STIR_MUSCLE = 0.36, 0.50


def recognise_contrast(image: sitk.Image, acquisition: Acquisition | None = None) -> tuple[Contrast, str]:
    """Weighting of a volume: by its DICOM header where that tells, by the image otherwise.

    Parameters
    ----------
    image : sitk.Image
        3D, in any orientation.
    acquisition : Acquisition, optional
        What a DICOM header says.

    Returns
    -------
    contrast : Contrast
        ``unknown`` where neither tells.
    evidence : str
        What it was recognised by, or why it was not.
    """
    if acquisition is not None:
        contrast, evidence = contrast_from_header(acquisition)
        if evidence:
            return contrast, evidence
    return contrast_from_image(image)


def contrast_from_image(image: sitk.Image) -> tuple[Contrast, str]:
    """Weighting by two signs that need no segmentation.

    In the middle slices, behind the skin of the back: how bright the subcutaneous fat is, and how bright the brightest
    band is that runs from top to bottom at the depth of the canal, 10 mm wide and darker on both sides. Both are
    compared with the tissue around. T1: fat bright, no such band. T2: both bright. Everything else is ``unknown``:
    where fat is dark or out of view, where the signs are weak.

    Parameters
    ----------
    image : sitk.Image
        3D, in any orientation.

    Returns
    -------
    contrast : Contrast
        T1, T2 or unknown.
    evidence : str
        What was seen.
    """
    slab = _middle(image)
    if min(slab.shape[1:]) < 20:
        return Contrast.UNKNOWN, "too small to tell by the image"
    body = _body(slab)
    surface = np.where(body.any(2), body.shape[2] - 1 - body[:, :, ::-1].argmax(2), -1)
    seen = (surface > 0) & (surface < body.shape[2] - 2)
    depth = (surface[:, :, None] - np.arange(body.shape[2])) * _PIXEL_MM
    tube = max(_bright_band(s, b, d, v) for s, b, d, v in zip(slab, body, depth, seen, strict=True))
    deep = slab[(depth > _DEEP_MM[0]) & (depth < _DEEP_MM[1]) & body]
    under_skin = slab[(depth >= _SKIN_FAT_MM[0]) & (depth <= _SKIN_FAT_MM[1]) & seen[:, :, None]]
    if seen.mean() < 0.5 or deep.size == 0 or under_skin.size == 0:
        return Contrast.UNKNOWN, "the skin of the back is out of view, so fat cannot be judged by the image"
    reference = max(float(np.median(deep)), 1e-3)
    middle, upper = (float(np.percentile(under_skin, q)) / reference for q in (50, 75))
    if tube < _T1_TUBE and upper >= _T1_FAT:
        return Contrast.T1, f"image: subcutaneous fat {upper:.1f} times as bright as deep tissue, no bright canal"
    if tube >= _T2_TUBE and middle >= _T2_FAT:
        return Contrast.T2, f"image: bright canal, subcutaneous fat {middle:.1f} times as bright as deep tissue"
    if tube >= _T2_TUBE:
        return Contrast.UNKNOWN, "image: bright canal, fat not clearly bright (T2, STIR or a water image)"
    return Contrast.UNKNOWN, "image: the canal is neither clearly bright nor clearly dark"


def _middle(image: sitk.Image) -> np.ndarray:
    """Slices within 14 mm of the middle, (k, j, i) in reading order, 2 mm in plane, scaled to 0–1."""
    reading = to_reading_order(image)
    step = reading.GetSpacing()[2]
    count = reading.GetSize()[2]
    near = [k for k in range(count) if abs(k - (count - 1) / 2) * step <= _SLAB_MM]
    part = reading[:, :, near[0] : near[-1] + 1] if near else reading
    slab = sitk.GetArrayFromImage(resample_to_spacing(part, (max(step, _PIXEL_MM), _PIXEL_MM, _PIXEL_MM)))
    low, high, _ = foreground_range(slab)
    return np.clip((slab - low) / max(high - low, 1e-12), 0.0, 1.0)


def _body(slab: np.ndarray) -> np.ndarray:
    """The largest connected region that is not air."""
    mask = ndimage.gaussian_filter(slab, (0, 1.5, 1.5)) > 0.06
    mask = ndimage.binary_opening(mask, np.ones((1, 3, 3), bool), iterations=2)
    regions, count = ndimage.label(mask)
    if count == 0:
        return np.ones(slab.shape, bool)
    return regions == 1 + int(np.argmax(ndimage.sum_labels(mask, regions, range(1, count + 1))))


def _bright_band(image: np.ndarray, body: np.ndarray, depth: np.ndarray, seen: np.ndarray) -> float:
    """Median contrast along the best band from top to bottom of a sagittal slice (j, i).

    At each pixel: a 10 mm wide, 16 mm high box minus the brighter of its two neighbours in front and behind, relative
    to the surroundings. The path steps at most one pixel sideways from row to row (dynamic programming).
    """
    smooth = ndimage.uniform_filter1d(image, 8, axis=0)
    centre = ndimage.uniform_filter1d(smooth, 5, axis=1)
    side = ndimage.uniform_filter1d(smooth, 4, axis=1)
    flank = np.maximum(*(ndimage.shift(side, (0, s), order=0, mode="nearest") for s in (7, -7)))
    around = ndimage.gaussian_filter(image, 15) + 0.02
    inside = ndimage.binary_erosion(body, np.ones((3, 3), bool), iterations=6, border_value=1)
    # Where the skin is out of view the depth is not known, and any place in the body may be the canal.
    at_depth = (depth > _CANAL_DEPTH_MM[0]) & (depth < _CANAL_DEPTH_MM[1]) | ~seen[:, None]
    contrast = np.where(inside & at_depth, np.clip((centre - flank) / around, -1.0, 4.0), _NO_CANAL)
    best = contrast.copy()
    came = np.zeros(contrast.shape, int)
    columns = np.arange(contrast.shape[1])
    for j in range(1, len(best)):
        padded = np.pad(best[j - 1], 1, constant_values=-np.inf)
        options = np.stack([padded[:-2], padded[1:-1], padded[2:]])
        choice = options.argmax(0)
        came[j] = columns + choice - 1
        best[j] += options[choice, columns]
    i = int(best[-1].argmax())
    values = [contrast[-1, i]]
    for j in range(len(best) - 1, 0, -1):
        i = int(came[j, i])
        values.append(contrast[j - 1, i])
    return float(np.median(values))


def contrast_from_tissues(
    image: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[Contrast, str]:
    """Weighting by the brightness of dural sac, vertebral marrow and back muscle.

    The sac (80th percentile, so that roots do not count) darker than marrow or about equal: T1. Brighter: muscle far
    darker than the sac, and not brighter than marrow, is T2; muscle brighter than marrow means that fat was
    suppressed, and where muscle is still less than half as bright as the sac it is called STIR (a strongly
    T2-weighted water image is called so too); otherwise it is unknown. Muscle is sampled 35–60 mm behind the
    vertebral bodies and 14–34 mm beside the middle, at the 30th percentile to leave out fat.

    Parameters
    ----------
    image, labels : np.ndarray
        (nk, nj, ni) in reading order: intensities, and label values as in :mod:`SpineQuantLib.anatomy.labels`.
    spacing : tuple of float
        Millimetres along ``(k, j, i)``.

    Returns
    -------
    contrast : Contrast
        ``unknown`` where the sac or the bodies are not labelled, or the signs contradict each other.
    evidence : str
        The ratios it rests on.
    """
    cross = np.ones((1, 3, 3), bool)
    sac = ndimage.binary_erosion(labels == CANAL_VALUE, cross)
    unnamed = (labels > UNNAMED_OFFSET) & (labels <= UNNAMED_OFFSET + MAX_UNNAMED)
    bodies = np.isin(labels, list(VERTEBRA_VALUES.values())) | unnamed
    marrow = ndimage.binary_erosion(bodies, cross, iterations=2)
    if not sac.any() or not marrow.any():
        return Contrast.UNKNOWN, "dural sac or vertebral bodies are not segmented"
    air = foreground_range(image)[0]
    bright = float(np.percentile(image[sac], 80)) - air
    bone = max(float(np.median(image[marrow])) - air, 1e-6)
    ratio = bright / bone
    evidence = f"dural sac {ratio:.2f} times as bright as vertebral marrow"
    if ratio < _T1_SAC:
        return Contrast.T1, evidence
    region = _back_muscle(bodies, spacing)
    if ratio < _FLUID_SAC or region.sum() < 100:
        return Contrast.UNKNOWN, evidence
    muscle = float(np.percentile(image[region], 30)) - air
    evidence += f", muscle {muscle / bright:.2f} times as bright as the sac"
    if muscle <= bone and muscle <= _T2_MUSCLE * bright:
        return Contrast.T2, evidence
    if muscle > bone and muscle <= _STIR_MUSCLE * bright:
        return Contrast.STIR, evidence
    return Contrast.UNKNOWN, evidence


def _back_muscle(bodies: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Where the erector spinae lie: beside the middle and behind the bodies, at their own heights."""
    depth, _, width = bodies.shape
    slices = np.flatnonzero(bodies.any(axis=(1, 2)))
    aside = np.abs(np.arange(depth) - slices.mean()) * spacing[0]
    flat = bodies.any(axis=0)
    wall = np.where(flat.any(1), width - 1 - flat[:, ::-1].argmax(1), width)
    behind = (np.arange(width) - wall[:, None]) * spacing[2]
    return ((aside >= 14) & (aside <= 34))[:, None, None] & ((behind >= 35) & (behind <= 60))[None]
