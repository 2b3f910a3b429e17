"""Names for the bodies of a column: counted upwards from S1, set by hand, or not given.

A wrong level is worse than none. What speaks against the count therefore ends it: the vertebrae are then called V1,
V2, … from below, and the doubts say why in a reader's words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..anatomy.levels import MAX_UNNAMED, column, column_with, is_unnamed, split_level, vertebra_value
from ..case.errors import UnsuitableError
from ..case.spine import Naming
from .facts import BodyFacts
from .sacrum import SacrumReading, doubts_of_sacrum_by_hand, read_sacrum

__all__ = ["check_lowest_disc", "name_levels"]

_MOST_ABOVE = 17
_LUMBAR_PAIRS = 4
_LEAST_PITCH = 25.0
"""Millimetres from one lumbar vertebra to the next below which neither is one: in 65 volumes of adults they are 29 or
more, in a neck 16 to 20, and in a chest 20 to 26 down to T8."""


def check_lowest_disc(lowest_disc: str) -> tuple[str, str]:
    """Upper and lower vertebra of a level that a person gave.

    Raises
    ------
    ValueError
        If it is not a level between two neighbouring, named vertebrae.
    """
    upper, lower = split_level(lowest_disc)
    if is_unnamed(vertebra_value(upper)):
        raise ValueError(f"'{lowest_disc}' names no vertebrae; give the lowest disc in view as, for example, L5-S1")
    return upper, lower


def name_levels(bodies: Sequence[BodyFacts], lowest_disc: str | None = None) -> tuple[tuple[str | None, ...], Naming]:
    """Names of bodies.

    Parameters
    ----------
    bodies : sequence of BodyFacts
        Top down, unseen ones included.
    lowest_disc : str, optional
        The level of the lowest disc between two bodies in view, as ``L5-S1``, given by a person.

    Returns
    -------
    tuple
        A name for each body, None for one that is a piece of the sacrum below S1; and how they were named.

    Raises
    ------
    ValueError
        If ``lowest_disc`` is not a level.
    UnsuitableError
        If there are more bodies than names.
    """
    reading = read_sacrum(bodies)
    kept = len(bodies) - reading.below
    if lowest_disc is not None:
        names, naming = _by_hand(bodies[:kept], reading, lowest_disc)
    else:
        doubts = [*reading.contradictions, *_gaps(bodies[:kept]), *_too_many(kept - 1)]
        doubts += _too_close(bodies[: kept if reading.index is None else kept - 1])
        if reading.index is None or doubts:
            names = _unnamed(kept)
            naming = Naming(False, "none", reading.evidence, (*doubts, *reading.doubts))
        else:
            names = column()[-kept:]
            naming = Naming(True, "counted from S1", (*reading.evidence, _COUNT), reading.doubts)
    evidence = (*naming.evidence, *_cut(bodies[:kept], names))
    return (*names, *([None] * reading.below)), Naming(naming.named, naming.method, evidence, naming.doubts)


_COUNT = "counted upwards from S1 as five lumbar vertebrae; ribs are not looked at"


def _by_hand(bodies: Sequence[BodyFacts], reading: SacrumReading, lowest_disc: str) -> tuple[tuple[str, ...], Naming]:
    """Names upwards from the lowest disc, and where the committee saw it otherwise."""
    upper, lower = check_lowest_disc(lowest_disc)
    names = column_with(upper, lower)
    names = names[: names.index(lower) + 1]
    if len(bodies) > len(names):
        raise UnsuitableError(
            f"{len(bodies)} vertebral bodies are in view, but only {len(names)} vertebrae reach from C1 down to "
            f"{lower}; check the level given for the lowest disc"
        )
    doubts = [*reading.doubts, *_gaps(bodies)]
    if lower == "S1" or lower.startswith("L"):
        doubts += _too_close(bodies[:-1] if lower == "S1" else bodies)
    if reading.index is not None and lower != "S1":
        doubts.append(f"the committee takes a body in view for S1, while the lowest disc was set to {lowest_disc}")
    if reading.index is None and lower == "S1":
        doubts.append("the committee recognises no S1 in view; the name rests on the level set by hand")
        doubts += doubts_of_sacrum_by_hand(bodies)
    doubts += [text for text in reading.contradictions if reading.index is not None]
    if bodies[-1].disc_below > 0 and reading.index is None:
        doubts.append(
            "a disc is seen below the lowest body as well, without a body under it; "
            f"{lowest_disc} was taken for the disc above that body"
        )
    evidence = (f"the lowest disc in view between two bodies was set to {lowest_disc} by hand", *reading.evidence)
    return names[-len(bodies) :], Naming(True, "set by hand", evidence, tuple(doubts))


def _unnamed(number: int) -> tuple[str, ...]:
    """V-names from the top down.

    Raises
    ------
    UnsuitableError
        If there are more bodies than a spine has.
    """
    if number > MAX_UNNAMED:
        raise UnsuitableError(
            f"{number} vertebral bodies were found in a row, more than a spine has; is this a spine MRI?"
        )
    return tuple(f"V{n}" for n in range(number, 0, -1))


def _gaps(bodies: Sequence[BodyFacts]) -> list[str]:
    """Doubts about bodies that were not seen, counted from below."""
    found = [
        f"the distance between its neighbours tells that a body was missed, the {_ordinal(len(bodies) - n)} from below"
        for n, body in enumerate(bodies[:-1])
        if not body.seen
    ]
    if not bodies[-1].seen:
        found.append("below the lowest disc in view no body was recognised")
    return found


def _too_many(above: int) -> list[str]:
    if above <= _MOST_ABOVE:
        return []
    return [f"{above} bodies above S1 are more than five lumbar and twelve thoracic vertebrae"]


def _too_close(bodies: Sequence[BodyFacts]) -> list[str]:
    """Doubts where the lowest bodies above S1 follow each other faster than lumbar ones do."""
    known = [body.pitch for body in bodies[:-1] if body.pitch is not None][-_LUMBAR_PAIRS:]
    if len(known) < 2 or float(np.median(known)) >= _LEAST_PITCH:
        return []
    return [
        f"the lowest vertebrae in view follow each other every {np.median(known):.3g} mm, too close for lumbar ones "
        f"of an adult (from {_LEAST_PITCH:.0f} mm): another part of the spine, or a child?"
    ]


def _cut(bodies: Sequence[BodyFacts], names: Sequence[str]) -> list[str]:
    """Words on bodies that the view cuts."""
    return [
        f"the {edge} edge of the view cuts the {name} body"
        for body, name in zip(bodies, names, strict=True)
        for edge in body.cut
    ]


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 < number % 100 < 14 else endings.get(number % 10, 'th')}"
