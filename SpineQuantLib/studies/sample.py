"""A labelled volume in memory, as studies change it and show it to a committee."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ..case.grid import Grid, to_reading_order
from ..training.collect import LabelledVolume
from ..training.phantom import Phantom

__all__ = ["Sample", "read_sample", "sample_of_phantom"]


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
    labels : np.ndarray or None
        Bodies or discs, or everything where ``complete``; None where there is no truth.
    annotations : tuple of np.ndarray
        Sac and foramina, one a rater.
    complete : bool
        Whether ``labels`` labels all that is in view.
    sacrum : tuple of (float, float)
        Outline of S1 on the middle slice, (i, j).
    """

    id: str
    subject: str
    contrast: str
    kind: str
    grid: Grid
    image: np.ndarray
    labels: np.ndarray | None
    annotations: tuple[np.ndarray, ...] = ()
    complete: bool = False
    sacrum: tuple[tuple[float, float], ...] = ()

    @property
    def as_image(self) -> sitk.Image:
        """The image with its geometry."""
        return self.grid.image(self.image.astype(np.float32))

    def with_image(self, image: np.ndarray) -> Sample:
        """The same truth under another image of the same shape."""
        if image.shape != self.image.shape:
            raise ValueError(f"image of shape {image.shape} instead of {self.image.shape}")
        return replace(self, image=np.ascontiguousarray(image, dtype=np.float32))

    def crop(self, box: tuple[slice, slice, slice]) -> Sample:
        """The part within a box; the grid keeps its place in the patient."""
        start = [b.indices(n)[0] for b, n in zip(box, self.image.shape, strict=True)]
        image = self.image[box]
        nk, nj, ni = image.shape
        origin = tuple(self.grid.to_lps(np.array(start)).tolist())
        return replace(
            self,
            grid=Grid((nk, nj, ni), self.grid.spacing, origin, self.grid.directions),
            image=np.ascontiguousarray(image),
            labels=None if self.labels is None else np.ascontiguousarray(self.labels[box]),
            annotations=tuple(np.ascontiguousarray(a[box]) for a in self.annotations),
            sacrum=tuple((i - start[2], j - start[1]) for i, j in self.sacrum),
        )

    def without_truth(self, image: np.ndarray, grid: Grid) -> Sample:
        """Another image of the same person, of which nothing is known."""
        return replace(self, grid=grid, image=image.astype(np.float32), labels=None, annotations=(), sacrum=())


def read_sample(volume: LabelledVolume) -> Sample:
    """A labelled volume from its files.

    Raises
    ------
    ValueError
        If labels or annotations lie on another grid than the image.
    """
    image = to_reading_order(sitk.Cast(sitk.ReadImage(str(volume.image)), sitk.sitkFloat32))
    grid = Grid.of(image)
    arrays = []
    for path in (volume.labels, *volume.annotations):
        labels = to_reading_order(sitk.ReadImage(str(path)))
        if labels.GetSize() != image.GetSize() or not np.allclose(Grid.of(labels).matrix, grid.matrix, atol=1e-3):
            raise ValueError(f"{volume.id}: {path.name} lies on another grid than the image")
        arrays.append(sitk.GetArrayFromImage(labels).astype(np.uint16))
    return Sample(
        volume.id,
        volume.subject,
        volume.contrast,
        "real",
        grid,
        sitk.GetArrayFromImage(image),
        arrays[0],
        tuple(arrays[1:]),
        volume.complete,
        volume.sacrum,
    )


def sample_of_phantom(phantom: Phantom, name: str) -> Sample:
    """A phantom, completely labelled; it is a person of its own."""
    image = to_reading_order(sitk.Cast(phantom.image, sitk.sitkFloat32))
    labels = sitk.GetArrayFromImage(to_reading_order(phantom.labels)).astype(np.uint16)
    return Sample(
        name,
        name,
        phantom.spec.contrast,
        "phantom",
        Grid.of(image),
        sitk.GetArrayFromImage(image),
        labels,
        complete=True,
    )
