"""``report.pdf``: one A4 page to print or to file, with what matters most of a case."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from .. import __version__
from ..anatomy.structures import Structure
from ..case.errors import OutputError
from ..case.measurement import Measurement
from ..case.result import CaseResult
from .pdf_levels import levels_of
from .pdf_type import BOLD, BRAND, COLOURS, FONT, RULE, SOFT, plain, register_fonts, rich, some
from .pictures import CasePictures
from .ranges import sources_of
from .summary import facts, level_table, look_first
from .words import MEANING, RESEARCH_USE, SIGNS, quantity

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Paragraph, Table

__all__ = ["write_pdf"]

_MARGIN, _GAP = 32.0, 7.0
_MAX_REASONS, _MAX_LOOKS, _MAX_NOTES = 4, 5, 8
_LEAST_PICTURES, _STRIP_SHARE = 150.0, 0.36
_ALIGNMENT = ("lordosis", "thoracic kyphosis", "cervical lordosis", "sacral slope", "coronal Cobb angle")
_SHOWN = ("height", "area", "AP diameter", "posterior bulge", "signal ratio", "slip", "deformity")
"""Quantities on this page; others and their sources are in the full report."""


def write_pdf(result: CaseResult, folder: Path, pictures: CasePictures, *, written: datetime | None = None) -> None:
    """Write ``report.pdf`` into a case folder, on one page whatever the case holds.

    What does not fit is cut with a word on where to find the rest. The text can be selected and searched; the page
    names neither the patient nor folders of the input.

    Parameters
    ----------
    result : CaseResult
        The case, with its ranges.
    folder : Path
        The case folder, which holds ``pictures/``.
    pictures : CasePictures
        What was drawn there.
    written : datetime, optional
        Date of the report; now by default.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    register_fonts()
    written = written or datetime.now().astimezone()
    path = Path(folder) / "report.pdf"
    page = Canvas(str(path), pagesize=A4, pageCompression=1)
    page.setTitle(f"SpineQuant report: {result.assessment.verdict.value}")
    page.setAuthor(f"SpineQuant {__version__}")
    page.setSubject(RESEARCH_USE)
    page.setCreator(f"SpineQuant {__version__}")
    _Sheet(page, A4, result, Path(folder), pictures, f"{written:%Y-%m-%d %H:%M %Z}".strip()).draw()
    try:
        page.save()
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); is it open in another program?") from error


@dataclass
class _Sheet:
    """The page while it is filled from the top and from the bottom; what is left between is for pictures."""

    page: Canvas
    size: tuple[float, float]
    result: CaseResult
    folder: Path
    pictures: CasePictures
    written: str
    top: float = field(init=False)
    bottom: float = field(init=False)

    def __post_init__(self) -> None:
        self.width = self.size[0] - 2 * _MARGIN
        self.top, self.bottom = self.size[1] - 26.0, 20.0

    def draw(self) -> None:
        self._header()
        self._verdict()
        self._footer()
        self._notes()
        self._table()
        self._pictures()

    def _down(self, item: Paragraph | Table, gap: float = _GAP) -> None:
        """Place something below what is there."""
        height = item.wrapOn(self.page, self.width, self.top)[1]
        item.drawOn(self.page, _MARGIN, self.top - height)
        self.top -= height + gap

    def _up(self, item: Paragraph | Table, gap: float = 3.0) -> None:
        """Place something above what is at the foot."""
        height = item.wrapOn(self.page, self.width, self.top)[1]
        item.drawOn(self.page, _MARGIN, self.bottom)
        self.bottom += height + gap

    def _header(self) -> None:
        page, right = self.page, self.size[0] - _MARGIN
        page.setFillColor(BRAND)
        page.rect(0, self.size[1] - 40, self.size[0], 40, stroke=0, fill=1)
        page.setFillColor("#ffffff")
        page.setFont(BOLD, 15)
        page.drawString(_MARGIN, self.size[1] - 26, "SpineQuant")
        page.setFont(FONT, 10)
        page.drawString(_MARGIN + 102, self.size[1] - 26, "Spine MRI measurements")
        page.setFont(FONT, 7.5)
        page.drawRightString(right, self.size[1] - 22, self.written)
        page.drawRightString(right, self.size[1] - 32, "Research use only")
        self.top = self.size[1] - 48
        shown = [
            f"<font color='{SOFT}'>{escape(name)}:</font> {escape(text)}"
            for name, text in facts(self.result, self.written, __version__)
            if name not in ("Report written", "Series UID", "Input sha256", "Software", "Model")
        ]
        self._down(rich(" &nbsp; ".join(shown), 6.5))

    def _verdict(self) -> None:
        from reportlab.platypus import Table, TableStyle

        verdict = self.result.assessment.verdict
        back, edge = COLOURS[verdict]
        reasons = some(list(self.result.assessment.reasons), _MAX_REASONS)
        word = rich(
            f"<font size='15' color='{edge}'><b>{SIGNS[verdict]} {escape(verdict.value.upper())}</b></font>", 15, edge
        )
        body = [plain(MEANING[verdict], 7.2, bold=True), *(plain(f"• {reason}", 7.0) for reason in reasons)]
        if not self.result.spine.naming.named:
            body.append(
                plain("The levels are not named: V1, V2, … count from the lowest vertebra in view.", 7.2, bold=True)
            )
        table = Table([[word, body]], colWidths=[92, self.width - 92])
        table.setStyle(
            TableStyle(
                [
                    ("BACKGROUND", (0, 0), (-1, -1), back),
                    ("BOX", (0, 0), (-1, -1), 1.4, edge),
                    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                    ("LEFTPADDING", (0, 0), (0, 0), 8),
                    ("TOPPADDING", (0, 0), (-1, -1), 4),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
                ]
            )
        )
        self._down(table)

    def _footer(self) -> None:
        model, info = self.result.model, self.result.input
        told = (
            f"{RESEARCH_USE} Every number comes from an automatic segmentation and has to be checked against the "
            f"images by a qualified reader. SpineQuant {__version__}, model {model.name} {model.version} "
            f"({model.words}, sha256 {model.sha256[:12]}…), input sha256 {info.sha256[:12]}…. All values, "
            "methods and pictures: report.html, measurements.xlsx."
        )
        self._up(plain(told, 6.0, SOFT), gap=2)
        self.page.setStrokeColor(RULE)
        self.page.setLineWidth(0.6)
        self.page.line(_MARGIN, self.bottom, self.size[0] - _MARGIN, self.bottom)
        self.bottom += 4

    def _notes(self) -> None:
        """Sources, notes and what holds for the whole spine, above the footer."""
        shown = [m for m in self.result.measurements if m.name in _SHOWN]
        sources = sources_of(shown, self.result.references)
        if sources:
            names = "; ".join(f"<b>{escape(r.short)}</b> {escape(r.source)}" for r in sources[:_MAX_NOTES])
            self._up(rich(f"<b>Sources.</b> {names}.", 5.6, SOFT))
        notes: list[str] = []
        for level, _, _, texts in level_table(self.result).rows:
            notes += [f"{level}: {text}" for text in texts]
        if notes:
            told = "; ".join(escape(text) for text in some(notes, _MAX_NOTES))
            self._up(rich(f"<b>⚑ Doubtful or not measured.</b> {told}.", 6.2))
        spine = self._whole_spine()
        if spine:
            self._up(rich(f"<b>Whole spine (supine).</b> {escape('; '.join(spine))}.", 7.0))

    def _whole_spine(self) -> list[str]:
        """Angles, the sac's smallest values, and bodies that a source grades, in words."""
        out = []
        for m in self.result.measurements:
            told = m.structure is Structure.SPINE and m.name in _ALIGNMENT
            if m.value is None or not (told or m.name.startswith("smallest") or (m.name == "deformity" and m.grade)):
                continue
            interval = "" if m.lower is None or m.upper is None else f" ({m.lower:.1f} to {m.upper:.1f})"
            name = f"{m.level} {m.name}" if m.structure is not Structure.CANAL else f"{m.name} of the sac at {m.level}"
            graded = f", {m.grade}" if m.grade else ""
            out.append(f"{name} {quantity(m.value, m.unit)}{interval}{graded}{' ⚑' if m.flag else ''}")
        return some(out, 9)

    def _table(self) -> None:
        """The levels' key values, with what the signs mean."""
        made, keys = levels_of(self.result, self.width)
        for key in keys:
            self._up(plain(key, 5.8, SOFT), gap=1)
        self._up(made if made is not None else plain("No level was measured.", 8, bold=True), gap=_GAP)

    def _pictures(self) -> None:
        """Mid-sagittal slice, the sac's curve, what to look at first, and one level, in what room is left."""
        room = self.top - self.bottom
        if room < _LEAST_PICTURES:
            return
        strip = self._chosen_level()
        low = self.bottom
        if strip is not None and room > 1.8 * _LEAST_PICTURES:
            low += self._strip(strip, min(room * _STRIP_SHARE, 165.0)) + _GAP
        height = self.top - low
        used = self._sagittal(height)
        left = _MARGIN + used + _GAP * 1.5
        rest = self.size[0] - _MARGIN - left
        looks = self._looks()
        block = sum(p.wrapOn(self.page, rest, height)[1] + 1.5 for p in looks)
        y = self.top
        for paragraph in looks:
            own = paragraph.wrapOn(self.page, rest, height)[1]
            paragraph.drawOn(self.page, left, y - own)
            y -= own + 1.5
        profile = self.result.canal_profile
        if profile is not None and profile.curve("area") and height - block > 90:
            from .pdf_plot import CanalPlot

            plot = CanalPlot(self.result, profile, FONT, BOLD)
            key = plain(plot.key, 5.6, SOFT)
            words = key.wrapOn(self.page, rest, height)[1]
            key.drawOn(self.page, left, low)
            plot.draw(self.page, left, low + words + 2, rest, height - block - words - 2 - _GAP)

    def _looks(self) -> list[Paragraph]:
        """What to look at first, in words."""
        looks = look_first(self.result)
        words = [f"{SIGNS[k.verdict]} {k.verdict}: {k.what}{f' – {k.why}' if k.why else ''}" for k in looks]
        heading = plain("Look at these first", 7.6, bold=True)
        if not words:
            return [heading, plain("The committee doubts no single object.", 7.0)]
        return [heading, *(plain(text, 6.6) for text in some(words, _MAX_LOOKS))]

    def _sagittal(self, height: float) -> float:
        """The mid-sagittal slice with contours; returns the width it took."""
        from PIL import Image
        from reportlab.lib.utils import ImageReader

        whole = Image.open(self.folder / "pictures" / self.pictures.sagittal[0].file).convert("RGB")
        # The picture holds the slice twice; the half with contours is what a page has room for.
        picture = whole.crop((whole.width // 2, 0, whole.width, whole.height))
        width = min(height * picture.width / picture.height, self.width * 0.45)
        height = width * picture.height / picture.width
        self.page.drawImage(ImageReader(picture), _MARGIN, self.top - height, width, height)
        return width

    def _chosen_level(self) -> Any:
        """The picture of the level where the sac is smallest, else of the first that was drawn."""
        stems = {picture.stem: picture for picture in self.pictures.levels}
        sac = [m for m in self.result.measurements if m.structure is Structure.CANAL and m.value is not None]
        areas = [m for m in sac if m.name == "area" and f"level_{m.level}" in stems]
        if areas:
            return stems[f"level_{_smallest(areas).level}"]
        return next(iter(self.pictures.levels), None)

    def _strip(self, picture: Any, most: float) -> float:
        """One level's picture over the whole width with its caption; returns the height it took."""
        caption = plain(f"{picture.title}: {picture.caption}", 5.8, SOFT)
        words = caption.wrapOn(self.page, self.width, 100)[1]
        width = min(self.width, (most - words - 3) * picture.width / picture.height)
        height = width * picture.height / picture.width
        caption.drawOn(self.page, _MARGIN, self.bottom)
        left = _MARGIN + (self.width - width) / 2
        path = str(self.folder / "pictures" / picture.file)
        self.page.drawImage(path, left, self.bottom + words + 3, width, height)
        return height + words + 3


def _smallest(items: list[Measurement]) -> Measurement:
    return min(items, key=lambda m: m.value if m.value is not None else float("inf"))
