"""Measure a case as the software does, or a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from ..case.result import CaseResult
from ..measure.spine import measure_spine

__all__ = ["measure", "measured"]


def measure(result: CaseResult, wanted: Callable[[Structure, str], bool] | None = None) -> list[Measurement]:
    """Rows of a case as its masks are; of what is not wanted there are none."""
    return measure_spine(result.spine, result.image, result.input.contrast, wanted=wanted)


def measured(result: CaseResult) -> CaseResult:
    """The case with everything measured from its masks."""
    return replace(result, measurements=tuple(measure(result)))
