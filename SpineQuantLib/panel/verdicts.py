"""Verdicts as words, signs and colours; the sign says the same as the colour, for eyes that do not tell them apart."""

from __future__ import annotations

from dataclasses import dataclass

from ..case.opinion import Verdict

__all__ = ["Look", "look_of"]


@dataclass(frozen=True)
class Look:
    """How a verdict is shown.

    Attributes
    ----------
    sign : str
        One character.
    word : str
        One word.
    meaning : str
        What a reader may do with the result, in a sentence.
    colour : str
        Hex RGB of the ground (Okabe–Ito).
    ink : str
        Hex RGB of the text upon it, with a contrast of at least 4.5 to 1.
    """

    sign: str
    word: str
    meaning: str
    colour: str
    ink: str


_LOOKS = {
    Verdict.PASS: Look(
        "✓", "Pass", "The networks agree. Look at the contours as you always would.", "#009E73", "#000000"
    ),
    Verdict.REVIEW: Look("?", "Review", "Check what is listed below before you use the numbers.", "#E69F00", "#000000"),
    Verdict.FAIL: Look("✕", "Fail", "Do not use these numbers unless you have corrected them.", "#B34700", "#FFFFFF"),
}


def look_of(verdict: Verdict) -> Look:
    """How a verdict is shown."""
    return _LOOKS[verdict]
