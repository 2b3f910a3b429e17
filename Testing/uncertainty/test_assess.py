"""Verdicts and their reasons on a small spine of boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import describe, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side, Structure
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.opinion import CommitteeOpinion, Verdict
from SpineQuantLib.case.spine import NamedSpine, Naming
from SpineQuantLib.uncertainty.assess import assess
from SpineQuantLib.uncertainty.calibration import Calibration
from SpineQuantLib.uncertainty.thresholds import Thresholds

NAMES = ("L1", "L2", "L3", "L4", "L5", "S1")
SHAPE = (12, 140, 60)
KINDS = {
    Structure.VERTEBRA: NetworkClass.BODY,
    Structure.DISC: NetworkClass.DISC,
    Structure.CANAL: NetworkClass.CANAL,
    Structure.FORAMEN: NetworkClass.FORAMEN,
}


@pytest.fixture
def labels() -> np.ndarray:
    out = np.zeros(SHAPE, np.uint16)
    out[5:7, :, 40:46] = 61
    for n, name in enumerate(NAMES):
        row = 4 + 22 * n
        out[2:10, row : row + 16, 10:34] = vertebra_value(name)
        if name != "S1":
            out[2:10, row + 16 : row + 22, 10:34] = disc_value(name)
            out[2:4, row + 8 : row + 18, 38:46] = foramen_value(name, Side.RIGHT)
            out[8:10, row + 8 : row + 18, 38:46] = foramen_value(name, Side.LEFT)
    return out


def spine_of(labels: np.ndarray, names=NAMES, naming: Naming | None = None) -> NamedSpine:
    grid = Grid(SHAPE, (4.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1, 0, 0), (0, 0, -1), (0, 1, 0)))
    return NamedSpine.from_labels(labels, grid, names, naming)


def opinion_of(labels: np.ndarray, members: int = 5) -> CommitteeOpinion:
    classes = np.zeros(labels.shape, np.uint8)
    for value in np.unique(labels[labels > 0]):
        classes[labels == value] = KINDS[describe(int(value)).structure]
    classes[labels == 26] = NetworkClass.SACRUM
    probabilities = np.stack([classes == c for c in NetworkClass]).astype(np.float16)
    grid = Grid(SHAPE, (4.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1, 0, 0), (0, 0, -1), (0, 1, 0)))
    return CommitteeOpinion(grid, probabilities, np.repeat(classes[None], members, axis=0))


def score(assessment, structure, level="", side=None):
    (found,) = [s for s in assessment.scores if (s.structure, s.level, s.side) == (structure, level, side)]
    return found


def test_a_committee_of_one_mind_passes(labels):
    result = assess(opinion_of(labels), spine_of(labels))
    assert result.verdict is Verdict.PASS
    assert result.reasons == ()
    assert not result.disagreement.any()
    assert result.scores[0].structure is None
    # The case, four structures, six bodies, five discs, five stretches of the sac and ten foramina.
    assert len(result.scores) == 1 + 4 + 6 + 5 + 5 + 10
    assert all(s.mean_dice == 1.0 and s.entropy == pytest.approx(0, abs=1e-9) for s in result.scores)


def test_an_object_in_doubt_is_named_and_its_neighbours_are_not(labels):
    opinion = opinion_of(labels)
    value = foramen_value("L4", Side.RIGHT)
    for m in range(3):
        rows = np.argwhere(labels == value)[:, 1]
        keep = (rows - rows.min()) % 5 == m
        opinion.members[m][labels == value] = np.where(keep, NetworkClass.FORAMEN, 0)
    result = assess(opinion, spine_of(labels))
    assert result.verdict is Verdict.REVIEW
    doubtful = score(result, Structure.FORAMEN, "L4-L5", Side.RIGHT)
    assert doubtful.verdict is not Verdict.PASS
    assert f"L4-L5 right foramen: members disagree, Dice {doubtful.mean_dice:.2f}" in result.reasons
    others = [s for s in result.scores if s.level and s is not doubtful]
    assert all(s.mean_dice == 1.0 for s in others)


def test_foramina_seen_at_a_second_look_are_never_passed_unread(labels):
    result = assess(replace(opinion_of(labels), seen_again=("L5-S1",)), spine_of(labels))
    assert result.verdict is Verdict.REVIEW
    late = [s for s in result.scores if s.verdict is Verdict.REVIEW and s.side is not None]
    assert [(s.level, s.side) for s in late] == [("L5-S1", Side.RIGHT), ("L5-S1", Side.LEFT)]
    assert all("second look" in s.reason for s in late)


@pytest.mark.parametrize(("share", "verdict"), [(0.05, Verdict.REVIEW), (0.2, Verdict.PASS)])
def test_a_case_passes_with_no_more_objects_in_doubt_than_is_usual(labels, share, verdict):
    opinion = opinion_of(labels)
    value = foramen_value("L4", Side.RIGHT)
    for m in range(3):
        rows = np.argwhere(labels == value)[:, 1]
        opinion.members[m][labels == value] = np.where((rows - rows.min()) % 4 < 2, NetworkClass.FORAMEN, 0)
    bounds = Thresholds(share={s: share for s in Structure if s is not Structure.SPINE})
    assert bounds.enough[Structure.FORAMEN] == 0.6
    strict = replace(bounds, enough={**bounds.enough, Structure.FORAMEN: 0.95})
    result = assess(opinion, spine_of(labels), calibration=Calibration("", strict))
    doubtful = score(result, Structure.FORAMEN, "L4-L5", Side.RIGHT)
    # Its own flag stays, with its reason, whatever the case's verdict.
    assert doubtful.verdict is Verdict.REVIEW
    assert "L4-L5 right foramen" in doubtful.reason
    assert result.verdict is verdict
    assert score(result, Structure.FORAMEN).verdict is verdict
    assert bool(result.reasons) == (verdict is Verdict.REVIEW)


def test_an_object_that_was_not_seen_is_never_usual(labels):
    found = labels.copy()
    found[found == foramen_value("L4", Side.RIGHT)] = 0
    lenient = Thresholds(share={s: 0.5 for s in Structure if s is not Structure.SPINE})
    result = assess(opinion_of(found), spine_of(found), calibration=Calibration("", lenient))
    assert result.verdict is Verdict.REVIEW
    assert "right foramen L4-L5 not seen" in result.reasons


def test_many_objects_in_doubt_are_one_reason(labels):
    opinion = opinion_of(labels)
    for m in range(3):
        for value in [v for v in np.unique(labels) if v >= 150]:
            rows = np.argwhere(labels == value)[:, 1]
            opinion.members[m][labels == value] = np.where((rows - rows.min()) % 4 < 2, NetworkClass.FORAMEN, 0)
    bounds = Thresholds(enough={**Thresholds().enough, Structure.FORAMEN: 0.95})
    result = assess(opinion, spine_of(labels), calibration=Calibration("", bounds))
    assert result.reasons == ("foramina: 10 of 10 in doubt",)
    assert all(s.reason for s in result.scores if s.structure is Structure.FORAMEN and s.level)


def test_a_neighbours_error_does_not_leak(labels):
    # L3's members disagree by whole rows at its lower end; L4, 6 mm below, must not notice.
    opinion = opinion_of(labels)
    for m, rows in enumerate((0, 3, 6, 9, 12)):
        l3 = np.argwhere(labels == vertebra_value("L3"))
        cut = l3[l3[:, 1] > l3[:, 1].max() - rows]
        opinion.members[m][tuple(cut.T)] = 0
    result = assess(opinion, spine_of(labels))
    assert score(result, Structure.VERTEBRA, "L3").mean_dice < 0.85
    assert score(result, Structure.VERTEBRA, "L4").mean_dice == 1.0
    assert score(result, Structure.VERTEBRA, "L2").mean_dice == 1.0


def test_dice_of_an_object_is_exact(labels):
    opinion = opinion_of(labels, members=2)
    half = np.argwhere(labels == disc_value("L2"))
    opinion.members[1][tuple(half[half[:, 2] < 22].T)] = 0
    result = assess(opinion, spine_of(labels))
    assert score(result, Structure.DISC, "L2-L3").mean_dice == pytest.approx(2 / 3)


def test_levels_without_names_are_a_reason(labels):
    naming = Naming(False, "none", (), ("the sacrum is not in view",))
    shifted = np.zeros_like(labels)
    for n, name in enumerate(NAMES):
        shifted[labels == vertebra_value(name)] = vertebra_value(f"V{6 - n}")
        if name != "S1":
            shifted[labels == disc_value(name)] = disc_value(f"V{6 - n}")
    shifted[labels == 61] = 61
    names = tuple(f"V{n}" for n in range(6, 0, -1))
    result = assess(opinion_of(labels), spine_of(shifted, names, naming))
    assert result.verdict is Verdict.REVIEW
    assert "levels could not be named: the sacrum is not in view" in result.reasons


def test_doubts_about_names_are_reasons(labels):
    naming = Naming(True, "counted from S1", (), ("1 of 5 members take another body for S1",))
    result = assess(opinion_of(labels), spine_of(labels, naming=naming))
    assert result.verdict is Verdict.REVIEW
    assert any("1 of 5 members take another body" in reason for reason in result.reasons)


def test_what_is_absent_is_said_once(labels):
    labels[labels == foramen_value("L5", Side.LEFT)] = 0
    labels[labels == disc_value("L1")] = 0
    result = assess(opinion_of(labels), spine_of(labels))
    assert result.verdict is Verdict.REVIEW
    assert result.reasons == ("L1-L2 disc not seen", "left foramen L5-S1 not seen")
    assert score(result, Structure.FORAMEN, "L5-S1", Side.LEFT).mean_dice is None


def test_no_foramina_at_all_is_one_reason(labels):
    labels[(labels > 150) & (labels < 300)] = 0
    result = assess(opinion_of(labels), spine_of(labels))
    assert result.reasons == ("no foramina found",)


def test_no_sac_is_to_be_reviewed_and_without_bodies_fails(labels):
    labels[labels == 61] = 0
    result = assess(opinion_of(labels), spine_of(labels))
    assert result.verdict is Verdict.REVIEW
    assert "no dural sac found" in result.reasons
    few = np.where(np.isin(labels, [24, 26, 124, 174, 204]), labels, 0).astype(np.uint16)
    result = assess(opinion_of(few), spine_of(few, ("L5", "S1")))
    assert result.verdict is Verdict.FAIL
    assert any("only 2 vertebral bodies" in reason for reason in result.reasons)


@pytest.mark.parametrize("left", [0, 2])
def test_a_sac_that_is_half_there_is_said_with_its_place(labels, left):
    labels[5:7, 80:84, 40 + left : 46] = 0
    result = assess(opinion_of(labels), spine_of(labels))
    assert result.verdict is Verdict.REVIEW
    assert all("dural sac near L4" in reason for reason in result.reasons)
    assert len(result.reasons) == 1


def test_a_crumb_beside_the_sac_is_no_interruption(labels):
    labels[8, 50:54, 50:54] = 61
    assert not any("dural sac near" in r for r in assess(opinion_of(labels), spine_of(labels)).reasons)


def test_a_view_that_ends_early_is_a_reason(labels):
    cut = np.where(np.isin(labels, [21, 22, 121, 61, 171, 201]), labels, 0).astype(np.uint16)
    result = assess(opinion_of(cut), spine_of(cut, ("L2", "L3")))
    assert any("field of view ends at L3" in reason for reason in result.reasons)
    assert any("field of view begins at L2" in reason for reason in result.reasons)


def test_members_at_odds_everywhere_fail(labels):
    opinion = opinion_of(labels)
    for m in range(5):
        opinion.members[m] = np.where(np.arange(SHAPE[1])[None, :, None] % 5 == m, opinion.members[m], 0)
    result = assess(opinion, spine_of(labels))
    assert result.verdict is Verdict.FAIL
    assert any("hardly agree" in reason for reason in result.reasons)
    assert result.scores[0].entropy == pytest.approx(1.0)


def test_notes_about_the_input_are_reasons(labels):
    result = assess(opinion_of(labels), spine_of(labels), ["slice distances differ by 20 %"])
    assert result.verdict is Verdict.REVIEW
    assert result.reasons == ("slice distances differ by 20 %",)


def test_thoracic_foramina_are_not_missed(labels):
    names = ("T11", "T12", "L1", "L2", "L3", "L4")
    shifted = np.zeros_like(labels)
    for old, new in zip(NAMES, names, strict=True):
        shifted[labels == vertebra_value(old)] = vertebra_value(new)
        if old != "S1":
            shifted[labels == disc_value(old)] = disc_value(new)
    shifted[labels == 61] = 61
    value = foramen_value("L3", Side.LEFT)
    shifted[labels == foramen_value("L5", Side.LEFT)] = value
    result = assess(opinion_of(shifted), spine_of(shifted, names))
    missed = [s.level for s in result.scores if s.structure is Structure.FORAMEN and s.mean_dice is None]
    assert missed == ["L1-L2", "L1-L2", "L2-L3", "L2-L3", "L3-L4"]
