"""A folder of images, one case each, in one process; one that fails does not keep the others from their turn."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..case.errors import InputError, OutputError
from .engine import Engine
from .events import JobEvent
from .request import JobRequest
from .runner import JobState, run_job

__all__ = ["BatchRow", "find_images", "run_batch", "write_summary"]

_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass(frozen=True)
class BatchRow:
    """How one image of a batch fared.

    Attributes
    ----------
    name : str
        Of the case.
    source : Path
        The image.
    state : JobState
        How it ended.
    verdict : str
        ``pass``, ``review`` or ``fail``; empty where there is no case.
    reasons : tuple of str
        Behind the verdict, or why there is no case.
    folder : Path or None
        The case.
    seconds : float
        It took.
    """

    name: str
    source: Path
    state: JobState
    verdict: str
    reasons: tuple[str, ...]
    folder: Path | None
    seconds: float


def find_images(folder: Path) -> list[Path]:
    """Images of a folder: its image files, and its subfolders (each a DICOM study); sorted by name.

    Raises
    ------
    InputError
        If there are none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    found = [p for p in entries if p.name.lower().endswith(_ENDINGS) or (p.is_dir() and _holds_files(p))]
    if not found:
        raise InputError(f"{folder} holds neither images ({', '.join(_ENDINGS)}) nor folders with DICOM files")
    return found


def _holds_files(folder: Path) -> bool:
    # A case folder of an earlier batch is a result and no input.
    return not (folder / "case.json").exists() and any(p.is_file() for p in folder.rglob("*"))


def _name(source: Path) -> str:
    name = source.name
    for ending in sorted(_ENDINGS, key=len, reverse=True):
        if source.is_file() and name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "case"


def run_batch(
    sources: Iterable[Path],
    output: Path,
    engine: Engine,
    choices: Mapping[str, Any] | None = None,
    on_event: Callable[[str, JobEvent], None] | None = None,
    timeout: float | None = None,
) -> list[BatchRow]:
    """Analyse images one after the other.

    Parameters
    ----------
    sources : iterable of Path
        Files or DICOM folders.
    output : Path
        Folder of cases; each gets the name of its image. A case that is there already is not made again.
    engine : Engine
        Runs them; left open.
    choices : mapping
        Names of :class:`~SpineQuantLib.job.request.JobRequest`, the same for all.
    on_event : callable or None
        Told the name of the case and each event.
    timeout : float or None
        Seconds for each case.
    """
    rows, taken = [], set()
    for source in sources:
        name = base = _name(source)
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        request = JobRequest(source=source, output=output / name, **(choices or {}))
        tell = (lambda event, name=name: on_event(name, event)) if on_event else None
        outcome = run_job(request, engine=engine, on_event=tell, timeout=timeout)
        result = outcome.result
        rows.append(
            BatchRow(
                name,
                source,
                outcome.state,
                str(result.verdict) if result else "",
                result.reasons if result else (outcome.reason,),
                result.folder if result else None,
                outcome.seconds,
            )
        )
    return rows


def write_summary(rows: Iterable[BatchRow], path: Path) -> None:
    """Write one line for each image as CSV.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("case", "state", "verdict", "reasons", "seconds", "folder", "source"))
            for row in rows:
                folder = row.folder or ""
                words = "; ".join(row.reasons)
                writer.writerow((row.name, row.state, row.verdict, words, f"{row.seconds:.1f}", folder, row.source))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
