"""From examined volumes to a calibration, with the evidence for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..anatomy.structures import Structure
from ..models.store import find_model
from ..uncertainty.calibration import Calibration
from ..uncertainty.familiarity import Familiarity
from ..uncertainty.thresholds import SCORES
from .coverage import CoverageStudy, row_table, study_coverage
from .degrade.families import FOREIGN
from .examine import CaseRecord
from .flags import BAD, WISH, FlagStudy, object_table, study_flags
from .harvest import CaseVerdict, Harvest, HarvestConfig, Progress, verdicts_of
from .reliability import Reliability
from .risk import detection

__all__ = ["calibrate_from"]

_ROOM = 1.1
"""Times the largest distance of a held-out volume that is still usual."""
_POINTS = 60


def calibrate_from(
    config: HarvestConfig, found: Harvest, coverage: float = 0.9, progress: Progress | None = None
) -> Calibration:
    """Calibration of a model, and the tables that show what it is worth.

    Parameters
    ----------
    config : HarvestConfig
        What was examined.
    found : Harvest
        What was found.
    coverage : float
        Share of true values that an interval shall hold.
    progress : callable, optional
        Told about the last step.
    """
    flags = study_flags(object_table(found.records))
    intervals = study_coverage(row_table(found.records), coverage)
    familiarity, distances = _familiarity(found)
    calibration = Calibration(
        find_model(config.model).info.sha256,
        flags.thresholds,
        {r.structure: r.temperature for r in found.reliability},
        familiarity,
        coverage,
        intervals.rules,
    )
    verdicts = verdicts_of(config, found.records, calibration, progress)
    evidence = {
        "volumes": _volumes(found),
        "wish": {"bad": BAD, "sensitivity": WISH[0], "specificity": WISH[1]},
        **_flag_evidence(flags),
        "cases": _cases(found.records, verdicts),
        "names": _names(found.records),
        "familiarity": distances,
        "coverage": _coverage_evidence(intervals),
        "reliability": [_reliability(r) for r in found.reliability],
    }
    return replace(calibration, evidence=evidence)


def _familiarity(found: Harvest) -> tuple[Familiarity | None, dict[str, Any]]:
    """Training volumes and the limit of what is usual; distances of held-out and of foreign images."""
    if len(found.embeddings) < 3:
        return None, {}
    familiarity = Familiarity.fit(np.stack(list(found.embeddings.values())))

    def distance(record: CaseRecord) -> float:
        return familiarity.distance(np.array(record.embedding))

    usual = [r for r in found.records if r.kind == "real" and not r.family and r.embedding]
    if not usual:
        return None, {}
    inside = {r.id: distance(r) for r in usual}
    limit = _ROOM * max(inside.values())
    subjects = {r.id: r.subject for r in usual}
    # Would a volume have been called foreign by a limit that its subject had no part in?
    alarms = [
        d > _ROOM * max((o for i, o in inside.items() if subjects[i] != subjects[name]), default=math.inf)
        for name, d in inside.items()
    ]
    foreign = [
        {"case": r.key, "words": r.words, "distance": round(distance(r) / limit, 3)}
        for r in found.records
        if r.family == FOREIGN and r.embedding
    ]
    return replace(familiarity, limit=limit), {
        "training": len(found.embeddings),
        "held_out": len(usual),
        "false_alarms": int(sum(alarms)),
        "usual": {name: round(d / limit, 3) for name, d in inside.items()},
        "foreign": foreign,
    }


def _volumes(found: Harvest) -> dict[str, Any]:
    clean = [r for r in found.records if not r.family]
    return {
        "real": sum(r.kind == "real" for r in clean),
        "subjects": len({r.subject for r in clean if r.kind == "real"}),
        "phantoms": sum(r.kind == "phantom" for r in clean),
        "degraded": sum(bool(r.family) for r in found.records),
        "skipped": found.skipped,
    }


def _flag_evidence(flags: FlagStudy) -> dict[str, Any]:
    """The scores compared, and the flags of held-out subjects in every grouping."""
    table = flags.held_out.assign(bad=flags.held_out["dice"] < BAD)
    return {
        "winner": flags.winner,
        "scores": _records(flags.scores),
        "curves": {name: _thinned(*curve) for name, curve in flags.curves.items()},
        "flags": {
            "all": _detected(table),
            "clean": _detected(table[table["family"] == "clean"]),
            "real": _detected(table[table["kind"] == "real"]),
            "real clean": _detected(table[(table["kind"] == "real") & (table["family"] == "clean")]),
            "phantom": _detected(table[table["kind"] == "phantom"]),
        },
        "flags_by_structure": [{"structure": s, **_detected(own)} for s, own in table.groupby("structure")],
        "flags_by_family": [
            {"family": f, "grade": int(g), **_detected(own)} for (f, g), own in table.groupby(["family", "grade"])
        ],
        "structures": [
            {"structure": s, **_detected(own)}
            for s, own in flags.structures.assign(bad=flags.structures["dice"] < BAD).groupby("structure")
        ],
        "trade_off": _trade_off(table, flags.thresholds.score),
        "missed": {
            "n": int(table["missed"].sum()),
            "announced": int((table["missed"] & (table["announced"] | table["case_failed"])).sum()),
        },
    }


def _detected(table: pd.DataFrame) -> dict[str, Any]:
    """Objects, bad ones, mean Dice, and how many of the bad and of the good were flagged."""
    bad, flagged = table["bad"].to_numpy(bool), table["flagged"].to_numpy(bool)
    sensitivity, specificity = detection(flagged, bad)
    return {
        "n": len(table),
        "subjects": int(table["subject"].nunique()),
        "bad": int(bad.sum()),
        "dice": _number(float(table["dice"].mean()) if len(table) else math.nan),
        "flagged": _number(float(flagged.mean()) if len(table) else math.nan),
        "sensitivity": _number(sensitivity),
        "specificity": _number(specificity),
    }


def _trade_off(table: pd.DataFrame, scores: Mapping[Structure, str]) -> list[dict[str, Any]]:
    """Sensitivity and specificity of the deciding score over all bounds, structure by structure; not cross-fitted."""
    out = []
    for structure, score in scores.items():
        own = table[(table["structure"] == structure.value) & ~table["missed"] & table[score].notna()]
        confidence = SCORES[score][0] * own[score].to_numpy(float)
        bad = own["bad"].to_numpy(bool)
        if not bad.any() or bad.all():
            continue
        for bound in np.unique(np.quantile(confidence, np.linspace(0, 1, 41))):
            sensitivity, specificity = detection(confidence < bound, bad)
            out.append(
                {
                    "structure": structure.value,
                    "bound": _number(SCORES[score][0] * float(bound)),
                    "sensitivity": _number(sensitivity),
                    "specificity": _number(specificity),
                }
            )
    return out


def _cases(records: Sequence[CaseRecord], verdicts: Sequence[CaseVerdict]) -> list[dict[str, Any]]:
    """Verdicts on whole cases by family and grade."""
    said = {v.key: v for v in verdicts}
    rows = [
        {
            "kind": r.kind,
            "family": r.family or "clean",
            "grade": r.grade,
            "words": r.words,
            "verdict": said[r.key].verdict,
        }
        for r in records
    ]
    out = []
    for (family, grade, words), own in pd.DataFrame(rows).groupby(["family", "grade", "words"]):
        counts = own["verdict"].value_counts()
        out.append(
            {
                "family": family,
                "grade": int(grade),
                "words": words,
                "n": len(own),
                **{v: int(counts.get(v, 0)) for v in ("pass", "review", "fail", "refused")},
            }
        )
    return out


def _names(records: Sequence[CaseRecord]) -> dict[str, int]:
    """How many volumes were named, and how many of these as the truth names them."""
    known = [r for r in records if r.right_names is not None]
    return {"named": len(known), "right": sum(bool(r.right_names) for r in known)}


def _coverage_evidence(study: CoverageStudy) -> dict[str, Any]:
    return {
        "by_measurement": _records(study.by_measurement),
        "by_level": _records(study.by_level),
        "by_structure": _records(study.by_structure),
        "degraded": _records(study.degraded),
    }


def _reliability(study: Reliability) -> dict[str, Any]:
    return {
        "structure": study.structure.value,
        "temperature": _number(study.temperature),
        "before": _number(study.before),
        "after": _number(study.after),
        "voxels": study.voxels,
        "subjects": study.subjects,
        **study.diagram,
    }


def _thinned(coverage: list[float], risk: list[float]) -> dict[str, list[float]]:
    at = np.unique(np.linspace(0, len(coverage) - 1, _POINTS).round().astype(int))
    return {"coverage": [round(coverage[n], 4) for n in at], "risk": [round(risk[n], 5) for n in at]}


def _number(value: float) -> float | None:
    """Four digits; None for what is not a number, which JSON does not know."""
    return round(float(value), 4) if math.isfinite(value) else None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {k: _number(v) if isinstance(v, float) else v.item() if hasattr(v, "item") else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]
