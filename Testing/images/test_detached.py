"""All that a volume is stored in counts: a header that stays the same does not hide voxels that have changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.images.detached import files_of, hash_volume
from SpineQuantLib.images.files import hash_files

VOXELS = np.arange(4 * 6 * 8, dtype=np.int16).reshape(4, 6, 8)
META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 8 6 4\n"
    "ElementSpacing = 1 1 4\nElementType = MET_SHORT\nElementDataFile = "
)
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 8 6 4\nspacings: 1 1 4\nencoding: raw\nendian: little\ndata file: "
SLICES = [f"s{k:02d}.raw" for k in (1, 2, 3, 4)]
LISTED = "\n".join(["", *SLICES, ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, part in zip(SLICES, VOXELS, strict=True):
        part.tofile(tmp_path / name)
    VOXELS.tofile(tmp_path / "whole.raw")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("v.mhd", f"{META}whole.raw\n", ["whole.raw"]),
        ("v.mhd", f"{META}LIST{LISTED}", SLICES),
        ("v.mhd", f"{META}LIST 2D{LISTED}", SLICES),
        ("v.mhd", f"{META}s%02d.raw 1 4 1\n", SLICES),
        ("v.mhd", f"{META}s%02d.raw\n", SLICES),
        ("v.nhdr", f"{NRRD}whole.raw\n", ["whole.raw"]),
        ("v.nhdr", f"{NRRD}./whole.raw\n", ["whole.raw"]),
        ("v.nhdr", f"{NRRD}LIST{LISTED}", SLICES),
        ("v.nhdr", f"{NRRD}s%02d.raw 1 4 1\n", SLICES),
        ("v.nhdr", f"{NRRD.replace('data file', 'datafile')}s%02d.raw 1 4 1 2\n", SLICES),
    ],
)
def test_a_header_counts_with_every_file_that_it_names(folder: Path, name: str, text: str, expected: list[str]) -> None:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), VOXELS)
    assert files_of(path) == (path, *(folder / n for n in expected))
    before = hash_volume(path)
    last = folder / expected[-1]
    kept = last.read_bytes()
    last.write_bytes(kept[:-2] + b"\x07\x07")
    assert hash_volume(path) != before
    last.write_bytes(kept)
    assert hash_volume(path) == before
    last.unlink()
    with pytest.raises(InputError, match=rf"{name}' needs the file '.*{expected[-1]}', which is not there"):
        hash_volume(path)


def test_the_order_of_listed_files_counts(folder: Path) -> None:
    path = folder / "v.mhd"
    path.write_text(f"{META}LIST{LISTED}", encoding="utf-8")
    before = hash_volume(path)
    first, second = folder / SLICES[0], folder / SLICES[1]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert hash_volume(path) != before


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "v.nrrd", "v.mha"])
def test_a_single_file_is_its_bytes(tmp_path: Path, name: str) -> None:
    """As kept digests have it: they stay valid."""
    path = tmp_path / name
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(path))
    assert files_of(path) == (path,)
    assert hash_volume(path) == hash_files([path])


def test_a_pair_of_header_and_image_counts_together(tmp_path: Path) -> None:
    header, voxels = tmp_path / "v.hdr", tmp_path / "v.img"
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(header))
    assert files_of(header) == (header, voxels)
    assert files_of(voxels) == (voxels, header)
    voxels.unlink()
    with pytest.raises(InputError, match=r"v\.img', which is not there"):
        files_of(header)


def test_of_a_folder_every_slice_counts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        hash_volume(tmp_path)
    (tmp_path / "series").mkdir()
    for n in range(3):
        (tmp_path / "series" / f"{n}.dcm").write_bytes(bytes([n]))
    before = hash_volume(tmp_path)
    (tmp_path / "series" / "2.dcm").write_bytes(b"9")
    assert hash_volume(tmp_path) != before


@pytest.mark.parametrize("target", ["s%02d.raw 1 4 0", "s%02d%02d.raw 1 4", "s%02d.raw a b"])
def test_names_that_make_no_sense_are_told(folder: Path, target: str) -> None:
    (folder / "v.mhd").write_text(f"{META}{target}\n", encoding="utf-8")
    with pytest.raises(InputError, match="damaged header"):
        files_of(folder / "v.mhd")
    with pytest.raises(InputError, match="cannot be read"):
        files_of(folder / "none.mhd")
