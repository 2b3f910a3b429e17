"""T2 signal of a disc relative to that of the cerebrospinal fluid.

The most frequent signal of the disc's inner half, where its nucleus lies, is taken, and the 90th percentile of that
of the dural sac: means over whole masks would mix in the borders, the roots and whatever the masks include by mistake.
A coil shades an image along the body, so the fluid is looked for nearby along the sac.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import ndimage

from ..anatomy.labels import CANAL_VALUE, disc_value
from ..anatomy.levels import split_level
from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from ..case.result import Contrast
from .landmarks import Landmarks
from .rows import NOT_SEEN, Subject
from .slices import THICK

__all__ = ["PEAK", "SignalReader"]

PEAK = "peak over CSF"
_NEAR = 25.0
"""Millimetres along the spine within which fluid is looked for."""
_PERCENTILE = 90.0
_FEWEST = 40
_INNER = 0.55
"""Share of the disc's depth and width, around its middle, that holds the nucleus; the ring around it is dark anyway."""
_OVERSHOOT = 0.05
"""Share of the brightest signal by which interpolation may undershoot zero beside an edge."""
_COLUMN = ("signal ratio", PEAK, "1")


class SignalReader:
    """Reads the T2 signal ratio of the discs of one spine.

    Parameters
    ----------
    landmarks : Landmarks
        The spine.
    image : np.ndarray or None
        Intensities (nk, nj, ni) on the spine's grid.
    contrast : Contrast
        Weighting of the image; the ratio is given for T2 alone.

    Raises
    ------
    ValueError
        If the image does not lie on the spine's grid.
    """

    column = _COLUMN

    def __init__(self, landmarks: Landmarks, image: np.ndarray | None, contrast: Contrast) -> None:
        if image is not None and image.shape != landmarks.spine.grid.shape:
            raise ValueError(f"image of shape {image.shape} does not lie on a grid of {landmarks.spine.grid.shape}")
        self._landmarks, self._image = landmarks, image
        self._refused = _refused(landmarks, image, contrast)

    def row(self, level: str, flags: list[str]) -> Measurement:
        """T2 signal ratio of one disc; ``flags`` are reasons to doubt it."""
        subject = Subject(Structure.DISC, level)
        if self._refused or self._image is None:
            return subject.absent(*_COLUMN, self._refused)
        frame = self._landmarks.frame(level)
        if frame is None:
            return subject.absent(*_COLUMN, NOT_SEEN)
        spine = self._landmarks.spine
        disc = _inside(spine.labels, disc_value(split_level(level)[0]), spine.grid.spacing)
        disc = _central(disc, (spine.grid.to_lps(disc) - frame.centre) @ np.stack([frame.anterior, frame.left], axis=1))
        if len(disc) < _FEWEST:
            return subject.absent(*_COLUMN, "the disc is too thin to read its signal apart from its border")
        points, values = self._fluid
        near = values[np.abs((points - frame.centre) @ frame.up) <= _NEAR]
        if len(near) < _FEWEST:
            return subject.absent(*_COLUMN, "too little of the dural sac beside it")
        bright = float(np.percentile(near, _PERCENTILE))
        if not bright > 0:
            return subject.absent(*_COLUMN, "the dural sac has no signal")
        return subject.row(*_COLUMN, _peak(self._image[tuple(disc.T)]) / bright, flags=flags)

    @cached_property
    def _fluid(self) -> tuple[np.ndarray, np.ndarray]:
        """Places (n, 3) in LPS millimetres inside the sac, and the signal (n,) there."""
        spine = self._landmarks.spine
        index = _inside(spine.labels, CANAL_VALUE, spine.grid.spacing)
        return spine.grid.to_lps(index), np.asarray(self._image)[tuple(index.T)]


def _refused(landmarks: Landmarks, image: np.ndarray | None, contrast: Contrast) -> str:
    if image is None:
        return "no image was given"
    if contrast is Contrast.UNKNOWN:
        return "the contrast is not known, and only T2 signal tells of a disc's water"
    if contrast is not Contrast.T2:
        return f"the image is {contrast}, and only T2 signal tells of a disc's water"
    if landmarks.sac is None:
        return "the dural sac is not seen"
    if float(np.min(image)) < -_OVERSHOOT * float(np.percentile(image, 99.5)):
        return "the image has negative values: it was rescaled, and a ratio of signals needs zero to mean no signal"
    return ""


def _inside(labels: np.ndarray, value: int, spacing: tuple[float, ...]) -> np.ndarray:
    """(n, 3) indices of the voxels of a label that none of another touches; within slices, where these are thick."""
    axes = (1, 2) if spacing[0] >= THICK * min(spacing[1:]) else (0, 1, 2)
    mask = np.pad(labels == value, 1)
    inside = mask.copy()
    for axis in axes:
        inside &= np.roll(mask, 1, axis) & np.roll(mask, -1, axis)
    return np.argwhere(inside) - 1


def _central(index: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Those of some voxels that lie in the inner half of a disc, by their millimetres (n, 2) to the front and left."""
    if not len(index):
        return index
    half = np.maximum(np.abs(across).max(axis=0), 1e-6)
    return index[((across / half) ** 2).sum(axis=1) <= _INNER**2]


def _peak(values: np.ndarray) -> float:
    """Most frequent value: the highest point of a histogram smoothed by a Gaussian of Silverman's width."""
    values = np.asarray(values, dtype=float)
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        return float(low)
    spread = min(values.std(), float(np.subtract(*np.percentile(values, (75, 25)))) / 1.349) or values.std()
    width = 0.9 * spread * len(values) ** -0.2
    counts, edges = np.histogram(values, 256, (low - 3 * width, high + 3 * width))
    smooth = ndimage.gaussian_filter1d(counts.astype(float), width / (edges[1] - edges[0]))
    n = int(np.argmax(smooth))
    return float((edges[n] + edges[n + 1]) / 2)
