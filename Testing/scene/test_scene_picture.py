"""What Slicer draws of a scene is where it should be."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import CANAL_VALUE, describe
from SpineQuantLib.scene.build import add_case
from SpineQuantLib.scene.host import new_host

pytest.importorskip("slicer", reason="slicer-core is not installed")

pytestmark = pytest.mark.usefixtures("off_screen")

_SPEC = importlib.util.spec_from_file_location(
    "slice_view", Path(__file__).parents[1] / "host" / "slice_view.py"
)  # fmt: skip
slice_view = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(slice_view)


def _colour_at(picture, to_pixel, ras):
    column, row = np.round((to_pixel @ (*ras, 1))[:2]).astype(int)
    return picture[row, column].astype(float)


def _hue(colour):
    """Direction of a colour away from grey."""
    tint = np.asarray(colour, float) - np.mean(colour)
    return tint / max(np.linalg.norm(tint), 1e-9)


@pytest.mark.parametrize("orientation", ["Sagittal", "Axial", "Coronal"])
@pytest.mark.parametrize("value", [CANAL_VALUE, 24, 124, 174, 204])
def test_every_structure_is_drawn_in_its_colour_where_it_lies(build_case, orientation, value):
    result, volume = build_case(code="RAI")
    spine = result.spine
    # A voxel off the lines and curves that markups draw through the middle.
    inside = np.argwhere(spine.labels == value)
    index = inside.mean(axis=0) * 0.7 + inside.max(axis=0) * 0.3
    ras = spine.grid.to_ras(index)
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        picture, to_pixel = slice_view.draw_slice(host, nodes.volume, orientation, ras)
    assert _hue(_colour_at(picture, to_pixel, ras)) @ _hue(describe(value).colour) > 0.95
    outside = spine.grid.to_ras([1, 33, 4])
    if orientation == "Coronal":
        return
    assert np.ptp(_colour_at(picture, to_pixel, outside)) < 3, "background stays grey"


def test_line_is_drawn_between_its_ends(one_case):
    result, volume = one_case
    line = result.measurements[0]
    middle = np.mean(line.geometry.points, axis=0)
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        picture, to_pixel = slice_view.draw_slice(host, nodes.volume, "Sagittal", middle)
        host.scene.GetNodeByID(nodes.markups[line.key]).GetDisplayNode().SetVisibility(False)
        without, _ = slice_view.draw_slice(host, nodes.volume, "Sagittal", middle)
    rows, columns = np.nonzero(np.abs(picture.astype(int) - without).sum(axis=-1) > 60)
    ends = np.array([(to_pixel @ (*p, 1))[:2] for p in line.geometry.points])
    drawn = np.stack([columns, rows], axis=1)
    assert len(drawn) > 20
    assert (drawn.min(axis=0) > ends.min(axis=0) - 8).all()
    assert (drawn.max(axis=0) < ends.max(axis=0) + 8).all()
    assert np.linalg.norm(np.ptp(drawn, axis=0)) == pytest.approx(np.linalg.norm(np.ptp(ends, axis=0)), abs=12)
