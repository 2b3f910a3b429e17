"""Which state a case folder is in, so that what somebody else saved there is never overwritten unseen."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..case.errors import InputError, OutputError
from ..case.record import read_record
from .history import FILE_NAME

__all__ = ["check_unchanged", "stamp", "what_changed"]

_PARTS = {
    "case": ("case.json", FILE_NAME, "measurements.json", "canal_profile.csv", "borders.npz"),
    "masks": ("segmentation.nii.gz", "segmentation.seg.nrrd"),
    "lines": ("markups/*.mrk.json",),
}
"""Files that hold somebody's work. Report and tables follow from them; ``scene.mrb`` is left out because a stored scene
carries the stamp of its folder, and would contradict itself as soon as it is stored there."""


def stamp(folder: Path) -> str:
    """Tells a case folder, as it is now, from any other and any later state of it.

    Parameters
    ----------
    folder : Path
        Case folder; a file that is missing counts as such.

    Returns
    -------
    str
        One hash for the case, one for its masks, one for its lines, with dots between.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    return ".".join(_hash(folder, patterns) for patterns in _PARTS.values())


def _hash(folder: Path, patterns: tuple[str, ...]) -> str:
    found = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror or error}); open the case again") from error
        found.update(f"{path.name} {len(content)} ".encode())
        found.update(content)
    return found.hexdigest()[:32]


def what_changed(folder: Path, before: str) -> str:
    """What has become of a case folder since a stamp was taken, in words; empty where it is the same.

    Parameters
    ----------
    folder : Path
        Case folder.
    before : str
        From :func:`stamp`.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    now = stamp(folder)
    if now == before:
        return ""
    # A stamp of another kind, in a scene that something else wrote, says nothing of any part.
    old = [*before.split("."), *("" for _ in _PARTS)]
    parts = [part for part, a, b in zip(_PARTS, now.split("."), old, strict=False) if a != b]
    # Who accepts a case writes its masks and lines again, too; that they differ is then no news.
    return _case_now(folder) if "case" in parts else f"another program saved its {' and '.join(parts)} there"


def _case_now(folder: Path) -> str:
    if not (folder / "case.json").is_file():
        return "it holds no case.json any more"
    try:
        accepted = read_record(folder / "case.json").accepted
    except InputError:
        return "its case.json can no longer be read"
    if accepted is None:
        return "it was written again, and nobody has accepted it"
    return f"it was accepted by {accepted.rater} on {accepted.time:%Y-%m-%d at %H:%M} UTC"


def check_unchanged(folder: Path, before: str) -> None:
    """Raise an OutputError where a case folder is not what its stamp says."""
    if changed := what_changed(folder, before):
        raise OutputError(
            f"{folder} was changed by somebody else since it was opened: {changed}. Nothing was overwritten; accept "
            "into another folder, or open the case again to see what they did"
        )
