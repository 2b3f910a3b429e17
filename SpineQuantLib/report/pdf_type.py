"""Letters and colours of the printed page, and words set in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ..case.opinion import Verdict

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

__all__ = ["BOLD", "BRAND", "COLOURS", "FONT", "INK", "RULE", "SOFT", "plain", "register_fonts", "rich", "some"]

FONT, BOLD = "SpineQuant", "SpineQuant-Bold"
INK, SOFT, RULE, BRAND = "#15212a", "#5c666d", "#c5ccd1", "#1f3a4d"
COLOURS = {
    Verdict.PASS: ("#e6f4ef", "#00694c"),
    Verdict.REVIEW: ("#fff4d6", "#8a5a00"),
    Verdict.FAIL: ("#fde7dc", "#a33a00"),
}
"""Background and border; the sign and the word say the same without colour."""


@cache
def register_fonts() -> None:
    """DejaVu, which comes with Matplotlib, has the signs that the standard fonts of PDF lack: ≥, −, ², ⚑."""
    import matplotlib
    from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
    from reportlab.pdfbase.ttfonts import TTFont

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    registerFont(TTFont(FONT, str(fonts / "DejaVuSans.ttf")))
    registerFont(TTFont(BOLD, str(fonts / "DejaVuSans-Bold.ttf")))
    registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


@cache
def _style(size: float, colour: str = INK, bold: bool = False, align: int = 0) -> ParagraphStyle:
    from reportlab.lib.styles import ParagraphStyle

    name = f"{size}{colour}{bold}{align}"
    face = BOLD if bold else FONT
    return ParagraphStyle(name, fontName=face, fontSize=size, leading=size * 1.24, textColor=colour, alignment=align)


def plain(words: str, size: float = 7.0, colour: str = INK, *, bold: bool = False, align: int = 0) -> Paragraph:
    """A paragraph of plain words: what looks like markup is shown as it is."""
    from reportlab.platypus import Paragraph

    return Paragraph(escape(words), _style(size, colour, bold, align))


def rich(markup: str, size: float = 7.0, colour: str = INK, align: int = 0) -> Paragraph:
    """A paragraph of own markup; whatever is not ours has to be escaped in it."""
    from reportlab.platypus import Paragraph

    return Paragraph(markup, _style(size, colour, False, align))


def some(texts: Sequence[str], most: int) -> list[str]:
    """The first few of several texts, and how many more there are."""
    if len(texts) <= most:
        return list(texts)
    return [*texts[: most - 1], f"and {len(texts) - most + 1} more, see report.html"]
