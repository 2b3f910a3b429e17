"""Where the files that the code reads lie: in an installed wheel, a source checkout or Slicer's package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["resource"]

_PACKAGE = Path(__file__).resolve().parent.parent


def resource(*parts: str) -> Path:
    """Path of a file or folder in ``Resources``.

    Looked for in ``SpineQuantLib/Resources`` (installed wheel), then in ``Resources`` beside the package (source
    checkout, Slicer extension).

    Parameters
    ----------
    parts : str
        Path below ``Resources``, for example ``"ReferenceRanges", "lumbar.csv"``.

    Raises
    ------
    FileNotFoundError
        If neither place holds it.
    """
    places = (_PACKAGE / "Resources", _PACKAGE.parent / "Resources")
    for place in places:
        path = place.joinpath(*parts)
        if path.exists():
            return path
    looked = " or ".join(str(place) for place in places)
    raise FileNotFoundError(
        f"'{'/'.join(parts)}' belongs to SpineQuant but is neither in {looked}; "
        "install the package again, or run it from a complete checkout"
    )
