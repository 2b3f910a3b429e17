"""Parts of the spine that a phantom can show, and how each is usually imaged."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["REGIONS", "View", "view_of"]

REGIONS = ("lumbar", "thoracic", "cervical")


@dataclass(frozen=True)
class View:
    """The usual sagittal view of a region.

    Attributes
    ----------
    top : str
        Uppermost vertebra that the phantom has.
    middle : str or None
        Vertebra in whose middle the body frame has its origin; None: the third lowest lumbar one.
    centre : tuple of float
        Millimetres (left, posterior, superior) from there to the middle of the field of view.
    size, spacing : tuple
        Voxels, and millimetres between them, along (k, j, i) of reading order.
    """

    top: str
    middle: str | None
    centre: tuple[float, float, float]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]


_VIEWS = {
    "lumbar": View("T8", None, (0.0, 15.0, -8.0), (20, 256, 256), (4.0, 1.0, 1.0)),
    "thoracic": View("C2", "T7", (0.0, 15.0, 0.0), (20, 352, 256), (3.5, 1.0, 1.0)),
    "cervical": View("C2", "C5", (0.0, 8.0, 0.0), (20, 256, 256), (3.0, 0.9, 0.9)),
}


def view_of(region: str) -> View:
    """The usual view of a region.

    Raises
    ------
    ValueError
        If there is no such region.
    """
    if region not in _VIEWS:
        raise ValueError(f"region is '{region}', but must be one of {', '.join(REGIONS)}")
    return _VIEWS[region]
