"""Markups show what was measured: the same length, the same area, where a reader can drag them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.measurement import Geometry, Measurement
from SpineQuantLib.scene.host import new_host
from SpineQuantLib.scene.markups import add_markup, shown_together, thinned


def _distance(point: np.ndarray, polyline: np.ndarray) -> float:
    start, along = polyline[:-1], np.diff(polyline, axis=0)
    length = np.maximum((along**2).sum(1), 1e-30)
    share = np.clip(((point - start) * along).sum(1) / length, 0, 1)
    return float(np.linalg.norm(point - start - share[:, None] * along, axis=1).min())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-100, 100)] * 3), min_size=2, max_size=40), st.floats(0.01, 5))
def test_no_dropped_point_is_farther_than_the_tolerance(points, tolerance):
    points = np.array(points)
    kept = thinned(points, tolerance)
    assert (kept[0] == points[0]).all()
    assert (kept[-1] == points[-1]).all()
    assert max(_distance(p, kept) for p in points) <= tolerance + 1e-6
    assert {tuple(p) for p in kept} <= {tuple(p) for p in points}


def test_points_on_a_straight_line_are_dropped():
    assert len(thinned(np.linspace([0, 0, 0], [10, 20, 30], 100))) == 2


def _measured(value, geometry, name="area", flag="", unit="mm2"):
    return Measurement(Structure.CANAL, "L4-L5", None, name, "m", value, unit, flag=flag, geometry=geometry)


def test_one_geometry_one_markup():
    square = Geometry("closed curve", ((0, 0, 0), (4, 0, 0), (4, 3, 0), (0, 3, 0)))
    other = Geometry("closed curve", ((0, 0, 1), (4, 0, 1), (4, 3, 1)))
    rows = (_measured(12.0, square), _measured(6.0, other, "width"), _measured(14.0, square, "perimeter"))
    groups = shown_together(rows)
    assert [[m.name for m in g] for g in groups] == [["area", "perimeter"], ["width"]]


def test_no_markup_without_value_or_shape():
    degenerate = Geometry("closed curve", ((0, 0, 0), (1, 0, 0)))
    whole = Geometry("line", ((0, 0, 0), (1, 0, 0)))
    rows = (_measured(1.0, None), _measured(1.0, degenerate), _measured(None, whole, flag="outside the volume"))
    assert shown_together(rows) == []


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="blob"):
        shown_together([_measured(1.0, Geometry("blob", ((0, 0, 0),)))])


@pytest.fixture
def scene():
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    with new_host() as host:
        yield host.scene


@pytest.mark.parametrize("closing_point", [False, True])
def test_closed_curve_encloses_the_measured_area(scene, closing_point):
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=closing_point)
    tilt = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0]])
    points = np.stack([9 * np.cos(angle), 6 * np.sin(angle)], axis=1) @ tilt + [10, -200, 50]
    area = np.pi * 9 * 6
    node = add_markup(scene, [_measured(area, Geometry.of("closed curve", points))])
    node.GetMeasurement("area").SetEnabled(True)
    assert node.GetMeasurement("area").GetValue() == pytest.approx(area, rel=0.005)
    assert 10 < node.GetNumberOfControlPoints() < 80


def test_line_is_as_long_as_its_points_are_apart(scene):
    line = Geometry("line", ((1.23456789, -20.5, 300.125), (4.5, -31.75, 305.0625)))
    expected = np.linalg.norm(np.subtract(*line.points))
    node = add_markup(scene, [_measured(expected, line, unit="mm")])
    assert node.GetMeasurement("length").GetValue() == pytest.approx(expected, abs=1e-9)
    assert not node.GetLocked()
    assert node.GetName() == "canal_L4-L5_area_m"


def test_what_is_not_the_size_of_its_markup_cannot_be_dragged(scene):
    frame = Geometry("closed curve", ((0, 0, 0), (4, 0, 0), (4, 9, 0), (0, 7, 0)))
    assert add_markup(scene, [_measured(8.0, frame, name="height", unit="mm")]).GetLocked()
