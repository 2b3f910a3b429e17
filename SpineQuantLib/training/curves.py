"""Learning curves: a CSV a member while it trains, one for the committee, and their picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["CURVES_FILE", "PICTURE_FILE", "CurveFile", "collect_curves", "draw_curves"]

CURVES_FILE = "curves.csv"
"""In a model folder: the curves of all members, with a column ``member``."""
PICTURE_FILE = "learning_curves.png"
_DPI = 72


class CurveFile:
    """The curve of one member: a row every some steps.

    Parameters
    ----------
    path : Path
        CSV with the columns ``step`` and ``columns``.
    columns : sequence of str
        What is recorded beside the step.
    after : int
        Rows up to this step are kept, later ones are from a run that was interrupted and goes on before them.
    """

    def __init__(self, path: Path, columns: Sequence[str], after: int = 0) -> None:
        self._path = path
        self._columns = ("step", *columns)
        kept = []
        if after and path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [r for r in csv.DictReader(file) if int(r["step"]) <= after]
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, self._columns, restval="", extrasaction="ignore")
            table.writeheader()
            table.writerows(kept)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Append a row; columns without a value stay empty."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, self._columns, restval="")
            table.writerow({"step": step, **{k: f"{v:.5g}" for k, v in values.items()}})


def collect_curves(files: Sequence[Path], path: Path) -> None:
    """Put the members' curves into one file; nothing is written where there are none."""
    frames = [pd.read_csv(f).assign(member=n) for n, f in enumerate(files) if f.exists()]
    if frames:
        pd.concat(frames, ignore_index=True).to_csv(path, index=False)


def draw_curves(table: Path, picture: Path) -> bool:
    """Draw loss and validation Dice of each member over the steps.

    Parameters
    ----------
    table : Path
        As :func:`collect_curves` writes it.
    picture : Path
        PNG.

    Returns
    -------
    bool
        False where there is no table, and so no picture.
    """
    if not table.exists():
        return False
    frame = pd.read_csv(table)
    scores = [c for c in frame.columns if c.startswith("dice")]
    panels = ["loss", *(s for s in scores if frame[s].notna().any())]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.0 * columns, 2.8 * rows), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for n, name in enumerate(panels):
        axes = figure.add_subplot(rows, columns, n + 1)
        for member, part in frame.dropna(subset=[name]).groupby("member"):
            axes.plot(part["step"], part[name], lw=1.2, marker="" if name == "loss" else ".", label=f"member {member}")
        axes.set_title("training loss" if name == "loss" else f"validation {name.replace('_', ' ')}", fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if n == 0:
            axes.legend(fontsize=7)
    figure.savefig(picture)
    return True
