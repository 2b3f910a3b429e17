"""What comes back from a bundle is what was measured, where it was measured."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest

from SpineQuantLib.anatomy.codes import codes_for
from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.scene.build import SEGMENTATION_ROLE, VOLUME_ROLE, add_case
from SpineQuantLib.scene.files import write_scene
from SpineQuantLib.scene.host import new_host, vtk_messages
from SpineQuantLib.scene.markups import shown_together
from SpineQuantLib.scene.terminology import terminology_tag

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
vtk = pytest.importorskip("vtk")
numpy_support = pytest.importorskip("vtk.util.numpy_support")

TIME = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)


def _reopened(case, folder):
    result, volume = case
    path = folder / "scene.mrb"
    write_scene(result, volume, path, settings={"overlap": 0.5}, time=TIME)
    host = new_host()
    with vtk_messages() as messages:
        assert host.scene.ReadFromMRB(str(path))
    assert messages == []
    return host


@pytest.fixture(scope="module", params=["LPS", "PIL", "ASR"])
def reopened(request, build_case, tmp_path_factory):
    """Cases whose volumes are stored in several orders of axes, mirrored ones among them."""
    case = build_case(code=request.param)
    with _reopened(case, tmp_path_factory.mktemp("scene")) as host:
        yield host.scene, *case


@pytest.fixture(scope="module")
def once(build_case, tmp_path_factory):
    """One case, for what does not depend on the order of axes."""
    case = build_case(code="RAI")
    with _reopened(case, tmp_path_factory.mktemp("scene")) as host:
        yield host.scene, *case


def _nodes(scene, kind):
    return [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]


def _array(image):
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return flat.reshape(image.GetDimensions()[::-1])


def _matrix(source):
    matrix = vtk.vtkMatrix4x4()
    source(matrix)
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def test_volume_keeps_its_place_its_type_and_its_numbers(reopened):
    scene, _, volume = reopened
    (node,) = _nodes(scene, "vtkMRMLScalarVolumeNode")
    array = _array(node.GetImageData())
    assert array.dtype == np.int16
    # MRML's reader turns left-handed axes around, so numbers are compared where they lie and not by their index.
    indices = np.random.default_rng(0).integers(0, volume.GetSize(), (200, 3)).tolist()
    to_ijk = _matrix(node.GetRASToIJKMatrix)
    for index in indices:
        ras = np.array(volume.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
        i, j, k = (to_ijk @ (*ras, 1))[:3]
        np.testing.assert_allclose((i, j, k), np.round((i, j, k)), atol=1e-4)
        assert array[round(k), round(j), round(i)] == volume[index]
    assert sorted(array.shape) == sorted(volume.GetSize())
    low, high = np.percentile(array, (1, 99.5))
    display = node.GetDisplayNode()
    assert not display.GetAutoWindowLevel()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((low, high), abs=0.01)


def test_segments_lie_where_the_spine_lies(reopened):
    scene, result, _ = reopened
    (node,) = _nodes(scene, "vtkMRMLSegmentationNode")
    for label in result.spine.objects:
        labelmap = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(label.segment_id, labelmap)
        found = np.argwhere(_array(labelmap) > 0)[:, ::-1] + labelmap.GetExtent()[::2]
        assert len(found) == (result.spine.labels == label.value).sum()
        centre = (_matrix(labelmap.GetImageToWorldMatrix) @ (*found.mean(axis=0), 1))[:3]
        expected = result.spine.grid.to_ras(np.argwhere(result.spine.labels == label.value).mean(axis=0))
        np.testing.assert_allclose(centre, expected, atol=1e-4)
    right = node.GetSegmentCenterRAS("foramen_right_L4-L5")
    left = node.GetSegmentCenterRAS("foramen_left_L4-L5")
    assert right[0] > left[0] + 20, "R is positive in RAS"


def test_segments_keep_ids_names_colours_codes_and_values(once):
    scene, result, _ = once
    (node,) = _nodes(scene, "vtkMRMLSegmentationNode")
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    assert ids == [label.segment_id for label in result.spine.objects]
    for label in result.spine.objects:
        segment = segmentation.GetSegment(label.segment_id)
        assert segment.GetName() == label.name
        assert segment.GetColor() == pytest.approx(label.colour, abs=1e-3)
        assert segment.GetLabelValue() == label.value
        tag = vtk.reference("")
        assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag)
        assert str(tag) == terminology_tag(codes_for(label))
    assert segmentation.GetNumberOfLayers() == 1


def test_unnamed_vertebrae_come_back(unnamed_case, tmp_path):
    with _reopened(unnamed_case, tmp_path) as host:
        (node,) = _nodes(host.scene, "vtkMRMLSegmentationNode")
        assert node.GetSegmentation().GetSegment("vertebra_V1").GetLabelValue() == 301
        assert node.GetSegmentation().GetSegment("foramen_left_V3-V2").GetLabelValue() == 483
        result, _ = unnamed_case
        for value, segment_id in ((301, "vertebra_V1"), (403, "disc_V3-V2"), (61, "canal")):
            labelmap = slicer.vtkOrientedImageData()
            node.GetBinaryLabelmapRepresentation(segment_id, labelmap)
            assert (_array(labelmap) > 0).sum() == (result.spine.labels == value).sum() > 0


def test_segmentation_says_where_it_came_from_and_what_it_lies_on(once):
    scene, _, _ = once
    (node,), (volume,) = _nodes(scene, "vtkMRMLSegmentationNode"), _nodes(scene, "vtkMRMLScalarVolumeNode")
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReferenceID(role) == volume.GetID()
    said = {name: node.GetAttribute(name) for name in node.GetAttributeNames() if name.startswith("SpineQuant.")}
    assert said["SpineQuant.Model"] == "lumbar"
    assert said["SpineQuant.ModelVersion"] == "1.0"
    assert said["SpineQuant.ModelSha256"] == "cd" * 32
    assert said["SpineQuant.Time"] == "2026-03-01T12:30:00+00:00"
    assert said["SpineQuant.Settings"] == '{"overlap": 0.5}'
    assert said["SpineQuant.Verdict"] == "review"
    assert not any("/data" in value for value in said.values()), "a path may name a patient"


def _table(scene, name):
    (found,) = [n for n in _nodes(scene, "vtkMRMLTableNode") if n.GetName() == name]
    return found, found.GetTable()


def _cells(table, column):
    return [table.GetValueByName(row, column).ToString() for row in range(table.GetNumberOfRows())]


def test_table_of_measurements_has_every_row_and_absent_values_are_not_numbers(once):
    scene, result, _ = once
    node, table = _table(scene, "Measurements")
    assert _cells(table, "measurement") == [m.name for m in result.measurements]
    assert _cells(table, "unit") == [m.unit for m in result.measurements]
    for m, text in zip(result.measurements, _cells(table, "value"), strict=True):
        assert (np.isnan(float(text))) if m.value is None else float(text) == pytest.approx(m.value, rel=1e-5)
    accuracies = [float(text) for text in _cells(table, "accuracy")]
    assert accuracies[0] == pytest.approx(0.21)
    assert all(np.isnan(accuracies[1:]))
    markups = _cells(table, "markup")
    assert markups[5] == markups[4] == "canal_L4-L5_area_perpendicular"
    assert markups[6] == ""
    assert _cells(table, "flag")[6] == "outside the volume"
    assert all(node.GetColumnDescription(node.GetColumnName(n)) for n in range(node.GetNumberOfColumns()))


def test_overviews_have_a_unit_for_each_quantity(once):
    scene, _, _ = once
    node, table = _table(scene, "Canal overview")
    assert node.GetColumnUnitLabel("AP diameter (perpendicular)") == "mm"
    assert node.GetColumnUnitLabel("area (perpendicular)") == "mm2"
    assert _cells(table, "level") == ["L4-L5", "L5-S1"]
    assert [np.isnan(float(v)) for v in _cells(table, "area (perpendicular)")] == [False, True]
    assert _cells(_table(scene, "Spine overview")[1], "level") == ["all"]
    names = {n.GetName() for n in _nodes(scene, "vtkMRMLTableNode")}
    assert names == {"Measurements", "Findings", *(f"{s.value.capitalize()} overview" for s in Structure)}


def test_findings_hold_the_scores(once):
    scene, _, _ = once
    _, table = _table(scene, "Findings")
    assert _cells(table, "structure") == ["case", "foramen"]
    assert _cells(table, "verdict") == ["review", "fail"]
    assert float(_cells(table, "entropy")[0]) == pytest.approx(0.12)
    assert np.isnan(float(_cells(table, "entropy")[1]))


def test_markups_measure_what_was_measured(reopened):
    scene, result, _ = reopened
    groups = shown_together(result.measurements)
    nodes = {n.GetName(): n for n in _nodes(scene, "vtkMRMLMarkupsNode")}
    assert set(nodes) == {g[0].key for g in groups}
    lines = 0
    for first, *_ in groups:
        node = nodes[first.key]
        points = np.array([node.GetNthControlPointPositionWorld(n) for n in range(node.GetNumberOfControlPoints())])
        if first.geometry.kind == "line":
            lines += 1
            np.testing.assert_allclose(points, first.geometry.points, atol=1e-9)
            assert node.GetMeasurement("length").GetValue() == pytest.approx(first.value, abs=1e-6)
        elif first.unit == "mm2":
            node.GetMeasurement("area").SetEnabled(True)
            assert node.GetMeasurement("area").GetValue() == pytest.approx(first.value, rel=0.005)
        else:
            assert node.GetCurveLengthWorld() == pytest.approx(first.value, rel=1e-3)
        assert not node.GetLocked()
        assert node.GetDisplayNode().GetVisibility()
    assert lines == 4


def test_links_come_back(once):
    scene, _, _ = once
    (segmentation,), (volume,) = _nodes(scene, "vtkMRMLSegmentationNode"), _nodes(scene, "vtkMRMLScalarVolumeNode")
    linked = _nodes(scene, "vtkMRMLMarkupsNode") + _nodes(scene, "vtkMRMLTableNode")
    assert len(linked) == 7 + 7
    for node in linked:
        assert node.GetNodeReferenceID(VOLUME_ROLE) == volume.GetID()
        assert node.GetNodeReferenceID(SEGMENTATION_ROLE) == segmentation.GetID()


def _tree(hierarchy, item):
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children)
    ids = [children.GetId(n) for n in range(children.GetNumberOfIds())]
    return {hierarchy.GetItemName(c): _tree(hierarchy, c) for c in ids}


def test_hierarchy_is_patient_study_and_folders(once):
    scene, result, _ = once
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    tree = _tree(hierarchy, hierarchy.GetSceneItemID())
    study = tree["lumbar"]["Spine MRI"]
    assert set(study) == {"lumbar", "lumbar spine", "Tables", "Markups"}
    assert set(study["Markups"]) == {"disc", "canal", "foramen", "vertebra", "spine"}
    assert "disc_L4-L5_height_Hurxthal" in study["Markups"]["disc"]
    assert sum(map(len, study["Markups"].values())) == len(shown_together(result.measurements))
    assert "Measurements" in study["Tables"]


def test_views_open_on_the_spine(once):
    scene, result, _ = once
    (volume,) = _nodes(scene, "vtkMRMLScalarVolumeNode")
    shown = {n.GetLayoutName(): n.GetBackgroundVolumeID() for n in _nodes(scene, "vtkMRMLSliceCompositeNode")}
    assert shown == dict.fromkeys(("Red", "Green", "Yellow"), volume.GetID())
    views = {n.GetLayoutName(): n for n in _nodes(scene, "vtkMRMLSliceNode")}
    sagittal = _array_of(views["Yellow"].GetSliceToRAS())
    found = np.argwhere(result.spine.labels > 0)
    across = result.spine.grid.to_ras(np.median(found, axis=0)) - sagittal[:3, 3]
    assert abs(across @ sagittal[:3, 2]) < 1.0, "sagittal slice runs through the spine"
    assert abs(sagittal[0, 2]) == pytest.approx(1.0)


def _array_of(matrix):
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def test_second_result_leaves_the_first_alone(one_case):
    result, volume = one_case
    with new_host() as host:
        first = add_case(host.scene, result, volume)
        edited = host.scene.GetNodeByID(first.markups["disc_L4-L5_height_Hurxthal"])
        edited.SetNthControlPointPosition(0, 1.0, 2.0, 3.0)
        node = host.scene.GetNodeByID(first.volume)
        second = add_case(host.scene, result, volume, volume_node=node)
        assert second.volume == first.volume
        assert second.study == first.study
        assert second.segmentation != first.segmentation
        assert not set(second.markups.values()) & set(first.markups.values())
        assert not set(second.tables.values()) & set(first.tables.values())
        assert tuple(edited.GetNthControlPointPosition(0)) == (1.0, 2.0, 3.0)
        again = host.scene.GetNodeByID(second.markups["disc_L4-L5_height_Hurxthal"])
        assert again.GetName() == edited.GetName()
        assert host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_volume_stays_in_the_study_it_was_loaded_into(one_case):
    result, volume = one_case
    with new_host() as host:
        node = host.scene.GetNodeByID(add_case(host.scene, result, volume).volume)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(host.scene)
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Doe^Jane")
        study = hierarchy.CreateStudyItem(patient, "Lumbar MRI")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)
        assert add_case(host.scene, result, volume, volume_node=node).study == study
        assert set(_tree(hierarchy, study)) == {"lumbar", "lumbar spine_1", "Tables", "Markups"}
