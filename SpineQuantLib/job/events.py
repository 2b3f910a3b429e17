"""What a child process says while it works: one JSON object a line."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..case.opinion import Verdict
from ..case.progress import ProgressEvent

__all__ = ["EndEvent", "ErrorEvent", "JobEvent", "NoteEvent", "ResultEvent", "StageEvent", "parse_event"]


@dataclass(frozen=True)
class StageEvent:
    """A stage begins.

    Attributes
    ----------
    stage : str
        Its short name.
    fraction : float
        How much of the case is done, 0 to 1.
    seconds : float
        Time since the case began.
    """

    stage: str
    fraction: float
    seconds: float

    def to_json(self) -> str:
        """Return the event as one line of JSON, without its line end."""
        return _line("stage", stage=self.stage, fraction=round(self.fraction, 4), seconds=round(self.seconds, 3))


@dataclass(frozen=True)
class NoteEvent:
    """Something a reader should know, or a line that a library printed."""

    message: str

    def to_json(self) -> str:
        """Return the event as one line of JSON, without its line end."""
        return _line("note", message=self.message)


@dataclass(frozen=True)
class ResultEvent:
    """The case folder is complete.

    Attributes
    ----------
    folder : Path
        Where it lies.
    verdict : Verdict
        What a reader may do with it.
    reasons : tuple of str
        Why; empty for a pass.
    """

    folder: Path
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the event as one line of JSON, without its line end."""
        return _line("result", folder=str(self.folder), verdict=str(self.verdict), reasons=list(self.reasons))


@dataclass(frozen=True)
class ErrorEvent:
    """The case cannot be analysed; the message says what is wrong and what to do."""

    exit_code: int
    message: str

    def to_json(self) -> str:
        """Return the event as one line of JSON, without its line end."""
        return _line("error", exit_code=int(self.exit_code), message=self.message)


@dataclass(frozen=True)
class EndEvent:
    """A process that goes on to the next request is done with this one; the code is what it would have ended with."""

    exit_code: int

    def to_json(self) -> str:
        """Return the event as one line of JSON, without its line end."""
        return _line("end", exit_code=int(self.exit_code))


JobEvent: TypeAlias = ProgressEvent | StageEvent | NoteEvent | ResultEvent | ErrorEvent | EndEvent


def parse_event(line: str) -> JobEvent:
    """Read one line.

    Raises
    ------
    ValueError
        When the line is not an event; libraries print other things now and then.
    """
    try:
        values = json.loads(line)
        return _READERS[values["event"]](values)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not an event: {line[:200]!r}") from error


def _line(kind: str, **values: Any) -> str:
    return json.dumps({"event": kind, **values})


def _text(values: dict[str, Any], key: str) -> str:
    if not isinstance(values[key], str):
        raise TypeError(key)
    return values[key]


def _number(values: dict[str, Any], key: str) -> float:
    if not isinstance(values[key], int | float) or isinstance(values[key], bool) or not math.isfinite(values[key]):
        raise TypeError(key)
    return values[key]


def _progress(values: dict[str, Any]) -> ProgressEvent:
    return ProgressEvent(
        stage=_text(values, "stage"),
        fraction=_number(values, "fraction"),
        message=_text(values, "message"),
        seconds=_number(values, "seconds"),
    )


def _stage(values: dict[str, Any]) -> StageEvent:
    return StageEvent(_text(values, "stage"), _number(values, "fraction"), _number(values, "seconds"))


def _note(values: dict[str, Any]) -> NoteEvent:
    return NoteEvent(_text(values, "message"))


def _result(values: dict[str, Any]) -> ResultEvent:
    reasons = values["reasons"]
    if not isinstance(reasons, list) or not all(isinstance(reason, str) for reason in reasons):
        raise TypeError("reasons")
    return ResultEvent(Path(_text(values, "folder")), Verdict(_text(values, "verdict")), tuple(reasons))


def _error(values: dict[str, Any]) -> ErrorEvent:
    return ErrorEvent(int(_number(values, "exit_code")), _text(values, "message"))


def _end(values: dict[str, Any]) -> EndEvent:
    return EndEvent(int(_number(values, "exit_code")))


_READERS = {
    "progress": _progress,
    "stage": _stage,
    "note": _note,
    "result": _result,
    "error": _error,
    "end": _end,
}
