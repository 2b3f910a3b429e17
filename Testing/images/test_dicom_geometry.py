"""A DICOM series becomes the volume that was acquired, or is refused; it is never a wrong volume."""

from __future__ import annotations

import random
from pathlib import Path

import image_fixtures as fx
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import RLELossless
from scipy.spatial.transform import Rotation

from SpineQuantLib.case.errors import InputError, SpineQuantError, UnsuitableError
from SpineQuantLib.images.read import read_volume


def assert_is(volume: sitk.Image, expected: sitk.Image) -> None:
    assert np.array_equal(sitk.GetArrayFromImage(volume), sitk.GetArrayFromImage(expected).astype(np.float32))
    np.testing.assert_allclose(volume.GetSpacing(), expected.GetSpacing(), atol=1e-4)
    np.testing.assert_allclose(volume.GetOrigin(), expected.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(volume.GetDirection(), expected.GetDirection(), atol=1e-5)


def turned(series: fx.Series, *degrees: float) -> fx.Series:
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    row, column = (tuple((turn @ np.array(axis)).round(9).tolist()) for axis in series.orientation)
    return series.but(orientation=(row, column))


def refused(path: Path, kind: type[SpineQuantError], words: str) -> None:
    with pytest.raises(SpineQuantError) as caught:
        read_volume(path)
    assert type(caught.value) is kind, caught.value
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sagittal_series(tmp_path: Path) -> None:
    series = fx.Series()
    paths = fx.write_series(tmp_path, series)
    volume = read_volume(tmp_path)
    assert_is(volume.image, series.image())
    assert volume.info.format == "DICOM"
    assert volume.info.orientation == "PIR"
    assert volume.info.files == tuple(paths)
    assert volume.info.notes == ()


def test_same_as_the_reader_of_itk(tmp_path: Path) -> None:
    fx.write_series(tmp_path, turned(fx.Series(), 11.0, -6.0, 3.0))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    assert_is(read_volume(tmp_path).image, sitk.Cast(reader.Execute(), sitk.sitkFloat32))


@settings(max_examples=12, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-25, 25)] * 3),
    plane=st.sampled_from([fx.SAGITTAL, fx.AXIAL, fx.CORONAL]),
    seed=st.integers(0, 99),
)
def test_order_of_files_never_matters(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, ...], plane: tuple, seed: int
) -> None:
    """Oblique stacks, written in any order under names that say nothing."""
    folder = tmp_path_factory.mktemp("shuffled")
    series = turned(fx.Series(array=fx.texture((6, 48, 48)), orientation=plane, pixel=(1.5, 1.5), step=9.5), *angles)
    order = list(range(6))
    random.Random(seed).shuffle(order)
    for name, k in enumerate(order):
        fx.write_series(
            folder, series.but(uid=series.uid, per_slice=lambda k: {"InstanceNumber": 99 - k}), [k], f"IM{name}"
        )
    assert_is(read_volume(folder).image, series.image())


def test_stack_acquired_from_left_to_right_reads_the_same(tmp_path: Path) -> None:
    """The slices in the other order of numbers and the rows mirrored: other files, same patient."""
    one = fx.Series()
    k = len(one.array) - 1
    other = one.but(
        array=one.array[:, :, ::-1],
        orientation=((0.0, -1.0, 0.0), (0.0, 0.0, -1.0)),
        origin=(one.origin[0], one.origin[1] + (one.array.shape[2] - 1) * 1.5, one.origin[2]),
        depth=lambda k: -k * 4.4,
        step=-4.4,
    )
    fx.write_series(tmp_path / "one", one)
    fx.write_series(tmp_path / "other", other, reversed(range(k + 1)))
    a, b = read_volume(tmp_path / "one"), read_volume(tmp_path / "other")
    assert a.image.GetDirection() != b.image.GetDirection()
    assert_is(b.reading, a.reading)


def test_a_file_stands_for_its_series(tmp_path: Path) -> None:
    series = fx.Series()
    paths = fx.write_series(tmp_path, series)
    fx.write_series(tmp_path, series.but(number=6, array=fx.texture((12, 72, 64), 1), attributes=fx.T1))
    fx.write_series(tmp_path, series.but(number=7, patient="P2"))
    assert_is(read_volume(paths[4]).image, series.image())


def test_identifiers_are_kept_and_the_patient_is_not(tmp_path: Path) -> None:
    series = fx.Series()
    paths = fx.write_series(tmp_path, series, reversed(range(12)))
    info = read_volume(tmp_path).info
    headers = [pydicom.dcmread(p) for p in reversed(paths)]
    assert info.dicom["SOPInstanceUIDs"] == [h.SOPInstanceUID for h in headers]
    assert [f.name for f in info.files] == [p.name for p in reversed(paths)]
    for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert info.dicom[key] == headers[0][key].value
    assert (info.dicom["EchoTime"], info.dicom["RepetitionTime"]) == (104.0, 3500.0)
    assert info.dicom["SliceThickness"] == 4.0
    told = repr(info.dicom)
    for secret in ("Doe", "P1", "19700101"):
        assert secret not in told


def test_hash_does_not_depend_on_names_nor_order(tmp_path: Path) -> None:
    paths = fx.write_series(tmp_path / "a", fx.Series())
    (tmp_path / "b").mkdir()
    for n, path in enumerate(reversed(paths)):
        (tmp_path / "b" / f"X{n}").write_bytes(path.read_bytes())
    first = read_volume(tmp_path / "a").info.sha256
    assert read_volume(tmp_path / "b").info.sha256 == first
    fx.change(tmp_path / "b" / "X3", ImageComments="other")
    assert read_volume(tmp_path / "b").info.sha256 != first


def test_rescale_and_bits(tmp_path: Path) -> None:
    series = fx.Series(
        array=fx.texture((12, 72, 64)) % 4096,
        per_slice=lambda k: {"RescaleSlope": 0.5 + k, "RescaleIntercept": -3.0, "BitsStored": 12, "HighBit": 11},
    )
    paths = fx.write_series(tmp_path, series)
    # Bits above BitsStored once held overlays; they are no part of the pixel.
    dataset = pydicom.dcmread(paths[2])
    pixels = np.frombuffer(dataset.PixelData, "<u2") | 0x8000
    fx.change(paths[2], PixelData=pixels.tobytes())
    expected = series.array * (0.5 + np.arange(12))[:, None, None] - 3.0
    np.testing.assert_allclose(sitk.GetArrayFromImage(read_volume(tmp_path).image), expected)


def test_signed_pixels(tmp_path: Path) -> None:
    series = fx.Series(array=fx.texture((12, 72, 64)).astype(np.int16) - 200)
    fx.write_series(tmp_path, series)
    assert_is(read_volume(tmp_path).image, series.image())


def test_monochrome1_is_turned_over(tmp_path: Path) -> None:
    array = fx.texture((12, 72, 64))
    inverted = (array.max() + array.min() - array).astype(np.uint16)
    fx.write_series(
        tmp_path, fx.Series(array=inverted, per_slice=lambda _: {"PhotometricInterpretation": "MONOCHROME1"})
    )
    volume = read_volume(tmp_path)
    assert np.array_equal(sitk.GetArrayFromImage(volume.image), array)
    assert any("MONOCHROME1" in note for note in volume.info.notes)


def test_rle_compression(tmp_path: Path) -> None:
    series = fx.Series()
    for path in fx.write_series(tmp_path, series):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless)
        dataset.save_as(path)
    assert_is(read_volume(tmp_path).image, series.image())


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_jpeg_compression(tmp_path: Path, compressor: str) -> None:
    series = fx.Series()
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    (tmp_path / "compressed").mkdir()
    for path in fx.write_series(tmp_path / "plain", series):
        writer.SetFileName(str(tmp_path / "compressed" / path.name))
        writer.Execute(sitk.ReadImage(str(path)))
        assert pydicom.dcmread(tmp_path / "compressed" / path.name).file_meta.TransferSyntaxUID.is_compressed
        fx.change(tmp_path / "compressed" / path.name, RescaleSlope=2.0, RescaleIntercept=1.0)
    values = sitk.GetArrayFromImage(read_volume(tmp_path / "compressed").image)
    assert np.array_equal(values, series.array * 2.0 + 1.0)


def test_files_without_preamble(tmp_path: Path) -> None:
    series = fx.Series()
    for k in range(12):
        dataset = fx.slice_dataset(series, k)
        del dataset.file_meta
        dataset.preamble = None
        dataset.save_as(tmp_path / f"I{k}", implicit_vr=True, little_endian=True)
    assert_is(read_volume(tmp_path).image, series.image())


def test_enhanced_multi_frame(tmp_path: Path) -> None:
    series = turned(fx.Series(), 8.0, 0.0, -5.0)
    path = fx.write_enhanced(tmp_path / "e.dcm", series, order=[5, 3, 11, *range(3), 4, *range(6, 11)])
    fx.write_series(tmp_path, fx.Series(attributes=fx.T1))
    volume = read_volume(path)
    expected = sitk.GetImageFromArray((series.array * 2.0 + np.arange(12)[:, None, None]).astype(np.float32))
    expected.CopyInformation(series.image())
    assert_is(volume.image, expected)
    assert volume.info.files == (path,)
    assert volume.info.contrast.value == "T2"
    assert volume.info.dicom["FrameNumbers"] == [4, 5, 6, 2, 7, 1, 8, 9, 10, 11, 12, 3]
    assert read_volume(tmp_path, series="T2").info.files == (path,)


def test_duplicates_are_left_out_and_change_nothing(tmp_path: Path) -> None:
    series = fx.Series()
    fx.write_series(tmp_path, series)
    alone = read_volume(tmp_path)
    fx.write_series(tmp_path / "again", series, [2, 7])
    volume = read_volume(tmp_path)
    assert_is(volume.image, series.image())
    assert any("2 duplicate slices" in note for note in volume.info.notes)
    assert len(volume.info.files) == len(alone.info.files) == 12


def test_different_images_at_one_position_are_refused(tmp_path: Path) -> None:
    series = fx.Series()
    fx.write_series(tmp_path, series)
    fx.write_series(tmp_path / "more", series.but(uid=series.uid, array=series.array + 1), [4])
    refused(tmp_path, UnsuitableError, "same position")


@pytest.mark.parametrize(
    ("kept", "words"), [([0, 1, 2, 3, 5, 6, 7, 8, 9], "1 slice is"), ([0, 1, 2, 5, 6, 7, 9], "3 slices")]
)
def test_missing_slices_are_refused(tmp_path: Path, kept: list[int], words: str) -> None:
    fx.write_series(tmp_path, fx.Series(), kept)
    refused(tmp_path, InputError, words)


def test_every_second_slice_missing(tmp_path: Path) -> None:
    fx.write_series(tmp_path, fx.Series(attributes={**fx.T2, "SpacingBetweenSlices": 4.4}), range(0, 12, 2))
    refused(tmp_path, InputError, "4.40 mm")


def test_gap_written_as_distance_is_no_missing_slice(tmp_path: Path) -> None:
    """Some scanners write the gap of 0.4 mm where the distance of 4.4 mm belongs."""
    series = fx.Series(attributes={**fx.T2, "SpacingBetweenSlices": 0.4})
    fx.write_series(tmp_path, series)
    assert_is(read_volume(tmp_path).image, series.image())


def test_uneven_distances(tmp_path: Path) -> None:
    slightly = fx.Series(depth=lambda k: 4.4 * k + (0.3 if k == 6 else 0.0))
    fx.write_series(tmp_path / "slightly", slightly)
    volume = read_volume(tmp_path / "slightly")
    assert volume.image.GetSpacing()[2] == pytest.approx(4.4)
    assert any("apart" in note or "differ" in note for note in volume.info.notes)
    fx.write_series(tmp_path / "badly", slightly.but(depth=lambda k: 4.4 * k + (1.2 if k > 6 else 0.0)))
    refused(tmp_path / "badly", UnsuitableError, "apart")


@pytest.mark.parametrize("drift", [(0.0, 0.0, 0.5), (0.0, 0.4, 0.0)])
def test_sheared_stacks_are_refused(tmp_path: Path, drift: tuple[float, float, float]) -> None:
    fx.write_series(tmp_path, fx.Series(shift=lambda k: tuple(k * d for d in drift)))
    refused(tmp_path, UnsuitableError, "sheared")


@pytest.mark.parametrize(
    ("attributes", "kind", "words"),
    [
        ({"Modality": "CT"}, UnsuitableError, "CT"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, UnsuitableError, "colour"),
        ({"ImagePositionPatient": None}, UnsuitableError, "position"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, InputError, "orientation"),
        ({"PixelSpacing": None}, InputError, "pixel spacing"),
        ({"PixelSpacing": [0, 0]}, InputError, "voxel size"),
        ({"RescaleSlope": 0}, InputError, "slope"),
        ({"Rows": None}, InputError, "no images"),
    ],
)
def test_series_that_are_no_mr_volume(
    tmp_path: Path, attributes: dict[str, object], kind: type[SpineQuantError], words: str
) -> None:
    for path in fx.write_series(tmp_path, fx.Series()):
        fx.change(path, **attributes)
    refused(tmp_path, kind, words)


def test_mixed_sizes_are_refused(tmp_path: Path) -> None:
    series = fx.Series()
    fx.write_series(tmp_path, series, range(8))
    fx.write_series(tmp_path, series.but(uid=series.uid, array=fx.texture((12, 70, 64))), range(8, 12))
    refused(tmp_path, UnsuitableError, "different sizes")


def test_mixed_patients_are_refused_without_their_names(tmp_path: Path) -> None:
    fx.write_series(tmp_path / "a", fx.Series())
    fx.write_series(tmp_path / "b", fx.Series(patient="P2", attributes=fx.T1, number=6))
    with pytest.raises(UnsuitableError, match="2 patients") as caught:
        read_volume(tmp_path)
    assert "Doe" not in str(caught.value)


def test_one_patient_written_sloppily_is_one_patient(tmp_path: Path) -> None:
    paths = fx.write_series(tmp_path, fx.Series())
    fx.change(paths[0], PatientName="DOE^P1^^")
    fx.change(paths[1], PatientBirthDate="", PatientName="")
    assert len(read_volume(tmp_path).info.files) == 12


def test_pixels_cut_off(tmp_path: Path) -> None:
    paths = fx.write_series(tmp_path, fx.Series())
    paths[5].write_bytes(paths[5].read_bytes()[:-100])
    refused(tmp_path, InputError, "truncated")
    refused(paths[5], InputError, "truncated")


def test_unknown_transfer_syntax(tmp_path: Path) -> None:
    for path in fx.write_series(tmp_path, fx.Series()):
        data = path.read_bytes()
        path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1\n9.9\0", 1))
    refused(tmp_path, InputError, "")


def test_header_cut_off(tmp_path: Path) -> None:
    paths = fx.write_series(tmp_path, fx.Series())
    for path in paths:
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError):
        read_volume(tmp_path)
    with pytest.raises(InputError):
        read_volume(paths[0])


def test_frames_beyond_all_measure(tmp_path: Path) -> None:
    path = fx.write_enhanced(tmp_path / "e.dcm", fx.Series())
    fx.change(path, NumberOfFrames=2_000_000_000)
    refused(path, InputError, "damaged")


def test_random_damage_never_leaks_an_exception(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = fx.Series(array=fx.texture((6, 48, 48)), pixel=(2.0, 2.0))
    whole = fx.write_enhanced(tmp_path / "e.dcm", small).read_bytes()
    rng = random.Random(3)
    messages = []
    for n in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 3, 10])):
            place = rng.randrange(132, rng.choice([700, len(data) - 6 * 48 * 48 * 2]))
            data[place] = rng.randrange(256)
        path = tmp_path / f"{n}" / "damaged.dcm"
        path.parent.mkdir()
        path.write_bytes(data)
        try:
            read_volume(path)
        except SpineQuantError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in text for text in messages)
    assert capfd.readouterr() == ("", "")
