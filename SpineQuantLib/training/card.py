"""The model's card: what it was trained on, how well it does, what it is not for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .evaluate import VolumeScore

__all__ = ["NOTES_FILE", "write_card"]

NOTES_FILE = "NOTES.md"
"""What people wrote about a model; it becomes the first part of its card."""


_VALIDATION = """## Validation

Dice of the committee's mean opinion on subjects that were not trained on, on the volume's own grid, over the voxels
whose label is known. Bodies and S1 as labelled by the sources; discs as drawn by the source or derived from the gap
between bodies; sac and foramina against each rater. *found*: foramina drawn by a rater of which at
least a quarter is covered."""


def _markdown(table: pd.DataFrame) -> str:
    """A frame as a Markdown table."""
    head = [str(c) for c in table.columns]
    rows = [head, ["---"] * len(head), *([str(v) for v in row] for row in table.itertuples(index=False))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _summary(frame: pd.DataFrame) -> pd.DataFrame:
    grouped = frame.groupby(["structure", "contrast"], sort=False)
    out = grouped["dice"].agg(["count", "mean", "median", "min"]).round(3).reset_index()
    drawn = grouped[["found", "of"]].sum().reset_index()
    share = [f"{f} of {n}" if n else "" for f, n in zip(drawn["found"], drawn["of"], strict=True)]
    return out.rename(columns={"count": "annotations", "min": "worst"}).assign(found=share)


def write_card(folder: Path, scores: Sequence[VolumeScore]) -> None:
    """Write ``CARD.md`` and the validation table of ``card.json`` into a model folder.

    Parameters
    ----------
    folder : Path
        Model folder; ``NOTES.md`` in it, if there, opens the card.
    scores : sequence of VolumeScore
        On subjects that were not trained on.
    """
    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["validation"] = [dataclasses.asdict(s) for s in scores]
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    notes = folder / NOTES_FILE
    parts = [f"# {card['name']} {card['version']}"]
    if notes.exists():
        parts.append(notes.read_text(encoding="utf-8").strip())
    if scores:
        frame = pd.DataFrame(card["validation"])
        parts.append(_VALIDATION)
        parts.append(_markdown(_summary(frame)))
        single = frame.assign(dice=frame["dice"].round(3)).drop(columns=["found", "of"])
        parts.append("### Each volume\n\n" + _markdown(single))
    (folder / "CARD.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
