"""The report: true to the case, safe against what headers hold, readable without a mouse, network or colour."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import pytest

from SpineQuantLib.anatomy.reference import References
from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.errors import OutputError
from SpineQuantLib.case.measurement import Measurement
from SpineQuantLib.case.opinion import Score, Verdict
from SpineQuantLib.case.spine import Naming
from SpineQuantLib.report.html import write_report
from SpineQuantLib.report.ranges import with_ranges

VOID = {"meta", "img", "br", "hr", "input", "link"}
NASTY = '</dd><script>alert(1)</script><img src="http://evil.example/x.png" onerror="alert(2)">{{ 7 * 7 }}&amp;'


class Page(HTMLParser):
    """Elements with their attributes and text, and whether the tags balance."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip() and "style" not in self._open:
            self.texts.append((tuple(self._open), " ".join(data.split())))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return " ".join(words for _, words in self.texts)


def report(case, folder, **options) -> Page:
    write_report(case, folder, **options)
    return Page((folder / "report.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def page(make_case, folder):
    dicom = {
        "SeriesDescription": NASTY,
        "StudyDate": "20240312",
        "Manufacturer": "ACME\x1b[31m\nMR",
        "PatientName": "Muster^Erika",
        "PatientID": "4711",
        "PatientBirthDate": "19610203",
        "AccessionNumber": "A-99",
    }
    when = datetime(2025, 5, 4, 13, 30, tzinfo=timezone.utc)
    return report(make_case(dicom=dicom), folder, written=when)


@pytest.fixture(scope="module")
def markup_page(make_case, tmp_path_factory):
    """A passing case whose texts look like markup."""
    naming = Naming(True, "<i>hand</i>", ("<b>evidence</b>",), ("<u>doubt</u>",))
    case = make_case(naming=naming, verdict=Verdict.PASS, reasons=("<em>reason</em>",))
    return report(case, tmp_path_factory.mktemp("markup"))


@pytest.fixture(scope="module")
def empty_page(empty_case, tmp_path_factory):
    return report(empty_case, tmp_path_factory.mktemp("empty"))


class TestSafety:
    def test_a_header_is_shown_as_text_and_never_becomes_markup(self, page):
        assert page.all("script", "iframe", "object", "embed", "form", "base", "link") == []
        assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
        assert any(words == NASTY for _, words in page.texts)

    def test_control_characters_of_a_header_do_not_reach_the_page(self, page):
        assert "\x1b" not in page.source
        assert "ACME" in page.text

    def test_nothing_is_loaded_from_elsewhere(self, page, folder):
        sources = [attrs["src"] for attrs in page.all("img")]
        links = [attrs["href"] for attrs in page.all("a")]
        assert sources
        for source in sources + [link for link in links if not link.startswith("#")]:
            assert source.startswith("pictures/")
            assert (folder / unquote(source)).is_file()
        style = page.source.split("<style>")[1].split("</style>")[0]
        assert "url(" not in style
        assert "@import" not in style
        policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
        assert "default-src 'none'" in policy

    def test_nothing_tells_who_the_patient_is(self, page):
        for secret in ("Muster", "Erika", "4711", "1961", "A-99", "archive", "scan-17"):
            assert secret not in page.source

    def test_reasons_and_evidence_are_escaped_too(self, markup_page):
        assert markup_page.all("i", "b", "u", "em") == []
        for words in ("<i>hand</i>", "<b>evidence</b>", "<u>doubt</u>", "<em>reason</em>"):
            assert words in markup_page.text


class TestContent:
    def test_the_verdict_is_said_in_words_with_its_reasons(self, page, markup_page, empty_page):
        for document, verdict, reason in (
            (page, "review", "The members differ about the L5-S1 sac."),
            (markup_page, "pass", "<em>reason</em>"),
            (empty_page, "fail", "No vertebra was found."),
        ):
            assert f"Verdict: {verdict}" in document.text
            assert reason in document.text

    def test_each_structure_has_a_verdict_of_its_own(self, make_case, tmp_path):
        case = make_case()
        said = {
            Structure.DISC: (Verdict.PASS, ""),
            Structure.FORAMEN: (Verdict.REVIEW, "foramina: 6 of 10 in doubt"),
        }
        whole = tuple(Score(kind, "", None, 0.1, 0.1, 0.9, *what) for kind, what in said.items())
        scores = (*whole, *case.assessment.scores)
        page = report(replace(case, assessment=replace(case.assessment, scores=scores)), tmp_path)
        (found,) = [i for i, (tag, attrs) in enumerate(page.elements) if attrs.get("class") == "structures"]
        badges = [a["class"] for tag, a in page.elements[found:] if (a.get("class") or "").startswith("badge")]
        assert badges[:2] == ["badge pass", "badge review"]
        assert "6 of 10 in doubt" in page.text

    def test_the_header_says_what_was_read_and_by_what(self, page):
        for words in (
            "DICOM, 17 files",
            "T2 (EchoTime 112 ms)",
            "90 × 130 × 17",
            "0.80 × 1.20 × 4.00 mm",
            "2024-03-12",
        ):
            assert words in page.text
        for words in (
            "2025-05-04 13:30 UTC",
            "SpineQuant 0.",
            "lumbar 0.1.0, 3 networks",
            "CPU",
            "Slices are 4.0 mm apart.",
        ):
            assert words in page.text

    def test_it_is_said_that_this_is_no_medical_device(self, page, empty_page):
        assert "not a medical device" in page.text
        assert "not a medical device" in empty_page.text

    def test_what_to_look_at_first_starts_with_the_worst(self, page):
        order = [
            page.text.index(words)
            for words in ("two members did not find it", "no member found it", "the members differ")
        ]
        assert order == sorted(order)

    def test_an_absent_value_is_shown_with_its_reason(self, page):
        cells = [words for tags, words in page.texts if tags[-2:] == ("td", "span")]
        assert "not measured" in cells
        assert "left foramen not measured: the foramen was not found" in page.text
        assert "None" not in page.text
        assert "nan" not in page.text.lower().split()

    def test_every_measurement_and_score_is_in_a_table(self, page, make_case):
        rows = page.source.split('id="all"')[1].split("</table>")[0].count("<tr")
        assert rows == len(make_case().measurements) + 1
        rows = page.source.split('id="scores"')[1].split("</table>")[0].count("<tr")
        assert rows == len(make_case().assessment.scores) + 1

    def test_ranges_and_grades_come_with_their_sources(self, make_case, tmp_path):
        case = make_case()
        sac = Measurement(Structure.CANAL, "L4-L5", None, "area", "perpendicular to centre line", 60.0, "mm2")
        rows = with_ranges((*(m for m in case.measurements if m.structure is not Structure.CANAL), sac), References())
        document = report(replace(case, measurements=rows), tmp_path)
        levels = document.source.split('id="levels"')[1].split("</table>")[0]
        for words in ("z −1.7", "below the critical 75 mm²", "Schönström 1988"):
            assert words in levels
        for words in ("Lim YS, Mun JU", "Schönström N, Hansson T.", "Spahn G,", "dural sac constricted by a clamp"):
            assert words in document.text

    def test_a_correction_shows_the_automatic_value_beside_it(self, make_case, tmp_path):
        case = make_case()
        rows = tuple(
            replace(m, source="corrected", automatic=9.4) if m.name == "height" else m for m in case.measurements
        )
        document = report(replace(case, measurements=rows), tmp_path)
        assert "corrected by hand" in document.text
        assert "(automatic 9.4)" in document.text

    def test_curves_and_angles_have_a_place_of_their_own(self, page, empty_page):
        curves = page.source.split('id="curves"')[1].split("</section>")[0]
        for name in ("canal.png", "profiles.png", "alignment.png"):
            assert name in curves
        assert "Nothing was measured that could be drawn" in empty_page.text

    def test_values_carry_their_interval_and_method(self, page):
        levels = page.source.split('id="levels"')[1].split("</table>")[0]
        assert "9.2–10.9" in levels
        for words in ("Fyllos", "perpendicular", "narrowest"):
            assert words in levels

    def test_what_the_grid_leaves_uncertain_stands_beside_the_interval(self, page):
        assert "voxels and slices alone: ±0.2 mm (part of the interval)" in page.source
        everything = page.source.split('<h2 id="all"')[1].split("</table>")[0]
        assert everything.count("9.2–10.9</td><td>±0.2</td>") == everything.count("9.2–10.9")
        assert "the two are not to be added" in everything
        assert "±0.0" not in everything

    def test_unnamed_levels_are_announced(self, page, empty_page):
        assert "The levels are not named." in empty_page.text
        assert "The levels are not named." not in page.text

    def test_naming_shows_evidence_and_doubts(self, page):
        for words in ("counted from S1", "S1 in view", "L6 possible"):
            assert words in page.text

    def test_a_case_without_anything_says_so(self, empty_page):
        for words in (
            "No vertebra was found.",
            "No level was measured.",
            "Nothing was measured.",
            "Nothing was scored.",
        ):
            assert words in empty_page.text


class TestAccess:
    def test_every_picture_has_words_and_a_size(self, page):
        for image in page.all("img"):
            assert len(image["alt"]) > 15
            assert int(image["width"]) > 0
            assert int(image["height"]) > 0

    def test_headings_step_down_one_at_a_time(self, page, empty_page):
        for document in (page, empty_page):
            levels = [int(tag[1]) for tag, _ in document.elements if tag in ("h1", "h2", "h3", "h4")]
            assert levels[0] == 1
            assert levels.count(1) == 1
            assert all(b <= a + 1 for a, b in pairwise(levels))

    def test_tables_have_captions_and_scoped_headers(self, page):
        tables = len(page.all("table"))
        assert tables == len(page.all("caption")) == 4
        assert all(header.get("scope") in ("row", "col") for header in page.all("th"))

    def test_ids_are_unique_and_links_lead_somewhere(self, page):
        ids = [attrs["id"] for _, attrs in page.elements if attrs.get("id")]
        assert len(ids) == len(set(ids))
        targets = {attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")}
        targets |= {attrs["aria-labelledby"] for _, attrs in page.elements if attrs.get("aria-labelledby")}
        assert targets <= set(ids)
        assert "members_canal_L5-S1" in targets

    def test_the_page_knows_its_language_and_can_be_printed(self, page):
        assert page.all("html") == [{"lang": "en"}]
        assert "@media print" in page.source


def test_a_place_that_cannot_be_written_is_an_output_error(make_case, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(make_case(), tmp_path / "file")
