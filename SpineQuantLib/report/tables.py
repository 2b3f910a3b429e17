"""Measurements as tables: CSV for people and spreadsheets, JSON with geometry for programs, a frame for analysis."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..anatomy.structures import Side, Structure
from ..case.errors import InputError, OutputError
from ..case.measurement import Geometry, Measurement

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "SCHEMA_VERSION",
    "measurement_from_record",
    "measurement_record",
    "measurements_frame",
    "read_measurements",
    "write_measurements_csv",
    "write_measurements_json",
]

COLUMNS = (
    "structure",
    "level",
    "side",
    "measurement",
    "method",
    "value",
    "unit",
    "lower",
    "upper",
    "reference",
    "flag",
    "source",
    "grade",
    "automatic",
    "accuracy",
)
"""Columns of ``measurements.csv``, in order."""

SCHEMA_VERSION = 1
"""Version of ``measurements.json``."""

_DECIMALS = 3
_NUMBERS = ("value", "lower", "upper", "automatic", "accuracy")


def _finite(number: float | None) -> float | None:
    """A number as a plain float; None where it is absent or not finite (JSON knows no NaN)."""
    return None if number is None or not math.isfinite(number) else float(number)


def _record(measurement: Measurement) -> dict[str, Any]:
    """One measurement under the names of :data:`COLUMNS`; absent numbers and side are None."""
    return {
        "structure": measurement.structure.value,
        "level": measurement.level,
        "side": measurement.side.value if measurement.side else None,
        "measurement": measurement.name,
        "method": measurement.method,
        "value": _finite(measurement.value),
        "unit": measurement.unit,
        "lower": _finite(measurement.lower),
        "upper": _finite(measurement.upper),
        "reference": measurement.reference,
        "flag": measurement.flag,
        "source": measurement.source,
        "grade": measurement.grade,
        "automatic": _finite(measurement.automatic),
        "accuracy": _finite(measurement.accuracy),
    }


def _cell(field: Any) -> str:
    """A field of the CSV: numbers to three decimals without trailing zeros, absent ones empty."""
    if field is None:
        return ""
    if isinstance(field, float):
        # Adding 0.0 turns a rounded −0.0 into 0.0.
        return f"{round(field, _DECIMALS) + 0.0:.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return str(field)


def write_measurements_csv(measurements: Iterable[Measurement], path: Path) -> None:
    """Write ``measurements.csv``: UTF-8, RFC 4180, one row per measurement.

    Numbers are rounded to three decimals, which is finer than any measurement on MRI; an absent one is an empty
    field with its reason in ``flag``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(COLUMNS)
            for measurement in measurements:
                record = _record(measurement)
                writer.writerow([_cell(record[column]) for column in COLUMNS])
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); choose a folder with room and access"
        ) from error


def write_measurements_json(measurements: Iterable[Measurement], path: Path) -> None:
    """Write ``measurements.json``: full precision, with the geometry of each measurement in RAS millimetres.

    Absent numbers are ``null``; NaN never occurs.

    Raises
    ------
    OutputError
        If the file cannot be written.
    ValueError
        If a point of a geometry is not finite.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "coordinate_system": "RAS",
        "coordinate_unit": "mm",
        "measurements": [measurement_record(m) for m in measurements],
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    try:
        Path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); choose a folder with room and access"
        ) from error


def measurement_record(measurement: Measurement) -> dict[str, Any]:
    """One measurement as JSON values, with everything that :func:`measurement_from_record` needs to make it again."""
    geometry = measurement.geometry
    points = None if geometry is None else {"kind": geometry.kind, "points": [list(p) for p in geometry.points]}
    return {**_record(measurement), "spread": _finite(measurement.spread), "geometry": points}


def measurement_from_record(row: dict[str, Any]) -> Measurement:
    """The measurement that :func:`measurement_record` made a record of.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    geometry = row["geometry"]
    if geometry is not None:
        geometry = Geometry(geometry["kind"], tuple((float(r), float(a), float(s)) for r, a, s in geometry["points"]))
    return Measurement(
        structure=Structure(row["structure"]),
        level=row["level"],
        side=None if row["side"] is None else Side(row["side"]),
        name=row["measurement"],
        method=row["method"],
        unit=row["unit"],
        reference=row["reference"],
        flag=row["flag"],
        source=row["source"],
        # Cases of the first versions have no grade, automatic value or accuracy.
        grade=row.get("grade", ""),
        geometry=geometry,
        **{key: None if row.get(key) is None else float(row[key]) for key in (*_NUMBERS, "spread")},
    )


def read_measurements(path: Path) -> list[Measurement]:
    """Read ``measurements.json`` back, exactly as it was written.

    Raises
    ------
    InputError
        If the file is missing, damaged, or of another schema version.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); analyse the case again") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {version}, this software reads {SCHEMA_VERSION}; "
            "use the version of SpineQuant that wrote it, or analyse the case again"
        )
    try:
        return [measurement_from_record(row) for row in document["measurements"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); analyse the case again") from error


def measurements_frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """Measurements as a data frame with the columns of ``measurements.csv``.

    Returns
    -------
    pandas.DataFrame
        Numbers unrounded as float64 with NaN where absent; an absent side is an empty string, as in the CSV.
    """
    # pandas takes longer to load than a whole report to write, and only this function needs it.
    import pandas as pd

    rows = [{**record, "side": record["side"] or ""} for record in map(_record, measurements)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(_NUMBERS, "float64"))
