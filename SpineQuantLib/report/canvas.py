"""Figures of one or more picture panels at a true scale: image, contours, lines, letters and scale bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ..case.errors import OutputError
from .views import Box, View

__all__ = ["DPI", "Canvas", "Colour", "Panel", "Picture", "save_figure"]

Colour = str | tuple[float, ...]
Style = str | tuple[int, tuple[int, ...]]

DPI = 100
_GAP = 6
_STRIP = 22
_NARROWEST = 186
"""Pixels that a column has at least, for the title above it."""
_END_STROKE = 1.2
_BACKGROUND = "#0b0d10"
_TEXT = "#e8eaed"
_EDGE = (withStroke(linewidth=2.2, foreground="#000000"),)
_LENGTHS = (100, 50, 20, 10, 5)


@dataclass(frozen=True)
class Picture:
    """A picture that was written.

    Attributes
    ----------
    stem : str
        File name without its ending; also its anchor in the report.
    title, caption, alt : str
        Heading, what is drawn and how, and what a person who cannot see it should know.
    width, height : int
        Pixels.
    """

    stem: str
    title: str
    caption: str
    alt: str
    width: int
    height: int

    @property
    def file(self) -> str:
        """Name of the file in the folder of pictures."""
        return f"{self.stem}.png"


class Panel:
    """One picture of a canvas; its coordinates are the millimetres of a view."""

    def __init__(self, axes: Axes, view: View, box: Box) -> None:
        self.axes = axes
        # Only what shows is sampled; the margin keeps the edges of the samples out of sight.
        self.view = view.cropped(box.grown(2 * max(view.step)))
        self.box = box
        axes.set_xlim(box.left, box.right)
        axes.set_ylim(box.bottom, box.top)
        axes.set_axis_off()

    def image(self, array: np.ndarray, window: tuple[float, float], order: int = 1) -> None:
        """Grey image of a volume on the view, from black at ``window[0]`` to white at ``window[1]``."""
        self._show(self.view.sample(array, order), cmap="gray", vmin=window[0], vmax=window[1])

    def heat(self, array: np.ndarray, vmax: float, opacity: float = 0.85) -> None:
        """Colour overlay of a volume, transparent where it is 0 and opaque from a quarter of ``vmax`` on."""
        values = self.view.sample(array)
        alpha = np.clip(values * 4 / vmax, 0, 1) * opacity
        self._show(values, cmap="inferno", vmin=0, vmax=vmax, alpha=alpha)

    def _show(self, values: np.ndarray, **style: object) -> None:
        """A sampled array at its place; drawn smoothly, as pixels may be larger than those of the screen."""
        box = self.view.box
        self.axes.imshow(
            values,
            extent=(box.left, box.right, box.bottom, box.top),
            interpolation="bicubic",
            aspect="auto",
            **style,
        )
        # imshow sets the limits to the image's own.
        self.axes.set_xlim(self.box.left, self.box.right)
        self.axes.set_ylim(self.box.bottom, self.box.top)

    def curves(self, curves: Iterable[np.ndarray], colour: Colour, width: float = 1.3, style: Style = "-") -> None:
        """Curves (n, 2) in picture millimetres."""
        self.axes.add_collection(LineCollection(list(curves), colors=[colour], linewidths=width, linestyles=style))

    def segment(self, points: np.ndarray, colour: Colour = "#ffffff", width: float = 1.6) -> None:
        """A measured line or open curve (n, 2), with end strokes; dark-edged so that it shows on anything."""
        lines = [points]
        for end, before in ((points[0], points[1]), (points[-1], points[-2])):
            direction = end - before
            across = np.array([-direction[1], direction[0]]) / max(float(np.hypot(*direction)), 1e-6) * _END_STROKE
            lines.append(np.array([end - across, end + across]))
        collection = LineCollection(lines, colors=[colour], linewidths=width)
        collection.set_path_effects([withStroke(linewidth=width + 1.4, foreground="#000000")])
        self.axes.add_collection(collection)

    def text(
        self, x: float, y: float, text: str, colour: Colour = _TEXT, size: float = 8.5, align: str = "center"
    ) -> None:
        """Words at a point, with a dark edge; in a lighter shade of the colour, for small letters need contrast."""
        shade = tuple(0.65 * c + 0.35 for c in to_rgb(colour))
        self.axes.text(
            x,
            y,
            text,
            color=shade,
            fontsize=size,
            ha=align,
            va="center",
            path_effects=_EDGE,
            clip_on=True,
            parse_math=False,
        )

    def letters(self) -> None:
        """Patient sides at the four edges; those of the left and right edge at the top, clear of what is drawn."""
        places = ((0.015, 0.985, "left", "top"), (0.985, 0.985, "right", "top"))
        places += ((0.5, 0.985, "center", "top"), (0.5, 0.015, "center", "bottom"))
        for letter, (x, y, ha, va) in zip(self.view.letters, places, strict=True):
            self.axes.text(
                x,
                y,
                letter,
                transform=self.axes.transAxes,
                color=_TEXT,
                fontsize=11,
                fontweight="bold",
                ha=ha,
                va=va,
                path_effects=_EDGE,
            )

    def scale_bar(self) -> None:
        """A bar of a round length at the lower left, with the length in words."""
        length = next((n for n in _LENGTHS if n <= self.box.width * 0.35), _LENGTHS[-1])
        margin = 0.035 * max(self.box.width, self.box.height)
        x, y = self.box.left + margin, self.box.bottom - margin
        height = self.box.height * 0.008 + 0.15
        self.axes.add_patch(Rectangle((x, y - height), length, height, facecolor=_TEXT, edgecolor="#000000", lw=0.6))
        self.axes.text(
            x + length / 2, y - height * 2, f"{length} mm", color=_TEXT, fontsize=8, ha="center", va="bottom",
            path_effects=_EDGE,
        )  # fmt: skip


class Canvas:
    """A dark figure of panels, all at one scale.

    Parameters
    ----------
    panels : sequence of (View, Box)
        What each panel shows, row by row.
    scale : float
        Pixels per millimetre.
    columns : int
        Panels in a row.
    titles : sequence of str
        One above each panel.
    strip : int
        Pixels kept free below the panels, for a legend.
    """

    def __init__(
        self,
        panels: Sequence[tuple[View, Box]],
        scale: float,
        columns: int,
        titles: Sequence[str],
        strip: int = 0,
    ) -> None:
        rows = -(-len(panels) // columns)
        # Panels and titles of one column have the same width; a single row may mix wide and narrow ones.
        widths = [max(max(box.width for _, box in panels[n::columns]) * scale, _NARROWEST) for n in range(columns)]
        height = max(box.height for _, box in panels) * scale
        self.width = round(sum(widths) + (columns + 1) * _GAP)
        self.height = round(rows * (height + _STRIP) + (rows + 1) * _GAP + strip)
        self.figure = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI, facecolor=_BACKGROUND)
        FigureCanvasAgg(self.figure)
        self.panels: list[Panel] = []
        for number, ((view, box), title) in enumerate(zip(panels, titles, strict=True)):
            row, column = divmod(number, columns)
            left = _GAP + sum(widths[:column]) + column * _GAP + (widths[column] - box.width * scale) / 2
            top = _GAP + row * (height + _STRIP + _GAP) + _STRIP
            axes = self.figure.add_axes(
                (
                    left / self.width,
                    1 - (top + box.height * scale) / self.height,
                    box.width * scale / self.width,
                    box.height * scale / self.height,
                )
            )
            self.panels.append(Panel(axes, view, box))
            # A title has the room that every column has at least, which a narrow panel stands in the middle of.
            self._title(title, left - max(_NARROWEST - box.width * scale, 0) / 2, top)

    def _title(self, title: str, left: float, top: float) -> None:
        """Words above a panel."""
        self.figure.text(
            left / self.width,
            1 - (top - _STRIP / 2) / self.height,
            title,
            color=_TEXT,
            fontsize=9,
            va="center",
            parse_math=False,
        )

    def legend(self, entries: Sequence[tuple[str, Colour, Style]]) -> None:
        """Line samples with words in the strip below the panels: (words, colour, line style)."""
        at = _GAP + 4
        y = 12 / self.height
        for words, colour, style in entries:
            ends = [at / self.width, (at + 26) / self.width]
            line = Line2D(ends, [y, y], transform=self.figure.transFigure, color=colour, lw=1.8, ls=style)
            self.figure.add_artist(line)
            self.figure.text((at + 31) / self.width, y, words, color=_TEXT, fontsize=8, va="center", parse_math=False)
            at += 46 + 6.2 * len(words)

    def colour_bar(self, low: str, high: str) -> None:
        """The scale of :meth:`Panel.heat` in the strip below the panels, with words at its ends."""
        y = 12 / self.height
        start, length = 120, 160
        bar = self.figure.add_axes((start / self.width, y - 5 / self.height, length / self.width, 10 / self.height))
        bar.imshow(np.linspace(0, 1, 64)[None], cmap="inferno", aspect="auto")
        bar.set_axis_off()
        for x, words, align in ((start - 8, low, "right"), (start + length + 8, high, "left")):
            self.figure.text(x / self.width, y, words, color=_TEXT, fontsize=8, va="center", ha=align, parse_math=False)

    def save(self, folder: Path, stem: str, title: str, caption: str, alt: str) -> Picture:
        """Write a PNG.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        save_figure(self.figure, folder / f"{stem}.png", _BACKGROUND)
        return Picture(stem, title, caption, alt, self.width, self.height)


def save_figure(figure: Figure, path: Path, background: Colour) -> None:
    """Write a figure as PNG.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        figure.savefig(path, dpi=DPI, facecolor=background, pil_kwargs={"compress_level": 2})
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); choose a folder with room and access"
        ) from error
