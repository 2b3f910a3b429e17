"""Which body is S1, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .facts import BodyFacts

__all__ = ["SacrumReading", "doubts_of_sacrum_by_hand", "hides_body_below", "read_sacrum"]

_IS_SACRUM = 0.5
_SQUARED = 0.9
_AGREE = 0.75
_SEEN_BY = 0.5
_RUDIMENTARY_DISC = 0.6
_SMALLER_BODY = 0.8
_SUSPECT_DISC = 0.45
_SUSPECT_BODY = 0.35
_LEAST_CUT = 0.42
"""Volume over that of the body above that an S1 which the view cuts must have at least; whole ones have 0.7 to 1."""
_EDGE = 2.0
"""Millimetres of view below a body that show nothing of what follows."""
_BENT = 18.0
"""Degrees by which the disc above S1 descends more steeply than those further up, where the view ends at S1."""
_STRAIGHT = 10.0
"""The same where there is room below; with less the members must all agree, and the shape must be a sacrum's."""
_ROOM = 15.0
"""Millimetres of view below a body from which a disc would be seen there."""
_TAPERED = 1.1


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
        *_too_little(bodies, first),
    ]
    against, doubts = _members(bodies, first)
    contradictions += against
    unbent, uncertain = _unbent(bodies, first)
    contradictions += unbent
    doubts += uncertain
    if "lower" in sacrum.cut:
        doubts.append("S1 lies at the lower edge of the view, which cuts it; its shape could not be judged")
    elif sacrum.taper is not None and sacrum.taper < _SQUARED:
        doubts.append(
            f"S1 is squared: front to back it is not deeper at its upper end than at its lower end "
            f"(ratio {sacrum.taper:.2f}), as in a lumbosacral transition"
        )
    if "lower" not in sacrum.cut and sacrum.room is not None and sacrum.room < _EDGE:
        doubts.append(
            "the view ends right below S1; whether a disc follows, as below a lumbar vertebra, is not in view"
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


def doubts_of_sacrum_by_hand(bodies: Sequence[BodyFacts]) -> list[str]:
    """What speaks against the last body being S1, where a person says so and the committee recognises none."""
    last = len(bodies) - 1
    others = sum(choice is not None and choice != last for choice in _choices(bodies))
    doubts = _too_low(bodies, last) if bodies[last].seen else []
    doubts += [text for kind in _unbent(bodies, last) for text in kind]
    if others:
        doubts.append(f"{others} of {len(_choices(bodies))} members of the committee take a higher body for S1")
    return doubts


def _not_in_view(bodies: Sequence[BodyFacts]) -> str:
    hint = "; the lowest disc in view can be named by hand"
    votes = list(zip(*(b.votes for b in bodies if b.seen), strict=True))
    voters, members = sum(any(own) for own in votes), len(votes)
    if 2 * voters > members:
        most = max(sum(v is True for v in b.votes) for b in bodies)
        return (
            f"no body is surely S1: {voters} of {members} members of the committee see a sacrum, "
            f"at most {most} of them in the same body{hint}"
        )
    if voters:
        return f"only {voters} of {members} members of the committee see a sacrum in view{hint}"
    return f"the sacrum is not in view{hint}"


def _too_little(bodies: Sequence[BodyFacts], first: int) -> list[str]:
    """A contradiction where the view cuts the body taken for S1 so high that it may as well be L5."""
    sacrum = bodies[first]
    if first == 0 or "lower" not in sacrum.cut or not bodies[first - 1].seen:
        return []
    share = sacrum.volume / bodies[first - 1].volume
    if share >= _LEAST_CUT:
        return []
    return [
        "too little of the body taken for S1 is in view to tell it from a lumbar one: "
        f"{100 * share:.0f} % of the volume of the body above it"
    ]


def _unbent(bodies: Sequence[BodyFacts], first: int) -> tuple[list[str], list[str]]:
    """Contradictions and doubts from a spine that does not bend above the body taken for S1.

    Between L5 and the sacrum the spine bends more than anywhere else. A view of chest and upper loin, whose lowest body
    is taken for a sacrum because nothing is seen below it, lacks this bend; but so do some flat backs.
    """
    sacrum = bodies[first]
    if sacrum.bend is None or sacrum.bend >= _BENT:
        return [], []
    steeper = f"{sacrum.bend:.0f}° more" if sacrum.bend >= 1 else "no more"
    text = (
        f"the spine hardly bends at the body taken for S1: the disc above it descends forwards {steeper} steeply than "
        "those further up; at a sacrum it is mostly 20 to 45°"
    )
    if sacrum.room is not None and sacrum.room < _ROOM:
        return [f"{text}; and the view ends too soon to show whether a disc follows, as below a lumbar vertebra"], []
    sure = all(choice == first for choice in _choices(bodies)) and (sacrum.taper or 0.0) >= _TAPERED
    return ([], [text]) if sure or sacrum.bend >= _STRAIGHT else ([text], [])


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
    if sacrum.bend is not None:
        out.append(f"the disc above S1 descends {sacrum.bend:.0f}° more steeply than those further up")
    if sacrum.taper is not None and "lower" not in sacrum.cut:
        out.append(f"S1 is {sacrum.taper:.2f} times as deep front to back at its upper end as at its lower end")
    if first == len(bodies) - 1 and sacrum.disc_below == 0:
        out.append("neither a body nor a disc was seen below S1")
    return out
