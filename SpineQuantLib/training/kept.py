"""What is kept on disk of single volumes, and made anew where a volume has changed since."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..case.errors import InputError
from .provenance import named

__all__ = ["Kept", "drop_changed"]

log = logging.getLogger(__name__)

_FILE = "sources.json"


@dataclass(frozen=True)
class Kept:
    """What is kept of one volume.

    Attributes
    ----------
    source : mapping of str to str
        Digests of everything that it follows from, by what that is.
    files : tuple of Path
        Where it lies, as far as it was made yet.
    """

    source: Mapping[str, str]
    files: tuple[Path, ...]

    @property
    def there(self) -> list[Path]:
        """The files that were made yet."""
        return [path for path in self.files if path.is_file()]


def drop_changed(folder: Path, kept: Mapping[str, Kept]) -> None:
    """Delete what was made from volumes that have changed since, which is said; note what the rest is made from.

    Parameters
    ----------
    folder : Path
        That holds all of it, and the note ``sources.json``.
    kept : mapping of str to Kept
        By name; of names that are not among them, nothing is deleted.

    Raises
    ------
    InputError
        If an earlier version left something here of which it did not note what it was made from.
    """
    path = folder / _FILE
    noted = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    unknown = [name for name, one in kept.items() if name not in noted and one.there]
    if unknown:
        raise InputError(
            f"{folder} was filled by an earlier version, which did not note from which files: of {named(unknown)} it "
            "cannot be told whether they have changed since; choose another folder, or delete this one (it is filled "
            "again)"
        )
    for name, one in kept.items():
        before = noted.get(name, {})
        if before != one.source and one.there:
            parts = [part for part in one.source if one.source[part] != before.get(part)]
            log.warning("%s has changed (%s) since %s was filled: it is done again", name, ", ".join(parts), folder)
            for file in one.there:
                file.unlink()
    # Noted before anything is made: an interruption then leaves nothing of which the source is not known.
    part = folder / f"{_FILE}.part"
    part.write_text(json.dumps({**noted, **{name: dict(one.source) for name, one in kept.items()}}), encoding="utf-8")
    part.replace(path)
