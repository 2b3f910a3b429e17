"""What a child process is asked to do, as a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..case.errors import ExitCode, SpineQuantError

__all__ = ["AcceptRequest", "JobRequest", "RequestError", "read_request"]


class RequestError(SpineQuantError):
    """The request file is missing, damaged, or asks for something that does not exist."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class JobRequest:
    """One volume to analyse, with every choice that the user made.

    Attributes
    ----------
    source : Path
        File or folder to read.
    output : Path
        Case folder to write.
    series : str or None
        DICOM series to take where there are several; None lets the reader choose.
    lowest_disc : str or None
        Name of the lowest visible disc, which settles the names of all levels; None counts from the sacrum.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    model : str or None
        Name of a shipped committee or path of a model folder; None takes the pipeline's own choice.
    quality : str or None
        ``committee``, or ``fast`` for a quick look by one network; None takes the pipeline's own choice.
    overwrite : bool
        Replace a case folder that exists already.
    contrast : str or None
        Weighting as the user knows it; None recognises it.
    ranges : tuple of Path
        Tables of reference values of the user's own.
    sex, age, height
        ``F`` or ``M``, years, and cm, as the user knows them; None takes what a DICOM header says.
    """

    source: Path
    output: Path
    series: str | None = None
    lowest_disc: str | None = None
    device: str = "auto"
    model: str | None = None
    quality: str | None = None
    overwrite: bool = False
    contrast: str | None = None
    ranges: tuple[Path, ...] = ()
    sex: str | None = None
    age: float | None = None
    height: float | None = None

    def options(self) -> dict[str, Any]:
        """Return the choices that were made, by the names that the pipeline gives them."""
        return {key: value for key, value in asdict(self).items() if key not in _PATHS and value is not None}

    def to_json(self) -> str:
        """Return the request as JSON; :meth:`from_json` reads it back unchanged."""
        values = {**self.options(), "source": str(self.source), "output": str(self.output)}
        return json.dumps({**values, "ranges": list(map(str, self.ranges))}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> JobRequest:
        """Read a request.

        Raises
        ------
        RequestError
            When the text is no JSON object, or a key is unknown, missing, or of the wrong type.
        """
        values = _object(text)
        known = {field.name: str(field.type) for field in fields(cls)}
        if unknown := sorted(values.keys() - known.keys()):
            raise RequestError(f"The request asks for what does not exist: {', '.join(unknown)}.")
        if missing := sorted(_PATHS - values.keys()):
            raise RequestError(f"The request does not say: {', '.join(missing)}.")
        for key, value in values.items():
            if not isinstance(value, _TYPES[known[key]]):
                raise RequestError(f"The request's {key} is {value!r}, which is not {known[key]}.")
        if not all(isinstance(path, str) for path in values.get("ranges", [])):
            raise RequestError(f"The request's ranges are {values['ranges']!r}, which are not paths.")
        return cls(**{key: _as_paths(key, value) for key, value in values.items()})

    def write(self, path: Path) -> None:
        """Write the request to a file."""
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> JobRequest:
        """Read a request from a file.

        Raises
        ------
        RequestError
            When the file cannot be read or holds no valid request.
        """
        return cls.from_json(_text(path))


@dataclass(frozen=True)
class AcceptRequest:
    """A corrected case whose folder is to be written again.

    Attributes
    ----------
    draft : Path
        What the reader made of it, see :mod:`SpineQuantLib.review.draft`.
    output : Path
        The case folder.
    stamp : str
        Of that folder when the reader opened it.
    files : tuple of Path
        The DICOM images that were analysed, where they are now; empty where they are still where they were.
    """

    draft: Path
    output: Path
    stamp: str
    files: tuple[Path, ...] = ()

    def to_json(self) -> str:
        """Return the request as JSON; :meth:`from_json` reads it back unchanged."""
        values = {"draft": str(self.draft), "output": str(self.output), "stamp": self.stamp}
        return json.dumps({_TASK: _ACCEPT, **values, "files": list(map(str, self.files))}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> AcceptRequest:
        """Read a request.

        Raises
        ------
        RequestError
            When the text is no JSON object, or a key is unknown, missing, or of the wrong type.
        """
        values = _object(text)
        if values.pop(_TASK, "") != _ACCEPT or values.keys() != {field.name for field in fields(cls)}:
            raise RequestError("The request does not say which case is to be written.")
        *texts, files = (values[field.name] for field in fields(cls))
        if not isinstance(files, list) or not all(isinstance(text, str) for text in (*texts, *files)):
            raise RequestError("The request to write a case names something that is no text.")
        draft, output, stamp = texts
        return cls(Path(draft), Path(output), stamp, tuple(map(Path, files)))

    def write(self, path: Path) -> None:
        """Write the request to a file."""
        path.write_text(self.to_json(), encoding="utf-8")


def read_request(path: Path) -> JobRequest | AcceptRequest:
    """Read a request of either kind from a file.

    Raises
    ------
    RequestError
        When the file cannot be read or holds no valid request.
    """
    text = _text(path)
    return AcceptRequest.from_json(text) if _TASK in _object(text) else JobRequest.from_json(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"The request {path} cannot be read: {error}") from error


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise RequestError(f"The request is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise RequestError("The request is not a JSON object.")
    return values


def _as_paths(key: str, value: Any) -> Any:
    if key == "ranges":
        return tuple(map(Path, value))
    return Path(value) if key in _PATHS else value


_TASK, _ACCEPT = "task", "accept"
_PATHS = frozenset({"source", "output"})
# A path travels as text; annotations are text because of the future import.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "Path": str,
    "str": str,
    "bool": bool,
    "str | None": (str, type(None)),
    "float | None": (int, float, type(None)),
    "tuple[Path, ...]": list,
}
