"""How much agreement is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..anatomy.structures import Structure
from ..case.opinion import Score, Verdict

__all__ = ["SCORES", "Thresholds", "confidence_of"]

SCORES: dict[str, tuple[int, str]] = {
    "mean_dice": (1, "mean Dice over pairs of members"),
    "entropy": (-1, "von Neumann entropy"),
    "eigenvalue": (-1, "largest eigenvalue of 1 − S"),
    "voxel_entropy": (-1, "voxel entropy in bits"),
    "mutual_information": (-1, "mutual information in bits"),
    "expected_dice": (1, "expected Dice"),
}
"""Scores of an object: whether more of it is surer (1) or less sure (−1), and its name."""


def confidence_of(name: str, value: float) -> float:
    """A score turned so that more is surer."""
    return SCORES[name][0] * value


@dataclass(frozen=True)
class Thresholds:
    """Bounds on a score of each structure; those of a model without a calibration are set by judgement.

    By judgement a structure's bounds follow from how well people agree on it: discs and foramina are small and their
    outlines disputed, so less agreement is usual there than about bodies.

    Attributes
    ----------
    score : dict of Structure to str
        The score that decides, one of :data:`SCORES` for each structure.
    enough : dict of Structure to float
        Where it is at least as sure, an object passes.
    least : dict of Structure to float
        Where it is less sure, it fails; between the two it is to be reviewed.
    share : dict of Structure to float
        Largest share of a structure's objects that may be doubtful while the structure, and so the case, still passes;
        0 by judgement. Each doubtful object keeps its own flag.
    case_least : float
        Mean Dice between members over the structures, below which the case fails.
    """

    score: dict[Structure, str] = field(
        default_factory=lambda: {s: "mean_dice" for s in Structure if s is not Structure.SPINE}
    )
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
    share: dict[Structure, float] = field(
        default_factory=lambda: {s: 0.0 for s in Structure if s is not Structure.SPINE}
    )
    case_least: float = 0.50

    def verdict(self, score: Score) -> Verdict:
        """What follows from the scores of a structure or of one of its objects."""
        if score.structure is None:
            return Verdict.REVIEW
        deciding = self.score[score.structure]
        value = getattr(score, deciding)
        if value is None:
            return Verdict.REVIEW
        sure = confidence_of(deciding, value)
        if sure >= confidence_of(deciding, self.enough[score.structure]):
            return Verdict.PASS
        least = confidence_of(deciding, self.least[score.structure])
        return Verdict.REVIEW if sure >= least else Verdict.FAIL

    def reason(self, score: Score, name: str) -> str:
        """Why it does not pass, in a reader's words; empty where it passes."""
        if score.verdict is Verdict.PASS:
            return ""
        if score.mean_dice is None:
            return f"{name}: not judged"
        deciding = self.score[score.structure]
        value = getattr(score, deciding)
        if deciding in ("mean_dice", "entropy", "eigenvalue") or value is None:
            return f"{name}: members disagree, Dice {score.mean_dice:.2f}"
        how = "probably wrong" if score.verdict is Verdict.FAIL else "in doubt"
        if deciding == "expected_dice":
            return f"{name}: outline {how}, expected Dice {value:.2f} (members agree to {score.mean_dice:.2f})"
        hesitant = "the networks hesitate along its border"
        return f"{name}: outline {how}, {hesitant} (members agree to Dice {score.mean_dice:.2f})"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "score": {s.value: name for s, name in self.score.items()},
            "enough": {s.value: v for s, v in self.enough.items()},
            "least": {s.value: v for s, v in self.least.items()},
            "share": {s.value: v for s, v in self.share.items()},
            "case_least": self.case_least,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Thresholds:
        """Thresholds from their JSON form.

        Raises
        ------
        KeyError, ValueError
            If something is missing or no known score or structure.
        """
        unknown = set(values["score"].values()) - set(SCORES)
        if unknown:
            raise ValueError(f"unknown score '{', '.join(sorted(unknown))}'")
        return cls(
            {Structure(s): str(name) for s, name in values["score"].items()},
            {Structure(s): float(v) for s, v in values["enough"].items()},
            {Structure(s): float(v) for s, v in values["least"].items()},
            {Structure(s): float(v) for s, v in values["share"].items()},
            float(values["case_least"]),
        )
