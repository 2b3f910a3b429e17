"""``spinequant grow``: annotations proposed by a committee, accepted by a person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..case.errors import InputError
from .app import ERR, app

__all__ = ["grow"]


@app.command()
def grow(
    index: Annotated[Path, typer.Argument(help="CSV of labelled volumes, as for training.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the proposals and their pictures.")],
    model: Annotated[str | None, typer.Option(help="Shipped model, or path of a model folder.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Id of a volume; may be given several times.")] = None,
    accept: Annotated[
        Path | None,
        typer.Option(help="Propose nothing; write this index, which trains on the proposals still in the folder."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Propose sac and foramina for training volumes where nobody drew them; look, correct, accept.

    Each proposal is a mask ID.nii.gz and a picture ID.png. Delete the masks that are wrong, or correct them in Slicer;
    then call again with --accept.
    """
    from ..training.collect import read_index

    try:
        volumes = read_index(index)
    except (OSError, ValueError) as error:
        raise InputError(f"the index of labelled volumes cannot be used: {error}") from error
    if accept is not None:
        from ..training.grow import accept_proposals

        accepted = accept_proposals(index, output, accept)
        ERR.print(f"{len(accepted)} proposals accepted: {escape(str(accept))}", soft_wrap=True)
        return
    from ..models.committee import load_committee
    from ..models.store import DEFAULT_MODEL
    from ..training.grow import propose_all

    table = propose_all(load_committee(model or DEFAULT_MODEL, device), volumes, output, only or None)
    ERR.print(f"proposals: {escape(str(output))}, listed in {escape(str(table))}", soft_wrap=True)
