"""``spinequant calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .app import ERR, app

__all__ = ["calibrate"]


@app.command()
def calibrate(
    model: Annotated[str, typer.Argument(help="Shipped model, or path of a model folder.")],
    index: Annotated[Path, typer.Argument(help="CSV of labelled volumes; after training, its index_as_trained.csv.")],
    work: Annotated[
        Path, typer.Option(help="Folder for opinions and records, so that it can be interrupted and called again.")
    ] = Path("calibration-work"),
    each: Annotated[int, typer.Option(help="Degradations of each volume.", min=0)] = 4,
    phantoms: Annotated[int, typer.Option(help="Phantoms beside the real volumes.", min=0)] = 4,
    foreign: Annotated[list[Path] | None, typer.Option(help="Image of another body part; may be repeated.")] = None,
    coverage: Annotated[
        float, typer.Option(help="Share of true values that an interval shall hold.", min=0.5, max=0.99)
    ] = 0.9,
    minutes: Annotated[float | None, typer.Option(help="Begin no further degradation after so many minutes.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes of one thread each; 0: this one.", min=0)] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Calibrate flags, intervals and probabilities of a model on its validation volumes."""
    from ..studies.failure import calibrate_model, failure_config
    from .study import StudyProgress

    config = failure_config(
        model,
        index,
        work,
        each=each,
        phantoms=phantoms,
        foreign=tuple(foreign or ()),
        minutes=minutes,
        jobs=jobs,
        device=device,
    )
    with StudyProgress() as tell:
        path = calibrate_model(config, coverage, tell)
    ERR.print(f"calibration: {escape(str(path))}", soft_wrap=True)
    ERR.print(f"card:        {escape(str(path.parent / 'CALIBRATION.md'))}", soft_wrap=True)
