"""``case.json``: what is known about a case, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import __version__
from ..anatomy.structures import Side, Structure
from .correction import Acceptance
from .direct import CrossCheck
from .errors import InputError
from .opinion import Score, Verdict
from .result import CaseResult, Contrast, InputInfo, ModelInfo, StageCost
from .spine import Naming

__all__ = ["SCHEMA_VERSION", "CaseRecord", "case_record", "read_record", "read_scores", "write_record"]

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


def case_record(result: CaseResult, files: Iterable[str] = ()) -> dict[str, Any]:
    """JSON form of a case; absent values are null. ``files`` are the other files of the case folder."""
    source, naming, assessment = result.input, result.spine.naming, result.assessment
    return {
        "schema_version": SCHEMA_VERSION,
        "created": (result.analysed or datetime.now(timezone.utc)).isoformat(timespec="seconds"),
        "corrected": bool(result.edits),
        "corrected_by": list(result.raters),
        "accepted": result.accepted.to_record() if result.accepted else None,
        "input": {
            "path": str(source.path),
            "files": len(source.files) or None,
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
        "person": {
            "sex": result.references.person.sex,
            "age": result.references.person.age,
            "height": result.references.person.height,
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
        "cross_check": result.cross_check.to_record() if result.cross_check else None,
        "files": sorted(files),
    }


def write_record(result: CaseResult, path: Path, files: Iterable[str] = ()) -> None:
    """Write ``case.json``; ``files`` are the other files of the folder, by their paths in it."""
    text = json.dumps(case_record(result, files), indent=1, ensure_ascii=False, allow_nan=False, default=str)
    path.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class CaseRecord:
    """What ``case.json`` tells.

    Attributes
    ----------
    input, model, device, costs, analysed, accepted, cross_check
        As in :class:`~SpineQuantLib.case.result.CaseResult`; of the input's files only their number is kept, so that
        ``input.files`` is empty.
    vertebrae, naming
        As in :class:`~SpineQuantLib.case.spine.NamedSpine`.
    verdict, reasons, scores, distance
        As in :class:`~SpineQuantLib.case.opinion.Assessment`.
    files : tuple of str
        The other files of the folder as it was written.
    """

    input: InputInfo
    model: ModelInfo
    device: str
    costs: tuple[StageCost, ...]
    analysed: datetime
    accepted: Acceptance | None
    vertebrae: tuple[str, ...]
    naming: Naming
    verdict: Verdict
    reasons: tuple[str, ...]
    scores: tuple[Score, ...]
    distance: float | None
    files: tuple[str, ...]
    cross_check: CrossCheck | None = None


def read_record(path: Path) -> CaseRecord:
    """Read ``case.json``.

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
        return _record_from(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}: {error}); analyse the case again") from error


def read_scores(path: Path) -> tuple[Score, ...]:
    """Scores of a case from its ``case.json``, as they were written.

    Raises
    ------
    InputError
        If the file is missing, damaged, or of another schema version.
    """
    return read_record(path).scores


def _record_from(record: dict[str, Any]) -> CaseRecord:
    model, naming = record["model"], record["naming"]
    stages = (StageCost(s["stage"], s["seconds"], s["peak_memory_mb"]) for s in record["stages"])
    return CaseRecord(
        input=_input_from(record["input"]),
        model=ModelInfo(model["name"], model["version"], model["sha256"], int(model["members"])),
        device=record["device"],
        costs=tuple(stages),
        analysed=datetime.fromisoformat(record["created"]),
        accepted=Acceptance.from_record(record["accepted"]) if record.get("accepted") else None,
        vertebrae=tuple(naming["vertebrae"]),
        naming=Naming(bool(naming["named"]), naming["method"], tuple(naming["evidence"]), tuple(naming["doubts"])),
        verdict=Verdict(record["verdict"]),
        reasons=tuple(record["reasons"]),
        scores=tuple(_score_from(entry) for entry in record["scores"]),
        distance=record.get("distance"),
        files=tuple(record.get("files", ())),
        cross_check=CrossCheck.from_record(record["cross_check"]) if record.get("cross_check") else None,
    )


def _input_from(source: dict[str, Any]) -> InputInfo:
    geometry = source["geometry"]
    return InputInfo(
        path=Path(source["path"]),
        files=(),
        format=source["format"],
        sha256=source["sha256"],
        size=tuple(geometry["size"]),
        spacing=tuple(geometry["spacing_mm"]),
        orientation=geometry["orientation"],
        contrast=Contrast(source["contrast"]),
        contrast_evidence=source["contrast_evidence"],
        dicom=dict(source["dicom"] or {}),
        notes=tuple(source["notes"]),
        remarks=tuple(source["remarks"]),
    )


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
