"""The model's card: what it was trained on, how well it does, what it is not for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from ...anatomy.levels import VERTEBRA_VALUES
from ...anatomy.structures import NetworkClass
from ...models.store import write_card as write_facts
from ..curves import CURVES_FILE, PICTURE_FILE, draw_curves
from .score import COMMITTEE
from .tables import ALL, RATERS, text

if TYPE_CHECKING:
    from .run import Evaluation

__all__ = ["NOTES_FILE", "evaluation_text", "write_card"]

NOTES_FILE = "NOTES.md"
"""What people wrote about a model; it becomes the first part of its card."""
CALIBRATION_FILE = "CALIBRATION.md"
"""How far the committee's doubt can be trusted; a part of the card where it is there."""

_GOALS = {("body", "T2"): 0.93, ("body", ""): 0.90, ("disc", ""): 0.88, ("canal", ""): 0.89, ("foramen", ""): 0.77}
_ERROR_GOALS = {("disc", "height"): 1.14, ("canal", "AP diameter"): 1.0}
_SHOWN = (
    ("disc", "height"),
    ("disc", "mean height"),
    ("disc", "depth"),
    ("canal", "AP diameter"),
    ("canal", "transverse diameter"),
    ("canal", "area"),
    ("foramen", "area"),
    ("foramen", "height"),
    ("foramen", "width"),
    ("vertebra", "anterior height"),
    ("vertebra", "middle height"),
    ("vertebra", "posterior height"),
    ("vertebra", "depth"),
)
_UNITS = {"mm2": "mm²", "mm3": "mm³"}

_MASKS = """### Masks

On {volumes} volumes of {subjects} subjects, on each volume's own grid, after naming and clearing up as `analyze` does,
over the voxels whose label is known. Dice, surface Dice at 2 mm (NSD) and 95 % Hausdorff distance (HD95, mm): means
with 95 % intervals, from a bootstrap of subjects. Discs that nobody drew are taken from the gap between drawn bodies:
they have Dice alone. *found*: drawn objects of which at least a quarter is covered."""

_RATERS = """### Raters against each other

On what both drew in the same volume ({volumes} volumes), by the same measures: what the drawings can support."""

_MEASURES = """### Measurements

The committee's masks against the manual masks, measured by the same code: mean error (bias), 95 % limits of agreement
(LoA), root mean square error (RMSE) and ICC(2,1), with 95 % intervals by subject. *missed*: values of the annotator for
which the committee gives none. Disc heights that rest on the gap between drawn bodies include the endplates, which
belong to neither."""

_CONSENSUS = """Where several raters drew the same object of these volumes: root mean square error against each of them
alone, against the mean of their values, and between two of them. What raters err differently about is no error of the
committee."""

_NAMES = """### Names of levels and sides

*abstained*: objects were found, but the levels were not named. Sides are those that the annotators took."""

_ROBUST = """### Robustness

Mean Dice under changes of the same volumes, and its fall with a 95 % interval by subject. Falls include what is lost
when the result is carried back to the annotators' grid."""


_Split = Literal["contrast", "set", "level"]

_DETAILS: dict[_Split, str] = {
    "set": "By set, where a contrast stems from several",
    "level": "By level, all contrasts together",
}


def _markdown(rows: Sequence[dict[str, object]]) -> str:
    """Rows as a Markdown table."""
    if not rows:
        return "None."
    head = [str(c) for c in rows[0]]
    lines = [head, ["---"] * len(head), *([str(v) for v in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _goal(structure: str, contrast: str, dice: float) -> str:
    goal = _GOALS.get((structure, contrast), _GOALS.get((structure, "")))
    if goal is None:
        return ""
    return f"{goal:.2f} {'reached' if dice >= goal else 'not reached'}"


def _place(row: pd.Series) -> tuple[int, str, str, int]:
    """Order of a row: structures as the networks know them, contrasts by name, levels top down."""
    levels = list(VERTEBRA_VALUES)
    upper = row["level"].split("-")[0]
    return (
        NetworkClass[row["structure"].upper()].value,
        row["reference"],
        row["contrast"],
        levels.index(upper) if upper in levels else len(levels),
    )


def _mask_rows(table: pd.DataFrame, judged: str, by: _Split = "contrast") -> list[dict[str, object]]:
    """Rows for people: structures by contrast, by contrast and set, or single objects with all contrasts together."""
    part = table[(table["judged"] == judged) & ((table["level"] != "") == (by == "level"))]
    part = part[((part["contrast"] == ALL) == (by == "level")) & ((part["source"] == ALL) == (by != "set"))]
    if by == "set":
        alike = part.groupby(["structure", "reference", "contrast"])["source"].transform("size")
        part = part[alike > 1]
    part = part.iloc[sorted(range(len(part)), key=lambda n: _place(part.iloc[n]))]
    out = []
    for _, row in part.iterrows():
        cells = {"structure": row["structure"], "manual mask": row["reference"]}
        cells |= {"level": row["level"]} if by == "level" else {"contrast": row["contrast"]}
        if by == "set":
            cells["set"] = row["source"]
        cells |= {"annotations": row["annotations"], "Dice": text(row, "dice", 3), "worst": f"{row['dice_worst']:.3f}"}
        cells |= {"NSD": text(row, "nsd", 3), "HD95": text(row, "hd95", 1)}
        if by == "level":
            cells["found"] = f"{row['found']:.0f} of {row['drawn']:.0f}" if pd.notna(row["drawn"]) else ""
        elif judged == COMMITTEE and by == "contrast":
            cells["goal"] = _goal(row["structure"], row["contrast"], row["dice"])
        out.append(cells)
    return out


def _measure_rows(table: pd.DataFrame, judged: str) -> list[dict[str, object]]:
    if table.empty:
        return []
    part = table[(table["judged"] == judged) & (table["level"] == ALL) & (table["contrast"] == ALL)]
    out = []
    for structure, name in _SHOWN:
        for _, row in part[(part["structure"] == structure) & (part["measurement"] == name)].iterrows():
            unit = _UNITS.get(row["unit"], row["unit"])
            decimals = 2 if row["unit"] == "mm" else 0
            what = f"{structure} {name}" + (f", {row['method']}" if name == "height" and structure == "disc" else "")
            cells = {
                "measurement": f"{what} ({unit})",
                "manual mask": row["reference"],
                "n": row["pairs"],
                "missed": row["missed"],
                "bias": text(row, "bias", decimals),
                "LoA": _limits(row, decimals),
                "RMSE": text(row, "rmse", decimals),
                "ICC": text(row, "icc", 2),
            }
            if judged == COMMITTEE:
                goal = _ERROR_GOALS.get((structure, name))
                cells["goal"] = ""
                if goal is not None and pd.notna(row["rmse"]):
                    cells["goal"] = f"RMSE < {goal:g} {'reached' if row['rmse'] < goal else 'not reached'}"
            out.append(cells)
    return out


def _consensus_rows(table: pd.DataFrame) -> list[dict[str, object]]:
    out = []
    for structure, name in _SHOWN:
        for _, row in table[(table["structure"] == structure) & (table["measurement"] == name)].iterrows():
            decimals = 2 if row["unit"] == "mm" else 0
            cells = {"measurement": f"{structure} {name} ({_UNITS.get(row['unit'], row['unit'])})", "n": row["values"]}
            cells["people"] = row["subjects"]
            for title, column in (
                ("against each rater", "alone"),
                ("against their mean", "mean"),
                ("bias against their mean", "bias"),
                ("between raters", "raters"),
            ):
                cells[title] = f"{row[column] + 0.0:.{decimals}f}"
            out.append(cells)
    return out


def _limits(row: pd.Series, decimals: int) -> str:
    if pd.isna(row["lower_limit"]):
        return ""
    return f"{row['lower_limit']:.{decimals}f} to {row['upper_limit']:.{decimals}f}"


def evaluation_text(result: Evaluation) -> str:
    """The tables of an evaluation in words, for the card and for ``EVALUATION.md``."""
    parts = [_MASKS.format(volumes=result.volumes, subjects=result.subjects)]
    parts.append(_markdown(_mask_rows(result.masks, COMMITTEE)))
    for by, title in _DETAILS.items():
        rows = _mask_rows(result.masks, COMMITTEE, by)
        if rows:
            parts.append(f"{title}:\n\n{_markdown(rows)}")
    between = result.scores[result.scores["judged"] != COMMITTEE]
    if len(between):
        parts.append(_RATERS.format(volumes=between["id"].nunique()))
        parts.append(_markdown(_mask_rows(result.masks, RATERS)))
    parts += [_MEASURES, _markdown(_measure_rows(result.measurements, COMMITTEE))]
    raters = _measure_rows(result.measurements, RATERS)
    if raters:
        parts.append("Raters against each other:\n\n" + _markdown(raters))
    consensus = _consensus_rows(result.consensus)
    if consensus:
        parts += [_CONSENSUS, _markdown(consensus)]
    parts += [_NAMES, _markdown(result.names.to_dict("records"))]
    if result.robustness is not None:
        rows = [
            {
                "structure": row["structure"],
                "change": row["change"],
                "volumes": row["volumes"],
                "Dice": f"{row['dice']:.3f}",
                "fall": text(row, "fall", 3),
            }
            for _, row in result.robustness.iterrows()
        ]
        parts += [_ROBUST, _markdown(rows)]
    return "\n\n".join(parts)


def _each(scores: pd.DataFrame) -> str:
    whole = scores[(scores["judged"] == COMMITTEE) & (scores["level"] == "")]
    rows = [
        {"id": s["id"], "contrast": s["contrast"], "rater": s["rater"], "structure": s["structure"],
         "Dice": f"{s['dice']:.3f}"}
        for _, s in whole.iterrows()
    ]  # fmt: skip
    return "### Each volume\n\n" + _markdown(rows)


def write_card(folder: Path, result: Evaluation) -> None:
    """Write ``CARD.md``, the summary in ``card.json`` and the picture of the learning curves into a model folder.

    Parameters
    ----------
    folder : Path
        Model folder; ``NOTES.md`` in it, if there, opens the card, ``CALIBRATION.md`` and ``curves.csv`` become
        parts of it.
    result : Evaluation
        On subjects that were not trained on.
    """
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["validation"] = result.summary(brief=True)
    write_facts(folder, card)
    parts = [f"# {card['name']} {card['version']}"]
    if (folder / NOTES_FILE).exists():
        parts.append((folder / NOTES_FILE).read_text(encoding="utf-8").strip())
    parts += ["## Validation", evaluation_text(result)]
    if (folder / CALIBRATION_FILE).exists():
        parts.append((folder / CALIBRATION_FILE).read_text(encoding="utf-8").strip())
    if draw_curves(folder / CURVES_FILE, folder / PICTURE_FILE):
        parts.append(f"## Learning curves\n\n![Loss and validation Dice of each member]({PICTURE_FILE})")
    parts.append(_each(result.scores))
    (folder / "CARD.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
