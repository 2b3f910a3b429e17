"""Where a result came from, in words that fit an attribute of a node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from .. import __version__
from ..case.result import CaseResult

__all__ = ["provenance_of"]


def provenance_of(
    result: CaseResult, settings: Mapping[str, Any] | None = None, time: datetime | None = None
) -> dict[str, str]:
    """Model, software, settings, time, input and verdict of a case, and who corrected and accepted it.

    Parameters
    ----------
    result : CaseResult
        Analysed case.
    settings : mapping of str to object, optional
        What the user chose; written as JSON.
    time : datetime, optional
        When the case was analysed; now if not given.

    Returns
    -------
    dict of str to str
        Names in CamelCase. Holds no path of the input, which may name a patient.
    """
    naming = result.spine.naming
    return {
        "Software": f"SpineQuant {__version__}",
        "Model": result.model.name,
        "ModelVersion": result.model.version,
        "ModelSha256": result.model.sha256,
        "ModelMembers": str(result.model.members),
        "Settings": json.dumps(dict(settings or {}), sort_keys=True, default=str),
        "Time": (time or datetime.now(timezone.utc)).isoformat(timespec="seconds"),
        "Device": result.device,
        "InputSha256": result.input.sha256,
        "Contrast": str(result.input.contrast),
        "Naming": naming.method,
        "NamingDoubts": "; ".join(naming.doubts),
        "Verdict": str(result.assessment.verdict),
        "VerdictReasons": "; ".join(result.assessment.reasons),
        "CorrectedBy": ", ".join(result.raters),
        "AcceptedBy": result.accepted.rater if result.accepted else "",
    }
