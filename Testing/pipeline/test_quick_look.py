"""A quick look by a part of the committee never passes for the opinion of all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the engine is not installed", exc_type=ImportError)

from SpineQuantLib import pipeline
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.journey import Journey
from SpineQuantLib.case.result import Contrast, InputInfo
from SpineQuantLib.models.committee import Committee, choose_device, part_of
from SpineQuantLib.models.store import find_model


@pytest.fixture(scope="module")
def committee() -> Committee:
    """The shipped card, with words in place of networks."""
    card = find_model()
    return Committee(card, tuple(name for name, _ in card.members), choose_device("cpu"))


def test_a_part_is_another_model_than_the_whole(committee):
    part = part_of(committee, 2)
    assert part.members == committee.members[:2]
    assert part.card.info.members == 2
    assert part.card.info.sha256 != committee.card.info.sha256
    whole = part_of(committee, len(committee.members))
    assert whole.card.info == committee.card.info


@pytest.mark.parametrize(("quality", "networks"), [("committee", 5), ("fast", 1)])
def test_as_many_are_asked_as_was_chosen(quality, networks):
    loaded = pipeline._load(pipeline.AnalyzeOptions(quality=quality, device="cpu"), Journey({"load": 1.0}))
    assert loaded.card.info.members == networks
    assert len(loaded.members) >= 2, "of one opinion nobody could say how sure it is"


def test_a_quick_look_has_no_calibration_and_says_so(committee):
    known = InputInfo(Path("a.nrrd"), (), "NRRD", "0" * 64, (9, 9, 9), (1.0, 1.0, 1.0), "RAS", Contrast.T2, "by hand")
    found, info = pipeline._calibration(part_of(committee, 2), known, pipeline.AnalyzeOptions(quality="fast"))
    assert found is None
    assert info.notes[-1].startswith("a quick look by 2 networks: flags are not calibrated")
    assert info.notes[-1] in pipeline._doubts(info), "what is noted of the input is a reason to review"


def test_an_unknown_quality_is_refused():
    with pytest.raises(InputError, match="choose committee or fast"):
        pipeline._load(pipeline.AnalyzeOptions(quality="best"), Journey({"load": 1.0}))
