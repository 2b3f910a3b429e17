"""A labelled volume in memory, as studies change it and show it to a committee."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ..case.grid import Grid, to_reading_order
from ..training.collect import LabelledVolume, read_annotation, read_labels
from ..training.phantom import Phantom
from .truth import Truth, truths_of

__all__ = ["Sample", "read_image", "read_sample", "sample_of_phantom"]


@dataclass(frozen=True)
class Sample:
    """Image and truth on one grid, in reading order.

    Attributes
    ----------
    id, subject, contrast : str
        As in :class:`~SpineQuantLib.training.collect.LabelledVolume`.
    kind : str
        ``real`` or ``phantom``.
    grid : Grid
        Grid of all arrays.
    image : np.ndarray
        float32 (nk, nj, ni).
    truths : tuple of Truth
        One a rater; empty where nothing is known.
    whole : bool
        Whether it is all that was acquired: what was cut looks unlike the training volumes by that alone.
    """

    id: str
    subject: str
    contrast: str
    kind: str
    grid: Grid
    image: np.ndarray
    truths: tuple[Truth, ...]
    whole: bool = True

    @property
    def as_image(self) -> sitk.Image:
        """The image with its geometry."""
        return self.grid.image(self.image.astype(np.float32))

    @property
    def labels(self) -> np.ndarray | None:
        """Labels of the first rater; None where there are none."""
        return self.truths[0].labels if self.truths and self.truths[0].labels.any() else None

    def with_image(self, image: np.ndarray) -> Sample:
        """The same truth under another image of the same shape."""
        if image.shape != self.image.shape:
            raise ValueError(f"image of shape {image.shape} instead of {self.image.shape}")
        return replace(self, image=np.ascontiguousarray(image, dtype=np.float32))

    def crop(self, box: tuple[slice, slice, slice]) -> Sample:
        """The part within a box; the grid keeps its place in the patient."""
        start = [b.indices(n)[0] for b, n in zip(box, self.image.shape, strict=True)]
        image = np.ascontiguousarray(self.image[box])
        nk, nj, ni = image.shape
        origin = tuple(self.grid.to_lps(np.array(start)).tolist())
        grid = Grid((nk, nj, ni), self.grid.spacing, origin, self.grid.directions)
        return replace(self, grid=grid, image=image, truths=tuple(t.crop(box) for t in self.truths), whole=False)

    def without_truth(self, image: np.ndarray, grid: Grid) -> Sample:
        """Another image of the same person, of which nothing is known."""
        return replace(self, grid=grid, image=image.astype(np.float32), truths=())


def read_image(volume: LabelledVolume) -> sitk.Image:
    """Image of a volume, float32 in reading order."""
    return to_reading_order(sitk.Cast(sitk.ReadImage(str(volume.image)), sitk.sitkFloat32))


def read_sample(volume: LabelledVolume) -> Sample:
    """A labelled volume from its files; what a committee proposed for it is no truth.

    Raises
    ------
    InputError
        If the labels or an annotation cannot be used, or lie on another grid than the image.
    """
    image = read_image(volume)
    grid = Grid.of(image)
    labels = read_labels(volume, grid)[0].astype(np.uint16)
    drawn = [read_annotation(volume, path, grid) for path in volume.annotations]
    truths = truths_of(labels, grid.spacing, drawn, volume.complete, volume.sacrum)
    return Sample(
        volume.id, volume.subject, volume.contrast, "real", grid, sitk.GetArrayFromImage(image), tuple(truths)
    )


def sample_of_phantom(phantom: Phantom, name: str) -> Sample:
    """A phantom, completely labelled; it is a person of its own."""
    image = to_reading_order(sitk.Cast(phantom.image, sitk.sitkFloat32))
    labels = sitk.GetArrayFromImage(to_reading_order(phantom.labels)).astype(np.uint16)
    grid = Grid.of(image)
    truths = truths_of(labels, grid.spacing, (), True, ())
    contrast = phantom.spec.contrast
    return Sample(name, name, contrast, "phantom", grid, sitk.GetArrayFromImage(image), tuple(truths))
