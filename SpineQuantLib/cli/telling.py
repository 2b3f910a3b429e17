"""What a person or a program is told while a case is analysed, and at its end."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..case.errors import InterruptedRunError
from ..case.progress import ProgressEvent
from .app import ERR

if TYPE_CHECKING:
    from ..case.result import CaseResult

__all__ = ["ProgressStyle", "Teller", "say_result"]


class ProgressStyle(str, Enum):
    """How progress is told."""

    BAR = "bar"
    JSON = "json"
    NONE = "none"


class Teller:
    """Tells progress as a bar for people or as JSON lines for programs."""

    def __init__(self, style: ProgressStyle) -> None:
        self._style = style
        self._bar: Progress | None = None
        self._task = None

    def __enter__(self) -> Teller:
        if self._style is ProgressStyle.BAR:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
            self._bar = Progress(*columns, TimeElapsedColumn(), console=ERR, transient=True)
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


def say_result(result: CaseResult, output: Path) -> None:
    colour = {"pass": "green", "review": "yellow", "fail": "red"}[result.assessment.verdict.value]
    ERR.print(f"[bold {colour}]{result.assessment.verdict.value.upper()}[/]  {escape(result.input.path.name)}")
    for reason in result.assessment.reasons[:6]:
        ERR.print(f"  – {escape(reason)}")
    more = len(result.assessment.reasons) - 6
    if more > 0:
        ERR.print(f"  – and {more} more, see the report")
    for remark in result.input.remarks:
        ERR.print(f"  {escape(remark)}")
    seconds = sum(c.seconds for c in result.costs)
    peak = max((c.peak_memory_mb for c in result.costs), default=0.0)
    ERR.print(f"  {result.device}, {seconds:.0f} s ({_stages(result)}), peak memory {peak / 1024:.1f} GB")
    # A path that is broken into lines cannot be copied.
    ERR.print(f"  case:   {escape(str(output))}", soft_wrap=True)
    ERR.print(f"  report: {escape(str(output / 'report.html'))}", soft_wrap=True)


def _stages(result: CaseResult) -> str:
    return ", ".join(f"{c.stage} {c.seconds:.1f}" for c in result.costs)
