"""Sex and age are read, because ranges depend on them; who the person is, is not kept."""

from __future__ import annotations

from pathlib import Path

import image_fixtures as fx
import pytest

from SpineQuantLib.images.read import read_volume


@pytest.mark.parametrize(
    ("changes", "age"),
    [
        ({"PatientAge": "054Y"}, "054Y"),
        ({"PatientAge": "018M"}, "018M"),
        ({"PatientAge": "097Y"}, "090Y"),
        ({"StudyDate": "20240101"}, "054Y"),
        ({"StudyDate": "20231231"}, "053Y"),
        ({"StudyDate": "20240101", "PatientBirthDate": "19011231"}, "090Y"),
        ({"StudyDate": "19691231"}, None),
        ({"StudyDate": "20240101", "PatientBirthDate": ""}, None),
        ({}, None),
    ],
)
def test_age(changes: dict[str, str], age: str | None, tmp_path: Path) -> None:
    for path in fx.write_series(tmp_path, fx.Series()):
        fx.change(path, PatientSex="F", **changes)
    info = read_volume(tmp_path).info
    assert info.dicom.get("PatientAge") == age
    assert info.dicom["PatientSex"] == "F"
    # Random unique identifiers hold any four digits now and then.
    told = {name: value for name, value in info.dicom.items() if "UID" not in name}
    assert "PatientBirthDate" not in told
    for secret in ("Doe", "1970", "1901", "19691231"):
        assert secret not in repr(told)
