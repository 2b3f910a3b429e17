"""The list of degradations, each family in graded steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..sample import Sample
from .elsewhere import beside_spine, lying, upside_down
from .geometry import cut_rows, cut_slices, thicken
from .intensity import shade, swap_contrast
from .kspace import ghost, move, truncate
from .metal import implant
from .noise import add_noise

__all__ = ["FAMILIES", "FOREIGN", "Degradation", "degradation"]

FOREIGN = "wrong body part"
"""Family whose members must not pass, whatever they look like: there is no lumbar spine in them to be right about."""


@dataclass(frozen=True)
class Degradation:
    """One way of making a volume worse.

    Attributes
    ----------
    family : str
        What kind.
    grade : int
        1 (mild) upwards.
    words : str
        What was done, for tables.
    apply : callable
        (sample, seed) → sample.
    """

    family: str
    grade: int
    words: str
    apply: Callable[[Sample, int], Sample]

    @property
    def key(self) -> str:
        """Name for files, for example ``cut-field-of-view-2``."""
        return f"{self.family.replace(' ', '-')}-{self.grade}"


def _graded(family: str, *steps: tuple[str, Callable[[Sample, int], Sample]]) -> tuple[Degradation, ...]:
    return tuple(Degradation(family, n, words, apply) for n, (words, apply) in enumerate(steps, start=1))


FAMILIES: dict[str, tuple[Degradation, ...]] = {
    steps[0].family: steps
    for steps in (
        _graded(
            "noise",
            ("Rician, σ 8 % of the brightest", lambda s, seed: add_noise(s, 0.08, seed)),
            ("Rician, σ 18 %", lambda s, seed: add_noise(s, 0.18, seed)),
            ("Rician, σ 35 %", lambda s, seed: add_noise(s, 0.35, seed)),
        ),
        _graded(
            "motion",
            ("up to 3 mm between lines", lambda s, seed: move(s, 3.0, seed)),
            ("up to 8 mm", lambda s, seed: move(s, 8.0, seed)),
            ("up to 16 mm", lambda s, seed: move(s, 16.0, seed)),
        ),
        _graded(
            "ghosting",
            ("every fourth line 40 % weaker", lambda s, _: ghost(s, 0.4)),
            ("every fourth line missing", lambda s, _: ghost(s, 1.0)),
            ("every second line missing, ringing and a spike", lambda s, _: truncate(ghost(s, 1.0, 2), 0.6, 7.0)),
        ),
        _graded(
            "bias",
            ("polynomial of third degree, coefficients up to 0.2", lambda s, seed: shade(s, 0.2, seed)),
            ("up to 0.45", lambda s, seed: shade(s, 0.45, seed)),
            ("up to 0.8", lambda s, seed: shade(s, 0.8, seed)),
        ),
        _graded(
            "thick slices",
            ("8 mm, interpolated back", lambda s, _: thicken(s, 8.0)),
            ("12 mm", lambda s, _: thicken(s, 12.0)),
            ("20 mm", lambda s, _: thicken(s, 20.0)),
        ),
        _graded(
            "cut field of view",
            ("upper 30 % missing", lambda s, _: cut_rows(s, 0.3, foot=False)),
            ("left 40 % of the slices missing", lambda s, _: cut_slices(s, 0.4)),
            ("lower 50 % missing", lambda s, _: cut_rows(s, 0.5, foot=True)),
        ),
        _graded(
            "wrong contrast",
            ("35 % negative", lambda s, _: swap_contrast(s, 0.35)),
            ("60 % negative", lambda s, _: swap_contrast(s, 0.6)),
            ("negative", lambda s, _: swap_contrast(s, 1.0)),
        ),
        _graded(
            "metal",
            ("void of 12 mm", lambda s, _: implant(s, 12.0)),
            ("void of 22 mm", lambda s, _: implant(s, 22.0)),
            ("void of 35 mm", lambda s, _: implant(s, 35.0)),
        ),
        _graded(
            FOREIGN,
            ("belly in front of the spine", lambda s, _: beside_spine(s)),
            ("turned by a quarter", lambda s, _: lying(s)),
            ("upside down", lambda s, _: upside_down(s)),
        ),
    )
}
"""Every family with its steps."""


def degradation(key: str) -> Degradation:
    """Degradation by its key.

    Raises
    ------
    KeyError
        If there is none.
    """
    return {d.key: d for steps in FAMILIES.values() for d in steps}[key]
