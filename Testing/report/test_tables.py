"""Tables: what is written is what was measured, in the agreed columns, and comes back unchanged."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.errors import InputError, OutputError
from SpineQuantLib.case.measurement import Geometry, Measurement
from SpineQuantLib.report.tables import (
    measurements_frame,
    read_measurements,
    write_measurements_csv,
    write_measurements_json,
)

HEADER = "structure,level,side,measurement,method,value,unit,lower,upper,reference,flag,source,grade,automatic,accuracy"

numbers = st.floats(allow_nan=False, allow_infinity=False)
# Text as it may come from anywhere: quotes, commas, line breaks, any script; only lone surrogates are not text.
# Python 3.10 reads no NUL from a CSV.
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
geometries = st.builds(
    Geometry,
    st.sampled_from(["line", "curve", "closed curve"]),
    st.lists(st.tuples(numbers, numbers, numbers), max_size=4).map(tuple),
)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    value = draw(st.none() | numbers)
    return Measurement(
        structure=draw(st.sampled_from(Structure)),
        level=draw(words),
        side=draw(st.none() | st.sampled_from(Side)),
        name=draw(words),
        method=draw(words),
        value=value,
        unit=draw(st.sampled_from(["mm", "mm2", "mm3", "deg", "1", "%"])),
        lower=draw(st.none() | numbers),
        upper=draw(st.none() | numbers),
        reference=draw(words),
        flag="not seen" if value is None else draw(words),
        source=draw(st.sampled_from(["automatic", "corrected"])),
        grade=draw(words),
        automatic=draw(st.none() | numbers),
        accuracy=draw(st.none() | numbers),
        geometry=draw(st.none() | geometries),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def height(**changes) -> Measurement:
    fields = {"structure": Structure.DISC, "level": "L4-L5", "side": None, "name": "height", "method": "Dabbs"}
    return Measurement(**{**fields, "value": 7.5, "unit": "mm", **changes})


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measurements(), max_size=4))
def test_json_comes_back_exactly(rows, folder):
    write_measurements_json(rows, folder / "m.json")
    assert read_measurements(folder / "m.json") == rows


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(measurements(), max_size=4))
def test_csv_keeps_texts_exactly_and_numbers_to_three_decimals(rows, folder):
    write_measurements_csv(rows, folder / "m.csv")
    text = (folder / "m.csv").read_bytes().decode("utf-8")
    head, *body = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert ",".join(head) == HEADER
    assert len(body) == len(rows)
    for fields, row in zip(body, rows, strict=True):
        record = dict(zip(head, fields, strict=True))
        assert record["structure"] == row.structure.value
        assert record["side"] == (row.side.value if row.side else "")
        texts = ("level", "method", "unit", "reference", "flag", "source", "grade")
        assert [record[name] for name in texts] == [getattr(row, name) for name in texts]
        assert record["measurement"] == row.name
        for name in ("value", "lower", "upper", "accuracy"):
            number = getattr(row, name)
            assert (record[name] == "") == (number is None)
            if number is not None:
                assert float(record[name]) == pytest.approx(number, rel=1e-15, abs=0.0005001)


def test_csv_bytes_are_those_of_the_contract(folder):
    rows = [
        height(value=7.123456, lower=-0.0001, upper=8.5, accuracy=0.25, reference="7.4 ± 1.0 mm, n = 49"),
        height(value=None, side=Side.LEFT, structure=Structure.FORAMEN, flag='called "absent"'),
    ]
    write_measurements_csv(rows, folder / "exact.csv")
    assert (folder / "exact.csv").read_bytes().decode("utf-8") == (
        HEADER + "\r\n"
        'disc,L4-L5,,height,Dabbs,7.123,mm,0,8.5,"7.4 ± 1.0 mm, n = 49",,automatic,,,0.25\r\n'
        'foramen,L4-L5,left,height,Dabbs,,mm,,,,"called ""absent""",automatic,,,\r\n'
    )


def test_json_knows_no_nan(folder):
    write_measurements_json([height(lower=math.nan, upper=math.inf)], folder / "nan.json")

    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    row = json.loads((folder / "nan.json").read_text("utf-8"), parse_constant=refuse)["measurements"][0]
    assert (row["lower"], row["upper"]) == (None, None)


def test_json_says_where_the_points_lie(folder):
    line = Geometry.of("line", np.array([[1.0, 2.0, 3.5], [4.0, 5.0, 6.0]]))
    write_measurements_json([height(geometry=line)], folder / "points.json")
    document = json.loads((folder / "points.json").read_text("utf-8"))
    assert (document["schema_version"], document["coordinate_system"], document["coordinate_unit"]) == (1, "RAS", "mm")
    assert document["measurements"][0]["geometry"] == {"kind": "line", "points": [[1.0, 2.0, 3.5], [4.0, 5.0, 6.0]]}


def test_numpy_numbers_are_written_as_numbers(folder):
    rows = [height(value=np.float32(7.5), lower=np.float64(7.0))]
    write_measurements_json(rows, folder / "numpy.json")
    assert read_measurements(folder / "numpy.json") == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[1, 2]", "schema version None"),
        ('{"schema_version": 99, "measurements": []}', "schema version 99"),
        ('{"schema_version": 1}', "damaged"),
        ('{"schema_version": 1, "measurements": [{"structure": "disc"}]}', "damaged"),
        ('{"schema_version": 1, "measurements": [5]}', "damaged"),
    ],
)
def test_a_damaged_file_is_named(content, message, tmp_path):
    path = tmp_path / "measurements.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_measurements(path)


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / "m.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not JSON"):
        read_measurements(tmp_path / "m.json")


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_measurements(tmp_path / "none.json")


@pytest.mark.parametrize("write", [write_measurements_csv, write_measurements_json])
def test_a_place_that_cannot_be_written_is_an_output_error(write, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write([height()], tmp_path / "no such folder" / "file")


def test_frame_has_numbers_where_values_are_absent(make_case):
    frame = measurements_frame(make_case().measurements)
    assert ",".join(frame.columns) == HEADER
    assert all(frame[name].dtype == np.float64 for name in ("value", "lower", "upper"))
    absent = frame[frame["value"].isna()]
    assert list(absent["flag"]) == ["the foramen was not found"]
    heights = frame[(frame["structure"] == "disc") & (frame["measurement"] == "height")]
    assert list(heights["side"]) == ["", "", ""]


def test_frame_of_nothing_still_has_its_columns():
    frame = measurements_frame([])
    assert ",".join(frame.columns) == HEADER
    assert len(frame) == 0
