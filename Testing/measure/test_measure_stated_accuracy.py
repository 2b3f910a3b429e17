"""The ± of a value tells what the grid costs in the direction that was measured, and errors keep to it."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.measure import measure_spine

DISC = ("disc", "L4-L5", "")
HEIGHT, WIDTH = (*DISC, "middle height", "mid-sagittal"), (*DISC, "width", "mid-plane")


def disc_rows(shapes, spacing, lean=0.0):
    axes, centre = shapes.pose(8.0, lean, 0.0), np.array([0.37, -0.21, 0.53])
    disc = shapes.Slab(centre, axes, 16.5, 24.0, 9.0)
    return shapes.table(measure_spine(shapes.Scene({123: disc}).on(shapes.grid_of(spacing, (66, 60, 60)))))


def test_thick_slices_cost_what_runs_across_them(shapes):
    thin, thick = disc_rows(shapes, (1.0, 1.0, 1.0)), disc_rows(shapes, (4.0, 1.0, 1.0))
    assert thick[WIDTH].accuracy > 0.7
    assert thick[WIDTH].accuracy > thin[WIDTH].accuracy + 0.2
    assert thick[HEIGHT].accuracy == pytest.approx(thin[HEIGHT].accuracy, abs=0.02)
    for rows in (thin, thick):
        assert abs(rows[WIDTH].value - 48.0) <= rows[WIDTH].accuracy
        assert abs(rows[HEIGHT].value - 9.0) <= rows[HEIGHT].accuracy
        assert all(
            (row.accuracy is None) == (row.value is None or row.unit in ("%", "1"))
            for row in rows.values()
            if row.structure == "disc"
        )


def test_what_leans_is_less_exact_and_says_so_without_a_flag(shapes):
    straight, leaning = disc_rows(shapes, (4.0, 1.0, 1.0)), disc_rows(shapes, (4.0, 1.0, 1.0), lean=9.0)
    assert leaning[HEIGHT].accuracy > straight[HEIGHT].accuracy + 0.03
    assert leaning[HEIGHT].flag == ""
