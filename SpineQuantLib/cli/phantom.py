"""``spinequant phantom`` and ``spinequant demo``: without a scan of one's own."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .app import ERR, app
from .telling import ProgressStyle, Teller, say_result

__all__ = ["demo", "phantom"]


class Region(str, Enum):
    """Part of the spine that a phantom shows."""

    LUMBAR = "lumbar"
    THORACIC = "thoracic"
    CERVICAL = "cervical"


@app.command()
def phantom(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for image, labels and true measurements.")],
    seed: Annotated[int, typer.Option(help="Seed of shape, contrast and noise.")] = 0,
    region: Annotated[Region, typer.Option(help="Part of the spine in view.")] = Region.LUMBAR,
) -> None:
    """Make a phantom MRI of a spine with exactly known truth: lumbar, thoracic or cervical."""
    import numpy as np

    from ..training.phantom import PhantomSpec, make_phantom, save_phantom

    save_phantom(make_phantom(PhantomSpec.random(np.random.default_rng(seed), region.value)), output)
    ERR.print(f"phantom: {escape(str(output))}", soft_wrap=True)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the phantom and its case.")] = Path("demo"),
) -> None:
    """Make a phantom MRI, analyse it with the shipped committee, and say where to look."""
    from ..pipeline import AnalyzeOptions
    from ..pipeline import analyze as run
    from ..training.phantom import PhantomSpec, make_phantom, save_phantom

    case = output / "case"
    ERR.print("making a phantom MRI of a lumbar spine")
    save_phantom(make_phantom(PhantomSpec()), output / "phantom")
    with Teller(ProgressStyle.BAR) as tell:
        result = run(output / "phantom" / "image.nii.gz", case, AnalyzeOptions(overwrite=True), tell)
    say_result(result, case)
    ERR.print(f"  truth:  {escape(str(output / 'phantom' / 'truth.csv'))}", soft_wrap=True)
    ERR.print(f"  scene:  {escape(str(case / 'scene.mrb'))} (drag it into 3D Slicer)", soft_wrap=True)
