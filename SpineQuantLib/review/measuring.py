"""Measure a case as the software does, or a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..anatomy.structures import Structure
from ..case.canal_profile import CanalProfile
from ..case.measurement import Measurement
from ..case.result import CaseResult
from ..measure.landmarks import Landmarks
from ..measure.spine import measure_spine, measure_spine_and_canal

__all__ = ["measure", "measure_with_sac", "measured"]


def measure(
    result: CaseResult, wanted: Callable[[Structure, str], bool] | None = None, landmarks: Landmarks | None = None
) -> list[Measurement]:
    """Rows of a case as its masks are; of what is not wanted there are none. Landmarks are those of its masks."""
    return measure_spine(result.spine, result.image, result.input.contrast, wanted=wanted, landmarks=landmarks)


def measure_with_sac(
    result: CaseResult, wanted: Callable[[Structure, str], bool], landmarks: Landmarks | None = None
) -> tuple[list[Measurement], CanalProfile | None]:
    """Rows as of :func:`measure`, and the profile of the dural sac."""
    spine = result.spine
    return measure_spine_and_canal(spine, result.image, result.input.contrast, wanted=wanted, landmarks=landmarks)


def measured(result: CaseResult) -> CaseResult:
    """The case with everything measured from its masks."""
    rows, profile = measure_with_sac(result, lambda _structure, _level: True)
    return replace(result, measurements=tuple(rows), canal_profile=profile)
