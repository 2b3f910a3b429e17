"""One statement of a publication, or of a site's own cohort, on a measurement: whom it holds for and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .levels import VERTEBRA_VALUES
from .structures import Structure

__all__ = ["LEVEL_GROUPS", "MAX_AGE", "UNITS", "Person", "Reference", "Sex"]

Sex = str
"""``F`` or ``M``, as DICOM writes it."""
MAX_AGE = 90.0
"""Ages beyond are kept as this, because great age alone can tell who a person is."""
LEVEL_GROUPS = {"cervical": "C", "thoracic": "T", "lumbar": "L"}
"""What the column of the level may hold besides a level and ``*``: all levels whose upper vertebra has this letter."""
UNITS = {"mm": "mm", "mm2": "mm²", "mm3": "mm³", "deg": "°", "1": "", "%": "%"}
"""Units by UCUM, as people write them."""
_TESLA_TOLERANCE = 0.1


@dataclass(frozen=True)
class Person:
    """What ranges may depend on; nothing that tells who it is.

    Attributes
    ----------
    sex : str or None
        ``F`` or ``M``; None where unknown or neither.
    age : float or None
        Years, at most :data:`MAX_AGE`.
    height : float or None
        Body height, centimetres.
    """

    sex: Sex | None = None
    age: float | None = None
    height: float | None = None

    @property
    def text(self) -> str:
        """In words, for example ``female, 54 years``; empty where nothing is known."""
        age = None if self.age is None else f"{'at least ' if self.age >= MAX_AGE else ''}{self.age:.0f} years"
        height = None if self.height is None else f"{self.height:.0f} cm"
        return ", ".join(filter(None, ({"F": "female", "M": "male"}.get(self.sex or ""), age, height)))


@dataclass(frozen=True)
class Reference:
    """One row of a table.

    Attributes
    ----------
    structure, level, name, method, unit
        Which measurement it is about; ``level`` may be ``*`` or a group (:data:`LEVEL_GROUPS`).
    source, short : str
        Where it is published, in full and in a word or two.
    contrast, tesla
        Kind of scan it holds for; empty and None for any.
    sex, age, height
        Kind of people it holds for: sex, lowest and highest age in years, lowest and highest body height in cm; None
        where it holds for all. A row is not used for a person of whom what it needs is not known.
    mean, sd : float or None
        Mean and standard deviation of the group.
    quantiles : mapping of float to float
        Value below which that share of the group lies.
    low, high : float or None
        Bounds of what the source calls normal, or, with a grade, of the values that have the grade: ``low`` included,
        ``high`` not.
    grade : str
        What the source calls such a value; empty where the row is a range.
    certain : bool
        Whether the grade is given only to values whose whole interval lies above ``low``.
    n : int or None
        How many people or objects.
    group, measured : str
        Who was measured, and how, in a few words.
    table : str
        Name of the file.
    """

    structure: Structure
    level: str
    name: str
    method: str
    unit: str
    source: str
    short: str
    contrast: str = ""
    tesla: float | None = None
    sex: Sex | None = None
    age: tuple[float, float] | None = None
    height: tuple[float, float] | None = None
    mean: float | None = None
    sd: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    grade: str = ""
    certain: bool = False
    n: int | None = None
    group: str = ""
    measured: str = ""
    table: str = ""

    @property
    def is_pooled(self) -> bool:
        """Whether several levels were put together, so that a rank among them says little about one level."""
        return self.level in LEVEL_GROUPS or self.level == "*"

    def covers(self, level: str) -> bool:
        """Whether it holds for a level such as ``L4-L5`` or a vertebra such as ``L4``."""
        if self.level in LEVEL_GROUPS:
            return level.split("-")[0] in VERTEBRA_VALUES and level.startswith(LEVEL_GROUPS[self.level])
        return self.level in (level, "*")

    def suits(self, person: Person, contrast: str, tesla: float | None) -> bool:
        """Whether person and scan are of the kind it was made from."""
        if self.contrast and self.contrast != contrast:
            return False
        if self.tesla is not None and (tesla is None or abs(tesla - self.tesla) > _TESLA_TOLERANCE):
            return False
        if self.sex and self.sex != person.sex:
            return False
        return _within(person.age, self.age) and _within(person.height, self.height)

    @property
    def specificity(self) -> tuple[bool, bool, int]:
        """Larger for a row that says more precisely whom it speaks of."""
        narrow = sum(limit is not None for limit in (self.sex, self.age, self.height, self.tesla))
        return self.level not in LEVEL_GROUPS and self.level != "*", self.level != "*", narrow

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """Bounds of the usual: of normal as the source says, else of the middle 95 % (or 90 %) of the group."""
        if self.low is not None or self.high is not None:
            return self.low, self.high
        for low, high in ((0.025, 0.975), (0.05, 0.95)):
            if low in self.quantiles and high in self.quantiles:
                return self.quantiles[low], self.quantiles[high]
        if self.mean is not None and self.sd is not None:
            return self.mean - 1.96 * self.sd, self.mean + 1.96 * self.sd
        return None, None

    @property
    def text(self) -> str:
        """The range in words with its group and source, for example ``151.7 ± 53.6 mm² (130 controls; Lim 2017)``."""
        unit = UNITS[self.unit]
        gap = "" if unit in ("°", "%") else " "
        low, high = self.limits
        if self.mean is not None:
            words = f"{self.mean:.1f}" + (f" ± {self.sd:.1f}" if self.sd is not None else "")
        elif low is not None and high is not None:
            words = f"{low:g}–{high:g}"
        elif low is not None or high is not None:
            words = f"≥ {low:g}" if low is not None else f"≤ {high:g}"
        else:
            words = f"median {self.quantiles[0.5]:g}" if 0.5 in self.quantiles else "see source"
        about = "; ".join(filter(None, (self.group, self.short)))
        return f"{words}{gap if unit else ''}{unit} ({about})"


def _within(value: float | None, limits: tuple[float, float] | None) -> bool:
    return limits is None or (value is not None and limits[0] <= value < limits[1])
