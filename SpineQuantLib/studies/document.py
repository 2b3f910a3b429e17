"""A short report of a study: headings, paragraphs, tables and figures, as Markdown and as one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

__all__ = ["Document", "Figure", "Heading", "Table", "Text", "cell"]


@dataclass(frozen=True)
class Heading:
    """A heading of level 1, 2, …"""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """A picture beside the document, and what it shows."""

    file: str
    caption: str


Block = Heading | Text | Table | Figure

_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2329; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #d5dade; padding: .25rem .7rem; text-align: left; }
td + td { text-align: right; } th { color: #48525c; font-weight: 600; }
figure { margin: 1.2rem 0; } img { max-width: 100%; } figcaption { color: #48525c; font-size: .9em; }
</style></head><body>
{% for kind, block in blocks %}
{% if kind == "Heading" %}<h{{ block.level }}>{{ block.text }}</h{{ block.level }}>
{% elif kind == "Text" %}<p>{{ block.text }}</p>
{% elif kind == "Table" %}<table><tr>{% for c in block.head %}<th>{{ c }}</th>{% endfor %}</tr>
{% for row in block.rows %}<tr>{% for c in row %}<td>{{ c }}</td>{% endfor %}</tr>{% endfor %}</table>
{% else %}<figure><img alt="{{ block.caption }}" src="{{ picture(block.file) }}">
<figcaption>{{ block.caption }}</figcaption></figure>
{% endif %}{% endfor %}
</body></html>
"""


@dataclass
class Document:
    """Blocks in the order in which they are read.

    Attributes
    ----------
    title : str
        Of the page.
    blocks : list of Block
        Its content.
    """

    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Add blocks at the end."""
        self.blocks.extend(blocks)

    def markdown(self) -> str:
        """The document as Markdown; figures are links."""
        return "\n\n".join(map(_markdown, self.blocks)) + "\n"

    def write(self, folder: Path, stem: str) -> Path:
        """Write ``STEM.md`` and ``STEM.html`` (figures within it) into a folder that holds the figures.

        Returns
        -------
        pathlib.Path
            The HTML file.
        """
        (folder / f"{stem}.md").write_text(self.markdown(), encoding="utf-8")

        def picture(file: str) -> Markup:
            return Markup("data:image/png;base64," + base64.b64encode((folder / file).read_bytes()).decode())

        template = Environment(autoescape=True).from_string(_HTML)
        page = template.render(title=self.title, blocks=[(type(b).__name__, b) for b in self.blocks], picture=picture)
        path = folder / f"{stem}.html"
        path.write_text(page, encoding="utf-8")
        return path


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Text):
        return block.text
    if isinstance(block, Figure):
        return f"![{block.caption}]({block.file})"
    lines = [list(block.head), ["---"] * len(block.head), *block.rows]
    return "\n".join(f"| {' | '.join(c.replace('|', '∣') for c in line)} |" for line in lines)


def cell(value: Any, digits: int = 2, percent: bool = False) -> str:
    """A value for a table; a dash for what is not known."""
    if value is None:
        return "–"
    if percent:
        return f"{100 * value:.0f} %"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)
