"""A small analysed case with exact truth, on an oblique, anisotropic grid in several storage orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.measurement import Geometry, Measurement
from SpineQuantLib.case.opinion import Assessment, Score, Verdict
from SpineQuantLib.case.result import CaseResult, Contrast, InputInfo, ModelInfo
from SpineQuantLib.case.spine import NamedSpine, Naming

SHAPE = (18, 64, 48)  # right to left, superior to inferior, anterior to posterior
SPACING = (4.4, 1.5, 1.25)


def _tilt(degrees: tuple[float, float, float]) -> np.ndarray:
    rotation = sitk.Euler3DTransform()
    rotation.SetRotation(*np.radians(degrees))
    return np.array(rotation.GetMatrix()).reshape(3, 3)


def _grid() -> Grid:
    # Columns to the patient's left, inferior and posterior in LPS, turned a little about all three axes.
    axes = _tilt((6.0, -4.0, 9.0)) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)
    return Grid(SHAPE, SPACING, (-31.0, -42.5, 87.25), tuple(map(tuple, axes.T)))


# (value, k, j, i) of boxes: half-open index ranges.
def _boxes(names: tuple[str, str, str]) -> list[tuple[int, slice, slice, slice]]:
    upper, middle, lower = names
    wide, body = slice(4, 14), slice(8, 26)
    return [
        (vertebra_value(upper), wide, slice(4, 18), body),
        (disc_value(upper), wide, slice(18, 24), body),
        (vertebra_value(middle), wide, slice(24, 38), body),
        (disc_value(middle), wide, slice(38, 45), body),
        (vertebra_value(lower), wide, slice(45, 60), body),
        (CANAL_VALUE, slice(7, 11), slice(2, 62), slice(28, 38)),
        (foramen_value(upper, Side.RIGHT), slice(4, 6), slice(16, 24), slice(27, 33)),
        (foramen_value(upper, Side.LEFT), slice(12, 14), slice(16, 25), slice(27, 32)),
        (foramen_value(middle, Side.RIGHT), slice(4, 6), slice(37, 45), slice(27, 33)),
        (foramen_value(middle, Side.LEFT), slice(12, 14), slice(37, 46), slice(27, 32)),
    ]


def _spine(grid: Grid, names: tuple[str, str, str]) -> NamedSpine:
    labels = np.zeros(grid.shape, np.uint16)
    for value, *box in _boxes(names):
        labels[tuple(box)] = value
    named = names[0][0] != "V"
    naming = Naming(named, "counted from S1" if named else "none", doubts=() if named else ("no sacrum in view",))
    return NamedSpine.from_labels(labels, grid, names, naming)


def _length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _measurements(grid: Grid, names: tuple[str, str, str]) -> tuple[Measurement, ...]:
    upper, middle, lower = names
    disc, low_disc = f"{upper}-{middle}", f"{middle}-{lower}"
    line = grid.to_ras([[9, 17.5, 16], [9, 23.5, 16]])
    low_line = grid.to_ras([[9, 37.5, 16], [9, 44.5, 16]])
    diameter = grid.to_ras([[9, 20, 27.5], [9, 20, 37.5]])
    angle = np.linspace(0, 2 * np.pi, 181)
    contour = grid.to_ras(np.stack([9 + 2 * np.cos(angle), 20 + 0 * angle, 32.5 + 5 * np.sin(angle)], axis=1))
    area = np.pi * 2 * SPACING[0] * 5 * SPACING[2]
    foramen = grid.to_ras([[4.5, 15.5, 27], [4.5, 15.5, 33], [4.5, 24, 33], [4.5, 24, 27]])
    centre_line = grid.to_ras([[9, j, 32.5] for j in (3.0, 20.0, 40.0, 60.0)])
    body = grid.to_ras([[9, 3.5, 8], [9, 17.5, 8]])
    canal, nf = Structure.CANAL, Structure.FORAMEN
    return (
        Measurement(Structure.DISC, disc, None, "height", "Hurxthal", _length(line), "mm", 8.1, 9.9, "Fyllos 2023",
                    accuracy=0.21, geometry=Geometry.of("line", line)),
        Measurement(Structure.DISC, low_disc, None, "height", "Hurxthal", _length(low_line), "mm",
                    geometry=Geometry.of("line", low_line)),
        Measurement(Structure.DISC, disc, None, "volume", "occupancy", 4321.5, "mm3"),
        Measurement(canal, disc, None, "AP diameter", "perpendicular", _length(diameter), "mm",
                    geometry=Geometry.of("line", diameter)),
        Measurement(canal, disc, None, "area", "perpendicular", area, "mm2",
                    geometry=Geometry.of("closed curve", contour)),
        Measurement(canal, disc, None, "perimeter", "perpendicular", _length(contour), "mm",
                    geometry=Geometry.of("closed curve", contour)),
        Measurement(canal, low_disc, None, "area", "perpendicular", None, "mm2", flag="outside the volume",
                    geometry=Geometry.of("closed curve", contour + 100)),
        Measurement(nf, disc, Side.RIGHT, "area", "parasagittal", _length(foramen[:2]) * _length(foramen[1:3]), "mm2",
                    flag="members differ", geometry=Geometry.of("closed curve", foramen)),
        Measurement(Structure.VERTEBRA, upper, None, "anterior height", "corners", _length(body), "mm",
                    geometry=Geometry.of("line", body)),
        Measurement(Structure.SPINE, "", None, "length", "centre line of the sac", _length(centre_line), "mm",
                    geometry=Geometry.of("curve", centre_line)),
    )  # fmt: skip


def _assessment(shape: tuple[int, int, int], names: tuple[str, str, str]) -> Assessment:
    level = f"{names[0]}-{names[1]}"
    scores = (
        Score(None, "", None, 0.12, 0.4, 0.93, Verdict.REVIEW, "foramina differ"),
        Score(Structure.FORAMEN, level, Side.RIGHT, None, None, None, Verdict.FAIL, "found by one member only"),
    )
    return Assessment(Verdict.REVIEW, ("foramina differ",), scores, np.zeros(shape, np.uint8))


def make_case(names: tuple[str, str, str] = ("L4", "L5", "S1"), code: str = "PIL") -> tuple[CaseResult, sitk.Image]:
    """A case and its input volume, stored with its axes in the order of an ITK orientation code."""
    grid = _grid()
    spine = _spine(grid, names)
    k, j, i = np.indices(SHAPE)
    intensity = (20 * k + 7 * j + 3 * i + 100 * (spine.labels > 0) + 300 * (spine.labels == CANAL_VALUE)).astype(
        np.int16
    )
    volume = sitk.DICOMOrient(grid.image(intensity), code)
    assert to_reading_order(volume).GetSize() == SHAPE[::-1]
    size, spacing = volume.GetSize(), volume.GetSpacing()
    info = InputInfo(Path("/data/lumbar.nii.gz"), (), "NIfTI", "ab" * 32, size, spacing, code, Contrast.T2, "header")
    members = np.zeros((5, *SHAPE), np.uint8)
    model = ModelInfo("lumbar", "1.0", "cd" * 32, 5)
    measured = _measurements(grid, names)
    assessment = _assessment(SHAPE, names)
    return CaseResult(intensity.astype(np.float32), spine, members, measured, assessment, info, model, "CPU"), volume


@pytest.fixture(scope="session")
def build_case():
    """:func:`make_case`."""
    return make_case


@pytest.fixture
def one_case() -> tuple[CaseResult, sitk.Image]:
    """A case in one order of axes."""
    return make_case(code="LPS")


@pytest.fixture
def unnamed_case() -> tuple[CaseResult, sitk.Image]:
    """A case whose levels could not be named, with label values above 255."""
    return make_case(("V3", "V2", "V1"), "RAI")
