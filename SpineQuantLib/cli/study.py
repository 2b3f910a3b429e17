"""``spinequant study``: what labelled volumes teach about a committee."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..case.errors import InterruptedRunError
from .app import ERR, app

__all__ = ["StudyProgress", "ensemble", "failure", "measures", "study"]

study = typer.Typer(no_args_is_help=True, help="Studies on labelled volumes.")
app.add_typer(study, name="study")


class StudyProgress:
    """Tells what a study does as a bar for each of its steps."""

    def __enter__(self) -> StudyProgress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=ERR)
        self._steps: dict[str, int] = {}
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bar.stop()
        if kind is KeyboardInterrupt:
            raise InterruptedRunError("interrupted; call it again with the same work folder to go on")

    def __call__(self, what: str, done: int, of: int) -> None:
        if what not in self._steps:
            self._steps[what] = self._bar.add_task(what, total=of)
        self._bar.update(self._steps[what], completed=done, total=of)


_Index = Annotated[Path, typer.Argument(help="CSV of labelled volumes, as for train; those of split 'validation'.")]
_Model = Annotated[str, typer.Option(help="Shipped model, or path of a model folder.")]
_Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the report, its tables and what is kept.")]
_Jobs = Annotated[int, typer.Option(help="Processes of one thread each; 0: this one.", min=0)]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@study.command()
def failure(
    index: _Index,
    output: _Output,
    model: _Model = "lumbar-committee",
    each: Annotated[int, typer.Option(help="Degradations of each volume.", min=0)] = 4,
    phantoms: Annotated[int, typer.Option(help="Phantoms beside the real volumes.", min=0)] = 4,
    foreign: Annotated[list[Path] | None, typer.Option(help="Image of another body part; may be repeated.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Begin no further degradation after so many minutes.")] = None,
    jobs: _Jobs = 2,
    device: _Device = "cpu",
) -> None:
    """Does the committee know when it fails: volumes as they are and made worse, scores against the truth."""
    from ..studies.failure import failure_config, study_failure

    config = failure_config(
        model,
        index,
        output / "work",
        each=each,
        phantoms=phantoms,
        foreign=tuple(foreign or ()),
        minutes=minutes,
        jobs=jobs,
        device=device,
    )
    with StudyProgress() as tell:
        path = study_failure(config, output, tell)
    ERR.print(f"report: {escape(str(path))}", soft_wrap=True)


@study.command()
def ensemble(
    index: _Index,
    output: _Output,
    model: _Model = "lumbar-committee",
    phantoms: Annotated[int, typer.Option(help="Phantoms beside the real volumes.", min=0)] = 0,
    confidence: Annotated[float, typer.Option(help="Of the one-sided bounds.", min=0.5, max=0.999)] = 0.95,
    jobs: _Jobs = 2,
    device: _Device = "cpu",
) -> None:
    """What the committee gains over its members, what is guaranteed of it, and what is not."""
    from ..studies.ensemble import study_ensemble
    from ..studies.failure import failure_config

    config = failure_config(model, index, output / "work", each=0, phantoms=phantoms, jobs=jobs, device=device)
    with StudyProgress() as tell:
        path = study_ensemble(config, output, confidence, tell)
    ERR.print(f"report: {escape(str(path))}", soft_wrap=True)


@study.command()
def measures(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report and its tables.")],
    data: Annotated[
        Path | None, typer.Option(help="Index of labelled volumes, or a folder with one: agreement with people, too.")
    ] = None,
    model: _Model = "lumbar-committee",
    seed: Annotated[int, typer.Option(help="Of the phantoms.")] = 0,
    phantoms: Annotated[int | None, typer.Option(help="Random phantoms; 24, or 3 with --quick.", min=1)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few phantoms and volumes, to see that it works.")] = False,
    device: _Device = "cpu",
) -> None:
    """How exact the measurements are: errors on phantoms, by slice thickness, and agreement with people."""
    from ..studies.measures import study_measures

    with StudyProgress() as tell:
        path = study_measures(
            output, tell, data=data, model=model, device=device, seed=seed, quick=quick, phantoms=phantoms
        )
    ERR.print(f"report: {escape(str(path))}", soft_wrap=True)
