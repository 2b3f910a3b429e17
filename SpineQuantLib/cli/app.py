"""The application that the commands register with, and where they print."""

from __future__ import annotations

import typer
from rich.console import Console

__all__ = ["ERR", "OUT", "app"]

app = typer.Typer(
    help="Spine MRI turned into measurements that can be trusted and corrected. Research use, no medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ERR = Console(stderr=True)
OUT = Console()
