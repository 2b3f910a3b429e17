"""From labelled volumes to flags, intervals and a card, with a committee that fails where the image is spoilt."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from SpineQuantLib.anatomy.labels import foramen_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.cli.app import app
from SpineQuantLib.cli.main import version  # noqa: F401 - registers the commands
from SpineQuantLib.models.store import find_model
from SpineQuantLib.studies.coverage import fit_rules, row_table, study_coverage
from SpineQuantLib.studies.examine import CaseRecord, RowRecord
from SpineQuantLib.studies.failure import failure_config, study_failure
from SpineQuantLib.studies.flags import choose_scores, fit_thresholds, object_table, study_flags
from SpineQuantLib.studies.harvest import harvest
from SpineQuantLib.studies.matching import ObjectRecord
from SpineQuantLib.training.label_check import OPEN_VALUE
from SpineQuantLib.uncertainty.calibration import read_calibration
from SpineQuantLib.uncertainty.thresholds import SCORES, confidence_of


@pytest.fixture(scope="module")
def calibrated(box_index, brightness_committee, tmp_path_factory) -> tuple[Path, Path]:
    """Model folder after ``spinequant calibrate``, and the work folder."""
    model = tmp_path_factory.mktemp("model") / "copy"
    shutil.copytree(find_model().folder, model)
    (model / "calibration.json").unlink(missing_ok=True)
    (model / "CARD.md").write_text(
        "# A model\n\n## Validation\n\nText.\n\n### Each volume\n\nRows.\n", encoding="utf-8"
    )
    work = tmp_path_factory.mktemp("work")
    arguments = ["calibrate", str(model), str(box_index), "--work", str(work), "--jobs", "0"]
    result = CliRunner().invoke(app, [*arguments, "--each", "1", "--phantoms", "0"])
    assert result.exit_code == 0, result.output
    return model, work


def test_the_calibration_belongs_to_the_model_and_speaks_of_all_structures(calibrated):
    model, _ = calibrated
    card = find_model(str(model))
    found = read_calibration(model, card.info.sha256)
    assert found is not None
    assert set(found.thresholds.enough) == set(found.temperatures) == set(Structure) - {Structure.SPINE}
    assert found.evidence["winner"] in SCORES
    assert found.familiarity is not None
    assert "canal|area|perpendicular to centre line" in found.intervals
    for structure, bound in found.thresholds.enough.items():
        least = found.thresholds.least[structure]
        score = found.thresholds.score[structure]
        assert confidence_of(score, least) <= confidence_of(score, bound)


def test_what_was_fitted_is_shown_on_people_who_had_no_part(calibrated):
    model, _ = calibrated
    evidence = json.loads((model / "calibration.json").read_text(encoding="utf-8"))["evidence"]
    assert evidence["volumes"] | {"skipped": 0} == evidence["volumes"]
    assert evidence["volumes"]["subjects"] == 3
    assert evidence["flags"]["clean"]["bad"] == 0
    assert 0 <= evidence["flags"]["all"]["sensitivity"] <= 1
    assert {row["score"] for row in evidence["scores"]} == set(SCORES)


def test_the_card_gets_its_part_once(calibrated):
    model, _ = calibrated
    card = (model / "CARD.md").read_text(encoding="utf-8")
    assert card.count("## When to doubt it") == 1
    assert card.index("## Validation") < card.index("## When to doubt it") < card.index("### Each volume")
    from SpineQuantLib.studies.failure_report import refresh_card

    assert refresh_card(model)
    assert (model / "CARD.md").read_text(encoding="utf-8") == card
    for picture in ("calibration-risk.png", "calibration-reliability.png"):
        assert picture in card
        assert (model / picture).stat().st_size < 100_000


def test_what_is_kept_is_not_asked_again(calibrated, box_index, monkeypatch, tmp_path):
    model, work = calibrated

    def refuse(*_args, **_kwargs):
        raise AssertionError("asked again")

    monkeypatch.setattr("SpineQuantLib.studies.opinions.look", refuse)
    monkeypatch.setattr("SpineQuantLib.studies.harvest.embed_volume", refuse)
    config = failure_config(str(model), box_index, work, each=1, phantoms=0, jobs=0)
    path = study_failure(config, tmp_path)
    assert "data:image/png;base64" in path.read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "objects.csv")
    assert set(table["subject"]) == {f"p{n}" for n in range(3, 6)}
    clean = table[table["family"] == "clean"]
    assert clean["dice"].min() > 0.9
    assert table[table["family"] != "clean"]["dice"].mean() < clean["dice"].mean()


def test_no_time_skips_degradations_and_says_so(calibrated, box_index, tmp_path):
    model, work = calibrated
    shutil.copytree(work, tmp_path / "work")
    for path in (tmp_path / "work").rglob("records/*__*.json"):
        path.unlink()
    config = failure_config(str(model), box_index, tmp_path / "work", each=1, phantoms=0, jobs=0, minutes=0.0)
    study_failure(config, tmp_path)
    assert "further degradations were left out" in (tmp_path / "failure.md").read_text(encoding="utf-8")


@pytest.fixture
def rated_index(box_index, tmp_path) -> Path:
    """The same volumes, but one was drawn by a rater who left a foramen open, and for one a committee proposed."""
    table = pd.read_csv(box_index, dtype=str, keep_default_na=False).set_index("id", drop=False)
    for column in ("image", "labels"):
        table[column] = [str(box_index.parent / name) for name in table[column]]
    table["grown"] = ""
    for name, column in (("v3", "annotations"), ("v4", "grown")):
        labels = sitk.ReadImage(table.at[name, "labels"])
        array = sitk.GetArrayFromImage(labels)
        drawn = np.where((array > 60) & ((array < 100) | (array > 150)), array, 0)
        drawn[drawn == foramen_value("L3", Side.LEFT)] = OPEN_VALUE
        for what, kept in (("labels", np.where(array < 60, array, 0)), (column, drawn)):
            image = sitk.GetImageFromArray(kept)
            image.CopyInformation(labels)
            table.at[name, what] = str(tmp_path / f"{name}_{what}.nii.gz")
            sitk.WriteImage(image, table.at[name, what])
        table.at[name, "complete"] = ""
    path = tmp_path / "rated.csv"
    table.to_csv(path, index=False)
    return path


def test_what_a_rater_left_open_and_what_a_committee_proposed_is_no_truth(rated_index, brightness_committee, tmp_path):
    config = failure_config("lumbar-committee", rated_index, tmp_path / "work", each=0, phantoms=0, jobs=0)
    found = harvest(replace(config, volumes=config.volumes[:2], training=()))
    objects = {r.id: {(o.structure, o.level, o.side) for o in r.objects} for r in found.records}
    assert ("foramen", "L3-L4", "right") in objects["v3"]
    assert ("foramen", "L3-L4", "left") not in objects["v3"]
    assert {structure for structure, _, _ in objects["v4"]} == {"vertebra", "disc"}


def test_labels_that_mix_structures_are_one_clear_error(rated_index, tmp_path):
    table = pd.read_csv(rated_index, dtype=str, keep_default_na=False)
    table.loc[table["id"] == "v5", "complete"] = ""
    table.to_csv(rated_index, index=False)
    config = failure_config("lumbar-committee", rated_index, tmp_path / "work", phantoms=0, jobs=0)
    with pytest.raises(InputError, match=r"v5: the labels .* cannot be used: .*61 \(Dural sac\)"):
        study_failure(config, tmp_path / "out")


def test_bad_input_is_one_clear_error(box_index, tmp_path):
    with pytest.raises(InputError, match="cannot be used"):
        failure_config("lumbar-committee", tmp_path / "none.csv", tmp_path)
    with pytest.raises(InputError, match="not found"):
        failure_config("lumbar-committee", box_index, tmp_path, foreign=(tmp_path / "knee.nii.gz",))


def record(person: int, objects: list[ObjectRecord] = (), rows: list[RowRecord] = (), family: str = "") -> CaseRecord:
    return CaseRecord(f"v{person}", f"p{person}", "T2", "real", family, objects=list(objects), rows=list(rows))


def scored(dice: float, sure: float) -> ObjectRecord:
    values = {name: sign * sure for name, (sign, _) in SCORES.items()}
    return ObjectRecord("disc", "L4-L5", "", dice, values)


def test_a_score_that_follows_dice_gives_perfect_flags():
    records = [record(p, [scored(d / 20, d / 20) for d in range(8, 21)]) for p in range(6)]
    study = study_flags(object_table(records))
    assert study.scores["naurc"].min() == pytest.approx(1.0)
    bad = study.held_out["dice"] < 0.75
    assert study.held_out["flagged"][bad].all()
    assert not study.held_out["flagged"][~bad].any()


def test_a_score_that_says_nothing_costs_specificity_not_sensitivity():
    # Sureness is the same for good and bad: to flag the bad, nearly all must be flagged.
    records = [record(p, [scored(0.5 if n % 2 else 0.9, ((n * 7 + p) % 10) / 10) for n in range(20)]) for p in range(6)]
    study = study_flags(object_table(records))
    bad = study.held_out["dice"] < 0.75
    assert study.held_out["flagged"][bad].mean() >= 0.85
    assert study.held_out["flagged"][~bad].mean() > 0.5


def test_only_the_informative_score_is_chosen():
    records = []
    for p in range(5):
        objects = [scored(d / 20, (d * 7 % 13) / 13) for d in range(6, 21)]
        for o in objects:
            o.scores["mutual_information"] = -o.dice
        records.append(record(p, objects))
    table = object_table(records)
    assert study_flags(table).winner == "mutual_information"
    bounds = fit_thresholds(table, choose_scores(table))
    assert bounds.score[Structure.DISC] == "mutual_information"
    assert -0.8 <= bounds.enough[Structure.DISC] <= -0.7


def test_each_structure_is_judged_by_the_score_that_sees_its_failures():
    records = []
    for p in range(5):
        objects = []
        for kind, telling in (("disc", "mutual_information"), ("foramen", "entropy")):
            for d in range(6, 21):
                o = scored(d / 20, (d * 7 % 13) / 13)
                o.structure = kind
                o.scores[telling] = -o.dice
                objects.append(o)
        records.append(record(p, objects))
    study = study_flags(object_table(records))
    assert study.thresholds.score[Structure.DISC] == "mutual_information"
    assert study.thresholds.score[Structure.FORAMEN] == "entropy"
    bad = study.held_out["dice"] < 0.75
    assert study.held_out["flagged"][bad].mean() > 0.85
    assert study.held_out["flagged"][~bad].mean() < 0.1


def test_a_structure_of_a_case_may_have_as_many_in_doubt_as_good_cases_have():
    records = []
    for p in range(12):
        good = p % 2 == 0
        dices = [0.9, 0.88, 0.86, 0.84, 0.7] if good else [0.5, 0.55, 0.6, 0.65, 0.9]
        records.append(record(p, [scored(d, d) for d in dices]))
    study = study_flags(object_table(records))
    share = study.thresholds.share[Structure.DISC]
    assert 0.2 <= share <= 0.5
    whole = study.structures
    assert (whole["flagged"] == (whole["dice"] < 0.75)).all()


def test_a_missed_object_counts_as_flagged_only_if_it_is_said():
    lost = [ObjectRecord("disc", f"L{n}", "", 0.0, {}, missed=True, announced=n % 2 == 0) for n in range(4)]
    records = [record(p, [*lost, *(scored(d / 20, d / 20) for d in range(8, 21))]) for p in range(4)]
    held_out = study_flags(object_table(records)).held_out
    assert held_out[held_out["missed"]]["flagged"].mean() == 0.5


def row(error: float, kind: str = "disc") -> RowRecord:
    return RowRecord(kind, "L4-L5", "", "height", "Dabbs", "mm", 10 + error, 10.0, 0.5)


def test_coverage_is_of_people_who_had_no_part():
    # One person's errors are ten times as large: rules of the others must not hold for that one.
    records = [record(p, rows=[row((0.1 + 0.01 * n) * (10 if p == 0 else 1)) for n in range(12)]) for p in range(4)]
    study = study_coverage(row_table(records), 0.9)
    (found,) = study.by_structure.to_dict("records")
    assert found["coverage"] == pytest.approx(0.75)
    assert study.rules["disc|height|Dabbs"].subjects == 4


def test_phantoms_stand_in_where_real_volumes_are_too_few():
    records = [record(p, rows=[row(0.1 * n) for n in range(12)]) for p in range(3)]
    for one in records:
        one.kind = "phantom"
    rules = fit_rules(row_table([*records, record(9, rows=[row(0.1)])]), 0.9)
    assert rules["disc|height|Dabbs"].basis == "phantom"
    assert fit_rules(row_table([record(p, rows=[row(0.1)]) for p in range(3)]), 0.9) == {}


def test_a_score_that_costs_fewer_needless_flags_decides_though_another_orders_better():
    # Entropy orders the good ones perfectly but rates one bad object in five among them; the other score does not.
    records = []
    for p in range(6):
        objects = [scored(d / 100, 0.0) for d in range(50, 100)]
        for n, o in enumerate(objects):
            misplaced = o.dice < 0.75 and n % 5 == 0
            o.scores["entropy"] = -0.9 if misplaced else -o.dice
            o.scores["mutual_information"] = 1.0 if o.dice < 0.75 else 0.1 + 0.01 * (n * 7 % 11)
        records.append(record(p, objects))
    table = object_table(records)
    assert choose_scores(table)[Structure.DISC] == "mutual_information"
    study = study_flags(table)
    bad = study.held_out["dice"] < 0.75
    assert study.held_out["flagged"][bad].all()
    assert not study.held_out["flagged"][~bad].any()
