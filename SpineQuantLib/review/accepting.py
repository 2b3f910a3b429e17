"""What accepting a case needs besides its writers: was somebody faster, where are the images, what to keep."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from ..case.errors import InputError, SpineQuantError
from ..case.record import read_record
from ..case.result import CaseResult, InputInfo
from ..images.read import read_volume
from .history import FILE_NAME

__all__ = ["keep_strangers", "stamp", "with_sources"]


def stamp(folder: Path) -> str:
    """Tells whether a case folder was written again."""
    found = hashlib.sha256()
    for name in ("case.json", FILE_NAME, "measurements.json"):
        path = folder / name
        found.update(path.read_bytes() if path.is_file() else b"")
        found.update(b"\0")
    return found.hexdigest()


def with_sources(result: CaseResult, source: Path | None) -> InputInfo:
    """The input with its files, where they still are what was analysed; DICOM results refer to them."""
    info = result.input
    if info.format != "DICOM":
        return info
    try:
        found = read_volume(source or info.path, str(info.dicom.get("SeriesInstanceUID") or "") or None).info
    except SpineQuantError:
        return info
    return replace(info, files=found.files, dicom=found.dicom) if found.sha256 == info.sha256 else info


def keep_strangers(old: Path, part: Path) -> None:
    """Carry over what SpineQuant did not write into a case folder that is written again."""
    if not old.is_dir():
        return
    try:
        ours = {*read_record(old / "case.json").files, "case.json"}
    except InputError:
        # A damaged record does not tell; then all is kept that is not written anew.
        ours = {"case.json"}
    for path in sorted(old.rglob("*")):
        name = path.relative_to(old)
        if path.is_file() and name.as_posix() not in ours and not (part / name).exists():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, part / name)
