"""Scores of a prediction that is known: the truth itself, the truth moved, renamed, mirrored, or nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from SpineQuantLib.anatomy.structures import Side
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.spine import NamedSpine, Naming
from SpineQuantLib.models.committee import load_fast
from SpineQuantLib.training.collect import LabelledVolume
from SpineQuantLib.training.evaluation.card import evaluation_text
from SpineQuantLib.training.evaluation.measures import MeasurePair, measure_references, pair_committee, pair_raters
from SpineQuantLib.training.evaluation.metrics import overlap
from SpineQuantLib.training.evaluation.predict import Prediction, PredictionStore
from SpineQuantLib.training.evaluation.reference import BETWEEN_BODIES, DRAWN, read_references, reference_spine
from SpineQuantLib.training.evaluation.robustness import CONDITIONS, UNCHANGED, Change, degrade
from SpineQuantLib.training.evaluation.run import Evaluation, evaluate_model
from SpineQuantLib.training.evaluation.score import MaskScore, score_masks, score_names, score_raters
from SpineQuantLib.training.evaluation.tables import (
    consensus_table,
    mask_table,
    measure_table,
    name_table,
    pair_frame,
    score_frame,
)
from SpineQuantLib.training.phantom import Phantom, PhantomSpec, make_phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(PhantomSpec(size=(14, 190, 120), noise=0.0))


@pytest.fixture(scope="module")
def volume(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> LabelledVolume:
    """The phantom as a hospital would have it: bodies by one hand, sac and foramina by two raters."""
    folder = tmp_path_factory.mktemp("volume")
    labels = sitk.GetArrayFromImage(to_reading_order(phantom.labels))
    grid = phantom.grid
    bodies = np.where((labels <= 26) & (labels >= 19), labels, 0).astype(np.uint16)
    soft = np.where((labels == CANAL_VALUE) | (labels > 150), labels, 0).astype(np.uint16)
    sitk.WriteImage(phantom.image, str(folder / "image.nii.gz"))
    sitk.WriteImage(grid.image(bodies), str(folder / "labels.nii.gz"))
    for rater in "AB":
        (folder / rater).mkdir()
        drawn = soft.copy()
        if rater == "B":
            drawn[drawn == foramen_value("L2", Side.LEFT)] = 0
        sitk.WriteImage(grid.image(drawn), str(folder / rater / "p.nii.gz"))
    annotations = tuple(folder / rater / "p.nii.gz" for rater in "AB")
    return LabelledVolume("p", "p", "T2", folder / "image.nii.gz", folder / "labels.nii.gz", annotations)


def test_a_kept_prediction_knows_where_the_picture_ends(phantom: Phantom, tmp_path: Path) -> None:
    """What ends there is cut, whether the networks were asked now or before."""
    image = to_reading_order(phantom.image)
    black = sitk.ConstantPad(sitk.Cast(image, sitk.sitkFloat32), (0, 6, 1), (0, 0, 1), 0.0)
    committee = load_fast()
    fresh = PredictionStore(committee, tmp_path).of("p", "1", lambda: black).spine
    kept = PredictionStore(committee, tmp_path).of("p", "1", lambda: pytest.fail("it was kept")).spine
    depth, rows, columns = phantom.grid.shape
    assert fresh.vertebrae
    assert kept.view == fresh.view == ((1, depth + 1), (6, rows + 6), (0, columns))


def predicted(spine: NamedSpine, **changes: object) -> Prediction:
    return Prediction(dataclasses.replace(spine, **changes), "", 0.0)


def whole(scores: list) -> dict[tuple[str, str], float]:
    return {(s.structure, s.rater): s.dice for s in scores if not s.level}


def test_the_truth_scores_one(phantom: Phantom, volume: LabelledVolume) -> None:
    references = read_references(volume)
    scores = score_masks(volume, predicted(phantom.spine()), references)
    kinds = {"body": "labels", "sacrum": "labels", "disc": "labels"}
    assert whole(scores).keys() == {*kinds.items(), *((k, r) for k in ("canal", "foramen") for r in "AB")}
    for score in scores:
        if score.structure == "disc":
            # Derived from the gap: most of it, and no border to compare.
            assert score.dice > 0.85
            assert score.reference == BETWEEN_BODIES
            assert score.nsd is score.hd95 is None
        else:
            assert (score.dice, score.nsd, score.hd95) == (1.0, 1.0, 0.0)
    table = mask_table(score_frame(scores))
    body = table[(table["structure"] == "body") & (table["level"] == "L3")].iloc[0]
    assert (body["dice"], body["found"], body["drawn"]) == (1.0, 1, 1)


@pytest.fixture(scope="module")
def with_discs(phantom: Phantom, volume: LabelledVolume) -> LabelledVolume:
    """The same volume with all discs but L2-L3 drawn beside the bodies."""
    labels = sitk.GetArrayFromImage(to_reading_order(phantom.labels))
    drawn = (labels <= 26) | ((labels > 100) & (labels < 130) & (labels != disc_value("L2")))
    path = volume.labels.with_name("with_discs.nii.gz")
    kept = np.where(drawn & (labels >= 19), labels, 0).astype(np.uint16)
    sitk.WriteImage(phantom.grid.image(kept), str(path))
    return dataclasses.replace(volume, labels=path)


def test_drawn_discs_are_judged_by_their_own_border(phantom: Phantom, with_discs: LabelledVolume) -> None:
    references = read_references(with_discs)
    assert references[0].derived == {disc_value("L2")}
    scores = [s for s in score_masks(with_discs, predicted(phantom.spine()), references) if s.structure == "disc"]
    for score in (s for s in scores if s.level not in ("", "L2-L3")):
        assert (score.dice, score.nsd, score.hd95, score.reference) == (1.0, 1.0, 0.0, DRAWN)
    (gap,) = (s for s in scores if s.level == "L2-L3")
    assert (gap.nsd, gap.hd95, gap.reference) == (None, None, BETWEEN_BODIES)
    rows = measure_references(references)["labels"]
    depths = {row.level for row, basis in rows.values() if row.structure == "disc" and row.name == "depth"}
    assert {"L1-L2", "L3-L4", "L4-L5"} <= depths
    assert "L2-L3" not in depths, "the gap between bodies tells no depth"
    bases = {row.level: basis for row, basis in rows.values() if row.structure == "disc" and row.name == "height"}
    assert bases["L2-L3"] == BETWEEN_BODIES
    assert bases["L3-L4"] == DRAWN


def test_labels_that_hold_the_sac_are_told_before_anything_is_predicted(
    phantom: Phantom, volume: LabelledVolume, tmp_path: Path
) -> None:
    path = tmp_path / "everything.nii.gz"
    sitk.WriteImage(phantom.labels, str(path))
    mixed = dataclasses.replace(volume, id="m", labels=path)
    with pytest.raises(InputError, match=r"m: the labels .*everything\.nii\.gz cannot be used: .*mark the volume"):
        read_references(mixed)
    with pytest.raises(InputError, match="cannot be used"):
        evaluate_model("there-is-no-such-model", [volume, mixed], tmp_path / "out")
    with pytest.raises(InputError, match="annotations would be ignored"):
        read_references(dataclasses.replace(mixed, complete=True))


def test_nobody_is_scored_against_what_a_committee_proposed(volume: LabelledVolume) -> None:
    """Somebody whose proposals were accepted lands in the validation set: bodies and discs count, the rest does not."""
    accepted = dataclasses.replace(volume, annotations=(), grown=volume.annotations[:1])
    (only,) = read_references(accepted)
    assert only.rater == "labels"


def test_what_was_not_drawn_is_neither_rewarded_nor_punished(phantom: Phantom, volume: LabelledVolume) -> None:
    """Rater B left out a foramen; a prediction that shows it is as right as one that does not."""
    references = read_references(volume)
    labels = phantom.spine().labels.copy()
    labels[labels == foramen_value("L2", Side.LEFT)] = 0
    without = whole(score_masks(volume, predicted(phantom.spine(), labels=labels), references))
    assert without["foramen", "B"] == 1.0
    assert without["foramen", "A"] < 1.0


def test_a_missed_object_counts_as_zero(phantom: Phantom, volume: LabelledVolume) -> None:
    labels = phantom.spine().labels.copy()
    labels[labels == 23] = 0
    scores = score_masks(volume, predicted(phantom.spine(), labels=labels), read_references(volume))
    missed = next(s for s in scores if s.level == "L4" and s.structure == "body")
    assert (missed.dice, missed.nsd, missed.hd95, missed.found) == (0.0, 0.0, None, False)


def test_names_are_judged_apart_from_masks(phantom: Phantom, volume: LabelledVolume) -> None:
    references = read_references(volume)
    truth = reference_spine(references[0], references[1])
    spine = phantom.spine()
    assert score_names(volume, predicted(spine), references, truth).outcome == "right"
    labels = spine.labels.copy()
    for value in range(20, 25):
        labels[spine.labels == value] = value - 1
    shifted = predicted(spine, labels=labels, vertebrae=("T10", "T11", "T12", "L1", "L2", "L3", "L4", "S1"))
    assert score_names(volume, shifted, references, truth).outcome == "wrong"
    body = next(s for s in score_masks(volume, shifted, references) if s.level == "L3" and s.structure == "body")
    assert body.dice == 1.0
    unnamed = predicted(spine, naming=Naming(False, "none"))
    assert score_names(volume, unnamed, references, truth).outcome == "abstained"
    nothing = Prediction(dataclasses.replace(spine, labels=np.zeros_like(labels), vertebrae=()), "no spine", 0.0)
    outcomes = [score_names(volume, p, references, truth) for p in (predicted(spine), shifted, unnamed, nothing)]
    table = name_table(outcomes).set_index("view").loc["S1 in view"]
    assert [table[k] for k in ("volumes", "right", "wrong", "abstained", "no spine")] == [4, 1, 1, 1, 1]


def test_a_mirrored_side_is_seen(phantom: Phantom, volume: LabelledVolume) -> None:
    references = read_references(volume)
    truth = reference_spine(references[0], references[1])
    labels = phantom.spine().labels.copy()
    right, left = (labels == foramen_value("L4", side) for side in (Side.RIGHT, Side.LEFT))
    labels[right], labels[left] = foramen_value("L4", Side.LEFT), foramen_value("L4", Side.RIGHT)
    found = score_names(volume, predicted(phantom.spine(), labels=labels), references, truth)
    assert found.sides_wrong == 4, "two foramina, drawn by two raters"


def test_measurements_of_the_same_mask_have_no_error(phantom: Phantom, volume: LabelledVolume) -> None:
    references = read_references(volume)
    manual = measure_references(references)
    drawn = reference_spine(references[0], references[1])
    pairs = pair_frame(pair_committee(volume, predicted(drawn), references, manual))
    assert pairs["error"].abs().max() < 1e-9
    assert set(pairs["reference"]) == {DRAWN, BETWEEN_BODIES}
    assert {"disc", "canal", "foramen", "vertebra", "spine"} == set(pairs["structure"])
    only_disc_heights = pairs[pairs["reference"] == BETWEEN_BODIES]["measurement"]
    assert "depth" not in set(only_disc_heights)
    table = measure_table(pairs)
    row = table[(table["measurement"] == "AP diameter") & (table["level"] == "all")].iloc[0]
    assert (row["bias"], row["rmse"], row["missed"]) == (0.0, 0.0, 0)


def test_values_that_are_missing_are_counted(phantom: Phantom, volume: LabelledVolume) -> None:
    references = read_references(volume)
    manual = measure_references(references)
    labels = phantom.spine().labels.copy()
    labels[labels == CANAL_VALUE] = 0
    spine = NamedSpine.from_labels(labels, phantom.grid, phantom.vertebrae)
    table = measure_table(pair_frame(pair_committee(volume, predicted(spine), references, manual)))
    row = table[(table["structure"] == "canal") & (table["measurement"] == "area") & (table["level"] == "all")].iloc[0]
    assert row["pairs"] == 0
    assert row["missed"] > 10
    assert np.isnan(row["rmse"])


def test_raters_are_compared_on_what_both_drew(volume: LabelledVolume) -> None:
    references = read_references(volume)
    scores = score_raters(volume, references)
    assert {(s.judged, s.rater) for s in scores} == {("A", "B")}
    assert ("L2-L3", "left") not in {(s.level, s.side) for s in scores}
    assert all(s.dice == 1.0 for s in scores)
    pairs = pair_raters(volume, measure_references(references))
    assert pairs
    assert all(p.measured == p.manual for p in pairs)


def test_what_raters_differ_about_leaves_their_mean() -> None:
    """At two levels the committee is 1 mm above the raters' mean, who are 4 and 2 mm apart; a third has one rater."""
    depth = MeasurePair(
        *("a", "a", "X", "T2", "committee", "A", "canal", "L1", "", "AP diameter", "cut", "mm", DRAWN), 13.0, 10.0
    )
    other = dataclasses.replace(depth, level="L2", measured=16.0, manual=14.0)
    pairs = [
        *(depth, dataclasses.replace(depth, rater="B", manual=14.0)),
        *(other, dataclasses.replace(other, rater="B", manual=16.0)),
        dataclasses.replace(depth, level="L3", measured=30.0),
        dataclasses.replace(depth, judged="A", rater="B", measured=10.0, manual=14.0),
    ]
    (row,) = consensus_table(pair_frame(pairs)).to_dict("records")
    assert (row["values"], row["subjects"]) == (2, 1)
    assert row["mean"] == pytest.approx(1.0)
    assert row["bias"] == pytest.approx(1.0)
    assert row["alone"] == pytest.approx(np.sqrt((9 + 1 + 4 + 0) / 4))
    assert row["raters"] == pytest.approx(np.sqrt((16 + 4) / 2))


def test_distances_are_millimetres() -> None:
    truth = np.zeros((8, 40, 40), bool)
    truth[2:6, 10:30, 10:30] = True
    moved = np.roll(truth, 3, axis=1)
    found = overlap(moved, truth, (4.0, 1.0, 1.0))
    assert found.dice == pytest.approx(17 / 20)
    assert found.hd95 == pytest.approx(3.0)
    # Of each surface the two faces that moved by 3 mm lie outside the 2 mm; and a little of what was beside them.
    assert 0.7 < found.nsd < 0.9
    across = overlap(np.roll(truth, 1, axis=0), truth, (4.0, 1.0, 1.0))
    assert across.hd95 == pytest.approx(4.0)


@pytest.mark.parametrize("change", [c for c in CONDITIONS if c.name != UNCHANGED], ids=lambda c: c.name)
def test_a_degraded_volume_shows_the_same_place(change: Change) -> None:
    """A bright ball stays where it is in the patient, on whatever grid."""
    grid = Grid((16, 80, 70), (4.0, 1.0, 1.0), (-30.0, 10.0, 50.0), ((1, 0, 0), (0, 0, -1), (0, 1, 0)))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    centre = np.array([9.0, 48.0, 30.0])
    ball = np.linalg.norm((index - centre) * np.array(grid.spacing), axis=-1) < 12
    out = degrade(grid.image((ball * 1000).astype(np.float32)), change)
    seen = to_reading_order(out)
    values = sitk.GetArrayFromImage(seen)
    place = Grid.of(seen).to_lps(np.argwhere(values > 400)).mean(axis=0)
    assert np.linalg.norm(place - grid.to_lps(centre)) < 1.5
    spacing = Grid.of(seen).spacing
    assert spacing[0] == pytest.approx(change.slices or 4.0)
    assert spacing[1] == pytest.approx(change.pixels or 1.0)


def test_the_card_tells_sets_apart_where_a_contrast_has_several() -> None:
    score = MaskScore("a", "a", "X", "T2", "committee", "labels", "body", "", "", DRAWN, 0.9, 0.95, 2.0)
    scores = [score, dataclasses.replace(score, id="b", subject="b", source="Y", dice=0.8)]
    scores.append(dataclasses.replace(score, id="c", subject="c", contrast="T1"))
    frame = score_frame(scores)
    table = evaluation_text(
        Evaluation(
            model=None,
            volumes=3,
            subjects=3,
            scores=frame,
            pairs=pd.DataFrame(),
            outcomes=pd.DataFrame(),
            masks=mask_table(frame),
            measurements=measure_table(pair_frame([])),
            consensus=consensus_table(pair_frame([])),
            names=pd.DataFrame(),
        )
    )
    apart = table.split("By set")[1].split("###")[0]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in apart.splitlines() if line.startswith("| body")
    ]
    assert [row[2:6] for row in rows] == [["T2", "X", "1", "0.900"], ["T2", "Y", "1", "0.800"]]


def test_tables_without_rows_can_be_written(tmp_path: Path) -> None:
    table = mask_table(score_frame([]))
    table.to_csv(tmp_path / "empty.csv")
    assert json.loads(pd.DataFrame(table).to_json(orient="records")) == []
