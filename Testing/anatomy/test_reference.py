"""Tables of ranges: what they hold, whom they are used for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from SpineQuantLib.anatomy.reference import (
    MAX_AGE,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    Person,
    References,
    ReferenceTableError,
    load_references,
    save_references,
    shipped_references,
)
from SpineQuantLib.anatomy.resources import resource
from SpineQuantLib.anatomy.structures import Structure

HEAD = "structure,level,measurement,method,unit,source"
DISC = (Structure.DISC, "L4-L5", "height", "Dabbs", "mm")


def table(tmp_path: Path, text: str, name: str = "site.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def row(more_columns: str, *rows: str) -> str:
    """A table of disc heights with further columns."""
    lines = [f"disc,L4-L5,height,Dabbs,mm,Ours,{cells}" for cells in rows]
    return "\n".join([f"{HEAD},{more_columns}", *lines]) + "\n"


class TestShipped:
    def test_every_row_has_a_source_a_group_or_a_grade_and_reads_well(self):
        rows = shipped_references()
        assert len(rows) > 20
        for r in rows:
            assert len(r.source) > 20
            assert r.measured
            assert r.short in r.text
            assert r.sd is None or r.sd < r.mean

    def test_known_texts(self):
        references = References()
        assert references.range_of(*DISC).text == (
            "6.7 ± 1.2 mm (130 patients without disc damage, all lumbar discs together; Spahn 2024)"
        )
        area = (Structure.CANAL, "L4-L5", "area", "perpendicular to centre line", "mm2")
        assert references.range_of(*area).text.startswith("151.7 ± 53.6 mm² (130 controls")
        height = (Structure.FORAMEN, "L4-L5", "height", "narrowest sagittal section", "mm")
        assert references.range_of(*height).text == "≥ 15 mm (called normal; spinebase.org)"

    def test_a_range_of_one_method_level_or_unit_is_never_used_for_another(self):
        references = References()
        for level, name, method, unit in (
            ("T8-T9", "height", "Dabbs", "mm"),
            ("L4-L5", "height", "Frobin", "mm"),
            ("L4-L5", "middle height", "mid-sagittal", "mm"),
            ("L4-L5", "height", "Dabbs", "mm2"),
            ("V2-V1", "height", "Dabbs", "mm"),
        ):
            assert references.range_of(Structure.DISC, level, name, method, unit) is None

    @pytest.mark.parametrize(
        ("level", "expected"),
        [("L2-L3", ["below the critical 75 mm²", "below 100 mm²"]), ("L1-L2", []), ("L5-S1", []), ("L4", [])],
    )
    def test_sac_cut_offs_hold_for_the_levels_of_their_sources_only(self, level, expected):
        rows = References().grades_of(Structure.CANAL, level, "area", "perpendicular to centre line", "mm2")
        assert [r.grade for r in rows] == expected

    def test_bony_canal_cut_offs_are_not_used_for_the_dural_sac(self):
        diameter = (Structure.CANAL, "L4-L5", "AP diameter", "perpendicular to centre line", "mm")
        assert References().grades_of(*diameter) == ()
        assert References().range_of(*diameter) is None

    def test_a_missing_resource_is_named(self):
        assert resource("ReferenceRanges", "lumbar.csv").is_file()
        with pytest.raises(FileNotFoundError, match=r"ReferenceRanges/nowhere\.csv"):
            resource("ReferenceRanges", "nowhere.csv")


class TestWhomARowIsUsedFor:
    def test_the_row_that_fits_most_precisely_is_used(self, tmp_path):
        columns = "mean,sd,sex,age_min,age_max"
        rows = load_references(table(tmp_path, row(columns, "8,1,,,", "7,1,F,,", "6,1,F,60,80", "9,1,M,,")))

        def mean(person: Person) -> float:
            return References((rows,), person).range_of(*DISC).mean

        assert mean(Person()) == 8
        assert mean(Person("F")) == 7
        assert mean(Person("F", 40)) == 7
        assert mean(Person("F", 60)) == 6
        assert mean(Person("F", 80)) == 7
        assert mean(Person("M", 60)) == 9

    def test_a_row_that_needs_what_is_not_known_is_not_used(self, tmp_path):
        rows = load_references(table(tmp_path, row("mean,sd,sex,height_min", "7,1,F,", "6,1,,170")))
        assert References((rows,)).range_of(*DISC) is None
        assert References((rows,), Person("M", height=169.9)).range_of(*DISC) is None
        assert References((rows,), Person("M", height=170)).range_of(*DISC).mean == 6

    def test_contrast_and_field_strength_have_to_be_those_of_the_row(self, tmp_path):
        rows = load_references(table(tmp_path, row("mean,sd,contrast,tesla", "7,1,T2,3")))
        assert References((rows,), contrast="T2", tesla=2.89).range_of(*DISC) is None
        assert References((rows,), contrast="T2", tesla=2.95).range_of(*DISC).mean == 7
        assert References((rows,), contrast="T2").range_of(*DISC) is None
        assert References((rows,), contrast="T1", tesla=3.0).range_of(*DISC) is None

    def test_an_own_table_goes_before_the_shipped_one_and_adds_to_it(self, tmp_path):
        own = load_references(table(tmp_path, row("mean,sd", "7.1,0.9")))
        references = References((own, shipped_references()))
        assert references.range_of(*DISC).mean == 7.1
        assert references.range_of(Structure.DISC, "L3-L4", "height", "Dabbs", "mm").short == "Spahn 2024"
        assert references.own_tables == (own,)

    def test_a_level_goes_before_a_group_and_a_group_before_any(self, tmp_path):
        lines = [
            f"disc,{level},height,Dabbs,mm,Ours,{mean},1" for level, mean in (("*", 5), ("lumbar", 6), ("L4-L5", 7))
        ]
        rows = load_references(table(tmp_path, "\n".join([f"{HEAD},mean,sd", *lines])))
        found = [References((rows,)).range_of(Structure.DISC, lv, *DISC[2:]).mean for lv in ("T8-T9", "L3-L4", "L4-L5")]
        assert found == [5, 6, 7]


class TestReading:
    def test_written_rows_come_back_unchanged(self, tmp_path):
        columns = "p2.5,p50,p97.5,sex,age_min,height_max,contrast,tesla,n,group,measured,short"
        text = row(columns, "5,7,9,F,60,180,T2,3,120,“our” people,by hand,Us")
        rows = (*load_references(table(tmp_path, text)), *shipped_references())
        save_references(rows, tmp_path / "copy.csv")
        again = load_references(tmp_path / "copy.csv")
        assert [r.__dict__ | {"table": ""} for r in again] == [r.__dict__ | {"table": ""} for r in rows]

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    def test_separators_and_marks_of_spreadsheets_are_understood(self, separator, encoding, tmp_path):
        path = tmp_path / "table.csv"
        path.write_text(row("mean,sd", "7.1,0.9").replace(",", separator), encoding=encoding)
        assert load_references(path)[0].sd == 0.9

    @pytest.mark.parametrize(
        ("columns", "cells", "message"),
        [
            ("mean,sd", "x,1", "line 2: mean is 'x', which is not a number"),
            ("mean,sd", '"7,1",1', "decimal point"),
            ("mean,sd", "nan,1", "finite"),
            ("mean,sd", "7,-1", "sd has to be above 0"),
            ("sd", "1", "needs a mean"),
            ("low,high", "5,4", "low has to be below high"),
            ("p5,p95", "9,5", "quantiles have to rise"),
            ("mean,sex", "7,female", "sex is 'female'; known are"),
            ("mean,contrast", "7,PD", "contrast is 'PD'"),
            ("mean,age_min,age_max", "7,60,60", "age_min has to be below age_max"),
            ("mean,grade", "7,mild", "a grade needs low"),
            ("grade", "mild", "a grade needs low"),
            ("group", "us", "holds no number"),
            ("mean,n", "7,0", "n has to be"),
            ("high,grade,certain", "3,mild,yes", "lower bound"),
            ("mean", "7,8", "more cells than columns"),
        ],
    )
    def test_a_wrong_row_is_named_with_its_line(self, columns, cells, message, tmp_path):
        with pytest.raises(ReferenceTableError, match=message) as caught:
            load_references(table(tmp_path, row(columns, cells)))
        assert "site.csv" in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "lacks the column"),
            (f"{HEAD},mean\n", "no row"),
            ("structure,level,measurement,method,unit,mean\n", "lacks the column source"),
            (f"{HEAD},avg\n", "not known: avg"),
            (f"{HEAD},mean,mean\n", "mean twice"),
            (f"{HEAD},mean\ndisc,L4-L5,height,Dabbs,mm,,7\n", "every row needs a source"),
            (f"{HEAD},mean\ndisk,L4-L5,height,Dabbs,mm,Ours,7\n", "structure is 'disk'; known are"),
            (f"{HEAD},mean\ndisc,L4/5,height,Dabbs,mm,Ours,7\n", "level is 'L4/5'; write a level such as"),
            (f"{HEAD},mean\ndisc,L4-L5,height,Dabbs,cm,Ours,7\n", "unit is 'cm'"),
            (row("mean", "7", "8"), "line 3: a second range"),
            (row("low,high,grade", "1,3,a", "2,4,b"), "line 3: the grades 'a' and 'b' overlap"),
            (f'{HEAD},mean\ndisc,L4-L5,"height\n', "unexpected end"),
        ],
    )
    def test_a_wrong_table_is_refused(self, text, message, tmp_path):
        with pytest.raises(ReferenceTableError, match=message):
            load_references(table(tmp_path, text))

    def test_what_is_no_text_or_not_there_is_refused(self, tmp_path):
        (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")
        with pytest.raises(ReferenceTableError, match="CSV UTF-8"):
            load_references(tmp_path / "book.xlsx")
        with pytest.raises(ReferenceTableError, match=r"none\.csv cannot be read"):
            load_references(tmp_path / "none.csv")


def test_a_person_in_words_tells_no_great_age():
    assert Person("F", 54.2, 168).text == "female, 54 years, 168 cm"
    assert Person("M", MAX_AGE).text == "male, at least 90 years"
    assert Person().text == ""


def test_the_example_of_the_documents_can_be_read(tmp_path):
    text = (Path(__file__).resolve().parents[2] / "docs" / "reference-ranges.md").read_text(encoding="utf-8")
    rows = load_references(table(tmp_path, text.split("```csv\n")[1].split("```")[0]))
    assert [r.grade for r in rows] == ["", "narrow"]
    for column in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS):
        assert column in text
