"""Requests and events survive their journey as text, and what is wrong with them is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantLib.job.events import ErrorEvent, NoteEvent, ResultEvent, StageEvent, parse_event
from SpineQuantLib.job.request import JobRequest, RequestError

# Lone surrogates too: that is how a file name that is no UTF-8 looks in Python.
TEXT = st.text(st.characters(codec=None))
FRACTION = st.floats(0, 1).map(lambda value: round(value, 4))
SECONDS = st.floats(0, 1e5).map(lambda value: round(value, 3))
PATHS = st.text(st.characters(exclude_characters="\0"), min_size=1).map(Path)

EVENTS = st.one_of(
    st.builds(ProgressEvent, stage=TEXT, fraction=FRACTION, message=TEXT, seconds=SECONDS),
    st.builds(StageEvent, stage=TEXT, fraction=FRACTION, seconds=SECONDS),
    st.builds(NoteEvent, message=TEXT),
    st.builds(ResultEvent, folder=PATHS, verdict=st.sampled_from(Verdict), reasons=st.lists(TEXT).map(tuple)),
    st.builds(ErrorEvent, exit_code=st.integers(0, 255), message=TEXT),
)


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_event_is_one_ascii_line_and_comes_back(event):
    line = event.to_json()
    assert "\n" not in line
    assert line.isascii()
    assert parse_event(line) == event


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "loading weights...",
        '{"event": "progress"}',
        '{"event": "progress", "stage": "read", "fraction": 1.5, "message": "", "seconds": 0}',
        '{"event": "progress", "stage": "read", "fraction": NaN, "message": "", "seconds": 0}',
        '{"event": "result", "folder": "/x", "verdict": "splendid", "reasons": []}',
        '{"event": "result", "folder": "/x", "verdict": "pass", "reasons": "none"}',
        '{"event": "note", "message": 3}',
        '{"event": ["note"], "message": "x"}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:30],
)
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError):
        parse_event(line)


@pytest.mark.parametrize("fraction", [-0.01, 1.01, float("nan")])
def test_progress_lies_between_none_and_all(fraction):
    with pytest.raises(ValueError, match="read"):
        ProgressEvent("read", fraction)


@given(
    st.builds(
        JobRequest,
        source=PATHS,
        output=PATHS,
        series=st.none() | TEXT,
        lowest_disc=st.none() | TEXT,
        device=TEXT,
        model=st.none() | TEXT,
        overwrite=st.booleans(),
        contrast=st.none() | TEXT,
    )
)
@settings(max_examples=40, deadline=None)
def test_request_comes_back(request_made):
    assert JobRequest.from_json(request_made.to_json()) == request_made


def test_request_travels_as_a_file(tmp_path):
    request = JobRequest(tmp_path / "Wirbelsäule.nrrd", tmp_path / "out", overwrite=True)
    request.write(tmp_path / "request.json")
    assert JobRequest.read(tmp_path / "request.json") == request


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"device": 1}, "device"),
        ({"overwrite": "yes"}, "overwrite"),
        ({"series": 7}, "series"),
        ({"threads": 4}, "threads"),
        ({"source": None}, "source"),
    ],
)
def test_wrong_request_names_the_culprit(request_for_job, change, words):
    values = {**json.loads(request_for_job.to_json()), **change}
    with pytest.raises(RequestError, match=words):
        JobRequest.from_json(json.dumps(values))


def test_incomplete_request_names_what_is_missing():
    with pytest.raises(RequestError, match="output"):
        JobRequest.from_json('{"source": "x"}')


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe\x00", b'{"source": '])
def test_damaged_request_file(tmp_path, content):
    path = tmp_path / "request.json"
    path.write_bytes(content)
    with pytest.raises(RequestError):
        JobRequest.read(path)
