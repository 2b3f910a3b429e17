"""A case folder opened in a scene: what is shown and what is measured are the same, whoever changed either."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import disc_value

pytest.importorskip("slicer", reason="slicer-core is not installed")

AREA = "canal_L4-L5_area_perpendicular-to-centre-line"


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished / "case", tmp_path / "case"))


@pytest.fixture
def scene():
    from SpineQuantLib.scene.host import new_host

    with new_host() as host:
        yield host.scene


def open_case(scene, folder: Path):
    from SpineQuantLib.panel.open_case import OpenCase

    return OpenCase(scene, folder)


def test_a_click_on_a_contour_is_no_correction(scene, folder):
    case = open_case(scene, folder)
    before = case.review.row(AREA)
    for node_id in set(case.nodes.markups.values()):
        assert case.line_moved(scene.GetNodeByID(node_id)) == ()
    assert not case.review.changed
    assert case.review.row(AREA) == before


def test_a_transform_over_the_study_is_no_correction(scene, folder):
    import slicer
    import vtk

    case = open_case(scene, folder)
    shift = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(2, 3, 8.0)
    shift.SetMatrixTransformToParent(matrix)
    node = scene.GetNodeByID(case.nodes.markups[AREA])
    assert isinstance(node, slicer.vtkMRMLMarkupsClosedCurveNode)
    for other in (case.nodes.volume, case.nodes.segmentation, *case.nodes.markups.values()):
        scene.GetNodeByID(other).SetAndObserveTransformNodeID(shift.GetID())
    assert case.line_moved(node) == ()
    world, own = np.zeros(3), np.zeros(3)
    case.show()
    node.GetNthControlPointPositionWorld(0, world)
    node.GetNthControlPointPosition(0, own)
    assert world - own == pytest.approx((0.0, 0.0, 8.0), abs=1e-5), "the contour stays on the image"
    assert not case.review.changed


def test_masks_that_another_program_saved_are_measured(scene, folder):
    path = folder / "segmentation.nii.gz"
    image = sitk.ReadImage(str(path))
    labels = sitk.GetArrayFromImage(image)
    at = np.argwhere(labels == disc_value("L4"))
    lost = at[at[:, 2] > np.median(at[:, 2])]
    labels[tuple(lost.T)] = 0
    drawn = sitk.GetImageFromArray(labels)
    drawn.CopyInformation(image)
    sitk.WriteImage(drawn, str(path))
    case = open_case(scene, folder)
    assert case.left_out == ()
    assert case.review.changed
    assert (case.result.spine.labels == disc_value("L4")).sum() == len(at) - len(lost)
    volume = case.review.row("disc_L4-L5_volume_soft-voxels")
    assert (volume.source, volume.value < 0.7 * volume.automatic) == ("corrected", True)


def test_a_saved_mask_that_cannot_be_right_is_told_and_left_out(scene, folder):
    image = sitk.ReadImage(str(folder / "segmentation.nii.gz"))
    labels = sitk.GetArrayFromImage(image)
    labels[2:4, 2:4, 2:4] = 99
    drawn = sitk.GetImageFromArray(labels)
    drawn.CopyInformation(image)
    sitk.WriteImage(drawn, str(folder / "segmentation.nii.gz"))
    case = open_case(scene, folder)
    assert case.left_out
    assert not case.review.changed
