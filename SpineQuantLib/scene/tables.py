"""Measurements and scores as MRML tables, with a unit and a description for each column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from ..case.opinion import Score

__all__ = ["Column", "add_table", "fill_table", "measurement_columns", "overview_columns", "score_columns"]

_DIMENSIONLESS = "1"
# MRML's reader of tables stumbles over rows whose first cell is empty, so that cell says what it stands for.
_ALL_LEVELS = "all"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        Heading.
    description : str
        What it holds.
    values : tuple
        One per row: str, or float with None where there is no value.
    unit : str
        UCUM unit of numbers, empty for text and for numbers whose unit another column gives.
    """

    name: str
    description: str
    values: tuple[str | float | None, ...]
    unit: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers; a column with nothing but None does."""
        return not any(isinstance(v, str) for v in self.values) and bool(self.values)


def measurement_columns(measurements: Sequence[Measurement], markups: Mapping[str, str]) -> list[Column]:
    """Columns of the table of all measurements, named as in ``measurements.csv``; one row each.

    Parameters
    ----------
    measurements : sequence of Measurement
        Rows.
    markups : mapping of str to str
        Name of the markup that shows a measurement, by the measurement's key.
    """

    def column(name: str, description: str, values: Iterable[Any]) -> Column:
        return Column(name, description, tuple(values))

    return [
        column("structure", "disc, canal, foramen, vertebra or spine", (m.structure.value for m in measurements)),
        column("level", "vertebra, or the two vertebrae of a level", (m.level for m in measurements)),
        column("side", "the patient's side", (m.side.value if m.side else "" for m in measurements)),
        column("measurement", "measured quantity", (m.name for m in measurements)),
        column("method", "named method; methods differ by millimetres", (m.method for m in measurements)),
        column("value", "measured value, in the unit of its row", (m.value for m in measurements)),
        column("unit", "UCUM unit of value, lower and upper", (m.unit for m in measurements)),
        column("lower", "lower end of the interval, in the unit of its row", (m.lower for m in measurements)),
        column("upper", "upper end of the interval, in the unit of its row", (m.upper for m in measurements)),
        column("reference", "reference range and its source", (m.reference for m in measurements)),
        column("flag", "why to doubt the value, or why there is none", (m.flag for m in measurements)),
        column("grade", "grade by a published cut-off, with its source", (m.grade for m in measurements)),
        column("source", "automatic or corrected", (m.source for m in measurements)),
        column("automatic", "value before a correction, in the unit of its row", (m.automatic for m in measurements)),
        column(
            "accuracy",
            "± that voxels and slices alone leave the value, in the unit of its row; lower and upper hold it already",
            (m.accuracy for m in measurements),
        ),
        column("markup", "name of the markup that shows it", (markups.get(m.key, "") for m in measurements)),
    ]


def overview_columns(measurements: Sequence[Measurement], structure: Structure) -> list[Column]:
    """Columns of the overview of one structure: a row for each level and side, a column for each quantity and method.

    Empty where nothing of the structure was measured.
    """
    own = [m for m in measurements if m.structure is structure]
    rows = list(dict.fromkeys((m.level, m.side) for m in own))
    kinds = list(dict.fromkeys((m.name, m.method, m.unit) for m in own))
    values = {(m.level, m.side, m.name, m.method): m.value for m in own}
    if not own:
        return []
    levels = tuple(level or _ALL_LEVELS for level, _ in rows)
    columns = [Column("level", "vertebra, or the two vertebrae of a level", levels)]
    if any(side for _, side in rows):
        columns.append(Column("side", "the patient's side", tuple(side.value if side else "" for _, side in rows)))
    for name, method, unit in kinds:
        heading = f"{name} ({method})" if method else name
        found = tuple(values.get((level, side, name, method)) for level, side in rows)
        columns.append(Column(heading, f"{structure} {name}, method {method or 'not named'}", found, unit))
    columns.append(Column("flag", "why to doubt a value of the row, or why there is none", tuple(_flags(own, rows))))
    return columns


def _flags(own: Sequence[Measurement], rows: Sequence[tuple[str, Any]]) -> Iterable[str]:
    for row in rows:
        flags = (m.flag for m in own if (m.level, m.side) == row and m.flag)
        yield "; ".join(dict.fromkeys(flags))


def score_columns(scores: Sequence[Score]) -> list[Column]:
    """Columns of the table of how far the committee's members agree; one row per score, the case first."""
    return [
        Column(
            "structure", "structure, or the case", tuple(s.structure.value if s.structure else "case" for s in scores)
        ),
        Column("level", "empty for a structure as a whole", tuple(s.level for s in scores)),
        Column("side", "the patient's side", tuple(s.side.value if s.side else "" for s in scores)),
        Column(
            "entropy",
            "von Neumann entropy of the Dice matrix: 0 all agree, 1 all disjoint",
            tuple(s.entropy for s in scores),
            _DIMENSIONLESS,
        ),
        Column(
            "eigenvalue",
            "largest eigenvalue of the disagreement matrix",
            tuple(s.eigenvalue for s in scores),
            _DIMENSIONLESS,
        ),
        Column("mean Dice", "mean over pairs of members", tuple(s.mean_dice for s in scores), _DIMENSIONLESS),
        Column("verdict", "pass, review or fail", tuple(s.verdict.value for s in scores)),
        Column("reason", "why", tuple(s.reason for s in scores)),
    ]


def add_table(scene: Any, name: str, columns: Sequence[Column]) -> Any:
    """Add a table to a scene.

    Numbers become a column of doubles in which a missing value is NaN; a table has no other way to leave one out.

    Returns
    -------
    vtkMRMLTableNode
        With unit and description of each column; they are kept in the schema beside the stored table.
    """
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    node.SetUseColumnTitleAsColumnHeader(False)
    fill_table(node, columns)
    node.SetLocked(True)
    node.AddDefaultStorageNode()
    return node


def fill_table(node: Any, columns: Sequence[Column]) -> None:
    """Put other columns into a table; what refers to the node, as plots do, shows them."""
    import vtk

    modified = node.StartModify()
    node.RemoveAllColumns()
    for column in columns:
        numeric = column.is_numeric
        array = vtk.vtkDoubleArray() if numeric else vtk.vtkStringArray()
        array.SetName(column.name)
        for value in column.values:
            array.InsertNextValue(float("nan") if numeric and value is None else value)
        node.AddColumn(array)
        node.SetColumnDescription(column.name, column.description)
        node.SetColumnUnitLabel(column.name, column.unit)
    node.EndModify(modified)
