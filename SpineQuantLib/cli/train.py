"""``spinequant train``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .app import ERR, app

__all__ = ["train"]


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
    ERR.print(f"model: {escape(str(folder))}")
