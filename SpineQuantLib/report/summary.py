"""What the report says in words and tables, drawn from a case; no HTML here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..anatomy.labels import CANAL_VALUE, describe, disc_value, foramen_value
from ..anatomy.levels import SACRUM_VALUE, vertebra_value
from ..anatomy.reference import References
from ..anatomy.structures import Side, Structure
from ..case.measurement import Measurement
from ..case.opinion import Score, Verdict
from ..case.result import CaseResult
from .doubt_pictures import flagged, members_stem
from .ranges import signed, standing
from .words import exactness, grid_share, interval, number, state, title, unit

__all__ = [
    "Cell",
    "LevelTable",
    "Look",
    "cell_of",
    "colour_key",
    "facts",
    "flagged_values",
    "level_table",
    "look_first",
    "total_seconds",
]

_ATTRIBUTES = (
    ("SeriesDescription", "Series"),
    ("ProtocolName", "Protocol"),
    ("BodyPartExamined", "Body part"),
    ("StudyDate", "Study date"),
    ("Manufacturer", "Scanner"),
    ("ManufacturerModelName", "Scanner model"),
    ("MagneticFieldStrength", "Field strength, T"),
    ("SeriesInstanceUID", "Series UID"),
)
"""DICOM attributes that the report shows, and no others: none of them names the patient."""
_LONGEST = 200
_KEY_QUANTITIES = (
    (Structure.DISC, "height", None, "Disc height"),
    (Structure.DISC, "height index", None, "Disc height index"),
    (Structure.DISC, "posterior bulge", None, "Posterior bulge"),
    (Structure.DISC, "place of posterior bulge", None, "Place of bulge"),
    (Structure.DISC, "signal ratio", None, "Disc signal to CSF"),
    (Structure.CANAL, "area", None, "Sac area"),
    (Structure.CANAL, "AP diameter", None, "Sac AP"),
    (Structure.CANAL, "compression ratio", None, "Sac compression"),
    (Structure.FORAMEN, "area", Side.RIGHT, "Foramen area, right"),
    (Structure.FORAMEN, "area", Side.LEFT, "Foramen area, left"),
    (Structure.FORAMEN, "height", Side.RIGHT, "Foramen height, right"),
    (Structure.FORAMEN, "height", Side.LEFT, "Foramen height, left"),
    (Structure.SPINE, "slip", None, "Slip"),
)
"""Columns of the table of levels; those that hold no value at all are left out."""
_PREFERRED_METHODS = ("Fyllos", "greatest beyond corner line")
"""Of several methods for one quantity the table of levels shows one: this, else the first measured. Most protrusions
lie beside the middle, where the plane through it shows little of them."""
_GRAVITY = (Verdict.PASS, Verdict.REVIEW, Verdict.FAIL)


@dataclass(frozen=True)
class Cell:
    """A value of the table of levels.

    Attributes
    ----------
    text : str
        The value, or empty where it is absent.
    interval : str
        ``4.1–5.2``, or empty.
    flagged, corrected : bool
        Whether the value is doubted; whether a person corrected it.
    rank, grade : str
        Where it stands in its range (``z −1.2``, ``below range``) and what a source calls it, in short; or empty.
    state : str
        Kind of the value as :func:`SpineQuantLib.report.words.state` tells it.
    about : str
        Range, grade, flag and the ± of the grid in full.
    share : str
        That ± alone, ``0.2`` in the unit of its column, or empty.
    """

    text: str
    interval: str = ""
    flagged: bool = False
    corrected: bool = False
    rank: str = ""
    grade: str = ""
    state: str = ""
    about: str = ""
    share: str = ""


@dataclass(frozen=True)
class LevelTable:
    """The clinical numbers, one row per level.

    Attributes
    ----------
    columns : tuple of (str, str, str)
        Quantity, method and unit of each column.
    rows : tuple of (str, Verdict or None, tuple of Cell, tuple of str)
        Level, the worst verdict on its objects, its values, and what to know about them.
    """

    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, Verdict | None, tuple[Cell, ...], tuple[str, ...]], ...]


@dataclass(frozen=True)
class Look:
    """Something to look at first: what, why, how grave, and the stem of its picture or empty."""

    what: str
    why: str
    verdict: Verdict
    picture: str


def colour_key() -> list[tuple[str, list[str]]]:
    """Kinds of objects and the CSS colours of their contours; neighbours alternate between two shades."""
    kinds = (
        ("vertebral body", [vertebra_value("L1"), vertebra_value("L2")]),
        ("S1", [SACRUM_VALUE]),
        ("disc", [disc_value("L1"), disc_value("L2")]),
        ("dural sac", [CANAL_VALUE]),
        ("right foramen", [foramen_value("L1", Side.RIGHT)]),
        ("left foramen", [foramen_value("L1", Side.LEFT)]),
    )
    return [
        (words, ["#" + "".join(f"{round(255 * c):02x}" for c in describe(value).colour) for value in values])
        for words, values in kinds
    ]


def _plain(value: Any) -> str:
    """A header's value as one short line of printable characters; headers are not to be trusted."""
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _dicom_facts(result: CaseResult) -> list[tuple[str, str]]:
    """The DICOM attributes that the report shows and the input has."""
    attributes = result.input.dicom
    found = [
        (words, key, _plain(attributes[key])) for key, words in _ATTRIBUTES if attributes.get(key) not in (None, "")
    ]
    return [(words, _date(text) if key == "StudyDate" else text) for words, key, text in found]


def _date(text: str) -> str:
    """A DICOM date (20240312) as 2024-03-12; anything else as it is."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdecimal() else text


def _input_name(result: CaseResult) -> str:
    """What was read, without folders: their names, and those of DICOM files, often hold the patient's."""
    info = result.input
    if info.format == "DICOM":
        return f"DICOM, {len(info.files)} file{'s' * (len(info.files) != 1)}"
    return f"{_plain(info.path.name)} ({info.format})"


def facts(result: CaseResult, written: str, software: str) -> list[tuple[str, str]]:
    """Header of the report: name and value of each fact.

    Parameters
    ----------
    result : CaseResult
        The case.
    written : str
        When the report was written.
    software : str
        Version of the software.
    """
    info, model = result.input, result.model
    return [
        ("Input", _input_name(result)),
        *_dicom_facts(result),
        *([("Sex and age", result.references.person.text)] if result.references.person.text else []),
        ("Contrast", f"{info.contrast} ({_plain(info.contrast_evidence)})"),
        ("Voxels", f"{' × '.join(map(str, info.size))} (i × j × k, axes to {info.orientation})"),
        ("Spacing", f"{' × '.join(f'{s:.2f}' for s in info.spacing)} mm"),
        ("Report written", written),
        *_readers(result),
        ("Software", f"SpineQuant {software}"),
        ("Model", f"{model.name} {model.version}, {model.words} (sha256 {model.sha256[:12]}…)"),
        ("Device", result.device),
        ("Input sha256", f"{info.sha256[:16]}…"),
    ]


def _readers(result: CaseResult) -> list[tuple[str, str]]:
    """Who corrected and who accepted the case; nothing where nobody has."""
    found = []
    if result.edits:
        found.append(("Corrected by", ", ".join(filter(None, result.raters)) or "unnamed reader"))
    if result.accepted:
        found.append(("Accepted by", f"{result.accepted.rater}, {result.accepted.time:%Y-%m-%d %H:%M} UTC"))
    return found


def look_first(result: CaseResult) -> list[Look]:
    """Objects the committee doubts, the worst first."""
    looks = []
    for s in flagged(result.assessment.scores):
        what = title(s.structure, s.level, s.side)
        looks.append(Look(what, s.reason.removeprefix(f"{what}: "), s.verdict, members_stem(s)))
    return looks


def flagged_values(result: CaseResult) -> list[tuple[str, list[str]]]:
    """Reasons to doubt a measured value, each with the objects it is about."""
    about: dict[str, list[str]] = {}
    for item in result.measurements:
        # An asymmetry repeats what is to be said of its two sides.
        if item.flag and item.value is not None and not item.name.endswith("asymmetry"):
            what = title(item.structure, item.level, item.side)
            for flag in item.flag.split("; "):
                objects = about.setdefault(flag, [])
                if what not in objects:
                    objects.append(what)
    return list(about.items())


def cell_of(item: Measurement, references: References) -> Cell:
    """A measurement as a cell."""
    found = standing(item, references)
    _, kind = state(item, found.place if found else "")
    about = "; ".join(filter(None, (item.reference, item.grade, item.flag, exactness(item))))
    if item.value is None:
        return Cell("", corrected=item.source == "corrected", state=kind, about=about)
    rank = "" if found is None else f"z {signed(found.z)}" if found.z is not None else ""
    # A grade says more than that a value is outside.
    if found and found.place in ("below", "above") and not item.grade:
        rank = ", ".join(filter(None, (rank, f"{found.place} range")))
    return Cell(
        number(item.value, item.unit),
        interval(item),
        bool(item.flag),
        item.source == "corrected",
        rank,
        item.grade.split(" (")[0],
        kind,
        about,
        grid_share(item),
    )


def _worst(scores: tuple[Score, ...], level: str) -> Verdict | None:
    """The gravest verdict on any object of a level; None where none was scored."""
    found = [s.verdict for s in scores if s.level == level]
    return max(found, key=_GRAVITY.index) if found else None


def level_table(result: CaseResult) -> LevelTable:
    """Disc, sac, foramina and slip of each level, side by side."""
    columns: list[tuple[tuple[str, str, str], dict[str, Measurement]]] = []
    for structure, name, side, words in _KEY_QUANTITIES:
        methods: dict[tuple[str, str], dict[str, Measurement]] = {}
        for item in result.measurements:
            if (item.structure, item.name, item.side) == (structure, name, side) and item.level in result.spine.levels:
                methods.setdefault((item.method, item.unit), {})[item.level] = item
        measured = {key: items for key, items in methods.items() if any(m.value is not None for m in items.values())}
        if measured:
            method, ucum = next((key for key in measured if key[0] in _PREFERRED_METHODS), next(iter(measured)))
            columns.append(((words, method, unit(ucum)), measured[method, ucum]))
    rows = []
    for level in result.spine.levels:
        items = [items.get(level) for _, items in columns]
        cells = tuple(cell_of(item, result.references) if item else Cell("") for item in items)
        # A disc without a bulge that stands out has no place of one, and nothing is missing from it.
        told = [i for i in items if i and (i.value is not None or i.name != "place of posterior bulge")]
        rows.append((level, _worst(result.assessment.scores, level), cells, _notes(told)))
    return LevelTable(tuple(column for column, _ in columns), tuple(rows))


def _notes(items: list[Measurement]) -> tuple[str, ...]:
    """Flags of a level's values, each once, with what it is about."""
    about: dict[tuple[str, bool], list[str]] = {}
    for item in items:
        if item.flag:
            objects = about.setdefault((item.flag, item.value is None), [])
            what = title(item.structure, "", item.side)
            if what not in objects:
                objects.append(what)
    return tuple(
        f"{', '.join(objects)}{' not measured' if absent else ''}: {flag}" for (flag, absent), objects in about.items()
    )


def total_seconds(result: CaseResult) -> float:
    """Seconds of all stages so far."""
    return sum(cost.seconds for cost in result.costs)
