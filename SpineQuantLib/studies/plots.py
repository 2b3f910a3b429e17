"""Small plots of the studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..uncertainty.thresholds import SCORES

__all__ = ["bars", "lines", "plot_reliability", "plot_risk_coverage"]

# Okabe and Ito's colours stay apart under the common colour-vision deficiencies; dashes tell them apart without any.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (3, 1)), "-")
_MARKS = ("o", "s", "^", "D", "v", "x", "+")


def _axes(size: tuple[float, float], columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.6)
    return figure, axes if columns > 1 else axes[0]


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=90)


def plot_risk_coverage(curves: Mapping[str, Mapping[str, list[float]]], winner: str, path: Path) -> None:
    """Selective risk of each score against the share of objects that is kept."""
    figure, ax = _axes((5.2, 3.4))
    for n, (name, curve) in enumerate(curves.items()):
        ax.plot(
            curve["coverage"],
            curve["risk"],
            color=_COLOURS[n % len(_COLOURS)],
            linestyle=_DASHES[n % len(_DASHES)],
            linewidth=2.4 if name == winner else 1.2,
            label=SCORES[name][1] + (" (best)" if name == winner else ""),
        )
    ax.set_xlabel("share of objects kept, surest first")
    ax.set_ylabel("mean 1 − Dice of those kept")
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=7, frameon=False)
    _save(figure, path)


def plot_reliability(studies: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Frequency against probability of each structure, before and after the temperature."""
    figure, axes = _axes((2.4 * max(len(studies), 2), 2.6), max(len(studies), 2))
    for ax, study in zip(axes, studies, strict=False):
        ax.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
        for when, n in (("before", 1), ("after", 0)):
            pairs = zip(study[f"probability_{when}"], study[f"share_{when}"], strict=True)
            points = [(p, s) for p, s in pairs if p is not None and s is not None]
            ax.plot(
                *zip(*points, strict=True),
                marker="o",
                color=_COLOURS[n],
                linestyle=_DASHES[n],
                markersize=3,
                label=when,
            )
        ax.set_title(study["structure"], fontsize=9)
        ax.set_xlabel("probability", fontsize=8)
        ax.tick_params(labelsize=7)
    axes[0].set_ylabel("share that belongs to it", fontsize=8)
    axes[0].legend(fontsize=7, frameon=False)
    _save(figure, path)


def lines(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
    path: Path,
    *,
    joined: bool = True,
) -> None:
    """Named series of (x, y), as points or joined by lines."""
    figure, ax = _axes((5.2, 3.2))
    for n, (name, (x, y)) in enumerate(series.items()):
        dash = _DASHES[n % len(_DASHES)] if joined else "none"
        ax.plot(x, y, marker=_MARKS[n % len(_MARKS)], markersize=4, color=_COLOURS[n % 7], linestyle=dash, label=name)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.legend(fontsize=7, frameon=False)
    _save(figure, path)


def bars(values: Mapping[str, float], label: str, path: Path, marked: str = "") -> None:
    """Named bars, one of them marked by its colour and a hatch."""
    figure, ax = _axes((5.2, 0.6 + 0.32 * len(values)))
    for n, (name, value) in enumerate(values.items()):
        ax.barh(n, value, color=_COLOURS[0 if name == marked else 5], hatch="//" if name == marked else None)
        ax.text(value, n, f" {value:.4g}", va="center", fontsize=7)
    ax.set_yticks(range(len(values)), list(values), fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel(label, fontsize=8)
    _save(figure, path)
