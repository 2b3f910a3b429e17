"""What a reader changed in a case: each edit with who, when and how long, and the acceptance at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["Acceptance", "Change", "Edit", "EditKind"]

EditKind = str
"""``line`` (a line or contour was moved), ``mask``, ``levels`` (renamed) or ``reset`` (back to automatic)."""


@dataclass(frozen=True)
class Change:
    """One row of the table before and after an edit.

    Attributes
    ----------
    key : str
        Key of the measurement (:attr:`~SpineQuantLib.case.measurement.Measurement.key`) after the edit.
    before, after : float or None
        Its value; None where there was or is none.
    unit : str
        UCUM unit of both.
    """

    key: str
    before: float | None
    after: float | None
    unit: str


@dataclass(frozen=True)
class Edit:
    """One thing that a reader changed.

    Attributes
    ----------
    rater : str
        Who.
    time : datetime
        When, UTC.
    seconds : float
        Time since the edit before, or since the case was opened.
    kind : str
        As in :data:`EditKind`.
    what : str
        What was changed, in words.
    before, after : dict
        What was changed, for programs: points of a line in RAS millimetres, voxels of each segment, names of the
        vertebrae. JSON values only.
    changes : tuple of Change
        Every row of the table whose value followed.
    """

    rater: str
    time: datetime
    seconds: float
    kind: EditKind
    what: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """The edit as JSON values."""
        return {
            "rater": self.rater,
            "time": self.time.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "kind": self.kind,
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "changes": [{"key": c.key, "before": c.before, "after": c.after, "unit": c.unit} for c in self.changes],
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Edit:
        """The edit that :meth:`to_record` made a record of.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is none.
        """
        return cls(
            rater=str(record["rater"]),
            time=datetime.fromisoformat(record["time"]),
            seconds=float(record["seconds"]),
            kind=str(record["kind"]),
            what=str(record["what"]),
            before=dict(record["before"]),
            after=dict(record["after"]),
            changes=tuple(Change(c["key"], c["before"], c["after"], c["unit"]) for c in record["changes"]),
        )


@dataclass(frozen=True)
class Acceptance:
    """That a reader took a case as it is.

    Attributes
    ----------
    rater : str
        Who.
    time : datetime
        When, UTC.
    seconds : float
        From opening the case to accepting it.
    """

    rater: str
    time: datetime
    seconds: float

    def to_record(self) -> dict[str, Any]:
        """The acceptance as JSON values."""
        return {"rater": self.rater, "time": self.time.isoformat(timespec="seconds"), "seconds": round(self.seconds, 1)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Acceptance:
        """The acceptance that :meth:`to_record` made a record of.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is none.
        """
        return cls(str(record["rater"]), datetime.fromisoformat(record["time"]), float(record["seconds"]))
