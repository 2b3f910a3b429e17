"""The profile of the dural sac survives its file, and says what is wrong with one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from SpineQuantLib.case.canal_profile import CanalProfile, CanalSection, read_canal_profile, write_canal_profile
from SpineQuantLib.case.errors import InputError, OutputError

PROFILE = CanalProfile(
    (
        CanalSection(0.0, (1.0, -20.0, 300.25), None, None, None, flag="cut by the edge of the field of view"),
        CanalSection(2.0, (1.5, -21.0, 298.25), 151.5, 12.25, 17.125),
        CanalSection(3.125, (1.5, -21.5, 297.0), 50.0, 5.5, 11.0, "L4-L5", 'less than half, "above" and below'),
    )
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_canal_profile(PROFILE, tmp_path / "canal_profile.csv")
    assert read_canal_profile(tmp_path / "canal_profile.csv") == PROFILE


def test_curves_leave_out_what_is_absent() -> None:
    assert PROFILE.curve("area") == ((2.0, 151.5), (3.125, 50.0))
    assert PROFILE.levels == (("L4-L5", 3.125),)
    with pytest.raises(ValueError, match="perimeter"):
        PROFILE.curve("perimeter")


def test_an_absent_section_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        CanalSection(0.0, (0.0, 0.0, 0.0), None, None, None)


@pytest.mark.parametrize("text", ["", "a,b\r\n1,2\r\n", None, "half"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "canal_profile.csv"
    if text == "half":
        write_canal_profile(PROFILE, path)
        path.write_bytes(path.read_bytes()[:-60])
    elif text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="analyse the case again"):
        read_canal_profile(path)


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_canal_profile(PROFILE, tmp_path / "absent" / "canal_profile.csv")
