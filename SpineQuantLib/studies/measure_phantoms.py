"""Measured against true values of phantoms: over random people, and over slice thicknesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ..case.measurement import Measurement
from ..measure.spine import measure_spine
from ..training.phantom import Phantom, PhantomSpec, make_phantom

__all__ = ["LIMITS", "THICKNESSES", "error_table", "measure_people", "measure_thicknesses", "thickness_table"]

Tell = Callable[[str, int, int], None]

THICKNESSES = (1.0, 2.0, 3.0, 4.0, 5.0)
LIMITS = {"mm": 0.3, "mm2": 3.0, "mm3": 3.0, "deg": 1.0}
"""What an error should stay within: millimetres, per cent of an area or volume, degrees."""
_PLACED_BY_RESULT = ("coronal Cobb angle",)
_KEYS = ["structure", "measurement", "method", "error_unit"]


def measure_people(count: int, seed: int, tell: Tell) -> pd.DataFrame:
    """Errors on random phantoms: any size, posture, disease, tilt, and slices of 2 to 5 mm.

    Parameters
    ----------
    count : int
        Phantoms.
    seed : int
        Of all that is random.
    tell : callable
        Told what is done, how many are done, and of how many.

    Returns
    -------
    pandas.DataFrame
        A row for every true value, see :func:`errors_of`.
    """
    rng = np.random.default_rng(seed)
    specs = [PhantomSpec.random(rng) for _ in range(count)]
    return _measured(specs, "random phantoms", tell)


def measure_thicknesses(people: int, seed: int, tell: Tell) -> pd.DataFrame:
    """Errors on the same healthy people, scanned straight and oblique, with slices of 1 to 5 mm."""
    rng = np.random.default_rng(seed)
    specs = []
    for n in range(people):
        turn = tuple(float(v) for v in rng.normal(0.0, 4.0, 3))
        person = PhantomSpec(variation=1.0, seed=seed + n, slice_rotation=turn, lordosis=float(rng.uniform(38, 58)))
        for thickness in THICKNESSES:
            slices = int(np.ceil(72.0 / thickness))
            specs.append(replace(person, size=(slices, 240, 176), spacing=(thickness, 1.0, 1.0)))
    return _measured(specs, "slice thicknesses", tell)


def _measured(specs: list[PhantomSpec], what: str, tell: Tell) -> pd.DataFrame:
    rows = []
    for n, spec in enumerate(specs):
        tell(what, n, len(specs))
        rows += errors_of(make_phantom(spec), n)
    tell(what, len(specs), len(specs))
    return pd.DataFrame(rows)


def _place(row: Measurement) -> tuple:
    level = "" if row.name in _PLACED_BY_RESULT else row.level
    return row.structure, level, row.side, row.name, row.method


def errors_of(phantom: Phantom, number: int) -> Iterator[dict[str, object]]:
    """A record for every true value of a phantom that the software has a row for.

    Errors of areas and volumes are per cent of the true value, all others in the unit of the value; absent where
    nothing was measured, with the reason in ``flag``.
    """
    measured = {_place(row): row for row in measure_spine(phantom.spine())}
    for true in phantom.truth:
        row = measured.get(_place(true))
        if row is None or true.value is None:
            continue
        share = true.unit in ("mm2", "mm3")
        scale = 100.0 / true.value if share else 1.0
        error = None if row.value is None else _error(row, true) * scale
        yield {
            "phantom": number,
            "slice_mm": phantom.spec.spacing[0],
            "pixel_mm": phantom.spec.spacing[1],
            "structure": str(true.structure),
            "level": true.level,
            "side": str(true.side or ""),
            "measurement": true.name,
            "method": true.method,
            "unit": true.unit,
            "true": true.value,
            "measured": row.value,
            "error": error,
            "error_unit": "%" if share else true.unit,
            "limit": LIMITS.get(true.unit),
            "accuracy": None if row.accuracy is None else row.accuracy * scale,
            "flag": row.flag,
        }


def _error(row: Measurement, true: Measurement) -> float:
    """Measured less true value; of a curve found between other vertebrae, that of its size.

    A spine that bends both ways has two curves of nearly one size, and either may be the greatest.
    """
    elsewhere = true.name in _PLACED_BY_RESULT and row.level != true.level
    return abs(row.value) - abs(true.value) if elsewhere else row.value - true.value


def _summary(part: pd.DataFrame) -> pd.Series:
    error = part["error"].dropna().astype(float)
    limit = part["limit"].iloc[0]
    within = None if pd.isna(limit) or not len(error) else float((error.abs() <= limit).mean())
    stated = part[["error", "accuracy"]].dropna().astype(float)
    return pd.Series(
        {
            "count": len(error),
            "bias": error.mean(),
            "rmse": float(np.sqrt((error**2).mean())) if len(error) else np.nan,
            "p95": error.abs().quantile(0.95) if len(error) else np.nan,
            "max": error.abs().max(),
            "limit": limit,
            "within_limit": within,
            "within_accuracy": float((stated["error"].abs() <= stated["accuracy"]).mean()) if len(stated) else None,
            "absent": int(part["error"].isna().sum()),
        }
    )


def error_table(errors: pd.DataFrame) -> pd.DataFrame:
    """Bias, RMSE, 95 % and greatest error of every measure, of rows without and with a flag."""
    errors = errors.assign(rows=np.where(errors["flag"] == "", "unflagged", "flagged"))
    parts = {key: _summary(part) for key, part in errors.groupby([*_KEYS, "rows"], sort=False)}
    table = pd.DataFrame(parts).T.rename_axis([*_KEYS, "rows"]).reset_index()
    return table.astype({"count": int, "absent": int})


def thickness_table(errors: pd.DataFrame) -> pd.DataFrame:
    """RMSE and 95 % of the error of every measure by slice thickness, flagged rows included."""
    parts = {key: _summary(part) for key, part in errors.groupby([*_KEYS, "slice_mm"], sort=False)}
    return pd.DataFrame(parts).T.rename_axis([*_KEYS, "slice_mm"]).reset_index()
