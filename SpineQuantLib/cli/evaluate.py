"""``spinequant evaluate``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .app import ERR, app

__all__ = ["evaluate"]


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Shipped model, or path of a model folder.")],
    index: Annotated[Path, typer.Argument(help="CSV of labelled volumes; after training, its index_as_trained.csv.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, pictures and predictions.")],
    split: Annotated[str, typer.Option(help="Which set: validation, train or all.")] = "validation",
    robustness: Annotated[
        int, typer.Option(help="Degrade this many volumes in 13 ways and score them again; slow.", min=0)
    ] = 0,
    card: Annotated[bool, typer.Option("--card", help="Write the model's card anew.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Score a model on labelled volumes: masks, measurements, names; can be interrupted and called again."""
    from ..training.evaluation.run import evaluate_index

    logging.getLogger("SpineQuantLib").setLevel(logging.INFO)
    result = evaluate_index(model, index, output, split=split, device=device, robustness=robustness, card=card)
    ERR.print(
        f"{result.volumes} volumes of {result.subjects} subjects: {escape(str(output / 'EVALUATION.md'))}",
        soft_wrap=True,
    )
    if card:
        ERR.print(f"card: {escape(str(result.model.folder / 'CARD.md'))}", soft_wrap=True)
