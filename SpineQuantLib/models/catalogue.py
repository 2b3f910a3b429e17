"""Which committees are at hand and for which region of the spine, by their cards alone: no network is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..anatomy.resources import resource

__all__ = ["DEFAULT_MODEL", "DEFAULT_REGION", "REGIONS", "ListedModel", "listed_models", "region_of"]

DEFAULT_MODEL = "lumbar-committee"
DEFAULT_REGION = "lumbar"
"""Region of a card that states none."""
REGIONS = ("cervical", "thoracic", "lumbar", "whole spine")
"""What a card may state, from the top down."""


@dataclass(frozen=True)
class ListedModel:
    """A committee that can be chosen.

    Attributes
    ----------
    name : str
        As :func:`~SpineQuantLib.models.store.find_model` takes it: that of its folder.
    region : str
        Of :data:`REGIONS`.
    """

    name: str
    region: str


def region_of(card: Mapping[str, Any]) -> str:
    """Region that a model is for, by its card.

    Raises
    ------
    ValueError
        If the card states one that there is not.
    """
    region = card.get("region", DEFAULT_REGION)
    if region not in REGIONS:
        raise ValueError(f"region is '{region}', but must be one of {', '.join(REGIONS)}")
    return region


def listed_models() -> tuple[ListedModel, ...]:
    """Committees of the model folder, by region from the top down and then by name.

    A card that cannot be read is listed for the default region: whoever chooses it is told what is wrong with it.
    Models of another kind, which judge no scan on their own, are left out.
    """
    found = []
    for path in resource("Models").glob("*/card.json"):
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            if "kind" in card:
                continue
            region = region_of(card)
        except (OSError, ValueError, TypeError, AttributeError):
            region = DEFAULT_REGION
        found.append(ListedModel(path.parent.name, region))
    return tuple(sorted(found, key=lambda model: (REGIONS.index(model.region), model.name)))
