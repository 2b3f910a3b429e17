"""Which body is S1, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .facts import BodyFacts

__all__ = ["SacrumReading", "hides_body_below", "read_sacrum"]

_IS_SACRUM = 0.5
_SQUARED = 0.9
_AGREE = 0.75
_SEEN_BY = 0.5
_RUDIMENTARY_DISC = 0.6
_SMALLER_BODY = 0.8
_SUSPECT_DISC = 0.45
_SUSPECT_BODY = 0.35


@dataclass(frozen=True)
class SacrumReading:
    """What the bodies tell about S1.

    Attributes
    ----------
    index : int or None
        Place of S1 among the bodies, from the top; None where none was recognised.
    below : int
        How many bodies at the foot of the column are pieces of the sacrum below S1.
    evidence : tuple of str
        What speaks for it.
    doubts : tuple of str
        What speaks against it without settling the matter.
    contradictions : tuple of str
        What forbids counting from it.
    """

    index: int | None
    below: int = 0
    evidence: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()


def read_sacrum(bodies: Sequence[BodyFacts]) -> SacrumReading:
    """Find S1 among bodies, top down.

    S1 is the topmost body that the committee calls so. Smaller bodies below it with a rudimentary disc between are
    S2 and S3. A body or a disc below it that is not smaller means that S1 was taken one too high, that S1 is lumbarised
    or that there are six lumbar bodies: no count can rest on it.
    """
    first = next((n for n, body in enumerate(bodies) if body.seen and body.sacrum > _IS_SACRUM), None)
    if first is None:
        return SacrumReading(None, contradictions=(_not_in_view(bodies),))
    sacrum, under = bodies[first], bodies[first + 1 :]
    contradictions = [
        *_below(bodies, first),
        *_too_low(bodies, first),
    ]
    against, doubts = _members(bodies, first)
    contradictions += against
    if "lower" in sacrum.cut:
        doubts.append("S1 lies at the lower edge of the view, which cuts it; its shape could not be judged")
    elif sacrum.taper is not None and sacrum.taper < _SQUARED:
        doubts.append(
            f"S1 is squared: front to back it is not deeper at its upper end than at its lower end "
            f"(ratio {sacrum.taper:.2f}), as in a lumbosacral transition"
        )
    if first > 0 and bodies[first - 1].disc_below == 0:
        doubts.append("no disc was seen above S1")
    below = 0 if contradictions else len(under)
    evidence = _evidence(bodies, first)
    if below and any(body.seen for body in under):
        evidence.append("the smaller body below S1, with hardly a disc between, was taken for S2")
    return SacrumReading(first, below, tuple(evidence), tuple(doubts), tuple(contradictions))


def hides_body_below(bodies: Sequence[BodyFacts]) -> bool:
    """Whether a body that was not recognised lies below the last one: a well-formed disc does, and no S1 is known.

    The disc is then a level of its own; without it, the disc above would pass for the lowest one in view.
    """
    if any(body.sacrum > _IS_SACRUM for body in bodies):
        return False
    usual = _usual_disc(bodies, len(bodies) - 1)
    return usual > 0 and bodies[-1].disc_below >= _RUDIMENTARY_DISC * usual


def _not_in_view(bodies: Sequence[BodyFacts]) -> str:
    hint = "; the lowest disc in view can be named by hand"
    voters = sum(any(votes) for votes in zip(*(b.votes for b in bodies if b.seen), strict=True))
    members = max((len(b.votes) for b in bodies), default=0)
    if voters:
        return f"only {voters} of {members} members of the committee see a sacrum in view{hint}"
    return f"the sacrum is not in view{hint}"


def _below(bodies: Sequence[BodyFacts], first: int) -> list[str]:
    """Contradictions from what lies below the body taken for S1."""
    usual = _usual_disc(bodies, first)
    sacrum = bodies[first]
    rudimentary = sacrum.disc_below < _RUDIMENTARY_DISC * usual
    found = []
    for body in bodies[first + 1 :]:
        smaller = body.volume < _SMALLER_BODY * sacrum.volume or body.sacrum > _IS_SACRUM or "lower" in body.cut
        if body.seen and not (rudimentary and smaller):
            found.append(
                "a well-formed body lies below the one taken for S1: "
                "lumbarised S1, six lumbar bodies, or S1 taken too high"
            )
            break
    if not found and usual > 0 and not rudimentary:
        found.append("a well-formed disc lies below the body taken for S1: lumbarised S1 or six lumbar bodies")
    return found


def _usual_disc(bodies: Sequence[BodyFacts], first: int) -> float:
    """Usual area in mm² of the discs above S1."""
    areas = [body.disc_below for body in bodies[:first] if body.disc_below > 0]
    return float(np.median(areas)) if areas else 0.0


def _too_low(bodies: Sequence[BodyFacts], first: int) -> list[str]:
    """Contradictions from signs that the body taken for S1 is S2."""
    if first == 0:
        return []
    above = bodies[first - 1]
    usual = _usual_disc(bodies, first - 1)
    found = []
    if 0 < above.disc_below < _SUSPECT_DISC * usual:
        found.append(
            "the disc above the body taken for S1 is rudimentary, as between S1 and S2: S1 may be taken one too low"
        )
    if above.seen and bodies[first].volume < _SUSPECT_BODY * above.volume and "lower" not in bodies[first].cut:
        found.append("the body taken for S1 is far smaller than the one above it: it may be S2")
    return found


def _members(bodies: Sequence[BodyFacts], first: int) -> tuple[list[str], list[str]]:
    """Contradictions and doubts from members that call another body S1, or none."""
    choices = _choices(bodies)
    seeing = [c for c in choices if c is not None]
    agree = sum(c == first for c in choices)
    if not choices or agree == len(choices):
        return [], []
    if agree < _SEEN_BY * len(choices) or agree < _AGREE * len(seeing):
        return [f"the members of the committee disagree where S1 is: {agree} of {len(choices)} choose this body"], []
    if agree < len(seeing):
        return [], [f"{len(seeing) - agree} of {len(choices)} members take another body for S1"]
    return [], [f"{len(choices) - agree} of {len(choices)} members do not see S1"]


def _choices(bodies: Sequence[BodyFacts]) -> list[int | None]:
    """For each member the topmost body that it calls S1."""
    members = max((len(b.votes) for b in bodies), default=0)
    return [next((n for n, body in enumerate(bodies) if body.votes and body.votes[m]), None) for m in range(members)]


def _evidence(bodies: Sequence[BodyFacts], first: int) -> list[str]:
    sacrum = bodies[first]
    choices = _choices(bodies)
    ratio = ""
    if first and bodies[first - 1].seen:
        ratio = f", {sacrum.volume / bodies[first - 1].volume:.2f} of the body above"
    out = [
        f"{sum(c == first for c in choices)} of {len(choices)} members of the committee take this body for S1",
        f"S1 body of {sacrum.volume / 1000:.1f} cm³{ratio}",
    ]
    if sacrum.angle is not None:
        out.append(f"{sacrum.angle:.0f}° between the disc above S1 and the next one above")
    if sacrum.taper is not None and "lower" not in sacrum.cut:
        out.append(f"S1 is {sacrum.taper:.2f} times as deep front to back at its upper end as at its lower end")
    if first == len(bodies) - 1 and sacrum.disc_below == 0:
        out.append("neither a body nor a disc was seen below S1")
    return out
