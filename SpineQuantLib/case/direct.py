"""What a second reading says, which looks at the image alone: values by level, and where they contradict the masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..anatomy.structures import Structure
from .measurement import Measurement

__all__ = ["QUANTITIES", "CrossCheck", "DirectReading", "LevelPlace", "Quantity", "level_places"]


@dataclass(frozen=True)
class Quantity:
    """What is read directly, named as the measurement that it is compared with."""

    structure: Structure
    name: str
    method: str

    @property
    def key(self) -> str:
        """For example ``disc|height|Fyllos``."""
        return f"{self.structure.value}|{self.name}|{self.method}"

    def value_in(self, rows: Iterable[Measurement], level: str) -> Measurement | None:
        """The measured row of a level; None where there is none or it has no value."""
        what = (self.structure, level, None, self.name, self.method)
        found = (m for m in rows if (m.structure, m.level, m.side, m.name, m.method) == what)
        return next((m for m in found if m.value is not None), None)


QUANTITIES = (
    Quantity(Structure.DISC, "height", "Fyllos"),
    Quantity(Structure.CANAL, "AP diameter", "perpendicular to centre line"),
)
"""In the order of the network's outputs; both in mm."""


@dataclass(frozen=True)
class LevelPlace:
    """Where a disc level lies.

    Attributes
    ----------
    level : str
        For example ``L4-L5``.
    centre : tuple of float
        RAS millimetres of the middle of the disc.
    anterior, up : tuple of float
        Orthogonal unit vectors in RAS, of the disc's own frame.
    """

    level: str
    centre: tuple[float, float, float]
    anterior: tuple[float, float, float]
    up: tuple[float, float, float]

    @property
    def axes(self) -> np.ndarray:
        """(3, 3): rows are the RAS unit vectors along which (k, j, i) of a patch increase: left, down, posterior."""
        anterior, up = np.array(self.anterior), np.array(self.up)
        return np.stack([-np.cross(anterior, up), -up, -anterior])


def level_places(rows: Sequence[Measurement]) -> tuple[LevelPlace, ...]:
    """Places of all discs whose depth and middle height were measured, in the order of the rows.

    The depth runs along the disc's AP axis from its posterior to its anterior end, the middle height from its lower
    to its upper surface; both lie in the disc's mid-sagittal plane.
    """
    lines: dict[str, dict[str, np.ndarray]] = {}
    for row in rows:
        if row.structure is Structure.DISC and row.name in ("depth", "middle height") and row.geometry is not None:
            lines.setdefault(row.level, {})[row.name] = np.array(row.geometry.points, dtype=float)
    found = []
    for level, own in lines.items():
        if len(own) < 2:
            continue
        back, front = own["depth"]
        lower, upper = own["middle height"]
        anterior = _unit(front - back)
        up = _unit((upper - lower) - ((upper - lower) @ anterior) * anterior)
        if anterior.any() and up.any():
            found.append(LevelPlace(level, _triple((back + front) / 2), _triple(anterior), _triple(up)))
    return tuple(found)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-6 else np.zeros(3)


def _triple(vector: np.ndarray) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])


@dataclass(frozen=True)
class DirectReading:
    """One quantity at one level, read from the image and measured in the mask.

    Attributes
    ----------
    structure, level, name, method
        As in :class:`~SpineQuantLib.case.measurement.Measurement`.
    mask : float or None
        Measured in the mask, mm, as it was when the two were compared; None where it could not be.
    direct : float
        Read from the image, mm.
    low, high : float
        Differences mask − direct, mm, within which the two agree.
    """

    structure: Structure
    level: str
    name: str
    method: str
    mask: float | None
    direct: float
    low: float
    high: float

    @property
    def agrees(self) -> bool | None:
        """Whether the two differ by no more than their errors allow; None where there is nothing to compare."""
        return None if self.mask is None else self.low <= self.mask - self.direct <= self.high

    @property
    def excess(self) -> float:
        """How far the difference is from the middle of what is allowed, as a multiple of half its width."""
        if self.mask is None:
            return 0.0
        return abs(self.mask - self.direct - (self.low + self.high) / 2) / max((self.high - self.low) / 2, 1e-6)


@dataclass(frozen=True)
class CrossCheck:
    """Result of the second reading.

    Attributes
    ----------
    model, version, sha256 : str
        Network that read; empty where none did.
    skipped : str
        Why nothing was read; empty where something was.
    readings : tuple of DirectReading
        Levels top down, discs before the sac at each.
    """

    model: str = ""
    version: str = ""
    sha256: str = ""
    skipped: str = ""
    readings: tuple[DirectReading, ...] = ()

    def renamed(self, told: Callable[[str], str]) -> CrossCheck:
        """The same readings under other names of the levels."""
        return replace(self, readings=tuple(replace(r, level=told(r.level)) for r in self.readings))

    def to_record(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "model": self.model or None,
            "version": self.version or None,
            "sha256": self.sha256 or None,
            "skipped": self.skipped or None,
            "readings": [
                {
                    "structure": r.structure.value,
                    "level": r.level,
                    "measurement": r.name,
                    "method": r.method,
                    "unit": "mm",
                    "mask": None if r.mask is None else round(r.mask, 3),
                    "direct": round(r.direct, 3),
                    "allowed": [round(r.low, 3), round(r.high, 3)],
                    "agrees": r.agrees,
                }
                for r in self.readings
            ],
        }

    @classmethod
    def from_record(cls, values: dict[str, Any]) -> CrossCheck:
        """From the JSON form; KeyError, TypeError or ValueError where it is none."""
        readings = (
            DirectReading(
                Structure(r["structure"]),
                r["level"],
                r["measurement"],
                r["method"],
                None if r["mask"] is None else float(r["mask"]),
                float(r["direct"]),
                float(r["allowed"][0]),
                float(r["allowed"][1]),
            )
            for r in values["readings"]
        )
        words = (values[k] or "" for k in ("model", "version", "sha256", "skipped"))
        return cls(*words, tuple(readings))
