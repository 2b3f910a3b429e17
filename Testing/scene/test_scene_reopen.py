"""A case folder read back into a scene holds what the analysis itself would have put there."""

from __future__ import annotations

import shutil

import pytest

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.record import read_scores, write_record
from SpineQuantLib.report.tables import read_measurements, write_measurements_json
from SpineQuantLib.scene.build import SEGMENTATION_ROLE, VOLUME_ROLE, add_case
from SpineQuantLib.scene.files import write_segmentation
from SpineQuantLib.scene.host import new_host
from SpineQuantLib.scene.reopen import add_case_folder
from SpineQuantLib.scene.volume import add_volume

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
vtk = pytest.importorskip("vtk")


@pytest.fixture
def folder(one_case, tmp_path):
    """The files of a case folder that the desktop reads."""
    result, image = one_case
    write_segmentation(result, image, tmp_path / "segmentation.seg.nrrd")
    write_measurements_json(result.measurements, tmp_path / "measurements.json")
    write_record(result, tmp_path / "case.json")
    return tmp_path


def reopened(scene, folder, volume):
    measurements = read_measurements(folder / "measurements.json")
    return add_case_folder(scene, folder, volume, measurements, read_scores(folder / "case.json"))


def cells(scene, node_id):
    table = scene.GetNodeByID(node_id).GetTable()
    rows, columns = range(table.GetNumberOfRows()), range(table.GetNumberOfColumns())
    return [[table.GetValue(row, column).ToString() for column in columns] for row in rows]


def segments(scene, node_id):
    segmentation = scene.GetNodeByID(node_id).GetSegmentation()
    found = {}
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        codes = vtk.reference("")
        assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), codes)
        colour = tuple(round(c, 2) for c in segment.GetColor())
        found[segmentation.GetNthSegmentID(index)] = (segment.GetName(), colour, segment.GetLabelValue(), str(codes))
    return found


def test_same_as_from_the_analysis_itself(one_case, folder):
    result, image = one_case
    with new_host() as direct, new_host() as again:
        expected = add_case(direct.scene, result, image)
        found = reopened(again.scene, folder, add_volume(again.scene, image, "volume"))
        assert segments(again.scene, found.segmentation) == segments(direct.scene, expected.segmentation)
        assert found.tables.keys() == expected.tables.keys()
        for key, node_id in expected.tables.items():
            assert cells(again.scene, found.tables[key]) == cells(direct.scene, node_id), key
        assert found.markups.keys() == expected.markups.keys()
        for key, node_id in expected.markups.items():
            ours, theirs = again.scene.GetNodeByID(found.markups[key]), direct.scene.GetNodeByID(node_id)
            assert ours.GetClassName() == theirs.GetClassName()
            assert ours.GetNumberOfControlPoints() == theirs.GetNumberOfControlPoints()
            assert ours.GetNthControlPointPosition(0) == pytest.approx(theirs.GetNthControlPointPosition(0))


def test_the_volume_in_the_scene_is_the_one_referred_to(one_case, folder):
    _, image = one_case
    with new_host() as host:
        volume = add_volume(host.scene, image, "volume")
        found = reopened(host.scene, folder, volume)
        assert found.volume == volume.GetID()
        assert host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
        table = host.scene.GetNodeByID(found.tables["measurements"])
        assert table.GetNodeReferenceID(VOLUME_ROLE) == found.volume
        assert table.GetNodeReferenceID(SEGMENTATION_ROLE) == found.segmentation


def test_a_second_run_leaves_the_first_alone(one_case, folder):
    _, image = one_case
    with new_host() as host:
        volume = add_volume(host.scene, image, "volume")
        first = reopened(host.scene, folder, volume)
        host.scene.GetNodeByID(first.segmentation).GetSegmentation().GetNthSegment(0).SetName("corrected")
        second = reopened(host.scene, folder, volume)
        assert first.segmentation != second.segmentation
        assert host.scene.GetNodeByID(first.segmentation).GetSegmentation().GetNthSegment(0).GetName() == "corrected"


def test_nothing_refers_to_the_folder_afterwards(one_case, folder):
    _, image = one_case
    with new_host() as host:
        found = reopened(host.scene, folder, add_volume(host.scene, image, "volume"))
        shutil.rmtree(folder)
        storage = host.scene.GetNodeByID(found.segmentation).GetStorageNode()
        assert not storage.GetFileName()


def damaged(path, how):
    whole = path.read_bytes()
    contents = {"empty": b"", "text": b"NRRD0005\nnonsense", "truncated": whole[: len(whole) // 2]}
    path.unlink()
    if how != "missing":
        path.write_bytes(contents[how])


@pytest.mark.parametrize("how", ["missing", "empty", "text", "truncated"])
def test_damaged_segmentation_adds_nothing(one_case, folder, how):
    _, image = one_case
    damaged(folder / "segmentation.seg.nrrd", how)
    with new_host() as host:
        volume = add_volume(host.scene, image, "volume")
        before = host.scene.GetNumberOfNodes()
        with pytest.raises(InputError, match="segmentation"):
            reopened(host.scene, folder, volume)
        assert host.scene.GetNumberOfNodes() == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 99, "scores": []}'])
def test_damaged_record_is_refused(tmp_path, text):
    path = tmp_path / "case.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"case\.json"):
        read_scores(path)
