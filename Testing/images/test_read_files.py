"""Single-file volumes keep their voxels and their geometry, however they are stored."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import image_fixtures as fx
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.grid import Grid, from_reading_order
from SpineQuantLib.images.files import read_file
from SpineQuantLib.images.read import list_series, read_volume

FORMATS = {
    "nii": "NIfTI",
    "nii.gz": "NIfTI",
    "nrrd": "NRRD",
    "nhdr": "NRRD",
    "mha": "MetaImage",
    "mhd": "MetaImage",
}
OBLIQUE = Rotation.from_euler("xyz", [12.0, -7.0, 4.0], degrees=True).as_matrix()


def assert_same_place(read: sitk.Image, written: sitk.Image, tolerance: float = 1e-4) -> None:
    assert read.GetSize() == written.GetSize()
    corners = itertools.product(*((0, n - 1) for n in written.GetSize()))
    for corner in corners:
        here, there = (np.array(i.TransformIndexToPhysicalPoint(corner)) for i in (read, written))
        assert np.abs(here - there).max() < tolerance


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_returns_voxels_and_place(tmp_path: Path, suffix: str, compressed: bool) -> None:
    written = fx.make_image(direction=OBLIQUE @ np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], float))
    path = tmp_path / f"volume.{suffix}"
    sitk.WriteImage(written, str(path), compressed and not suffix.startswith("nii"))
    volume = read_volume(path)
    assert np.array_equal(sitk.GetArrayFromImage(volume.image), sitk.GetArrayFromImage(written))
    assert volume.image.GetPixelID() == sitk.sitkFloat32
    assert_same_place(volume.image, written)
    assert volume.info.format == FORMATS[suffix]
    assert volume.info.orientation == "PIL"
    assert volume.info.size == written.GetSize()
    assert volume.info.spacing == volume.image.GetSpacing()
    assert volume.info.path == path
    assert volume.info.files[0] == path
    assert len(volume.info.files) == (2 if suffix in ("nhdr", "mhd") else 1)
    assert volume.info.dicom == {}
    assert list_series(path) == []


@settings(max_examples=15, deadline=None)
@given(
    order=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    tilt=st.tuples(*[st.floats(-20, 20)] * 3),
)
def test_permuted_and_mirrored_copies_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], flips: tuple[bool, ...], tilt: tuple[float, ...]
) -> None:
    turn = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix()
    image = fx.make_image(direction=turn @ np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], float))
    copy = sitk.Flip(sitk.PermuteAxes(image, order), flips)
    folder = tmp_path_factory.mktemp("copies")
    for name, item in (("a.mha", image), ("b.mha", copy)):
        sitk.WriteImage(item, str(folder / name))
    one, other = read_volume(folder / "a.mha"), read_volume(folder / "b.mha")
    assert np.array_equal(sitk.GetArrayFromImage(one.reading), sitk.GetArrayFromImage(other.reading))
    np.testing.assert_allclose(Grid.of(one.reading).matrix, Grid.of(other.reading).matrix, atol=1e-6)
    # And back: what is computed in reading order lies on the file's own voxels again.
    back = from_reading_order(other.reading, other.image)
    assert np.array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(copy).astype(np.float32))
    assert back.GetDirection() == other.image.GetDirection()


def test_reading_order_runs_left_down_and_back(tmp_path: Path) -> None:
    """Bright voxels at the patient's left, foot and back end lie at the high end of k, j and i."""
    array = fx.texture((12, 72, 64))
    image = fx.make_image(array, direction=np.diag([-1.0, -1.0, 1.0]), spacing=(6.0, 1.25, 6.0))
    sitk.WriteImage(image, str(tmp_path / "ras.nii.gz"))
    reading = read_volume(tmp_path / "ras.nii.gz").reading
    grid = Grid.of(reading)
    start, end = grid.to_ras(np.zeros(3)), grid.to_ras(np.array(grid.shape) - 1)
    assert end[0] < start[0]
    assert end[1] < start[1]
    assert end[2] < start[2]
    assert reading.GetSize() == (72, 12, 64)


def test_hash_is_of_the_content(tmp_path: Path) -> None:
    image = fx.make_image()
    for name in ("a.nrrd", "b.nrrd"):
        sitk.WriteImage(image, str(tmp_path / name))
    changed = fx.make_image(fx.texture((12, 72, 64), seed=1))
    sitk.WriteImage(changed, str(tmp_path / "c.nrrd"))
    a, b, c = (read_volume(tmp_path / f"{n}.nrrd").info.sha256 for n in "abc")
    assert a == b != c
    assert len(a) == 64
    sitk.WriteImage(image, str(tmp_path / "d.mhd"))
    before = read_volume(tmp_path / "d.mhd").info.sha256
    sitk.WriteImage(changed, str(tmp_path / "d.mhd"))
    assert read_volume(tmp_path / "d.mhd").info.sha256 != before


def test_scaling_in_the_header_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "scaled.nii"
    sitk.WriteImage(fx.make_image(), str(path))
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([0.5, 100.0], "<f4").tobytes()
    path.write_bytes(data)
    expected = fx.texture((12, 72, 64)) * 0.5 + 100
    np.testing.assert_allclose(sitk.GetArrayFromImage(read_volume(path).image), expected)


def test_a_single_time_point_is_a_volume(tmp_path: Path) -> None:
    image = fx.make_image()
    for suffix in ("nii.gz", "nrrd", "mha"):
        path = tmp_path / f"one.{suffix}"
        sitk.WriteImage(sitk.JoinSeries([image]), str(path))
        volume = read_volume(path)
        assert np.array_equal(sitk.GetArrayFromImage(volume.image), sitk.GetArrayFromImage(image))
        assert_same_place(volume.image, image)
        assert any("single time point" in note for note in volume.info.notes)


def test_uncompressed_nifti_named_gz_is_read(tmp_path: Path) -> None:
    sitk.WriteImage(fx.make_image(), str(tmp_path / "a.nii"))
    (tmp_path / "b.nii.gz").write_bytes((tmp_path / "a.nii").read_bytes())
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()))
    first = sitk.GetArrayFromImage(read_volume(tmp_path / "a.nii").image)
    for name in ("b.nii.gz", "c.nii.gz"):
        assert np.array_equal(sitk.GetArrayFromImage(read_volume(tmp_path / name).image), first)


def test_nifti_orientation_is_doubted_where_the_header_gives_cause(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    sitk.WriteImage(fx.make_image(), str(path))
    assert read_volume(path).info.notes == ()
    data = bytearray(path.read_bytes())
    without = bytearray(data)
    without[252:256] = b"\0\0\0\0"
    (tmp_path / "without.nii").write_bytes(without)
    _, _, _, notes = read_file(tmp_path / "without.nii")
    assert any("no orientation" in note for note in notes)
    rows = np.frombuffer(bytes(data[280:328]), "<f4").reshape(3, 4).copy()
    rows[0] = -rows[0]
    data[280:328] = rows.tobytes()
    (tmp_path / "torn.nii").write_bytes(data)
    _, _, _, notes = read_file(tmp_path / "torn.nii")
    assert any("disagree" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "taken_out"),
    [("a.nrrd", (b"space:", b"space directions:", b"space origin:")), ("a.mha", (b"TransformMatrix",))],
)
def test_a_text_header_without_orientation_is_doubted(tmp_path: Path, name: str, taken_out: tuple[bytes, ...]) -> None:
    path = tmp_path / name
    sitk.WriteImage(fx.make_image(), str(path))
    assert read_file(path)[3] == ()
    lines = path.read_bytes().split(b"\n")
    left = [line for line in lines if not line.startswith(taken_out)]
    assert len(left) == len(lines) - len(taken_out)
    sized = next((n for n, line in enumerate(left) if line.startswith(b"sizes:")), None)
    if sized is not None:
        left.insert(sized + 1, b"spacings: 1 1 4")
    path.write_bytes(b"\n".join(left))
    assert any("no orientation" in note for note in read_file(path)[3])


@pytest.mark.parametrize(("name", "field"), [("a.nrrd", "space directions:"), ("a.mha", "ElementSpacing")])
def test_a_text_header_without_voxel_size_is_refused(tmp_path: Path, name: str, field: str) -> None:
    """ITK would take a millimetre for each."""
    path = tmp_path / name
    sitk.WriteImage(fx.make_image(), str(path))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(field.encode())))
    with pytest.raises(InputError, match="voxel size"):
        read_file(path)


def test_series_is_for_dicom_only(tmp_path: Path) -> None:
    sitk.WriteImage(fx.make_image(), str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match="DICOM"):
        read_volume(tmp_path / "a.nrrd", series="3")


def test_free_text_of_a_header_is_left_behind(tmp_path: Path) -> None:
    image = fx.make_image()
    image.SetMetaData("patient", "Jane Doe")
    sitk.WriteImage(image, str(tmp_path / "named.nrrd"))
    assert sitk.ReadImage(str(tmp_path / "named.nrrd")).GetMetaDataKeys() != ()
    assert read_volume(tmp_path / "named.nrrd").image.GetMetaDataKeys() == ()


def test_real_volumes_are_read_as_they_are(data_folder: Path) -> None:
    paths = [
        data_folder / "lumbar-mri" / "images" / "vb1-06.nii.gz",
        data_folder / "lumbar-mri" / "images" / "vb3-20.nii.gz",
        data_folder / "lumbar-t2-sct" / "t2_lumbar.nii.gz",
        data_folder / "cervical-mri" / "sct_t1w.nii.gz",
    ]
    for path in paths:
        volume = read_volume(path)
        plain = sitk.ReadImage(str(path), sitk.sitkFloat32)
        assert np.array_equal(sitk.GetArrayFromImage(volume.image), sitk.GetArrayFromImage(plain)), path.name
        for get in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(volume.image, get)() == getattr(plain, get)(), path.name
        assert volume.info.notes == (), path.name
