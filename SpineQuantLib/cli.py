"""``spinequant``: the shell's door to the library."""

from __future__ import annotations

import logging
import re
import signal
import sys
import tempfile
import traceback
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import __version__
from .case.errors import EngineError, ExitCode, InterruptedRunError, OutputError, SpineQuantError
from .case.progress import ProgressEvent

if TYPE_CHECKING:
    from .case.result import CaseResult

__all__ = ["app", "main"]

app = typer.Typer(
    help="Spine MRI turned into measurements that can be trusted and corrected. Research use, no medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_ERR = Console(stderr=True)
_OUT = Console()


class ProgressStyle(str, Enum):
    """How progress is told."""

    BAR = "bar"
    JSON = "json"
    NONE = "none"


class ContrastChoice(str, Enum):
    """Contrast set by hand."""

    T1 = "T1"
    T2 = "T2"
    STIR = "STIR"


class _Teller:
    """Tells progress as a bar for people or as JSON lines for programs."""

    def __init__(self, style: ProgressStyle) -> None:
        self._style = style
        self._bar: Progress | None = None
        self._task = None

    def __enter__(self) -> _Teller:
        if self._style is ProgressStyle.BAR:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
            self._bar = Progress(*columns, TimeElapsedColumn(), console=_ERR, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=1.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        if kind is KeyboardInterrupt:
            raise InterruptedRunError("interrupted; nothing was written")

    def __call__(self, event: ProgressEvent) -> None:
        if self._style is ProgressStyle.JSON:
            sys.stdout.write(event.to_json() + "\n")
            sys.stdout.flush()
        elif self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=event.fraction, description=escape(event.message or event.stage))


def _valid_level(level: str | None) -> str | None:
    if level is None:
        return None
    # Imported here: a command that names no level starts without what segmenting needs.
    from .segment.naming import check_lowest_disc

    try:
        check_lowest_disc(level)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return level


def _case_name(source: Path) -> str:
    """Folder name for a case among several."""
    return re.sub(r"(\.nii\.gz|\.nii|\.nrrd|\.nhdr|\.mha|\.mhd|\.dcm)$", "", source.name, flags=re.IGNORECASE)


def _say_result(result: CaseResult, output: Path) -> None:
    colour = {"pass": "green", "review": "yellow", "fail": "red"}[result.assessment.verdict.value]
    _ERR.print(f"[bold {colour}]{result.assessment.verdict.value.upper()}[/]  {escape(result.input.path.name)}")
    for reason in result.assessment.reasons[:6]:
        _ERR.print(f"  – {escape(reason)}")
    more = len(result.assessment.reasons) - 6
    if more > 0:
        _ERR.print(f"  – and {more} more, see the report")
    for remark in result.input.remarks:
        _ERR.print(f"  {escape(remark)}")
    seconds = sum(c.seconds for c in result.costs)
    peak = max((c.peak_memory_mb for c in result.costs), default=0.0)
    _ERR.print(f"  {result.device}, {seconds:.0f} s ({_stages(result)}), peak memory {peak / 1024:.1f} GB")
    _ERR.print(f"  case:   {escape(str(output))}")
    _ERR.print(f"  report: {escape(str(output / 'report.html'))}")


def _stages(result: CaseResult) -> str:
    return ", ".join(f"{c.stage} {c.seconds:.1f}" for c in result.costs)


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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier case.")] = False,
    progress: Annotated[ProgressStyle, typer.Option(help="bar, json (one event a line on stdout) or none.")] = (
        ProgressStyle.BAR
    ),
) -> None:
    """Turn a lumbar MRI into a measured, flagged case folder."""
    from .models.store import DEFAULT_MODEL
    from .pipeline import AnalyzeOptions
    from .pipeline import analyze as run

    options = AnalyzeOptions(
        series=series,
        lowest_disc=lowest_disc,
        contrast=contrast.value if contrast else None,
        device=device,
        model=model or DEFAULT_MODEL,
        overwrite=overwrite,
    )
    places = _places(source, output)
    first_error = ExitCode.OK
    for path, place in places:
        try:
            with _Teller(progress) as tell:
                result = run(path, place, options, tell)
        except SpineQuantError as error:
            if len(places) == 1:
                raise
            first_error = first_error or error.exit_code
            _ERR.print(f"[bold red]Error[/] {escape(path.name)}: {escape(str(error))}", soft_wrap=True)
            continue
        _say_result(result, place)
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
    from .images.read import list_series

    table = Table("", "--series", "description", "modality", "contrast", "plane", "slices", "problem")
    for row in list_series(source):
        cells = (row.key, row.description, row.modality, row.contrast, row.plane, row.slices, row.problem)
        table.add_row("→" if row.chosen else "", *(escape(str(cell)) for cell in cells))
    _OUT.print(table)


@app.command()
def phantom(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for image, labels and true measurements.")],
    seed: Annotated[int, typer.Option(help="Seed of shape, contrast and noise.")] = 0,
) -> None:
    """Make a phantom MRI of a lumbar spine with exactly known truth."""
    import numpy as np

    from .training.phantom import PhantomSpec, make_phantom, save_phantom

    save_phantom(make_phantom(PhantomSpec.random(np.random.default_rng(seed))), output)
    _ERR.print(f"phantom: {escape(str(output))}")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="JSON file with an index, a folder for results, and settings.")],
    data: Annotated[Path | None, typer.Option(help="Rebuild the index of the shipped recipe from this folder.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:N; a GPU where there is one.")] = None,
) -> None:
    """Train a committee on labelled volumes and phantoms; can be interrupted and called again."""
    from .training.committee import CommitteeConfig, train_committee

    logging.getLogger("SpineQuantLib").setLevel(logging.INFO)
    folder = train_committee(CommitteeConfig.read(config), data, device)
    _ERR.print(f"model: {escape(str(folder))}")


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the phantom and its case.")] = Path("demo"),
) -> None:
    """Make a phantom MRI, analyse it with the shipped committee, and say where to look."""
    from .pipeline import AnalyzeOptions
    from .pipeline import analyze as run
    from .training.phantom import PhantomSpec, make_phantom, save_phantom

    case = output / "case"
    _ERR.print("making a phantom MRI of a lumbar spine")
    save_phantom(make_phantom(PhantomSpec()), output / "phantom")
    with _Teller(ProgressStyle.BAR) as tell:
        result = run(output / "phantom" / "image.nii.gz", case, AnalyzeOptions(overwrite=True), tell)
    _say_result(result, case)
    _ERR.print(f"  truth:  {escape(str(output / 'phantom' / 'truth.csv'))}")
    _ERR.print(f"  scene:  {escape(str(case / 'scene.mrb'))} (drag it into 3D Slicer)")


@app.command()
def version() -> None:
    """Print the version."""
    _OUT.print(__version__)


def _unexpected(error: Exception) -> ExitCode:
    """Keep the traceback in a file for the report of a bug, and spare the user its sight."""
    with tempfile.NamedTemporaryFile("w", prefix="spinequant-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    _ERR.print(
        f"[bold red]Error[/]: something unforeseen happened ({escape(type(error).__name__)}: {escape(str(error))}). "
        f"Please report it with {escape(file.name)}",
        soft_wrap=True,
    )
    return ExitCode.UNEXPECTED


def _interrupt(*_: object) -> None:
    """Being asked to end is like Ctrl-C: what was begun is tidied up."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; every way out has an exit code of :class:`~SpineQuantLib.case.errors.ExitCode`."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
        code = ExitCode.OK
    except SpineQuantError as error:
        _ERR.print(f"[bold red]Error[/]: {escape(str(error))}", soft_wrap=True)
        code = error.exit_code
    except ModuleNotFoundError as error:
        name = (error.name or "a package").split(".")[0]
        _ERR.print(f"[bold red]Error[/]: {escape(name)} is not installed; pip install 'spinequant[engine,dicom,mrml]'")
        code = EngineError.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: one line instead of a traceback
        code = _unexpected(error)
    sys.exit(int(code))


if __name__ == "__main__":
    main()
