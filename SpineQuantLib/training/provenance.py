"""What a cache was filled from and a network trained on, and what has changed since."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .collect import LabelledVolume
from .digest import digest_of, row_of, sources_of

__all__ = ["DataNote", "check_resumed", "named"]

log = logging.getLogger(__name__)

_FILE = "grid.json"
_SOURCES = ("digest", "volumes", "phantoms")
_TOLD = 5
"""Volumes that a message lists."""


@dataclass(frozen=True)
class DataNote:
    """What was, or will be, trained on.

    Attributes
    ----------
    grid : dict
        For which networks, and which contrasts were kept unseen; as JSON has it.
    digest : str
        One number for all volumes and phantoms; empty in the notes of versions that did not keep it.
    volumes : dict of str to dict of str to str
        Of each volume, by id, the digests of its parts; empty in the notes of versions that kept the one number alone.
    phantoms : int or None
        How many; None in such notes.
    """

    grid: dict[str, Any]
    digest: str = ""
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)
    phantoms: int | None = None

    @classmethod
    def of(cls, grid: Mapping[str, Any], volumes: Sequence[LabelledVolume], phantoms: int) -> DataNote:
        """Note of volumes as their files are now.

        Raises
        ------
        InputError
            If a file cannot be read.
        """
        rows = [row_of(v) for v in volumes]
        sources = {row["id"]: sources_of(row) for row in rows}
        return cls(json.loads(json.dumps(grid)), digest_of(rows, phantoms), sources, phantoms)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataNote:
        """Note from its JSON form."""
        known = {name: values[name] for name in _SOURCES if name in values}
        return cls({k: v for k, v in values.items() if k not in _SOURCES}, **known)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**self.grid, **{name: getattr(self, name) for name in _SOURCES}}

    @classmethod
    def read(cls, cache: Path) -> DataNote | None:
        """Note of a cache; None where there is none."""
        path = cache / _FILE
        return cls.from_dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def write(self, cache: Path) -> None:
        """Write into the folder of a cache, aside and then in place."""
        part = cache / f"{_FILE}.part"
        part.write_text(json.dumps(self.to_dict()), encoding="utf-8")
        part.replace(cache / _FILE)

    def changes(self, now: DataNote) -> str:
        """What is different now, in words; empty if nothing is."""
        words = [] if self.grid == now.grid else ["the grid of the networks or the contrasts kept unseen"]
        if self.digest == now.digest:
            return "; ".join(words)
        if not self.volumes or not now.volumes:
            return "; ".join([*words, "which volumes was not noted"])
        old, new = self.volumes, now.volumes
        edited = [
            f"{name} ({', '.join(part for part in new[name] if new[name][part] != old[name].get(part))})"
            for name in new
            if name in old and new[name] != old[name]
        ]
        for what, names in (
            ("changed", edited),
            ("added", [name for name in new if name not in old]),
            ("gone", [name for name in old if name not in new]),
        ):
            words += [f"{what}: {named(names)}"] if names else []
        if self.phantoms != now.phantoms:
            words.append(f"{now.phantoms} phantoms instead of {self.phantoms}")
        return "; ".join(words or ["the order of the volumes"])


def named(names: Sequence[str]) -> str:
    """Some of several names."""
    return ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "")


def check_resumed(checkpoint: Path, state: Mapping[str, Any], now: DataNote | None) -> None:
    """Refuse to go on from a checkpoint of other data than training would go on with.

    A checkpoint of an earlier version does not tell what it was trained on; that is said, and training goes on.

    Parameters
    ----------
    checkpoint : Path
        The file, for the message.
    state : mapping
        What it holds; ``data`` is the :class:`DataNote` of its training.
    now : DataNote or None
        What training would go on with; None if that is not known.

    Raises
    ------
    ValueError
        If the data are others; the message says what has changed and what to do.
    """
    if not state.get("data") or now is None:
        log.warning(
            "whether the data are still those that %s was trained on cannot be told, as it was not noted; "
            "training goes on from it",
            checkpoint,
        )
        return
    if changed := DataNote.from_dict(state["data"]).changes(now):
        raise ValueError(
            f"{checkpoint} was trained on other data ({changed}); choose another output folder, or delete the "
            f"checkpoints in {checkpoint.parent} to train anew on the data as they are now"
        )
