"""How much agreement is enough."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..anatomy.structures import Structure
from ..case.opinion import Verdict

__all__ = ["Thresholds"]


@dataclass(frozen=True)
class Thresholds:
    """Bounds on the mean Dice between members; not yet calibrated against errors on labelled cases.

    A structure's bounds follow from how well people agree on it: discs and foramina are small and their outlines
    disputed, so less agreement is usual there than about bodies.

    Attributes
    ----------
    enough : dict of Structure to float
        At or above, an object passes.
    least : dict of Structure to float
        Below, it fails; between the two it is to be reviewed.
    case_least : float
        Mean Dice over the structures below which the case fails.
    """

    enough: dict[Structure, float] = field(
        default_factory=lambda: {
            Structure.VERTEBRA: 0.85,
            Structure.DISC: 0.75,
            Structure.CANAL: 0.80,
            Structure.FORAMEN: 0.60,
        }
    )
    least: dict[Structure, float] = field(
        default_factory=lambda: {
            Structure.VERTEBRA: 0.60,
            Structure.DISC: 0.50,
            Structure.CANAL: 0.50,
            Structure.FORAMEN: 0.30,
        }
    )
    case_least: float = 0.50

    def verdict(self, structure: Structure, mean_dice: float) -> Verdict:
        """What follows from an agreement about a structure or one of its objects."""
        if mean_dice >= self.enough[structure]:
            return Verdict.PASS
        return Verdict.REVIEW if mean_dice >= self.least[structure] else Verdict.FAIL
