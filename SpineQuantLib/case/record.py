"""``case.json``: what is known about a case, for programs."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import __version__
from ..anatomy.structures import Side, Structure
from .errors import InputError
from .opinion import Score, Verdict
from .result import CaseResult

__all__ = ["SCHEMA_VERSION", "case_record", "read_scores", "write_record"]

SCHEMA_VERSION = 1


def _score(score: Score) -> dict[str, Any]:
    return {
        "structure": score.structure.value if score.structure else None,
        "level": score.level,
        "side": score.side.value if score.side else None,
        "entropy": score.entropy,
        "eigenvalue": score.eigenvalue,
        "mean_dice": score.mean_dice,
        "voxel_entropy": score.voxel_entropy,
        "mutual_information": score.mutual_information,
        "expected_dice": score.expected_dice,
        "verdict": score.verdict.value,
        "reason": score.reason,
    }


def case_record(result: CaseResult) -> dict[str, Any]:
    """JSON form of a case; absent values are null."""
    source, naming, assessment = result.input, result.spine.naming, result.assessment
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "input": {
            "path": str(source.path),
            "files": len(source.files),
            "format": source.format,
            "sha256": source.sha256,
            "geometry": {
                "size": list(source.size),
                "spacing_mm": list(source.spacing),
                "orientation": source.orientation,
            },
            "contrast": source.contrast.value,
            "contrast_evidence": source.contrast_evidence,
            "dicom": source.dicom or None,
            "notes": list(source.notes),
            "remarks": list(source.remarks),
        },
        "software": {"name": "SpineQuant", "version": __version__},
        "model": {
            "name": result.model.name,
            "version": result.model.version,
            "sha256": result.model.sha256,
            "members": result.model.members,
        },
        "device": result.device,
        "stages": [
            {"stage": c.stage, "seconds": round(c.seconds, 3), "peak_memory_mb": round(c.peak_memory_mb, 1)}
            for c in result.costs
        ],
        "naming": {
            "named": naming.named,
            "method": naming.method,
            "vertebrae": list(result.spine.vertebrae),
            "evidence": list(naming.evidence),
            "doubts": list(naming.doubts),
        },
        "verdict": assessment.verdict.value,
        "reasons": list(assessment.reasons),
        "distance": assessment.distance,
        "scores": [_score(s) for s in assessment.scores],
    }


def write_record(result: CaseResult, path: Path) -> None:
    """Write ``case.json``."""
    text = json.dumps(case_record(result), indent=1, ensure_ascii=False, allow_nan=False, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def read_scores(path: Path) -> tuple[Score, ...]:
    """Scores of a case from its ``case.json``, as they were written.

    Raises
    ------
    InputError
        If the file is missing, damaged, or of another schema version.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema_version"] != SCHEMA_VERSION:
            raise InputError(
                f"{path} has schema version {record['schema_version']}, this software reads {SCHEMA_VERSION}; "
                "analyse the case again"
            )
        return tuple(_score_from(entry) for entry in record["scores"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}: {error}); analyse the case again") from error


def _score_from(entry: dict[str, Any]) -> Score:
    return Score(
        structure=Structure(entry["structure"]) if entry["structure"] else None,
        level=entry["level"],
        side=Side(entry["side"]) if entry["side"] else None,
        entropy=entry["entropy"],
        eigenvalue=entry["eigenvalue"],
        mean_dice=entry["mean_dice"],
        verdict=Verdict(entry["verdict"]),
        reason=entry["reason"],
        voxel_entropy=entry.get("voxel_entropy"),
        mutual_information=entry.get("mutual_information"),
        expected_dice=entry.get("expected_dice"),
    )
