"""``spinequant analyze`` and ``spinequant series``."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..case.errors import ExitCode, OutputError, SpineQuantError
from .app import ERR, OUT, app
from .telling import ProgressStyle, Teller, say_result

__all__ = ["analyze", "show_series"]


class ContrastChoice(str, Enum):
    """Contrast set by hand."""

    T1 = "T1"
    T2 = "T2"
    STIR = "STIR"


class QualityChoice(str, Enum):
    """How many networks are asked."""

    COMMITTEE = "committee"
    FAST = "fast"


class SexChoice(str, Enum):
    """Sex of the patient, as DICOM writes it."""

    F = "F"
    M = "M"


def _valid_level(level: str | None) -> str | None:
    if level is None:
        return None
    # Imported here: a command that names no level starts without what segmenting needs.
    from ..segment.naming import check_lowest_disc

    try:
        check_lowest_disc(level)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return level


def _case_name(source: Path) -> str:
    """Folder name for a case among several."""
    return re.sub(r"(\.nii\.gz|\.nii|\.nrrd|\.nhdr|\.mha|\.mhd|\.dcm)$", "", source.name, flags=re.IGNORECASE)


@app.command()
def analyze(
    source: Annotated[list[Path], typer.Argument(help="DICOM folder or file, NIfTI, NRRD or MetaImage; or several.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Case folder to make; its parent, for several inputs.")
    ],
    series: Annotated[str | None, typer.Option(help="DICOM series: UID, number or part of its description.")] = None,
    lowest_disc: Annotated[
        str | None, typer.Option(callback=_valid_level, help="Name of the lowest disc in view, for example L5-S1.")
    ] = None,
    contrast: Annotated[ContrastChoice | None, typer.Option(help="Contrast, where it is not recognised.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    model: Annotated[str | None, typer.Option(help="Shipped model, or path of a model folder.")] = None,
    quality: Annotated[
        QualityChoice, typer.Option(help="fast: a quick look by one network, without calibrated flags and intervals.")
    ] = QualityChoice.COMMITTEE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier case.")] = False,
    ranges: Annotated[
        list[Path] | None, typer.Option(help="Table of reference values of your own (CSV); may be given several times.")
    ] = None,
    sex: Annotated[SexChoice | None, typer.Option(help="Of the patient, for ranges; read from DICOM.")] = None,
    age: Annotated[
        float | None, typer.Option(min=0, max=130, help="Of the patient in years, for ranges; read from DICOM.")
    ] = None,
    height: Annotated[
        float | None, typer.Option(min=30, max=260, help="Of the patient in cm, for ranges that depend on it.")
    ] = None,
    progress: Annotated[ProgressStyle, typer.Option(help="bar, json (one event a line on stdout) or none.")] = (
        ProgressStyle.BAR
    ),
) -> None:
    """Turn a lumbar MRI into a measured, flagged case folder."""
    from ..models.store import DEFAULT_MODEL
    from ..pipeline import AnalyzeOptions
    from ..pipeline import analyze as run

    options = AnalyzeOptions(
        series=series,
        lowest_disc=lowest_disc,
        contrast=contrast.value if contrast else None,
        device=device,
        model=model or DEFAULT_MODEL,
        quality=quality.value,
        overwrite=overwrite,
        ranges=tuple(ranges or ()),
        sex=sex.value if sex else None,
        age=age,
        height=height,
    )
    places = _places(source, output)
    first_error = ExitCode.OK
    for path, place in places:
        try:
            with Teller(progress) as tell:
                result = run(path, place, options, tell)
        except SpineQuantError as error:
            if len(places) == 1:
                raise
            first_error = first_error or error.exit_code
            ERR.print(f"[bold red]Error[/] {escape(path.name)}: {escape(str(error))}", soft_wrap=True)
            continue
        say_result(result, place)
    if first_error:
        raise typer.Exit(int(first_error))


def _places(sources: list[Path], output: Path) -> list[tuple[Path, Path]]:
    """Where each input's case goes."""
    if len(sources) == 1:
        return [(sources[0], output)]
    names = [_case_name(s) for s in sources]
    doubles = sorted({n for n in names if names.count(n) > 1})
    if doubles:
        raise OutputError(f"several inputs are called {', '.join(doubles)}; analyse them one by one")
    return [(s, output / n) for s, n in zip(sources, names, strict=True)]


@app.command("series")
def show_series(source: Annotated[Path, typer.Argument(help="DICOM folder or file.")]) -> None:
    """List the DICOM series of a folder and mark the one that would be analysed."""
    from ..images.read import list_series

    table = Table("", "--series", "description", "modality", "contrast", "plane", "slices", "problem")
    for row in list_series(source):
        cells = (row.key, row.description, row.modality, row.contrast, row.plane, row.slices, row.problem)
        table.add_row("→" if row.chosen else "", *(escape(str(cell)) for cell in cells))
    OUT.print(table)
