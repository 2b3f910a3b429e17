"""Run the command line: every way out has its exit code, none shows a traceback."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import traceback

from rich.markup import escape

from .. import __version__
from ..case.errors import EngineError, ExitCode, SpineQuantError

# Importing the modules of the commands registers them, in the order in which the help lists them.
from . import analyze, calibrate, evaluate, grow, phantom, review, study, train  # noqa: F401
from .app import ERR, OUT, app

__all__ = ["main"]


@app.command()
def version() -> None:
    """Print the version."""
    OUT.print(__version__)


def _unexpected(error: Exception) -> ExitCode:
    """Keep the traceback in a file for the report of a bug, and spare the user its sight."""
    with tempfile.NamedTemporaryFile("w", prefix="spinequant-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    ERR.print(
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
        ERR.print(f"[bold red]Error[/]: {escape(str(error))}", soft_wrap=True)
        code = error.exit_code
    except ModuleNotFoundError as error:
        name = (error.name or "a package").split(".")[0]
        ERR.print(f"[bold red]Error[/]: {escape(name)} is not installed; pip install 'spinequant[engine,dicom,mrml]'")
        code = EngineError.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: one line instead of a traceback
        code = _unexpected(error)
    sys.exit(int(code))
