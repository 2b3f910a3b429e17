"""``spinequant review``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from .app import ERR, OUT, app
from .telling import ProgressStyle, Teller

if TYPE_CHECKING:
    from ..case.measurement import Measurement
    from ..review.case_review import CaseReview

__all__ = ["review"]

_UNITS = {"mm2": "mm²", "mm3": "mm³", "deg": "°", "1": ""}


@app.command()
def review(
    case: Annotated[Path, typer.Argument(help="Case folder.")],
    segmentation: Annotated[
        Path | None,
        typer.Option(help="Edited label map or .seg.nrrd; one that was saved into the case folder is found by itself."),
    ] = None,
    markup: Annotated[
        list[Path] | None,
        typer.Option(help="Edited .mrk.json, or a folder of them; those in the case folder are found by themselves."),
    ] = None,
    lowest_disc: Annotated[
        str | None, typer.Option(help="True name of the lowest disc in view, where the levels are off: L4-L5.")
    ] = None,
    s1_becomes_lumbar: Annotated[
        bool, typer.Option("--s1-becomes-lumbar", help="Confirm that what was taken for S1 is a lumbar vertebra.")
    ] = False,
    reset: Annotated[list[str] | None, typer.Option(help="Key of a row to take back to its automatic value.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Write the case folder again with what changed.")] = False,
    rater: Annotated[str, typer.Option(help="Who accepts; needed with --accept.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write another folder instead.")] = None,
    source: Annotated[Path | None, typer.Option(help="Where the DICOM images are now, if they were moved.")] = None,
    progress: Annotated[ProgressStyle, typer.Option(help="bar, json or none.")] = ProgressStyle.BAR,
) -> None:
    """Apply corrections to a case: edited masks and lines, renamed levels; without --accept only show what follows."""
    from ..review.case_review import CaseReview

    if accept and not rater.strip():
        raise typer.BadParameter("say who accepts the case with --rater")
    opened = CaseReview.open(case)
    opened.rater = rater.strip()
    before = {m.key: m for m in opened.measurements}
    _apply(opened, segmentation, markup or [])
    for key in reset or []:
        opened.reset(key)
    # Last, so that files which still carry the old names are understood.
    if lowest_disc is not None:
        opened.rename(lowest_disc, s1_becomes_lumbar=s1_becomes_lumbar)
    _show(opened, [m for m in opened.measurements if before.get(m.key) != m])
    if accept:
        with Teller(progress) as tell:
            folder = opened.accept(rater, output, source=source, progress=tell)
        ERR.print(f"accepted by {escape(rater.strip())}: {escape(str(folder))}", soft_wrap=True)
    elif opened.changed:
        ERR.print("nothing was written; add --accept --rater NAME to keep this")


def _apply(opened: CaseReview, segmentation: Path | None, markups: list[Path]) -> None:
    """Masks before lines: a line that was moved is meant for the mask as it is now."""
    from ..review.outside import read_label_map, read_markup, row_of_markup

    grid = opened.result.spine.grid
    files = [read_markup(file) for path in markups for file in _markup_files(path)]
    lines = [(row_of_markup(m, opened.measurements).key, m.points) for m in files]
    # Told before anything is edited, as what follows from an edit moves lines as well.
    lines = [*opened.saved_lines(), *(line for line in lines if opened.is_elsewhere(*line))]
    labels = opened.saved_labels() if segmentation is None else read_label_map(segmentation, grid)
    if labels is not None:
        opened.edit_mask(labels)
    for key, points in lines:
        opened.move(key, points)


def _markup_files(path: Path) -> list[Path]:
    return sorted(path.glob("*.mrk.json")) if path.is_dir() else [path]


def _show(opened: CaseReview, rows: list[Measurement]) -> None:
    for edit in opened.history:
        who = edit.rater or "not accepted yet"
        OUT.print(f"{edit.time:%Y-%m-%d %H:%M} UTC  {escape(who)}: {escape(edit.what)}", soft_wrap=True)
    if not rows:
        OUT.print("no measurement changes")
        return
    table = Table("structure", "level", "side", "measurement", "method", "automatic", "value", "unit", "source", "flag")
    for m in rows:
        numbers = ("" if v is None else f"{v:.2f}" for v in (m.automatic, m.value))
        cells = (m.structure, m.level, m.side or "", m.name, m.method, *numbers, _UNITS.get(m.unit, m.unit))
        table.add_row(*(escape(str(cell)) for cell in (*cells, m.source, m.flag)))
    OUT.print(table)
