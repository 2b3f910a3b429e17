"""What was learnt about a model's doubts on labelled volumes that it was not trained on; stored beside its weights.

``calibration.json`` belongs to one set of weights and names it by hash. It holds the bounds of the flags, the rules of
the intervals, the temperatures of the probabilities, the embeddings of the training volumes, and, under ``evidence``,
the tables that show how well all that does.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..anatomy.structures import Structure
from ..case.errors import EngineError
from .familiarity import Familiarity
from .thresholds import Thresholds

__all__ = ["CALIBRATION_FILE", "Calibration", "IntervalRule", "OtherWeightsError", "read_calibration"]

CALIBRATION_FILE = "calibration.json"
_SCHEMA = 3
_LITTLE_KNOWN = 2.0


class OtherWeightsError(EngineError):
    """The calibration belongs to other weights than those in use."""


@dataclass(frozen=True)
class IntervalRule:
    """How wide the interval of one measurement is: value − lower·s to value + upper·s with s = floor + spread.

    Attributes
    ----------
    lower, upper : float
        Multiples of the scale ``s``.
    floor : float
        Part of the scale that does not depend on the case, in the measurement's unit.
    widest : float
        Largest spread of the members in the calibration; beyond twice that an interval is refused.
    rows, subjects : int
        How many residuals of how many people it rests on.
    basis : str
        ``real`` or ``phantom``: where the true values came from.
    levels : tuple of str
        Levels that at least three of the people showed; at any other the interval is twice as wide. Empty for a rule
        that holds for all levels alike.
    """

    lower: float
    upper: float
    floor: float
    widest: float
    rows: int
    subjects: int
    basis: str
    levels: tuple[str, ...] = ()

    def widening(self, level: str) -> float:
        """By how much an interval grows at a level of which the calibration knows little."""
        return 1.0 if level in self.levels or not level or not self.levels else _LITTLE_KNOWN

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> IntervalRule:
        """From the JSON form; ValueError where a number is none."""
        rule = cls(
            *(float(values[k]) for k in ("lower", "upper", "floor", "widest")),
            int(values["rows"]),
            int(values["subjects"]),
            str(values["basis"]),
            tuple(map(str, values["levels"])),
        )
        if not all(math.isfinite(v) for v in (rule.lower, rule.upper, rule.floor, rule.widest)):
            raise ValueError("an interval is not finite")
        return rule


@dataclass(frozen=True)
class Calibration:
    """Everything that turns raw scores into flags, intervals and probabilities.

    Attributes
    ----------
    model_sha256 : str
        Hash of the committee that it belongs to.
    thresholds : Thresholds
        Which score decides, and its bounds for each structure.
    temperatures : dict of Structure to float
        Temperature of each structure's probability.
    familiarity : Familiarity or None
        The training volumes; None where they were not at hand.
    coverage : float
        Share of values that an interval shall hold.
    intervals : dict of str to IntervalRule
        By :func:`rule_key`.
    evidence : dict
        Tables for the model's card: how flags, scores, intervals and probabilities do on held-out subjects.
    created : str
        When, ISO 8601.
    """

    model_sha256: str
    thresholds: Thresholds = field(default_factory=Thresholds)
    temperatures: dict[Structure, float] = field(default_factory=dict)
    familiarity: Familiarity | None = None
    coverage: float = 0.9
    intervals: dict[str, IntervalRule] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))

    @staticmethod
    def rule_key(structure: Structure, name: str, method: str) -> str:
        """Key of a measurement's rule, for example ``disc|height|Dabbs``."""
        return f"{structure.value}|{name}|{method}"

    def write(self, folder: Path) -> Path:
        """Write ``calibration.json`` into a model folder, aside and then in place."""
        record = {
            "schema_version": _SCHEMA,
            "created": self.created,
            "model_sha256": self.model_sha256,
            "thresholds": self.thresholds.to_dict(),
            "temperatures": {s.value: t for s, t in self.temperatures.items()},
            "familiarity": self.familiarity.to_dict() if self.familiarity else None,
            "coverage": self.coverage,
            "intervals": {key: vars(rule) for key, rule in sorted(self.intervals.items())},
            "evidence": self.evidence,
        }
        path = folder / CALIBRATION_FILE
        part = path.with_suffix(f".{os.getpid()}.partial")
        part.write_text(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        part.replace(path)
        return path


def read_calibration(folder: Path, model_sha256: str) -> Calibration | None:
    """Calibration of a model, or None where its folder has none.

    Parameters
    ----------
    folder : Path
        Model folder.
    model_sha256 : str
        Hash of the committee in use.

    Raises
    ------
    OtherWeightsError
        If it was made for other weights: its bounds would say nothing about these.
    EngineError
        If it is damaged or of another schema version.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema_version"] != _SCHEMA:
            raise EngineError(
                f"{path} has schema version {record['schema_version']}, this software reads {_SCHEMA}; run "
                f"'spinequant calibrate' again"
            )
        if record["model_sha256"] != model_sha256:
            raise OtherWeightsError(
                f"{path} belongs to other weights ({record['model_sha256'][:12]}) than those in use "
                f"({model_sha256[:12]}); run 'spinequant calibrate' again"
            )
        return Calibration(
            record["model_sha256"],
            Thresholds.from_dict(record["thresholds"]),
            {Structure(s): float(t) for s, t in record["temperatures"].items()},
            Familiarity.from_dict(record["familiarity"]) if record["familiarity"] else None,
            float(record["coverage"]),
            {str(k): IntervalRule.from_dict(v) for k, v in record["intervals"].items()},
            dict(record["evidence"]),
            str(record["created"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(
            f"the calibration {path} cannot be read ({type(error).__name__}: {error}); run 'spinequant calibrate' again"
        ) from error
