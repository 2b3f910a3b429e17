"""Slicer's own reader of DICOM images puts the series where our segmentation says it lies, side by side.

``slicer-core`` has Slicer's Volumes logic, which reads DICOM series; the loaders of SEG and SR need the desktop.
"""

from __future__ import annotations

import dicom_fixtures as fx
import highdicom as hd
import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import describe, foramen_value
from SpineQuantLib.anatomy.structures import Side
from SpineQuantLib.case.grid import lps_to_ras
from SpineQuantLib.report.dicom_seg import write_seg
from SpineQuantLib.scene.host import new_host

pytest.importorskip("slicer", reason="slicer-core is absent: pip install 'spinequant[mrml]'")


def load_in_slicer(host, files):
    """Size in voxels of the volume that Slicer makes of a series, and its matrix from (i, j, k) to RAS."""
    import slicer
    import vtk

    logic = host.logics.get("vtkSlicerVolumesLogic") or slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLApplicationLogic(host.application_logic)
    logic.SetMRMLScene(host.scene)
    names = vtk.vtkStringArray()
    for file in files:
        names.InsertNextValue(str(file))
    node = logic.AddArchetypeVolume(str(files[0]), "series", 0, names)
    assert node is not None
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    to_ras = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    return np.array(node.GetImageData().GetDimensions()), to_ras


def segment_points(path) -> dict[str, np.ndarray]:
    """RAS millimetres of all voxels of each segment, from the frames' own positions."""
    seg = hd.seg.segread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    names = {s.SegmentNumber: s.TrackingID for s in seg.SegmentSequence}
    points: dict[str, list[np.ndarray]] = {}
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        place = fx.pixel_lps(position, orientation, spacing, frame.shape)
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        points.setdefault(names[number], []).append(lps_to_ras(place[frame > 0]))
    return {name: np.concatenate(parts) for name, parts in points.items()}


@pytest.mark.parametrize("view", [fx.SAGITTAL_FROM_RIGHT, fx.SAGITTAL_FROM_LEFT, fx.AXIAL_FROM_BELOW])
def test_segments_lie_on_slicers_voxels_at_the_right_place_on_the_right_side(view, tmp_path):
    scan = fx.Scan.of(view)
    files = fx.write_series(scan, tmp_path)
    write_seg(fx.make_case(scan), files, tmp_path / "seg.dcm")
    with new_host() as host:
        size, to_ras = load_in_slicer(host, files)
    assert sorted(size) == sorted(scan.size)
    points = segment_points(tmp_path / "seg.dcm")
    from_ras = np.linalg.inv(to_ras)
    for value in fx.BOXES:
        ras = points[describe(value, lower="L5").segment_id]
        ijk = ras @ from_ras[:3, :3].T + from_ras[:3, 3]
        np.testing.assert_allclose(ijk, np.round(ijk), atol=2e-3)
        assert (ijk > -0.01).all()
        assert (ijk < size - 0.99).all()
        lps = lps_to_ras(ras)
        centre, half = fx.BOXES[value]
        assert (np.abs(lps - centre) < half).all()
    right = points[describe(foramen_value("L4", Side.RIGHT), lower="L5").segment_id]
    left = points[describe(foramen_value("L4", Side.LEFT), lower="L5").segment_id]
    # In RAS, R is positive.
    assert right[:, 0].min() > 0 > left[:, 0].max()
