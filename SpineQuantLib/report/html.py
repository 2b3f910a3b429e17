"""``report.html``: everything about a case on one page that works without network or scripts."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from .. import __version__
from ..case.errors import OutputError
from ..case.result import CaseResult
from .pictures import CasePictures, draw_pictures
from .ranges import sources_of, standing
from .summary import colour_key, facts, flagged_values, level_table, look_first, total_seconds
from .words import GRID_SHARE, MEANING, SIGNS, grid_share, interval, number, state, title, unit

__all__ = ["write_report"]

_FOLDER = "pictures"


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
    environment.filters.update(unit=unit, number=number, grid_share=grid_share, interval=interval)
    environment.globals.update(title=title, signs=SIGNS, meaning=MEANING, grid_share_meaning=GRID_SHARE)
    return environment.get_template("report.html.j2")


def write_report(result: CaseResult, folder: Path, *, written: datetime | None = None) -> CasePictures:
    """Write ``report.html`` and its ``pictures/`` into a case folder, and return what was drawn.

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
        pictures = draw_pictures(result, folder / _FOLDER)
        page = _page(result, pictures, f"{written:%Y-%m-%d %H:%M %Z}".strip())
        (folder / "report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"the report cannot be written into {folder} ({reason}); choose another folder") from error
    return pictures


def _page(result: CaseResult, pictures: CasePictures, written: str) -> str:
    """The page's text."""
    drawn = {picture.stem for _, picture in pictures.members}
    return _template().render(
        result=result,
        facts=facts(result, written, __version__),
        looks=look_first(result),
        structures=[s for s in result.assessment.scores if s.structure is not None and not s.level],
        flags=flagged_values(result),
        table=level_table(result),
        pictures=pictures,
        drawn=drawn,
        folder=_FOLDER,
        legend=colour_key(),
        seconds=total_seconds(result),
        states=_states(result),
        sources=sources_of(result.measurements, result.references),
    )


def _states(result: CaseResult) -> list[tuple[str, str]]:
    """What there is to say of each measurement besides its number: words and kind."""
    out = []
    for m in result.measurements:
        found = standing(m, result.references)
        out.append(state(m, found.place if found else ""))
    return out
