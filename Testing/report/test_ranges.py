"""Where a value stands: z, percentile, place and grade, each only as far as a source goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from SpineQuantLib.anatomy.reference import MAX_AGE, Person, References, load_references
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.measurement import Measurement
from SpineQuantLib.case.record import write_record
from SpineQuantLib.report.ranges import (
    copy_tables,
    load_tables,
    person_of,
    read_case_references,
    references_for,
    sources_of,
    standing,
    unused_rows,
    with_ranges,
)

HEAD = "structure,level,measurement,method,unit,source,"
PERPENDICULAR, NARROWEST = "perpendicular to centre line", "narrowest sagittal section"


def sac(value: float | None, level: str = "L4-L5", **changes) -> Measurement:
    flag = "" if value is not None else "not seen"
    return Measurement(Structure.CANAL, level, None, "area", PERPENDICULAR, value, "mm2", flag=flag, **changes)


def foramen(value: float, **changes) -> Measurement:
    return Measurement(Structure.FORAMEN, "L4-L5", Side.LEFT, "height", NARROWEST, value, "mm", **changes)


def own(tmp_path: Path, columns: str, *rows: str) -> References:
    path = tmp_path / "own.csv"
    path.write_text("\n".join([HEAD + columns, *(f"disc,L4-L5,height,Dabbs,mm,Ours,{r}" for r in rows)]), "utf-8")
    return References((load_references(path),))


def disc(value: float, **changes) -> Measurement:
    return Measurement(Structure.DISC, "L4-L5", None, "height", "Dabbs", value, "mm", **changes)


class TestStanding:
    @given(value=st.floats(1, 400))
    def test_z_and_percentile_are_those_of_the_normal_distribution(self, value):
        found = standing(sac(value), References())
        assert found.z == pytest.approx((value - 151.67) / 53.59)
        assert found.percentile == pytest.approx(100 * norm.cdf(value, 151.67, 53.59))
        assert found.place == ("below" if value < 151.67 - 1.96 * 53.59 else "above" if found.z > 1.96 else "within")

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (151.67, "z 0.0, 50th percentile"),
            (120.0, "z −0.6, 28th percentile"),
            (80.0, "z −1.3, 9th percentile"),
            (178.0, "z +0.5, 69th percentile"),
            (8.0, "z −2.7, below 1st percentile"),
        ],
    )
    def test_in_words(self, value, words):
        assert standing(sac(value), References()).text.endswith(words)

    def test_quantiles_are_interpolated_and_go_before_the_normal_distribution(self, tmp_path):
        references = own(tmp_path, "mean,sd,p5,p50,p95", "8,1,5,7,10")
        for value, percentile in ((4, 5), (5, 5), (6, 27.5), (7, 50), (8.5, 72.5), (12, 95)):
            assert standing(disc(value), references).percentile == pytest.approx(percentile)
        assert standing(disc(10.5), references).place == "above"
        assert standing(disc(9), references).z == pytest.approx(1)

    def test_levels_put_together_rank_no_single_level(self):
        found = standing(disc(2.0), References())
        assert (found.z, found.percentile, found.place) == (None, None, "")
        assert found.text.startswith("6.7 ± 1.2 mm")

    def test_an_absent_value_has_a_range_but_no_place(self):
        found = standing(sac(None), References())
        assert (found.z, found.percentile, found.place) == (None, None, "")

    def test_a_mean_alone_gives_neither_z_nor_place(self, tmp_path):
        found = standing(disc(2), own(tmp_path, "mean", "8"))
        assert (found.z, found.percentile, found.place) == (None, None, "")

    def test_nothing_is_said_where_no_source_speaks(self):
        other = replace(sac(100), name="transverse diameter", unit="mm")
        (bare,) = with_ranges([replace(other, reference="an older one", grade="")], References())
        assert (bare.reference, bare.grade) == ("", "")


class TestGrade:
    @pytest.mark.parametrize(
        ("value", "grade"),
        [
            (7.9, "severe stenosis (spinebase.org)"),
            (8.0, "moderate stenosis (spinebase.org)"),
            (12.0, "mild stenosis (spinebase.org)"),
            (15.0, "normal (spinebase.org)"),
        ],
    )
    def test_cut_offs_include_their_lower_end(self, value, grade):
        assert with_ranges([foramen(value)], References())[0].grade == grade

    @pytest.mark.parametrize(
        ("value", "level", "grade"),
        [
            (74.9, "L3-L4", "below the critical 75 mm² (Schönström 1988)"),
            (75.0, "L3-L4", "below 100 mm² (J Spinal Disord 1994)"),
            (100.0, "L3-L4", ""),
            (60.0, "L5-S1", ""),
            (60.0, "L4", ""),
        ],
    )
    def test_the_sac(self, value, level, grade):
        assert with_ranges([sac(value, level)], References())[0].grade == grade

    def test_an_interval_across_a_cut_off_is_told(self):
        graded = with_ranges([foramen(12.5, lower=11.0, upper=15.5)], References())[0].grade
        assert graded == "mild stenosis (spinebase.org); interval reaches moderate stenosis, normal"
        assert "interval" not in with_ranges([foramen(13, lower=12, upper=14)], References())[0].grade
        wide = with_ranges([foramen(13, lower=5, upper=14)], References())[0].grade
        assert wide.endswith("interval reaches severe stenosis, moderate stenosis")
        assert with_ranges([sac(90, lower=80, upper=110)], References())[0].grade.endswith("reaches no grade")

    def test_a_grade_that_has_to_be_certain_needs_the_whole_interval(self, tmp_path):
        references = own(tmp_path, "low,grade,certain", "3,slipped,yes")
        grades = [
            with_ranges([disc(4, **interval)], references)[0].grade
            for interval in ({}, {"lower": 2.9, "upper": 5}, {"lower": 3, "upper": 5})
        ]
        assert grades == ["", "", "slipped (Ours)"]

    def test_a_grade_set_by_a_rule_that_no_table_states_is_kept(self):
        slip = Measurement(Structure.SPINE, "L4-L5", None, "slip ratio", "corners", 20.0, "%", grade="Meyerding I")
        assert with_ranges([slip], References())[0].grade == "Meyerding I"

    def test_an_absent_value_has_no_grade(self):
        assert with_ranges([sac(None)], References())[0].grade == ""


class TestSources:
    def test_every_source_of_a_range_or_grade_is_listed_once(self):
        rows = with_ranges([sac(60), sac(60, "L3-L4"), disc(7)], References())
        assert [r.short for r in sources_of(rows, References())] == ["Lim 2017", "Schönström 1988", "Spahn 2024"]

    def test_a_table_that_fits_nothing_is_told(self, tmp_path):
        references = own(tmp_path, "mean", "8")
        assert unused_rows([disc(7)], references) == ()
        (text,) = unused_rows([sac(90)], references)
        assert "1 of 1 rows" in text
        assert "“Dabbs”" in text
        assert unused_rows([sac(90)], References()) == ()


class TestPerson:
    def case(self, make_case, **dicom):
        return make_case(dicom=dicom).input

    @pytest.mark.parametrize(
        ("text", "years"),
        [("054Y", 54.0), ("018M", 1.5), ("095Y", MAX_AGE), ("54", None), ("", None), ("Y", None), ("0x4Y", None)],
    )
    def test_age_of_the_header(self, make_case, text, years):
        assert person_of(self.case(make_case, PatientAge=text)).age == years

    def test_what_is_given_by_hand_counts_more(self, make_case):
        info = self.case(make_case, PatientAge="054Y", PatientSex="F")
        assert person_of(info) == Person("F", 54.0)
        assert person_of(info, "M", 60, 180) == Person("M", 60.0, 180)
        assert person_of(self.case(make_case, PatientSex="O")).sex is None

    def test_contrast_and_field_strength_come_from_the_scan(self, make_case):
        references = references_for(self.case(make_case, MagneticFieldStrength=1.5), Person())
        assert (references.contrast, references.tesla) == ("T2", 1.5)


def test_a_case_keeps_what_its_ranges_depend_on(make_case, tmp_path):
    table = tmp_path / "own.csv"
    table.write_text(f"{HEAD}mean,sd,sex\ndisc,L4-L5,height,Fyllos,mm,Ours,9,1,F\n", "utf-8")
    case = make_case(dicom={"MagneticFieldStrength": 3.0})
    references = references_for(case.input, Person("F", 54.0, 170.0), load_tables([table]))
    case = replace(case, references=references)
    copy_tables(references, tmp_path)
    write_record(case, tmp_path / "case.json")
    again = read_case_references(tmp_path)
    assert (again.person, again.contrast, again.tesla) == (references.person, "T2", 3.0)
    assert with_ranges(case.measurements, again) == with_ranges(case.measurements, references)
    assert any("z +1.0" in m.reference for m in with_ranges(case.measurements, again))


def test_a_case_without_a_record_is_refused(tmp_path):
    with pytest.raises(InputError, match="analyse the case again"):
        read_case_references(tmp_path)


def test_a_damaged_table_is_an_input_error(tmp_path):
    (tmp_path / "own.csv").write_text("level,mean\n", "utf-8")
    with pytest.raises(InputError, match=r"own\.csv lacks the column"):
        load_tables([tmp_path / "own.csv"])
