"""The dural sac along its whole course: one cross-section after the other, and where the levels lie among them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError, OutputError

__all__ = ["CanalProfile", "CanalSection", "read_canal_profile", "write_canal_profile"]

_COLUMNS = ("distance_mm", "level", "r_mm", "a_mm", "s_mm", "area_mm2", "ap_mm", "transverse_mm", "flag")
_NUMBERS = ("distance_mm", "r_mm", "a_mm", "s_mm", "area_mm2", "ap_mm", "transverse_mm")


@dataclass(frozen=True)
class CanalSection:
    """One cross-section of the dural sac, perpendicular to its centre line.

    Attributes
    ----------
    distance : float
        Millimetres along the centre line, downwards from its upper end.
    centre : tuple of float
        RAS millimetres of the centre line there.
    area, ap, transverse : float or None
        Cross-sectional area (mm²), AP and transverse diameter (mm); None where there is no whole section.
    level : str
        Disc (``L4-L5``) or vertebra (``L4``) whose middle plane the centre line crosses here; empty elsewhere.
    flag : str
        Why a section is absent or doubtful; empty where there is no reason.
    """

    distance: float
    centre: tuple[float, float, float]
    area: float | None
    ap: float | None
    transverse: float | None
    level: str = ""
    flag: str = ""

    def __post_init__(self) -> None:
        if self.area is None and not self.flag:
            raise ValueError(f"section of the sac at {self.distance:.1f} mm: absent without a reason")


@dataclass(frozen=True)
class CanalProfile:
    """Cross-sections of the dural sac along its centre line.

    Attributes
    ----------
    sections : tuple of CanalSection
        From the top down, about 2 mm apart, and one more exactly at the middle plane of every disc and body.
    """

    sections: tuple[CanalSection, ...]

    @property
    def levels(self) -> tuple[tuple[str, float], ...]:
        """Discs and bodies from the top down, each with its distance along the centre line in mm."""
        return tuple((s.level, s.distance) for s in self.sections if s.level)

    def curve(self, quantity: str) -> tuple[tuple[float, float], ...]:
        """(distance in mm, value) of every section that has the quantity.

        Parameters
        ----------
        quantity : str
            ``area`` (mm²), ``ap`` or ``transverse`` (mm).

        Raises
        ------
        ValueError
            If there is no such quantity.
        """
        if quantity not in ("area", "ap", "transverse"):
            raise ValueError(f"the profile of the sac has no '{quantity}', but area, ap and transverse")
        return tuple((s.distance, v) for s in self.sections if (v := getattr(s, quantity)) is not None)


def _cell(value: float | str | None) -> str:
    if isinstance(value, float):
        # Adding 0.0 turns a rounded −0.0 into 0.0.
        return f"{round(value, 3) + 0.0:.3f}"
    return value or ""


def write_canal_profile(profile: CanalProfile, path: Path) -> None:
    """Write ``canal_profile.csv``: UTF-8, RFC 4180, one row per section from the top down; RAS millimetres.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(_COLUMNS)
            for s in profile.sections:
                cells = (float(s.distance), s.level, *map(float, s.centre), s.area, s.ap, s.transverse, s.flag)
                writer.writerow([_cell(cell) for cell in cells])
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); choose a folder with room and access"
        ) from error


def read_canal_profile(path: Path) -> CanalProfile:
    """Read what :func:`write_canal_profile` wrote.

    Raises
    ------
    InputError
        If the file is missing or is no such table.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if tuple(table.fieldnames or ()) != _COLUMNS:
                raise InputError(f"{path} is not a profile of the dural sac; analyse the case again")
            return CanalProfile(tuple(_section(row) for row in table))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); analyse the case again") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); analyse the case again") from error


def _section(row: dict[str, str]) -> CanalSection:
    distance, r, a, s, area, ap, transverse = (float(row[name]) if row[name] else None for name in _NUMBERS)
    if distance is None or r is None or a is None or s is None:
        raise ValueError("a section has no place")
    return CanalSection(distance, (r, a, s), area, ap, transverse, row["level"], row["flag"])
