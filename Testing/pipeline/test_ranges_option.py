"""A table of ranges that cannot be used stops a run before anything is read, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from SpineQuantLib.case.errors import InputError
from SpineQuantLib.pipeline import AnalyzeOptions, analyze


def test_a_damaged_table_stops_at_once(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(
        "structure,level,measurement,method,unit,mean,source\ndisc,L4-L5,height,Dabbs,mm,7;1,us\n", encoding="utf-8"
    )
    options = AnalyzeOptions(ranges=(tmp_path / "ours.csv",))
    with pytest.raises(InputError, match=r"ours\.csv, line 2: mean is '7;1', which is not a number"):
        analyze(tmp_path / "there is no image.nii.gz", tmp_path / "case", options)
    assert [p.name for p in tmp_path.iterdir()] == ["ours.csv"]
