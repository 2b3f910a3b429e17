"""Of a study, the sagittal lumbar T2 is read unless another series is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import image_fixtures as fx
import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.case.errors import InputError, UnsuitableError
from SpineQuantLib.case.result import Contrast
from SpineQuantLib.images.read import list_series, read_volume

SMALL = (6, 48, 48)


def series(number: int, seed: int = 0, **changes: object) -> fx.Series:
    return fx.Series(array=fx.texture(SMALL, seed), pixel=(1.5, 1.5), number=number, **changes)


def named(base: dict[str, object], description: str, **more: object) -> dict[str, object]:
    return {**base, "SeriesDescription": description, **more}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A usual lumbar study: localizers, sagittal T1, T2, STIR, axial T2, a screenshot and a report."""
    localizer = series(1, attributes=named(fx.T2, "localizer", ImageType=["ORIGINAL", "PRIMARY", "M", "LOCALIZER"]))
    for n, plane in enumerate((fx.SAGITTAL, fx.AXIAL, fx.CORONAL)):
        fx.write_series(tmp_path / "1", localizer.but(uid=localizer.uid, orientation=plane), range(3), f"L{n}{{k}}")
    fx.write_series(tmp_path / "2", series(2, 2, attributes=named(fx.T1, "sag T1 TSE")))
    fx.write_series(tmp_path / "3", series(3, 3, attributes=named(fx.T2, "sag T2 TSE")))
    fx.write_series(tmp_path / "4", series(4, 4, attributes=named(fx.STIR, "sag TIRM")))
    fx.write_series(
        tmp_path / "5", series(5, 5, attributes=named(fx.T2, "tra T2 TSE"), orientation=fx.AXIAL, step=10.0)
    )
    shot = fx.write_series(tmp_path / "6", series(99, attributes=named({}, "screenshot")), [0])
    fx.change(shot[0], ImagePositionPatient=None, ImageOrientationPatient=None)
    report = fx.write_series(tmp_path / "7", series(100, attributes={"Modality": "SR"}), [0])
    fx.change(report[0], Rows=None, Columns=None, PixelData=None)
    (tmp_path / "readme.txt").write_text("a study")
    return tmp_path


def test_sagittal_t2_is_chosen_and_the_rest_is_told(study: Path) -> None:
    volume = read_volume(study)
    assert volume.info.dicom["SeriesNumber"] == 3
    assert np.array_equal(sitk.GetArrayFromImage(volume.image), fx.texture(SMALL, 3))
    assert volume.info.contrast is Contrast.T2
    told = " ".join(volume.info.remarks)
    for word in ("sag T1 TSE", "sag TIRM", "tra T2 TSE", "localizer", "--series"):
        assert word in told


def test_list_of_series(study: Path) -> None:
    found = {info.key: info for info in list_series(study)}
    assert list(found) == ["1.1", "1.2", "1.3", "2", "3", "4", "5", "99"]
    assert [key for key, info in found.items() if info.chosen] == ["3"]
    assert [found[k].contrast.value for k in "2345"] == ["T1", "T2", "STIR", "T2"]
    assert [found[k].plane for k in ("1.1", "1.2", "1.3", "3", "5")] == [
        "sagittal",
        "axial",
        "coronal",
        "sagittal",
        "axial",
    ]
    assert found["3"].spacing == pytest.approx((1.5, 1.5, 4.4))
    assert (found["3"].slices, found["3"].problem) == (6, "")
    assert "position" in found["99"].problem
    assert "slices" in found["1.1"].problem


@pytest.mark.parametrize(("asked", "number"), [("4", 4), (" 2 ", 2), ("tirm", 4), ("T1", 2), ("tra", 5)])
def test_asked_for(study: Path, asked: str, number: int) -> None:
    assert read_volume(study, series=asked).info.dicom["SeriesNumber"] == number


def test_asked_for_by_uid(study: Path) -> None:
    for info in list_series(study):
        if not info.problem:
            assert read_volume(study, series=info.uid).info.dicom["SeriesInstanceUID"] == info.uid


@pytest.mark.parametrize(("asked", "words"), [("sag", "fits several"), ("77", "fits none"), ("", "fits none")])
def test_asked_for_what_is_not_one(study: Path, asked: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_volume(study, series=asked)
    assert "sag T2 TSE" in str(caught.value)


def test_asked_for_a_series_that_is_no_volume(study: Path) -> None:
    with pytest.raises(UnsuitableError, match="position"):
        read_volume(study, series="99")


def test_numbers_used_twice_give_way_to_uids(tmp_path: Path) -> None:
    one = series(3, 1, attributes=named(fx.T2, "sag T2"))
    two = series(3, 2, attributes=named(fx.T1, "sag T1"), study="1.2.3.4")
    fx.write_series(tmp_path / "a", one)
    fx.write_series(tmp_path / "b", two)
    with pytest.raises(InputError, match="fits several"):
        read_volume(tmp_path, series="3")
    assert {info.key for info in list_series(tmp_path)} == {one.uid, two.uid}
    assert read_volume(tmp_path, series=two.uid).info.contrast is Contrast.T1


PREFERENCES = {
    "T2 before T1": (named(fx.T2, "sag"), named(fx.T1, "sag")),
    "T1 before STIR": (named(fx.T1, "sag"), named(fx.STIR, "sag")),
    "plain before fat-suppressed": (named(fx.T2, "T2 sag"), named(fx.T2, "T2 sag FS")),
    "lumbar before cervical": (named(fx.T2, "T2 sag lumbar"), named(fx.T2, "T2 sag cervical")),
    "lumbar T1 before cervical T2": (named(fx.T1, "T1 sag LWS"), named(fx.T2, "T2 sag HWS")),
    "image before projection": (
        named(fx.T1, "sag"),
        named(fx.T2, "myelo", ImageType=["DERIVED", "SECONDARY", "PROJECTION IMAGE"]),
    ),
    "water before fat": (
        named(fx.T2, "dixon", ImageType=["DERIVED", "PRIMARY", "M", "WATER"]),
        named(fx.T2, "dixon", ImageType=["DERIVED", "PRIMARY", "M", "FAT"]),
    ),
}


@pytest.mark.parametrize("better_first", [True, False])
@pytest.mark.parametrize("name", PREFERENCES)
def test_preferences(tmp_path: Path, name: str, better_first: bool) -> None:
    better, worse = PREFERENCES[name]
    numbers = (2, 3) if better_first else (3, 2)
    fx.write_series(tmp_path, series(numbers[0], 1, attributes=better))
    fx.write_series(tmp_path, series(numbers[1], 2, attributes=worse))
    assert read_volume(tmp_path).info.dicom["SeriesNumber"] == numbers[0]


def test_finer_pixels_before_coarser(tmp_path: Path) -> None:
    coarse = fx.Series(array=fx.texture(SMALL), pixel=(1.5, 1.5), number=9)
    fine = fx.Series(array=fx.texture((6, 96, 96)), pixel=(0.75, 0.75), number=2)
    fx.write_series(tmp_path, coarse)
    fx.write_series(tmp_path, fine)
    assert read_volume(tmp_path).info.dicom["SeriesNumber"] == 2


def test_an_incomplete_series_gives_way_to_its_repeat(tmp_path: Path) -> None:
    longer = fx.Series(array=fx.texture((9, 48, 48)), pixel=(1.5, 1.5), number=8)
    fx.write_series(tmp_path, longer, [0, 1, 3, 4, 5, 6, 7, 8])
    fx.write_series(tmp_path, series(3, 2, attributes=fx.T2))
    volume = read_volume(tmp_path)
    assert volume.info.dicom["SeriesNumber"] == 3
    assert any("missing" in note for note in volume.info.notes)


def test_an_incomplete_t2_is_not_replaced_by_a_t1(tmp_path: Path) -> None:
    fx.write_series(tmp_path, series(3, 1, attributes=fx.T2), [0, 1, 3, 4, 5])
    fx.write_series(tmp_path, series(2, 2, attributes=fx.T1))
    with pytest.raises(InputError, match="missing") as caught:
        read_volume(tmp_path)
    assert "--series" in str(caught.value)
    assert [info.chosen for info in list_series(tmp_path)] == [False, False]


def test_without_t2_a_note_says_so(tmp_path: Path) -> None:
    fx.write_series(tmp_path, series(2, 1, attributes=named(fx.T1, "sag T1")))
    fx.write_series(tmp_path, series(3, 2, attributes=named(fx.STIR, "sag STIR")))
    volume = read_volume(tmp_path)
    assert volume.info.contrast is Contrast.T1
    assert any("no sagittal T2" in note for note in volume.info.notes)


def test_without_a_sagittal_series_nothing_is_guessed(tmp_path: Path) -> None:
    axial = {"orientation": fx.AXIAL, "step": 10.0}
    fx.write_series(tmp_path, series(2, 1, attributes=named(fx.T2, "tra T2"), **axial))
    fx.write_series(tmp_path, series(3, 2, attributes=named(fx.T1, "tra T1"), **axial))
    with pytest.raises(UnsuitableError, match="no sagittal"):
        read_volume(tmp_path)
    assert read_volume(tmp_path, series="tra T2").info.dicom["SeriesNumber"] == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"EchoTime": 11.0}, {"EchoTime": 104.0}),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
        ({"ImageType": ["DERIVED", "PRIMARY", "M", "WATER"]}, {"ImageType": ["DERIVED", "PRIMARY", "M", "FAT"]}),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
    ],
)
def test_volumes_mixed_in_one_series_are_told_apart(tmp_path: Path, first: dict, second: dict) -> None:
    one = series(4, 1, attributes={**fx.T2, **first})
    two = one.but(uid=one.uid, array=fx.texture(SMALL, 2), attributes={**fx.T2, **second})
    fx.write_series(tmp_path, one, name="a{k}")
    fx.write_series(tmp_path, two, name="b{k}")
    assert [info.key for info in list_series(tmp_path)] == ["4.1", "4.2"]
    for key, seed in (("4.1", 1), ("4.2", 2)):
        values = sitk.GetArrayFromImage(read_volume(tmp_path, series=key).image)
        assert np.array_equal(values, fx.texture(SMALL, seed))
    # A file stands for the volume it belongs to.
    values = sitk.GetArrayFromImage(read_volume(tmp_path / "b3").image)
    assert np.array_equal(values, fx.texture(SMALL, 2))


def test_stations_side_by_side_are_two_volumes(tmp_path: Path) -> None:
    upper = series(4, 1)
    lower = upper.but(uid=upper.uid, array=fx.texture(SMALL, 2), origin=(-25.0, -60.0, 60.0))
    fx.write_series(tmp_path, upper, name="a{k}")
    fx.write_series(tmp_path, lower, name="b{k}")
    assert [info.slices for info in list_series(tmp_path)] == [6, 6]


def test_what_varies_within_one_volume_does_not_tear_it_apart(tmp_path: Path) -> None:
    varying = series(
        4, per_slice=lambda k: {"AcquisitionNumber": k % 2, "TriggerTime": 10.0 * k, "EchoTime": 104 + k / 100}
    )
    fx.write_series(tmp_path, varying)
    assert [info.slices for info in list_series(tmp_path)] == [6]
    assert np.array_equal(sitk.GetArrayFromImage(read_volume(tmp_path).image), varying.array)


def test_a_head_is_noted(tmp_path: Path) -> None:
    fx.write_series(tmp_path, series(4, attributes={**fx.T2, "BodyPartExamined": "HEAD"}))
    assert any("head" in note for note in read_volume(tmp_path).info.notes)


def test_folder_with_reports_only(tmp_path: Path) -> None:
    report = fx.write_series(tmp_path, series(1, attributes={"Modality": "SR"}), [0])
    fx.change(report[0], Rows=None, Columns=None, PixelData=None)
    with pytest.raises(InputError, match="no images"):
        read_volume(tmp_path)


def test_folder_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("nothing here")
    with pytest.raises(InputError, match="no DICOM"):
        read_volume(tmp_path)


def test_links_and_pipes_do_not_trap_the_search(tmp_path: Path) -> None:
    fx.write_series(tmp_path / "in", series(3))
    (tmp_path / "in" / "loop").symlink_to(tmp_path)
    (tmp_path / "in" / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "in" / "pipe")
    assert read_volume(tmp_path).info.size == (48, 48, 6)


def test_control_characters_in_a_description_are_not_passed_on(tmp_path: Path) -> None:
    fx.write_series(tmp_path, series(3, attributes=named(fx.T2, "T2\x1b[31m sag")))
    assert "\x1b" not in read_volume(tmp_path).info.dicom["SeriesDescription"]
