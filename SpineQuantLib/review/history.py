"""``corrections.json``: what readers changed in a case, and what the software had measured before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..case.correction import Edit
from ..case.errors import InputError, OutputError
from ..case.measurement import Measurement
from ..report.tables import measurement_from_record, measurement_record
from .state import State

__all__ = ["FILE_NAME", "read_corrections", "write_corrections"]

FILE_NAME = "corrections.json"
_VERSION = 1


def write_corrections(state: State, path: Path) -> None:
    """Write the edits in force, oldest first, with the automatic rows and which rows were placed by hand.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    accepted = state.result.accepted
    document: dict[str, Any] = {
        "schema_version": _VERSION,
        "accepted": accepted.to_record() if accepted else None,
        "edits": [edit.to_record() for edit in state.result.edits],
        "placed_by_hand": sorted(state.by_hand),
        "automatic": [measurement_record(m) for m in state.automatic.values()],
    }
    try:
        path.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); free some space") from error


def read_corrections(path: Path) -> tuple[tuple[Edit, ...], dict[str, Measurement], frozenset[str]]:
    """Edits, automatic rows by key and keys of rows placed by hand; nothing where the file is missing.

    Raises
    ------
    InputError
        If the file is damaged or of another version.
    """
    if not path.exists():
        return (), {}, frozenset()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema_version"] != _VERSION:
            raise InputError(
                f"{path} has schema version {document['schema_version']}, this software reads {_VERSION}; use the "
                "version of SpineQuant that wrote it"
            )
        edits = tuple(Edit.from_record(record) for record in document["edits"])
        automatic = [measurement_from_record(record) for record in document["automatic"]]
        return edits, {m.key: m for m in automatic}, frozenset(map(str, document["placed_by_hand"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error})") from error
