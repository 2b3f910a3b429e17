"""What a folder of DICOM holds, for people and programs to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from ..case.result import Contrast

__all__ = ["SeriesInfo"]


@dataclass(frozen=True)
class SeriesInfo:
    """One stack of parallel slices; a series holds one, or several (localizers, echoes, water and fat).

    Attributes
    ----------
    key : str
        What ``--series`` takes: the series number, ``number.n`` for the n-th of several stacks, or the UID where the
        number does not tell series apart.
    uid : str
        SeriesInstanceUID.
    number : int or None
        SeriesNumber.
    description : str
        SeriesDescription.
    modality : str
        ``MR``, ``CT``, …
    contrast : Contrast
        By the header.
    plane : str
        ``sagittal``, ``coronal`` or ``axial``, whichever is nearest; empty where the slices carry no orientation.
    slices : int
        How many.
    spacing : tuple of float or None
        Millimetres along columns, rows and from slice to slice; None where it is not known.
    problem : str
        Why it cannot be analysed; empty where nothing speaks against it.
    chosen : bool
        Whether it is what is read when no series is named.
    """

    key: str
    uid: str
    number: int | None
    description: str
    modality: str
    contrast: Contrast
    plane: str
    slices: int
    spacing: tuple[float, float, float] | None
    problem: str
    chosen: bool
