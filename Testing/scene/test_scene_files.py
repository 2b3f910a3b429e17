"""Files are read by other programs where they should be, and are whole or not there."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.codes import codes_for
from SpineQuantLib.case.errors import OutputError
from SpineQuantLib.scene.files import write_markups, write_scene, write_segmentation
from SpineQuantLib.scene.host import new_host
from SpineQuantLib.scene.markups import shown_together
from SpineQuantLib.scene.terminology import terminology_tag
from SpineQuantLib.scene.volume import add_volume

pytest.importorskip("slicer", reason="slicer-core is not installed")


def _nrrd(path: Path) -> tuple[dict[str, str], np.ndarray]:
    """Header fields and data of a NRRD, read without Slicer and without ITK."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    lines = [line for line in head.decode("utf-8").splitlines()[1:] if not line.startswith("#")]
    fields = dict(line.split(":=" if ":=" in line else ": ", 1) for line in lines)
    assert fields["encoding"] in ("gzip", "gz")
    kind = {"unsigned char": "u1", "uint8": "u1", "unsigned short": "<u2", "uint16": "<u2"}[fields["type"]]
    sizes = tuple(int(n) for n in fields["sizes"].split())
    return fields, np.frombuffer(gzip.decompress(body), kind).reshape(sizes[::-1])


def _vectors(text: str) -> np.ndarray:
    return np.array([[float(c) for c in v.strip("()").split(",")] for v in text.split()])


@pytest.mark.parametrize("code", ["PIL", "LPS", "RAI", "ASR", "IRP"])
def test_segmentation_lies_on_the_volumes_own_grid(build_case, tmp_path, code):
    result, volume = build_case(code=code)
    path = tmp_path / "segmentation.seg.nrrd"
    write_segmentation(result, volume, path)
    fields, array = _nrrd(path)
    assert fields["space"] == "left-posterior-superior"
    matrix = np.array(volume.GetDirection()).reshape(3, 3) * volume.GetSpacing()
    np.testing.assert_allclose(_vectors(fields["space directions"]).T, matrix, atol=1e-9)
    np.testing.assert_allclose(_vectors(fields["space origin"])[0], volume.GetOrigin(), atol=1e-9)
    expected = sitk.DICOMOrient(result.spine.grid.image(result.spine.labels), code)
    np.testing.assert_array_equal(array, sitk.GetArrayFromImage(expected))


def test_segmentation_read_by_itk_has_each_object_in_its_place(one_case, tmp_path):
    result, volume = one_case
    path = tmp_path / "segmentation.seg.nrrd"
    write_segmentation(result, volume, path)
    image = sitk.ReadImage(str(path))
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(sitk.Cast(image, sitk.sitkUInt16))
    assert set(shapes.GetLabels()) == {label.value for label in result.spine.objects}
    for label in result.spine.objects:
        index = np.argwhere(result.spine.labels == label.value).mean(axis=0)
        np.testing.assert_allclose(shapes.GetCentroid(label.value), result.spine.grid.to_lps(index), atol=1e-4)


def test_segmentation_names_its_segments_and_where_they_came_from(unnamed_case, tmp_path):
    result, volume = unnamed_case
    path = tmp_path / "segmentation.seg.nrrd"
    write_segmentation(result, volume, path, settings={"note": "a|b"})
    fields, array = _nrrd(path)
    assert array.max() == 483, "labels above 255 are kept"
    for n, label in enumerate(result.spine.objects):
        assert fields[f"Segment{n}_ID"] == label.segment_id
        assert fields[f"Segment{n}_Name"] == label.name
        assert int(fields[f"Segment{n}_LabelValue"]) == label.value
        assert [float(c) for c in fields[f"Segment{n}_Color"].split()] == pytest.approx(label.colour, abs=1e-3)
        tags = dict(tag.split(":", 1) for tag in fields[f"Segment{n}_Tags"].strip("|").split("|"))
        assert tags["TerminologyEntry"] == terminology_tag(codes_for(label))
        assert tags["SpineQuant.ModelSha256"] == "cd" * 32
        assert tags["SpineQuant.Settings"] == '{"note": "a/b"}'


def test_markups_are_one_file_each_in_millimetres(one_case, tmp_path):
    result, _ = one_case
    paths = write_markups(result, tmp_path / "case" / "markups")
    groups = shown_together(result.measurements)
    assert [p.name for p in paths] == [f"{g[0].key}.mrk.json" for g in groups]
    assert sorted(paths) == sorted((tmp_path / "case" / "markups").iterdir())
    for path, (first, *_) in zip(paths, groups, strict=True):
        (markup,) = json.loads(path.read_text(encoding="utf-8"))["markups"]
        assert markup["type"] == {"line": "Line", "curve": "Curve", "closed curve": "ClosedCurve"}[first.geometry.kind]
        sign = np.array([-1, -1, 1]) if markup["coordinateSystem"] == "LPS" else np.ones(3)
        points = np.array([p["position"] for p in markup["controlPoints"]]) * sign
        if first.geometry.kind == "line":
            np.testing.assert_allclose(points, first.geometry.points, atol=1e-9)
            assert np.linalg.norm(points[1] - points[0]) == pytest.approx(first.value, abs=1e-9)
        np.testing.assert_allclose(points[0], first.geometry.points[0], atol=1e-9)
        assert not markup["locked"]


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        (np.uint8, np.uint8),
        (np.int16, np.int16),
        (np.uint16, np.uint16),
        (np.int32, np.int32),
        (np.int64, np.int32),
        (np.float32, np.float32),
        (np.float64, np.float32),
    ],
)
def test_volume_keeps_the_type_of_integers(stored, kept):
    from vtk.util.numpy_support import vtk_to_numpy

    values = np.arange(24).reshape(2, 3, 4).astype(stored)
    with new_host() as host:
        node = add_volume(host.scene, sitk.GetImageFromArray(values), "volume")
        array = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
        assert array.dtype == kept
        np.testing.assert_array_equal(array, values.ravel())


def test_constant_volume_has_a_window():
    with new_host() as host:
        display = add_volume(host.scene, sitk.Image(4, 4, 4, sitk.sitkInt16), "volume").GetDisplayNode()
        assert display.GetWindow() > 0


def test_bundle_is_small_and_nothing_is_printed(one_case, tmp_path, capfd):
    result, volume = one_case
    write_scene(result, volume, tmp_path / "scene.mrb")
    write_segmentation(result, volume, tmp_path / "segmentation.seg.nrrd")
    write_markups(result, tmp_path / "markups")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["markups", "scene.mrb", "segmentation.seg.nrrd"]
    with zipfile.ZipFile(tmp_path / "scene.mrb") as bundle:
        assert bundle.testzip() is None
        (stored,) = [i for i in bundle.infolist() if i.filename.endswith("lumbar.nrrd")]
    assert stored.file_size < np.prod(volume.GetSize()) * 2


def test_an_older_file_is_replaced(one_case, tmp_path):
    result, volume = one_case
    path = tmp_path / "segmentation.seg.nrrd"
    path.write_text("older")
    write_segmentation(result, volume, path)
    assert path.read_bytes().startswith(b"NRRD")


def test_missing_folder_and_wrong_ending_are_output_errors(one_case, tmp_path):
    result, volume = one_case
    with pytest.raises(OutputError, match=r"scene\.mrb"):
        write_scene(result, volume, tmp_path / "nowhere" / "scene.mrb")
    with pytest.raises(OutputError, match=r"must end in \.mrb"):
        write_scene(result, volume, tmp_path / "scene.zip")
    with pytest.raises(OutputError, match=r"must end in \.seg\.nrrd"):
        write_segmentation(result, volume, tmp_path / "segmentation.nrrd")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        write_markups(result, tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from conftest import make_case
from SpineQuantLib.case.errors import OutputError
from SpineQuantLib.scene.files import write_markups, write_scene, write_segmentation
result, volume = make_case()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    {call}
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes is a POSIX one")
@pytest.mark.parametrize(
    ("call", "limit", "name"),
    [
        ("write_scene(result, volume, Path('scene.mrb'))", 60_000, "scene.mrb"),
        ("write_segmentation(result, volume, Path('s.seg.nrrd'))", 2_000, "s.seg.nrrd"),
        ("write_markups(result, Path('markups'))", 1_000, "markups"),
    ],
)
def test_full_disk_leaves_nothing_half_written(tmp_path, call, limit, name):
    code = _FULL_DISK.format(here=str(Path(__file__).parent), limit=limit, call=call)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert name in done.stdout
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
