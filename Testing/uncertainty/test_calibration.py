"""The stored calibration: it comes back as it was, and never for other weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.case.opinion import Score, Verdict
from SpineQuantLib.uncertainty.calibration import Calibration, IntervalRule, OtherWeightsError, read_calibration
from SpineQuantLib.uncertainty.familiarity import Familiarity
from SpineQuantLib.uncertainty.thresholds import SCORES, Thresholds

SHA = "a" * 64


def calibration() -> Calibration:
    rng = np.random.default_rng(0)
    bounds = {s: 0.9 for s in Structure if s is not Structure.SPINE}
    return Calibration(
        SHA,
        Thresholds(
            dict.fromkeys(bounds, "expected_dice"), bounds, dict.fromkeys(bounds, 0.5), dict.fromkeys(bounds, 0.25), 0.5
        ),
        {Structure.DISC: 1.3},
        Familiarity.fit(rng.normal(size=(12, 8))),
        0.9,
        {"disc|height|Dabbs": IntervalRule(2.0, 2.0, 0.3, 1.2, 40, 9, "real", ("L4-L5",))},
        {"winner": "expected_dice"},
    )


def test_comes_back_as_it_was(tmp_path):
    calibration().write(tmp_path)
    found = read_calibration(tmp_path, SHA)
    wanted = calibration()
    assert found.thresholds == wanted.thresholds
    assert found.temperatures == wanted.temperatures
    assert found.intervals == wanted.intervals
    assert found.evidence == wanted.evidence
    probe = np.full(8, 0.4)
    assert found.familiarity.distance(probe) == pytest.approx(wanted.familiarity.distance(probe), rel=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == ["calibration.json"]


def test_a_model_without_one_has_none(tmp_path):
    assert read_calibration(tmp_path, SHA) is None


def test_other_weights_are_refused_in_words(tmp_path):
    calibration().write(tmp_path)
    with pytest.raises(OtherWeightsError, match=r"other weights .* 'spinequant calibrate'"):
        read_calibration(tmp_path, "b" * 64)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema_version", 99),
        ("thresholds", {}),
        ("thresholds", {"score": "magic", "enough": {}, "least": {}, "case_least": 0.5}),
        ("intervals", {"disc|height|Dabbs": {"lower": "wide"}}),
        ("familiarity", {"centre": [1.0]}),
        ("temperatures", {"knee": 1.0}),
        ("evidence", None),
    ],
)
def test_a_damaged_file_is_one_clear_error(tmp_path, key, value):
    path = calibration().write(tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    record[key] = value
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(EngineError, match="spinequant calibrate"):
        read_calibration(tmp_path, SHA)


def test_no_json_is_one_clear_error(tmp_path):
    (tmp_path / "calibration.json").write_text("{", encoding="utf-8")
    with pytest.raises(EngineError, match="cannot be read"):
        read_calibration(tmp_path, SHA)


def score(**values: float) -> Score:
    base = {"entropy": 0.1, "eigenvalue": 0.2, "mean_dice": 0.8, "voxel_entropy": 0.3, "mutual_information": 0.1}
    base |= {"expected_dice": 0.8, **values}
    entropy, eigenvalue, dice = (base.pop(k) for k in ("entropy", "eigenvalue", "mean_dice"))
    return Score(Structure.DISC, "L4-L5", None, entropy, eigenvalue, dice, Verdict.PASS, "", **base)


@pytest.mark.parametrize("name", list(SCORES))
def test_whatever_score_decides_less_sure_is_worse(name):
    sign = SCORES[name][0]
    thresholds = Thresholds({Structure.DISC: name}, {Structure.DISC: 0.5}, {Structure.DISC: 0.5 - 0.2 * sign})
    sure, unsure, lost = (score(**{name: 0.5 + d * sign}) for d in (0.1, -0.1, -0.3))
    verdicts = [thresholds.verdict(s) for s in (sure, unsure, lost)]
    assert verdicts == [Verdict.PASS, Verdict.REVIEW, Verdict.FAIL]


def test_reasons_are_in_a_readers_words():
    from dataclasses import replace

    flagged = replace(score(mean_dice=0.41), verdict=Verdict.REVIEW)
    thresholds = Thresholds()
    name = "L4-L5 right foramen"
    assert thresholds.reason(flagged, name) == "L4-L5 right foramen: members disagree, Dice 0.41"
    assert thresholds.reason(score(), name) == ""
    for deciding in SCORES:
        assert "0.41" in Thresholds({Structure.DISC: deciding}).reason(flagged, name)
