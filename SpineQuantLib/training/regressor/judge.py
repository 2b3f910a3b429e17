"""How far the direct regression, the masks and the truth lie apart on held-out people and phantoms."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ...case.direct import QUANTITIES, level_places
from ...case.grid import Grid, to_reading_order
from ...case.measurement import Measurement
from ...models.committee import load_committee
from ...models.direct import Allowed, read_levels
from ...models.regressor import LevelRegressor
from ..collect import LabelledVolume
from ..evaluation.predict import Prediction, PredictionStore
from ..evaluation.reference import read_references, reference_spine
from ..evaluation.score import level_names
from ..statistics import agreement
from .levels import is_implausible, known_levels, measured_levels, phantom_of, true_rows

__all__ = ["LevelPair", "allowed_differences", "compare", "evidence_of"]

log = logging.getLogger(__name__)

_QUANTILE = 2.5758293035489004
"""Normal quantile of 99 % limits."""
_FEWEST = 10
"""Differences from which on limits are set."""


@dataclass(frozen=True)
class LevelPair:
    """One quantity at one level that both the committee's mask and the regression tell.

    Attributes
    ----------
    id, subject, contrast : str
        The volume.
    phantom : bool
        Whether it is one.
    level : str
        As the committee names it.
    quantity : str
        :attr:`~SpineQuantLib.case.direct.Quantity.key`.
    truth : float or None
        Manual masks, or the phantom's shapes; None where nobody drew it.
    mask, direct : float
        The committee's mask, and the reading around the place that this mask gives; mm.
    implausible : bool
        Whether the mask's value is none that an adult can have, which the row says of itself.
    """

    id: str
    subject: str
    contrast: str
    phantom: bool
    level: str
    quantity: str
    truth: float | None
    mask: float
    direct: float
    implausible: bool = False


def compare(
    net: LevelRegressor,
    volumes: Sequence[LabelledVolume],
    phantoms: Sequence[int],
    committee: str,
    folder: Path,
    tell: Callable[[str], None] = log.info,
) -> list[LevelPair]:
    """Read, measure and look up every level of held-out volumes and phantoms, as it would happen in a case.

    Parameters
    ----------
    net : LevelRegressor
        In evaluation mode.
    volumes : sequence of LabelledVolume
        Of people that neither it nor the committee was trained on.
    phantoms : sequence of int
        Numbers of phantoms, likewise.
    committee : str
        Shipped model or model folder.
    folder : Path
        Where the committee's predictions are kept.
    tell : callable
        Told which volume is done.
    """
    if not volumes and not phantoms:
        return []
    store = PredictionStore(load_committee(committee, "auto"), folder)
    pairs: list[LevelPair] = []
    for volume in volumes:
        found = store.get(volume.id, volume.image)
        image = to_reading_order(sitk.ReadImage(str(volume.image)))
        references = read_references(volume)
        truth = reference_spine(references[0], references[1] if len(references) > 1 else None)
        names = {} if found.problem else level_names(found.spine, truth)
        known = {k.place.level: k.values for k in known_levels(volume, references)}
        facts = volume.id, volume.subject, volume.contrast, False
        pairs += _pairs(net, image, found, names, known, facts)
        tell(f"{volume.id}: {len(pairs)} comparisons")
    for number in phantoms:
        phantom = phantom_of(number)
        name = f"phantom-{number:04d}"
        image = to_reading_order(phantom.image)
        found = store.of(name, repr(phantom.spec), lambda image=image: image)
        names = {} if found.problem else level_names(found.spine, phantom.spine())
        rows = true_rows(phantom)
        known = {level: _values(rows, level) for level in phantom.spine().levels}
        pairs += _pairs(net, image, found, names, known, (name, name, phantom.spec.contrast, True))
        tell(f"{name}: {len(pairs)} comparisons")
    return pairs


def _values(rows: Sequence[Measurement], level: str) -> tuple[float | None, ...]:
    found = (quantity.value_in(rows, level) for quantity in QUANTITIES)
    return tuple(row.value if row is not None else None for row in found)


def _pairs(
    net: LevelRegressor,
    image: sitk.Image,
    found: Prediction,
    names: dict[str, str],
    known: dict[str, tuple[float | None, ...]],
    facts: tuple[str, str, str, bool],
) -> list[LevelPair]:
    """Pairs of one volume."""
    if found.problem:
        return []
    rows = measured_levels(found.spine)
    places = level_places(rows)
    direct = read_levels(net, sitk.GetArrayFromImage(image).astype(np.float32), Grid.of(image), places)
    out = []
    for place, read in zip(places, direct, strict=True):
        true_level = "-".join(names.get(n, "?") for n in place.level.split("-"))
        truths = known.get(true_level, (None,) * len(QUANTITIES))
        for quantity, truth, value in zip(QUANTITIES, truths, read.tolist(), strict=True):
            row = quantity.value_in(rows, place.level)
            if row is not None and np.isfinite(value):
                odd = is_implausible(row)
                out.append(LevelPair(*facts, place.level, quantity.key, truth, float(row.value), value, odd))
    return out


def allowed_differences(pairs: Sequence[LevelPair]) -> dict[str, Allowed]:
    """Differences mask − direct that errors of both explain: mean ± 2.58 standard deviations over held-out levels.

    Only of people, unless there are fewer than ten of their levels. Masks whose values no adult can have are left out;
    they carry a flag already. Others that are wrong widen the limits, and so these err on the side of silence.
    """
    out = {}
    for quantity in QUANTITIES:
        own = [p for p in pairs if p.quantity == quantity.key and not p.implausible]
        people = [p for p in own if not p.phantom]
        used = people if len(people) >= _FEWEST else own
        if len(used) < _FEWEST:
            continue
        difference = np.array([p.mask - p.direct for p in used])
        middle, width = float(difference.mean()), _QUANTILE * float(difference.std(ddof=1))
        out[quantity.key] = Allowed(round(middle - width, 3), round(middle + width, 3))
    return out


def evidence_of(pairs: Sequence[LevelPair]) -> dict[str, Any]:
    """Tables for the card: errors of both readings, and how often levels are flagged."""
    errors = []
    for quantity in QUANTITIES:
        for kind, phantom in (("people", False), ("phantoms", True)):
            own = [p for p in pairs if p.quantity == quantity.key and p.phantom is phantom]
            true = [p for p in own if p.truth is not None]
            for what, measured, reference, rows in (
                ("direct − truth", "direct", "truth", true),
                ("mask − truth", "mask", "truth", true),
                ("mean of both − truth", "both", "truth", true),
                ("mask − direct", "mask", "direct", own),
            ):
                values = agreement(
                    [_take(p, measured) for p in rows], [_take(p, reference) for p in rows], [p.subject for p in rows]
                )
                errors.append({"quantity": quantity.key, "set": kind, "compared": what, **_plain(asdict(values))})
    return {"errors": errors, "flags": _flags(pairs), "volumes": len({p.id for p in pairs})}


def _take(pair: LevelPair, what: str) -> float:
    return (pair.mask + pair.direct) / 2 if what == "both" else float(getattr(pair, what))


def _flags(pairs: Sequence[LevelPair]) -> list[dict[str, Any]]:
    """Levels flagged by limits in which their own subject had no part."""
    out = []
    by_subject = {s: allowed_differences([p for p in pairs if p.subject != s]) for s in {p.subject for p in pairs}}
    for quantity in QUANTITIES:
        for kind, phantom in (("people", False), ("phantoms", True)):
            own = [p for p in pairs if p.quantity == quantity.key and p.phantom is phantom]
            own = [p for p in own if quantity.key in by_subject[p.subject]]
            flagged = [p for p in own if not _within(p, by_subject[p.subject][quantity.key])]
            out.append(
                {
                    "quantity": quantity.key,
                    "set": kind,
                    "levels": len(own),
                    "flagged": len(flagged),
                    "volumes": len({p.id for p in own}),
                    "volumes_flagged": len({p.id for p in flagged}),
                    "flagged_levels": [
                        {k: v for k, v in _plain(asdict(p)).items() if k not in ("quantity", "phantom", "subject")}
                        for p in flagged
                    ],
                }
            )
    return out


def _within(pair: LevelPair, allowed: Allowed) -> bool:
    return allowed.low <= pair.mask - pair.direct <= allowed.high


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers to three digits, so that a card can be read."""
    if isinstance(values, dict):
        return {k: _plain(v) for k, v in values.items()}
    return round(values, 3) if isinstance(values, float) else values
