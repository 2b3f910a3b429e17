"""What a reader drags and draws in the scene is read back exactly, and the scene follows; also after it was stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.canal_profile import CanalProfile, CanalSection
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.measurement import Geometry
from SpineQuantLib.scene.build import add_case
from SpineQuantLib.scene.files import write_scene, write_segmentation
from SpineQuantLib.scene.host import new_host
from SpineQuantLib.scene.markups import control_points, measurement_keys, points_of
from SpineQuantLib.scene.read_back import labels_of
from SpineQuantLib.scene.reopen import case_folder_of, find_cases
from SpineQuantLib.scene.update import ensure_segment, show_result, show_segmentation
from SpineQuantLib.scene.volume import vtk_image

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
vtk = pytest.importorskip("vtk")
numpy_support = pytest.importorskip("vtk.util.numpy_support")

# Axes of the stored volume in every kind of order: sagittal, axial and coronal slices, flipped and not.
CODES = ["PIL", "LPS", "RAI", "ASR", "RSP", "IPL"]
BINARY = "Binary labelmap"


def segment(scene, nodes, segment_id):
    return scene.GetNodeByID(nodes.segmentation).GetSegmentation().GetSegment(segment_id)


def paint(scene, nodes, result, segment_id, index):
    """What Slicer's editor does: the segment gets a label map of its own, cut to what is drawn, on the volume's axes.

    Slicer may have turned these over when it read the volume, as it wants them right-handed.
    """
    matrix, inverse = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    scene.GetNodeByID(nodes.volume).GetIJKToRASMatrix(matrix)
    scene.GetNodeByID(nodes.volume).GetRASToIJKMatrix(inverse)
    ijk = [inverse.MultiplyPoint((*ras, 1.0))[:3] for ras in result.spine.grid.to_ras(np.array(index))]
    ijk = np.rint(ijk).astype(int)
    low, high = ijk.min(axis=0), ijk.max(axis=0)
    part = np.zeros((high - low + 1)[::-1], np.uint8)
    part[tuple((ijk - low).T[::-1])] = 1
    image = vtk_image(part, slicer.vtkOrientedImageData())
    image.SetExtent(*[int(v) for pair in zip(low, high, strict=True) for v in pair])
    image.SetGeometryFromImageToWorldMatrix(matrix)
    edited = segment(scene, nodes, segment_id)
    edited.RemoveRepresentation(BINARY)
    edited.AddRepresentation(BINARY, image)
    edited.SetLabelValue(1)


def with_profile(result):
    centre = result.spine.grid.to_ras([9, 20, 32.5])
    sections = (
        CanalSection(0.0, tuple(centre), 150.0, 12.0, 18.0, "L4"),
        CanalSection(2.0, tuple(centre), None, None, None, "", "cut by the edge of the field of view"),
        CanalSection(4.0, tuple(centre), 90.0, 9.0, 15.0, "L4-L5"),
    )
    height = replace(
        next(m for m in result.measurements if m.structure is Structure.DISC), method="Fyllos", lower=None, upper=None
    )
    return replace(result, canal_profile=CanalProfile(sections), measurements=(*result.measurements, height))


@pytest.mark.parametrize("code", CODES)
def test_masks_come_back_as_they_went_whatever_the_axes(build_case, code):
    result, volume = build_case(code=code)
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        labels = labels_of(host.scene.GetNodeByID(nodes.segmentation), result.spine.grid)
        np.testing.assert_array_equal(labels, result.spine.labels)


@pytest.mark.parametrize("code", CODES)
def test_a_painted_segment_is_read_where_it_was_painted(build_case, code):
    result, volume = build_case(code=code)
    disc = disc_value("L4")
    drawn = [(9, 19, 10), (9, 20, 10), (10, 20, 12), (4, 22, 20)]
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        paint(host.scene, nodes, result, result.spine.label(disc).segment_id, drawn)
        labels = labels_of(host.scene.GetNodeByID(nodes.segmentation), result.spine.grid)
    expected = np.where(result.spine.labels == disc, 0, result.spine.labels)
    expected[tuple(np.array(drawn).T)] = disc
    np.testing.assert_array_equal(labels, expected)


def test_a_segment_of_something_else_is_refused(one_case):
    result, volume = one_case
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        node = host.scene.GetNodeByID(nodes.segmentation)
        stranger = slicer.vtkSegment()
        stranger.SetName("tumour")
        node.GetSegmentation().AddSegment(stranger, "Segment_1")
        np.testing.assert_array_equal(labels_of(node, result.spine.grid), result.spine.labels)
        paint(host.scene, nodes, result, "Segment_1", [(0, 0, 0)])
        with pytest.raises(InputError, match="tumour"):
            labels_of(node, result.spine.grid)


def test_overlap_transform_and_another_grid_are_refused(one_case):
    result, volume = one_case
    disc = result.spine.label(disc_value("L4")).segment_id
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        node = host.scene.GetNodeByID(nodes.segmentation)
        taken = tuple(np.argwhere(result.spine.labels == CANAL_VALUE)[0])
        paint(host.scene, nodes, result, disc, [taken])
        with pytest.raises(InputError, match="overlaps"):
            labels_of(node, result.spine.grid)
        paint(host.scene, nodes, result, disc, [(9, 20, 10)])
        image = segment(host.scene, nodes, disc).GetRepresentation(BINARY)
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        matrix.SetElement(0, 3, matrix.GetElement(0, 3) + 0.6)
        image.SetGeometryFromImageToWorldMatrix(matrix)
        with pytest.raises(InputError, match="grid"):
            labels_of(node, result.spine.grid)
        node.SetAndObserveTransformNodeID(host.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode").GetID())
        with pytest.raises(InputError, match="transform"):
            labels_of(node, result.spine.grid)


def test_a_dragged_point_is_read_where_the_volume_was_measured(one_case):
    """A transform over the whole study moves the image too: nothing was corrected."""
    result, volume = one_case
    key = "disc_L4-L5_height_Hurxthal"
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        node = host.scene.GetNodeByID(nodes.markups[key])
        assert key in measurement_keys(node)
        node.SetNthControlPointPosition(1, 1.25, -2.5, 3.75)
        assert points_of(node)[1] == pytest.approx((1.25, -2.5, 3.75))
        shift = host.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(2, 3, 10.0)
        shift.SetMatrixTransformToParent(matrix)
        node.SetAndObserveTransformNodeID(shift.GetID())
        assert points_of(node)[1] == pytest.approx((1.25, -2.5, 3.75))
        show_result(host.scene, nodes, result)
        own = next(m.geometry.points for m in result.measurements if m.key == key)
        assert points_of(node) == pytest.approx(np.array(own[:2]), abs=1e-5)
        world = np.zeros(3)
        node.GetNthControlPointPositionWorld(1, world)
        assert world == pytest.approx(np.add(own[1], (0.0, 0.0, 10.0)), abs=1e-5)


def corrected(result, key, points):
    before = next(m.geometry for m in result.measurements if m.key == key)

    def moved(m):
        if m.geometry != before or m.value is None:
            return m
        geometry = Geometry.of(m.geometry.kind, points)
        value = geometry.size(m.unit)
        row = replace(m, value=value, automatic=m.value, source="corrected", lower=None, upper=None, accuracy=None)
        return replace(row, geometry=geometry)

    return replace(result, measurements=tuple(map(moved, result.measurements)))


def column(scene, nodes, table, name):
    found = scene.GetNodeByID(nodes.tables[table]).GetTable().GetColumnByName(name)
    return [found.GetValue(n) for n in range(found.GetNumberOfValues())]


def test_the_scene_follows_a_correction_in_the_same_nodes(one_case):
    result = with_profile(one_case[0])
    key = "disc_L4-L5_height_Hurxthal"
    with new_host() as host:
        nodes = add_case(host.scene, result, one_case[1])
        before = host.scene.GetNumberOfNodes()
        points = points_of(host.scene.GetNodeByID(nodes.markups[key]))
        points[1] += (0.0, 0.0, 3.0)
        after = corrected(result, key, points)
        again = show_result(host.scene, nodes, after)
        assert again == nodes
        assert host.scene.GetNumberOfNodes() == before
        row = [m.key for m in after.measurements].index(key)
        assert column(host.scene, nodes, "measurements", "source")[row] == "corrected"
        assert column(host.scene, nodes, "measurements", "value")[row] == pytest.approx(after.measurements[row].value)
        assert column(host.scene, nodes, "measurements", "automatic")[row] == pytest.approx(
            result.measurements[row].value
        )
        assert np.isnan(column(host.scene, nodes, "measurements", "accuracy")[row])
        node = host.scene.GetNodeByID(nodes.markups[key])
        assert points_of(node) == pytest.approx(points)
        assert "corrected, automatic value" in node.GetDescription()


def test_points_in_place_are_not_touched_while_a_reader_drags(one_case):
    result, volume = one_case
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        node = host.scene.GetNodeByID(nodes.markups["disc_L4-L5_height_Hurxthal"])
        moved = []
        node.AddObserver(slicer.vtkMRMLMarkupsNode.PointModifiedEvent, lambda *_: moved.append(1))
        show_result(host.scene, nodes, result)
        assert not moved
        contour = host.scene.GetNodeByID(nodes.markups["canal_L4-L5_area_perpendicular"])
        area = next(m for m in result.measurements if m.key == "canal_L4-L5_area_perpendicular")
        np.testing.assert_allclose(points_of(contour), control_points(area.geometry), atol=1e-9)


def test_a_value_that_is_gone_takes_its_markup_along(one_case):
    result, volume = one_case
    key = "disc_L4-L5_height_Hurxthal"
    gone = tuple(
        replace(m, value=None, geometry=None, flag="not seen") if m.key == key else m for m in result.measurements
    )
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        old = nodes.markups[key]
        after = show_result(host.scene, nodes, replace(result, measurements=gone))
        assert host.scene.GetNodeByID(old) is None
        assert key not in after.markups
        back = show_result(host.scene, after, result)
        assert measurement_keys(host.scene.GetNodeByID(back.markups[key])) == (key,)


def test_undone_masks_and_new_names_are_shown(build_case):
    result, volume = build_case(code="RAI")
    renamed, _ = build_case(("L3", "L4", "L5"), "RAI")
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        show_segmentation(host.scene, nodes, renamed, volume)
        node = host.scene.GetNodeByID(nodes.segmentation)
        np.testing.assert_array_equal(labels_of(node, renamed.spine.grid), renamed.spine.labels)
        assert segment(host.scene, nodes, "disc_L3-L4") is not None
        assert segment(host.scene, nodes, "disc_L5-S1") is None
        codes = vtk.reference("")
        tag = slicer.vtkSegment.GetTerminologyEntryTagName()
        assert segment(host.scene, nodes, "disc_L3-L4").GetTag(tag, codes)
        after = show_result(host.scene, nodes, renamed)
        names = {host.scene.GetNodeByID(i).GetName() for i in after.markups.values()}
        assert "disc_L3-L4_height_Hurxthal" in names
        assert not any("S1" in name for name in names)


def test_a_segment_that_was_missed_can_be_drawn(one_case):
    result, volume = one_case
    value = foramen_value("L4", Side.LEFT)
    missed = np.where(result.spine.labels == value, 0, result.spine.labels)
    result = replace(result, spine=replace(result.spine, labels=missed))
    with new_host() as host:
        nodes = add_case(host.scene, result, volume)
        name = ensure_segment(host.scene, nodes, result.spine, value)
        assert name == "foramen_left_L4-L5"
        assert ensure_segment(host.scene, nodes, result.spine, value) == name
        node = host.scene.GetNodeByID(nodes.segmentation)
        np.testing.assert_array_equal(labels_of(node, result.spine.grid), missed)
        paint(host.scene, nodes, result, name, [(12, 17, 28)])
        assert labels_of(node, result.spine.grid)[12, 17, 28] == value


def test_plots_show_the_sac_and_the_disc_heights(one_case):
    result = with_profile(one_case[0])
    with new_host() as host:
        nodes = add_case(host.scene, result, one_case[1])
        assert set(nodes.plots) == {"canal area", "canal diameters", "disc heights"}
        for chart_id, *series_ids in nodes.plots.values():
            chart = host.scene.GetNodeByID(chart_id)
            assert chart.GetNumberOfPlotSeriesNodes() == len(series_ids)
            assert chart.GetTitle()
            assert chart.GetYAxisTitle()
            for series in map(host.scene.GetNodeByID, series_ids):
                table = series.GetTableNode().GetTable()
                for name in (series.GetXColumnName(), series.GetYColumnName(), series.GetLabelColumnName()):
                    assert table.GetColumnByName(name) is not None, name
        assert column(host.scene, nodes, "canal profile", "area")[::2] == [150.0, 90.0]
        assert np.isnan(column(host.scene, nodes, "canal profile", "area")[1])
        table = host.scene.GetNodeByID(nodes.tables["canal profile"])
        assert table.GetColumnUnitLabel("area") == "mm2"
        assert table.GetColumnDescription("area")


@pytest.mark.parametrize("code", ["LPS", "RAI"])
def test_a_stored_scene_is_still_linked_and_can_be_corrected(build_case, tmp_path, code):
    case, volume = build_case(code=code)
    result = with_profile(case)
    (tmp_path / "case.json").write_text("{}", encoding="utf-8")
    write_scene(result, volume, tmp_path / "scene.mrb")
    key = "canal_L4-L5_area_perpendicular"
    with new_host() as host:
        assert host.scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
        (nodes,) = find_cases(host.scene)
        scene = host.scene
        with new_host() as other:
            expected = add_case(other.scene, result, volume)
        assert nodes.markups.keys() == expected.markups.keys()
        assert nodes.tables.keys() == expected.tables.keys()
        assert {k: len(v) for k, v in nodes.plots.items()} == {k: len(v) for k, v in expected.plots.items()}
        assert scene.GetNodeByID(nodes.volume).IsA("vtkMRMLScalarVolumeNode")
        node = scene.GetNodeByID(nodes.segmentation)
        np.testing.assert_array_equal(labels_of(node, result.spine.grid), result.spine.labels)
        points = points_of(scene.GetNodeByID(nodes.markups[key]))
        after = corrected(result, key, points.mean(axis=0) + 1.5 * (points - points.mean(axis=0)))
        again = show_result(scene, nodes, after)
        assert again.markups == nodes.markups
        row = [m.key for m in after.measurements].index(key)
        assert column(scene, nodes, "measurements", "source")[row] == "corrected"
        assert column(scene, nodes, "measurements", "value")[row] == pytest.approx(after.measurements[row].value)
        paint(scene, nodes, result, "disc_L4-L5", [(9, 20, 10)])
        assert (labels_of(node, result.spine.grid) == disc_value("L4")).sum() == 1


def test_the_folder_of_an_opened_scene(one_case, tmp_path):
    with new_host() as host:
        assert case_folder_of(host.scene) is None
        host.scene.SetURL(str(tmp_path / "scene.mrb"))
        assert case_folder_of(host.scene) is None
        (tmp_path / "case.json").write_text("{}", encoding="utf-8")
        assert case_folder_of(host.scene) == tmp_path


def test_two_cases_in_one_scene_are_kept_apart(one_case):
    result, volume = one_case
    with new_host() as host:
        first = add_case(host.scene, result, volume)
        second = add_case(host.scene, result, volume)
        assert find_cases(host.scene) == [first, second]


def test_a_stored_segmentation_is_read_like_the_node(build_case, tmp_path):
    result, volume = build_case(code="ASR")
    write_segmentation(result, volume, tmp_path / "edited.seg.nrrd")
    review = pytest.importorskip("SpineQuantLib.review.outside")
    labels = review.read_label_map(tmp_path / "edited.seg.nrrd", result.spine.grid)
    np.testing.assert_array_equal(labels, result.spine.labels)
