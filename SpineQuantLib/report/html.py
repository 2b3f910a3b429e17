"""``report.html``: everything about a case on one page that works without network or scripts."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from .. import __version__
from ..case.errors import OutputError
from ..case.opinion import Verdict
from ..case.result import CaseResult
from .pictures import draw_pictures
from .summary import colour_key, facts, flagged_values, level_table, look_first, total_seconds
from .words import number, title, unit

__all__ = ["write_report"]

_FOLDER = "pictures"
_SIGNS = {Verdict.PASS: "✓", Verdict.REVIEW: "!", Verdict.FAIL: "✕"}
_MEANING = {
    Verdict.PASS: "The members of the committee agree. Look at the contours before you use the numbers.",
    Verdict.REVIEW: "Parts of this result are in doubt. Check what is listed below before you use any number of it.",
    Verdict.FAIL: "This result should not be used as it is. The reasons are given below.",
}


@cache
def _template() -> Template:
    """The page; every value in it is escaped, as headers of an image are not to be trusted."""
    environment = Environment(
        loader=PackageLoader("SpineQuantLib.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(unit=unit, number=number)
    environment.globals.update(title=title, signs=_SIGNS, meaning=_MEANING)
    return environment.get_template("report.html.j2")


def write_report(result: CaseResult, folder: Path, *, written: datetime | None = None) -> None:
    """Write ``report.html`` and its ``pictures/`` into a case folder.

    The page names neither the patient nor the folders of the input.

    Parameters
    ----------
    result : CaseResult
        The case; arrays in reading order.
    folder : Path
        The case folder; made where it does not exist.
    written : datetime, optional
        Date of the report; now by default.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    folder = Path(folder)
    written = written or datetime.now().astimezone()
    try:
        (folder / _FOLDER).mkdir(parents=True, exist_ok=True)
        page = _page(result, folder, f"{written:%Y-%m-%d %H:%M %Z}".strip())
        (folder / "report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"the report cannot be written into {folder} ({reason}); choose another folder") from error


def _page(result: CaseResult, folder: Path, written: str) -> str:
    """The page's text; draws the pictures it shows."""
    pictures = draw_pictures(result, folder / _FOLDER)
    drawn = {picture.stem for _, picture in pictures.members}
    return _template().render(
        result=result,
        facts=facts(result, written, __version__),
        looks=look_first(result),
        flags=flagged_values(result),
        table=level_table(result),
        pictures=pictures,
        drawn=drawn,
        folder=_FOLDER,
        legend=colour_key(),
        seconds=total_seconds(result),
    )
