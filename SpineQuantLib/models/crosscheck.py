"""The second reading of a case: millimetres from the image alone, beside those of the masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..anatomy.resources import resource
from ..case.direct import QUANTITIES, CrossCheck, DirectReading, level_places
from ..case.grid import Grid
from ..case.measurement import Measurement
from ..case.result import Contrast
from .direct import DEFAULT_REGRESSOR, load_reader, read_levels

__all__ = ["cross_check"]


def cross_check(
    image: np.ndarray,
    grid: Grid,
    rows: Sequence[Measurement],
    contrast: Contrast,
    model: str = DEFAULT_REGRESSOR,
) -> CrossCheck:
    """Read disc height and AP diameter at every level whose disc was measured.

    Of the masks only the place and direction of each disc is used.

    Parameters
    ----------
    image : np.ndarray
        (nk, nj, ni) intensities in reading order.
    grid : Grid
        Its grid.
    rows : sequence of Measurement
        Measured in the masks; geometry in RAS millimetres.
    contrast : Contrast
        Weighting of the image.
    model : str
        Shipped model or model folder.

    Returns
    -------
    CrossCheck
        Skipped, with the reason, where the shipped model is not installed, the image is outside of its training, or no
        disc was measured.

    Raises
    ------
    EngineError
        If the model is damaged or of another kind.
    """
    if model == DEFAULT_REGRESSOR and not _installed(model):
        return CrossCheck(skipped=f"the model '{model}' is not installed")
    reader = load_reader(model)
    card = reader.card
    who = card.name, card.version, card.sha256
    if reason := card.unsuited(contrast.value, grid.spacing):
        return CrossCheck(*who, skipped=reason)
    places = level_places(rows)
    if not places:
        return CrossCheck(*who, skipped="no disc was measured")
    values = read_levels(reader.net, image, grid, places)
    readings = []
    for place, row in zip(places, values, strict=True):
        for quantity, direct in zip(QUANTITIES, row.tolist(), strict=True):
            allowed = card.allowed.get(quantity.key)
            if allowed is None or not math.isfinite(direct):
                continue
            found = quantity.value_in(rows, place.level)
            mask = found.value if found is not None else None
            readings.append(
                DirectReading(
                    quantity.structure,
                    place.level,
                    quantity.name,
                    quantity.method,
                    mask,
                    direct,
                    allowed.low,
                    allowed.high,
                )
            )
    return CrossCheck(*who, readings=tuple(readings))


def _installed(model: str) -> bool:
    try:
        return (resource("Models", model) / "card.json").is_file()
    except FileNotFoundError:
        return False
