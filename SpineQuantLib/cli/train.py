"""``spinequant train``, ``train-regressor`` and ``index``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .app import ERR, app

__all__ = ["index", "train", "train_regressor"]


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="JSON file with an index, a folder for results, and settings.")],
    data: Annotated[Path | None, typer.Option(help="Rebuild the index of the shipped recipe from this folder.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:N; a GPU where there is one.")] = None,
) -> None:
    """Train a committee on labelled volumes and phantoms; can be interrupted and called again."""
    from ..training.committee import CommitteeConfig, train_committee

    logging.getLogger("SpineQuantLib").setLevel(logging.INFO)
    folder = train_committee(CommitteeConfig.read(config), data, device)
    ERR.print(f"model: {escape(str(folder))}", soft_wrap=True)


@app.command()
def train_regressor(
    config: Annotated[Path, typer.Argument(help="JSON file with an index, a folder for results, and settings.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N.")] = "auto",
) -> None:
    """Train the network of the second reading: disc height and AP diameter straight from the image."""
    from ..training.regressor.run import train_direct
    from ..training.regressor.settings import RegressorTraining

    logging.getLogger("SpineQuantLib").setLevel(logging.INFO)
    folder = train_direct(RegressorTraining.read(config), device)
    ERR.print(f"model: {escape(str(folder))}", soft_wrap=True)


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="Folder with images, labels and perhaps raters.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV to write.")],
    subject: Annotated[
        str, typer.Option(help="Regular expression whose first group is the person in a file's name.")
    ] = r"^([^_-]+)",
    validation: Annotated[float, typer.Option(help="Share of the persons that are kept for validation.")] = 0.2,
    contrast: Annotated[str, typer.Option(help="Contrast of all volumes; recognised from each if left out.")] = "",
    source: Annotated[str, typer.Option(help="Name of the data set, for tables.")] = "",
    complete: Annotated[bool, typer.Option("--complete", help="The labels label everything in view.")] = False,
) -> None:
    """List a folder of images and labels for train and evaluate."""
    from ..training.index_folder import FolderRules, index_folder

    table = index_folder(folder, output, FolderRules(subject, validation, complete, contrast, source))
    count = table.groupby("split").agg(volumes=("id", "size"), persons=("subject", "nunique"))
    for split, row in count.iterrows():
        ERR.print(f"{escape(str(split))}: {row['volumes']} volumes of {row['persons']} persons", soft_wrap=True)
    ERR.print(f"index: {escape(str(output))}; look at its contrasts and persons before you train", soft_wrap=True)
