"""Whatever is wrong with a file, one clear line says so; nothing else is printed and nothing else is raised."""

from __future__ import annotations

import gzip
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import image_fixtures as fx
import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.case.errors import InputError, SpineQuantError, UnsuitableError
from SpineQuantLib.images.read import read_volume


def save(path: Path, image: sitk.Image | None = None, *, compress: bool = False) -> Path:
    sitk.WriteImage(fx.make_image() if image is None else image, str(path), compress)
    return path


def patched(path: Path, offset: int, kind: str, *values: float) -> Path:
    data = bytearray(path.read_bytes())
    struct.pack_into(kind, data, offset, *values)
    path.write_bytes(data)
    return path


def replaced(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def of(array: np.ndarray) -> sitk.Image:
    return fx.make_image(np.asarray(array))


def spread(array: np.ndarray, *places: tuple[int, int, int], value: float) -> np.ndarray:
    out = array.astype(np.float32)
    for place in places:
        out[place] = value
    return out


def ct() -> np.ndarray:
    """Air, soft tissue and bone in Hounsfield units."""
    rng = np.random.default_rng(0)
    values = np.full((12, 72, 64), -1000.0)
    values[:, 10:60, 10:60] = 40.0
    values[:, 20:40, 20:30] = 700.0
    return np.rint(values + rng.normal(0, 15, values.shape)).astype(np.int16)


def colour() -> sitk.Image:
    part = sitk.Cast(fx.make_image() / 20.0, sitk.sitkUInt8)
    return sitk.Compose(part, part, part)


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def text(path: Path, squeeze: bool = False) -> Path:
    words = b"Dear colleague, please find attached...\n" * 50
    path.write_bytes(gzip.compress(words) if squeeze else words)
    return path


def detached_short(folder: Path) -> Path:
    path = save(folder / "a.mhd")
    cut(folder / "a.raw")
    return path


def detached_missing(folder: Path) -> Path:
    path = save(folder / "a.nhdr")
    next(p for p in folder.iterdir() if p != path).unlink()
    return path


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.nii")
    return folder / "pipe.nii"


def flat_crc(folder: Path) -> Path:
    path = save(folder / "a.nii.gz")
    data = bytearray(path.read_bytes())
    data[-8] ^= 0xFF
    path.write_bytes(data)
    return path


BASE = fx.texture((12, 72, 64))
LABELS = (BASE // 200 % 5).astype(np.uint8)

UNREADABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda d: d / "nothing.nii.gz", "does not exist"),
    "empty": (lambda d: empty(d / "a.nii.gz"), "is empty"),
    "empty folder": (lambda d: d, "is empty"),
    "text as .nii.gz": (lambda d: text(d / "a.nii.gz"), "something else"),
    "compressed text as .nii.gz": (lambda d: text(d / "a.nii.gz", squeeze=True), "something else"),
    "text as .nrrd": (lambda d: text(d / "a.nrrd"), "something else"),
    "text as .mha": (lambda d: text(d / "a.mha"), "something else"),
    "unknown format": (lambda d: text(d / "a.txt"), "no known format"),
    "nrrd named nifti": (lambda d: save(d / "a.nrrd").rename(d / "a.nii"), "holds NRRD"),
    "nifti truncated": (lambda d: cut(save(d / "a.nii")), "truncated"),
    "nifti one byte short": (lambda d: cut(save(d / "a.nii"), 0.999999), "truncated"),
    "nifti.gz truncated": (lambda d: cut(save(d / "a.nii.gz")), "truncated"),
    "nifti.gz of a few bytes": (lambda d: cut(save(d / "a.nii.gz"), 0.002), "damaged|truncated"),
    "nifti.gz with wrong checksum": (flat_crc, "checksum"),
    "nrrd truncated": (lambda d: cut(save(d / "a.nrrd")), "truncated"),
    "nrrd.gz truncated": (lambda d: cut(save(d / "a.nrrd", compress=True)), "truncated|damaged"),
    "mha truncated": (lambda d: cut(save(d / "a.mha")), "truncated"),
    "mha compressed truncated": (lambda d: cut(save(d / "a.mha", compress=True)), "truncated"),
    "raw shorter than header": (detached_short, "truncated"),
    "data file missing": (detached_missing, "is not there"),
    "pair": (lambda d: replaced(save(d / "a.nii"), b"n+1\0", b"ni1\0"), "pair"),
    "2000 cubed nifti": (lambda d: patched(save(d / "a.nii"), 42, "<3h", 2000, 2000, 2000), "2000 × 2000 × 2000"),
    "2000 cubed nrrd": (lambda d: replaced(save(d / "a.nrrd"), b"64 72 12", b"2000 2000 2000"), "2000 × 2000 × 2000"),
    "2000 cubed mha": (
        lambda d: replaced(save(d / "a.mha", compress=True), b"64 72 12", b"2000 2000 2000"),
        "2000 × 2000 × 2000",
    ),
    "700 cubed nrrd": (lambda d: replaced(save(d / "a.nrrd", compress=True), b"64 72 12", b"700 700 700"), "truncated"),
    "negative size": (lambda d: patched(save(d / "a.nii"), 42, "<h", -5), "damaged|size"),
    "zero spacing nifti": (lambda d: patched(save(d / "a.nii"), 80, "<f", 0.0), "voxel size"),
    "negative spacing nifti": (lambda d: patched(save(d / "a.nii"), 84, "<f", -1.0), "voxel size"),
    "NaN spacing nifti": (lambda d: patched(save(d / "a.nii"), 88, "<f", float("nan")), "voxel size"),
    "zero spacing mha": (lambda d: replaced(save(d / "a.mha"), b"= 1.5 ", b"= 0 "), "voxel size"),
    "negative spacing mha": (lambda d: replaced(save(d / "a.mha"), b"= 1.5 ", b"= -1.5 "), "voxel size"),
    "zero spacing nrrd": (lambda d: replaced(save(d / "a.nrrd"), b"(0,1.5,0)", b"(0,0,0)"), "voxel size"),
    "half of it NaN": (lambda d: save(d / "a.nii", of(spread(BASE, (slice(6),), value=np.nan))), "NaN"),
    "2 percent infinite": (lambda d: save(d / "a.nii", of(spread(BASE, (0, slice(20)), value=np.inf))), "infinite"),
    "not a regular file": (pipe, "neither a file"),
}

UNSUITABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "2D": (lambda d: save(d / "a.nii", fx.make_image()[:, :, 3]), "2D"),
    "2D png-like slice in 3D": (lambda d: save(d / "a.nrrd", fx.make_image()[:, :, 3:4]), "2D"),
    "4D": (lambda d: save(d / "a.nii", sitk.JoinSeries([fx.make_image()] * 3)), "4 dimensions"),
    "4D nrrd": (lambda d: save(d / "a.nrrd", sitk.JoinSeries([fx.make_image()] * 3)), "4 dimensions|values per voxel"),
    "colour nifti": (lambda d: save(d / "a.nii.gz", colour()), "colour"),
    "colour nrrd": (lambda d: save(d / "a.nrrd", colour()), "colour"),
    "colour mha": (lambda d: save(d / "a.mha", colour()), "colour"),
    "complex": (
        lambda d: save(
            d / "a.mha", sitk.RealAndImaginaryToComplex(*[sitk.Cast(fx.make_image(), sitk.sitkFloat32)] * 2)
        ),
        "complex|values per voxel",
    ),
    "four slices": (lambda d: save(d / "a.nii", fx.make_image()[:, :, :4]), "slices"),
    "constant": (lambda d: save(d / "a.nii", of(np.full((12, 72, 64), 7, np.int16))), "constant"),
    "label map": (lambda d: save(d / "a.nii", of(LABELS)), "label map"),
    "CT": (lambda d: save(d / "a.nii", of(ct())), "CT"),
    "CT with padding": (lambda d: save(d / "a.nii", of(np.where(ct() < -900, -2000, ct()).astype(np.int16))), "CT"),
    "sheared nrrd": (lambda d: replaced(save(d / "a.nrrd"), b"(0,1.5,0)", b"(0,1.5,0.4)"), "right angles"),
    "contradicting sform": (lambda d: patched(save(d / "a.nii"), 80, "<f", 1.0), "contradicts itself"),
    "too fine": (lambda d: save(d / "a.nii", fx.make_image(spacing=(0.05, 1.25, 4.4))), "voxels of"),
    "too coarse": (lambda d: save(d / "a.nii", fx.make_image(spacing=(1.5, 1.25, 15.0))), "voxels of"),
    "too small": (lambda d: save(d / "a.nii", fx.make_image()[:30, :30, :]), "too little"),
}


def message(path: Path, expected: type[SpineQuantError]) -> str:
    with pytest.raises(SpineQuantError) as caught:
        read_volume(path)
    assert type(caught.value) is expected, caught.value
    return str(caught.value)


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    make, pattern = UNREADABLE[name]
    text = message(make(tmp_path), InputError)
    assert any(word in text for word in pattern.split("|")), text
    assert "\n" not in text
    assert len(text) < 300
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", UNSUITABLE)
def test_unsuitable(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    make, pattern = UNSUITABLE[name]
    text = message(make(tmp_path), UnsuitableError)
    assert any(word in text for word in pattern.split("|")), text
    assert "\n" not in text
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii")
    path.chmod(0)
    assert "permissions" in message(path, InputError)


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_a_few_values_that_are_not_numbers_are_mended(tmp_path: Path, suffix: str) -> None:
    array = spread(BASE + np.float32(7), (3, 4, 5), value=np.nan)
    array[6, 7, 8] = np.inf
    volume = read_volume(save(tmp_path / f"a.{suffix}", of(array)))
    values = sitk.GetArrayFromImage(volume.image)
    lowest = array[np.isfinite(array)].min()
    assert values[3, 4, 5] == values[6, 7, 8] <= lowest
    assert np.isfinite(values).all()
    assert any("2 values" in note for note in volume.info.notes)


def test_mr_with_negative_values_is_not_called_ct(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    phase = rng.integers(-4096, 4096, BASE.shape).astype(np.int16)
    read_volume(save(tmp_path / "phase.nii", of(phase)))
    centred = (BASE.astype(np.float32) - BASE.mean()) * 7
    read_volume(save(tmp_path / "centred.nii", of(centred)))


def test_folder_of_volumes_asks_for_one(tmp_path: Path) -> None:
    save(tmp_path / "a.nii.gz")
    assert "a.nii.gz" in message(tmp_path, InputError)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha"])
def test_random_damage_never_leaks_an_exception(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    source = save(tmp_path / f"whole.{suffix}", fx.make_image(fx.texture((6, 48, 48)), (2.0, 2.0, 4.4)))
    whole = source.read_bytes()
    rng = random.Random(suffix)
    messages = []
    for n in range(40):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 3, 10])):
            place = rng.randrange(min(len(data), rng.choice([360, len(data)])))
            data[place] = rng.randrange(256)
        path = tmp_path / f"{n}.{suffix}"
        path.write_bytes(data)
        try:
            values = sitk.GetArrayFromImage(read_volume(path).image)
            assert np.isfinite(values).all()
        except SpineQuantError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in text for text in messages)
    assert capfd.readouterr() == ("", "")
