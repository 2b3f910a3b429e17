"""Which committees are at hand, and for which region."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.models import catalogue
from SpineQuantLib.models.catalogue import ListedModel, listed_models
from SpineQuantLib.models.store import find_model


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalogue, "resource", lambda *parts: tmp_path.joinpath(*parts))
    (tmp_path / "Models").mkdir()
    return tmp_path / "Models"


def lay(models: Path, name: str, text: str) -> None:
    (models / name).mkdir()
    (models / name / "card.json").write_text(text, encoding="utf-8")


def test_what_is_shipped_is_for_the_lumbar_spine():
    assert listed_models() == (ListedModel("lumbar-committee", "lumbar"),)
    assert find_model().region == "lumbar"


def test_models_are_listed_from_the_top_of_the_spine_down(models):
    lay(models, "z", json.dumps({"region": "cervical"}))
    lay(models, "b", "{}")
    lay(models, "a", json.dumps({"region": "lumbar"}))
    lay(models, "reading", json.dumps({"kind": "direct regression"}))
    lay(models, "damaged", "{")
    found = [(model.region, model.name) for model in listed_models()]
    assert found == [("cervical", "z"), ("lumbar", "a"), ("lumbar", "b"), ("lumbar", "damaged")]


@pytest.mark.parametrize(("stated", "complaint"), [("cervical", ""), ("knee", "region is 'knee'"), (["x"], "region")])
def test_the_store_reads_the_region_of_a_card(tmp_path, stated, complaint):
    card = json.loads((find_model().folder / "card.json").read_text(encoding="utf-8"))
    (tmp_path / "card.json").write_text(json.dumps({**card, "region": stated}), encoding="utf-8")
    if complaint:
        with pytest.raises(EngineError, match=complaint):
            find_model(str(tmp_path))
    else:
        assert find_model(str(tmp_path)).region == stated
