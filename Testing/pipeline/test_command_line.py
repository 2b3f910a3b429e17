"""The command as a user meets it: real processes, exit codes, one clear message, nothing half-written."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib import cli
from SpineQuantLib.case.errors import ExitCode

SPINEQUANT = [sys.executable, "-m", "SpineQuantLib.cli"]


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SPINEQUANT, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=300, check=False, **options
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command in this process; returns exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spinequant", *map(str, arguments)])
        previous = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            signal.signal(signal.SIGTERM, previous)
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out, out.err

    return call


def write(array: np.ndarray, path: Path, spacing: tuple[float, ...] = (1.0, 1.0, 4.0), vector: bool = False) -> Path:
    image = sitk.GetImageFromArray(array, isVector=vector)
    image.SetSpacing(spacing[: image.GetDimension()])
    sitk.WriteImage(image, str(path))
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 900, shape).astype(np.int16)


def huge_header(path: Path) -> Path:
    lines = (
        "ObjectType = Image\nNDims = 3\nDimSize = 2000 2000 2000\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(lines.encode() + b"\0" * 100)
    return path


def truncated(path: Path) -> Path:
    whole = write(noise(12, 128, 128), path.with_name("whole.nii.gz"))
    path.write_bytes(whole.read_bytes()[:-5000])
    return path


def file_with(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zero_spacing(path: Path) -> Path:
    write(noise(12, 64, 64), path)
    data = bytearray(path.read_bytes())
    data[76 + 4 : 76 + 8] = np.float32(0).tobytes()
    path.write_bytes(data)
    return path


def with_nan(path: Path) -> Path:
    array = noise(12, 128, 128).astype(np.float32)
    array[:, :40] = np.nan
    return write(array, path)


def ct(path: Path) -> Path:
    array = np.full((20, 200, 200), -1000, np.int16)
    array[:, 40:160, 40:160] = np.random.default_rng(0).normal(40, 20, (20, 120, 120))
    array[:, 90:110, 90:110] = 900
    return write(array, path)


BAD = {
    "missing": (lambda p: p / "nothing.nii.gz", ExitCode.INPUT),
    "empty file": (lambda p: file_with(p / "a.nii.gz", b""), ExitCode.INPUT),
    "empty folder": (lambda p: p, ExitCode.INPUT),
    "text as NIfTI": (lambda p: file_with(p / "a.nii.gz", b"Dear colleague, please find attached"), ExitCode.INPUT),
    "unknown format": (lambda p: file_with(p / "a.pdf", b"%PDF-1.4"), ExitCode.INPUT),
    "truncated": (lambda p: truncated(p / "a.nii.gz"), ExitCode.INPUT),
    "zero spacing": (lambda p: zero_spacing(p / "a.nii"), ExitCode.INPUT),
    "header of 2000³": (lambda p: huge_header(p / "a.mha"), None),
    "2D": (lambda p: write(noise(128, 128), p / "a.nii.gz"), ExitCode.UNSUITABLE),
    "4D": (lambda p: write(noise(3, 12, 64, 64), p / "a.nii.gz", (1.0, 1.0, 4.0, 1.0)), ExitCode.UNSUITABLE),
    "RGB": (
        lambda p: write(noise(12, 64, 64, 3).astype(np.uint8), p / "a.nii.gz", vector=True),
        ExitCode.UNSUITABLE,
    ),
    "constant": (lambda p: write(np.full((12, 128, 128), 7, np.int16), p / "a.nrrd"), ExitCode.UNSUITABLE),
    "NaN": (lambda p: with_nan(p / "a.nii.gz"), None),
    "CT": (lambda p: ct(p / "a.nii.gz"), ExitCode.UNSUITABLE),
    "noise, no spine": (lambda p: write(noise(12, 160, 160), p / "a.nii.gz"), ExitCode.UNSUITABLE),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_in_one_clear_message(name: str, command, tmp_path: Path) -> None:
    make, code = BAD[name]
    given = tmp_path / "input"
    given.mkdir()
    source = make(given)
    place = tmp_path / "results" / "case"
    got, _, err = command("analyze", source, "-o", place, "--progress", "none")
    assert got in ((ExitCode.INPUT, ExitCode.UNSUITABLE) if code is None else (code,)), err
    assert err.startswith("Error: ")
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert not place.exists()
    assert not place.parent.exists() or os.listdir(place.parent) == []


@pytest.mark.parametrize("level", ["L7-S1", "L5-L4", "V2-V1"])
def test_a_level_that_names_nothing_is_a_usage_error(command, tmp_path: Path, level: str) -> None:
    code, _, err = command("analyze", tmp_path, "-o", tmp_path / "o", "--lowest-disc", level)
    assert code == ExitCode.USAGE
    assert level[:2] in err


def test_an_existing_folder_is_left_alone(command, phantom_file: Path, tmp_path: Path) -> None:
    place = tmp_path / "thesis"
    place.mkdir()
    (place / "chapter.txt").write_text("years of work")
    for more in ([], ["--overwrite"]):
        code, _, err = command("analyze", phantom_file, "-o", place, *more)
        assert code == ExitCode.OUTPUT
        assert "choose another output folder" in err
    assert os.listdir(place) == ["chapter.txt"]


def test_an_unknown_model_or_device_is_told(command, phantom_file: Path, tmp_path: Path) -> None:
    for option in (["--model", "no-such"], ["--device", "cuda:7"], ["--device", "toaster"]):
        code, _, err = command("analyze", phantom_file, "-o", tmp_path / "c", "--progress", "none", *option)
        assert code == ExitCode.ENGINE
        assert option[1].split(":")[0] in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a small file system to fill")
def test_a_full_disk_leaves_nothing(phantom_file: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs rights that are missing here")
    try:
        done = run("analyze", str(phantom_file), "-o", str(disk / "case"), "--progress", "none")
        assert done.returncode == ExitCode.OUTPUT, done.stderr
        assert "Traceback" not in done.stderr
        assert "full" in done.stderr or "space" in done.stderr
        assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("stage", ["segment", "report"])
def test_interruption_at_any_stage_leaves_nothing(phantom_file: Path, tmp_path: Path, stage: str) -> None:
    place = tmp_path / "case"
    with subprocess.Popen(
        [*SPINEQUANT, "analyze", str(phantom_file), "-o", str(place), "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Run as a shell's background job, tests inherit that interrupts are ignored; a person at a terminal does not.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if json.loads(line)["stage"] == stage:
                child.send_signal(signal.SIGINT if stage == "segment" else signal.SIGTERM)
                break
        _, err = child.communicate(timeout=60)
    assert child.returncode == ExitCode.INTERRUPTED, err
    assert "interrupted; nothing was written" in err
    assert "Traceback" not in err
    assert os.listdir(tmp_path) == []


def test_progress_for_programs_is_one_event_a_line(phantom_file: Path, tmp_path: Path) -> None:
    began = time.time()
    done = run("analyze", str(phantom_file), "-o", str(tmp_path / "case"), "--progress", "json")
    assert done.returncode == ExitCode.OK, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    fractions = [e["fraction"] for e in events]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {e["stage"] for e in events} >= {"read", "load", "segment", "measure", "scene", "report"}
    assert events[-1]["seconds"] <= time.time() - began
    assert "report.html" in done.stderr


def test_several_inputs_share_one_committee(phantom_file: Path, command, tmp_path: Path) -> None:
    other = tmp_path / "other.nrrd"
    sitk.WriteImage(sitk.ReadImage(str(phantom_file)), str(other))
    code, _, err = command(
        "analyze", phantom_file, tmp_path / "gone.nii.gz", other, "-o", tmp_path / "out", "--progress", "none"
    )
    assert code == ExitCode.INPUT
    assert "gone.nii.gz" in err
    assert sorted(os.listdir(tmp_path / "out")) == ["other", "spine"]
    tables = [(tmp_path / "out" / n / "measurements.csv").read_text(encoding="utf-8") for n in ("other", "spine")]
    assert tables[0] == tables[1], "the format of the file must not change a number"
