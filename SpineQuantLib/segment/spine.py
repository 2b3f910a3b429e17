"""From the committee's opinion to the named spine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..anatomy.labels import CANAL_VALUE, describe, disc_value, foramen_value
from ..anatomy.levels import vertebra_value
from ..anatomy.structures import Side, Structure
from ..case.errors import UnsuitableError
from ..case.opinion import CommitteeOpinion
from ..case.spine import NamedSpine
from .column import Span, body_below, body_spans, fill_gaps, find_column
from .curve import Curve
from .facts import BodyFacts, collect_facts
from .instances import Gap, divide_bodies, divide_discs, gaps_between, left_out
from .naming import check_lowest_disc, name_levels
from .regions import Region, cut_region
from .sac import find_sac
from .sacrum import hides_body_below
from .sides import divide_foramina

__all__ = ["name_spine"]

_LEAST_BODY = 400.0
_LEAST_SHARE = 0.12
_RIM = 2


def name_spine(opinion: CommitteeOpinion, *, lowest_disc: str | None = None) -> NamedSpine:
    """Turn class probabilities into single, named objects with sub-voxel borders.

    Parameters
    ----------
    opinion : CommitteeOpinion
        Mean probabilities and each member's classes, in reading order.
    lowest_disc : str, optional
        Level of the lowest disc between two bodies in view, for example ``L5-S1``; settles the names by hand.

    Returns
    -------
    NamedSpine
        A vertebra that must be there but was not seen keeps its name in ``vertebrae`` and has no label. A voxel that
        is the most probable of its structure and was removed, as a blob far from the spine, has occupancy 0.

    Raises
    ------
    ValueError
        If ``lowest_disc`` is not a level between two neighbouring vertebrae.
    UnsuitableError
        If there is no spine in the volume.
    """
    if lowest_disc is not None:
        check_lowest_disc(lowest_disc)
    region = cut_region(opinion)
    if region is None:
        raise UnsuitableError(f"{_NO_SPINE}: the networks recognised nothing. {_ADVICE}")
    canal, sac = find_sac(region)
    column = find_column(region, sac)
    spans, gaps, bodies = _settle(region, column, sac)
    discs = divide_discs(region, column, sac, spans, gaps)
    if sac is None and not discs.any():
        raise UnsuitableError(
            f"{_NO_SPINE}: neither discs nor a dural sac lie beside what looks like bodies. {_ADVICE}"
        )
    facts = collect_facts(region, opinion.members, bodies, discs, spans, gaps, column, sac)
    if hides_body_below(facts):
        spans = [*spans, body_below(spans)]
        gaps = gaps_between(spans, column, region)
        facts.append(BodyFacts(0.0))
    names, naming = name_levels(facts, lowest_disc)
    naming = replace(naming, doubts=(*naming.doubts, *left_out(region, bodies)))
    vertebrae = tuple(name for name in names if name is not None)
    foramina = divide_foramina(region, column, sac, gaps)
    labels = _label(names, bodies, discs, canal, foramina)
    whole = np.zeros(region.shape, np.uint16)
    whole[region.box] = labels
    return NamedSpine(opinion.grid, whole, _occupancy(region, labels), vertebrae, naming, opinion.view)


_NO_SPINE = "no lumbar spine was found in this volume"
_ADVICE = "Give a sagittal MRI of the lumbar spine"


def _settle(region: Region, column: Curve | None, sac: Curve | None) -> tuple[list[Span], list[Gap], np.ndarray]:
    """Spans of the bodies, the gaps between them and the numbered bodies, without what is too small to be one.

    Raises
    ------
    UnsuitableError
        If fewer than two bodies remain.
    """
    spans = [] if column is None else body_spans(region, column)
    while len(spans) >= 2:
        filled = fill_gaps(spans)
        gaps = gaps_between(filled, column, region)
        bodies = divide_bodies(region, column, sac, filled, gaps)
        volume = np.bincount(bodies.ravel(), minlength=len(filled) + 1)[1:] * float(np.prod(region.spacing))
        usual = np.median([v for v, span in zip(volume, filled, strict=True) if span.seen])
        # Of a body at the edge of the view a sliver may be all there is to see.
        least = np.where(_at_edge(region, bodies, len(filled)), _LEAST_BODY, max(_LEAST_BODY, _LEAST_SHARE * usual))
        tiny = volume < least
        seen = [span for span, small in zip(filled, tiny, strict=True) if span.seen and not small]
        if sum(span.seen for span in filled) == len(seen):
            # Crumbs where a body was missed are not that body.
            bodies[np.concatenate([[False], tiny])[bodies]] = 0
            if len(seen) >= 2:
                return filled, gaps, bodies
        spans = seen
    raise UnsuitableError(f"{_NO_SPINE}: fewer than two vertebral bodies were recognised. {_ADVICE}")


def _at_edge(region: Region, bodies: np.ndarray, number: int) -> np.ndarray:
    """Whether each of the numbered bodies touches the edge of the view, bool (number,)."""
    touching = np.zeros(number + 1, bool)
    for axis, (part, (first, stop)) in enumerate(zip(region.box, region.view, strict=True)):
        for edge in {first, stop - 1} & set(range(part.start, part.stop)):
            touching[bodies.take(edge - part.start, axis=axis)] = True
    return touching[1:]


def _label(
    names: tuple[str | None, ...],
    bodies: np.ndarray,
    discs: np.ndarray,
    canal: np.ndarray,
    foramina: dict[Side, np.ndarray],
) -> np.ndarray:
    """Label values, uint16, from numbered objects; a disc or foramen needs a named body on either side of it."""
    paired = [name if below is not None else None for name, below in zip(names, [*names[1:], None], strict=True)]

    def values(of: list[str | None], value: Callable[[str], int]) -> np.ndarray:
        return np.array([0, *(0 if name is None else value(name) for name in of)], np.uint16)

    labels = np.where(canal, np.uint16(CANAL_VALUE), values(paired, disc_value)[discs])
    for side in Side:
        own = values(paired, lambda name, side=side: foramen_value(name, side))[foramina[side]]
        labels = np.where(own > 0, own, labels)
    # A filled hole of a body gives way to what else was found there.
    return np.where(labels > 0, labels, values(list(names), vertebra_value)[bodies])


def _occupancy(region: Region, labels: np.ndarray) -> dict[Structure, np.ndarray]:
    """Soft structures of the whole volume that agree with the labels: at least half inside, less than half outside."""
    kinds = np.zeros(int(labels.max()) + 1, np.uint8)
    order = [s for s in Structure if s is not Structure.SPINE]
    for value in np.unique(labels[labels > 0]):
        kinds[value] = order.index(describe(int(value)).structure) + 1
    kind = kinds[labels]
    out = {}
    for n, structure in enumerate(order, start=1):
        soft, own = region.occupancy[structure], kind == n
        winner = soft > 0.5
        soft = np.where(own, np.where(winner, soft, 1.0), np.where(winner, 0.0, np.minimum(soft, 0.4999)))
        near = own
        for axis in range(3):
            near = ndimage.maximum_filter1d(near, 2 * _RIM + 1, axis=axis)
        out[structure] = np.zeros(region.shape, np.float32)
        out[structure][region.box] = np.where(near, soft, 0.0)
    return out
