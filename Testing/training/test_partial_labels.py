"""What a volume does not label is neither rewarded nor punished."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.anatomy.labels import foramen_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.training.derive import column_order, disc_between, undrawn_discs
from SpineQuantLib.training.loss import PartialLoss
from SpineQuantLib.training.partial import UNKNOWN, bit, bits, forbid, permit
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom
from SpineQuantLib.training.targets import network_classes, target_of

N = len(NetworkClass)
SPACING = (4.0, 1.0, 1.0)


def logits_of(classes: torch.Tensor, sharp: float = 20.0) -> torch.Tensor:
    return torch.nn.functional.one_hot(classes.long(), N).permute(0, 4, 1, 2, 3).float() * sharp


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_unknown_voxels_have_no_gradient(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, N, 2, 4, 4, generator=g, requires_grad=True)
    target = (1 << torch.randint(N, (1, 2, 4, 4), generator=g)).to(torch.uint8)
    unknown = torch.rand(1, 2, 4, 4, generator=g) < 0.4
    target[unknown] = UNKNOWN
    PartialLoss()(logits, target).backward()
    grad = logits.grad.abs().sum(dim=1)
    assert float(grad[unknown].max() if unknown.any() else 0) < 1e-7
    assert float(grad[~unknown].min() if (~unknown).any() else 1) > 0


def test_a_right_answer_costs_nothing_and_a_wrong_one_does() -> None:
    classes = torch.arange(2 * 4 * 4).reshape(1, 2, 4, 4) % N
    target = (1 << classes).to(torch.uint8)
    assert float(PartialLoss()(logits_of(classes), target)) < 1e-4
    assert float(PartialLoss()(logits_of((classes + 1) % N), target)) > 1


@pytest.mark.parametrize("choice", [NetworkClass.BACKGROUND, NetworkClass.DISC])
def test_any_allowed_class_is_as_good_as_the_other(choice: NetworkClass) -> None:
    target = torch.full((1, 2, 4, 4), bits(NetworkClass.BACKGROUND, NetworkClass.DISC), dtype=torch.uint8)
    classes = torch.full((1, 2, 4, 4), int(choice))
    assert float(PartialLoss()(logits_of(classes), target)) < 1e-4


def test_an_excluded_class_is_punished_where_nothing_is_labelled() -> None:
    target = torch.full((1, 2, 4, 4), UNKNOWN & ~bit(NetworkClass.SACRUM), dtype=torch.uint8)
    classes = torch.full((1, 2, 4, 4), int(NetworkClass.SACRUM))
    assert float(PartialLoss()(logits_of(classes), target)) > 1


def test_forbidding_the_last_class_leaves_background() -> None:
    target = np.full((1, 1, 2), bit(NetworkClass.DISC), np.uint8)
    forbid(target, np.array([[[True, False]]]), NetworkClass.DISC)
    assert target.tolist() == [[[bit(NetworkClass.BACKGROUND), bit(NetworkClass.DISC)]]]
    permit(target, np.array([[[False, True]]]), NetworkClass.CANAL)
    assert target[0, 0, 1] == bits(NetworkClass.DISC, NetworkClass.CANAL)


@pytest.fixture
def bodies() -> np.ndarray:
    """Bodies L1–L5 as boxes 24 mm high with gaps of 8 mm, 30 mm deep, on 9 of 15 slices."""
    labels = np.zeros((15, 240, 160), np.uint16)
    for n in range(5):
        top = 40 + 32 * n
        labels[3:12, top : top + 24, 50:80] = 20 + n
    return labels


def test_discs_fill_the_gaps_and_nothing_else(bodies: np.ndarray) -> None:
    disc, doubtful = disc_between(bodies == 21, bodies == 22, SPACING)
    gap = np.zeros(bodies.shape, bool)
    gap[3:12, 96:104, 50:80] = True
    assert disc.any()
    assert not (disc & ~gap).any()
    assert not (disc & doubtful).any()
    assert ((disc | doubtful) & gap).sum() == gap.sum()
    assert disc.sum() > 0.55 * gap.sum()


def test_what_is_beyond_the_labels_stays_open(bodies: np.ndarray) -> None:
    target = target_of(bodies, SPACING)
    assert (target[bodies > 0] == bit(NetworkClass.BODY)).all()
    above, below = target[7, 8, 65], target[7, 215, 65]
    assert above & bit(NetworkClass.BODY)
    assert not above & bit(NetworkClass.SACRUM)
    assert below & bit(NetworkClass.SACRUM)
    assert not below & bit(NetworkClass.BODY)
    assert target[7, 120, 100] & bit(NetworkClass.CANAL)
    assert target[7, 120, 10] == bit(NetworkClass.BACKGROUND)
    assert target[0, 120, 150] == bit(NetworkClass.BACKGROUND)


def test_the_body_above_the_topmost_labelled_one_stays_open_from_its_lower_endplate_on(bodies: np.ndarray) -> None:
    """Thoracic bodies are low: the next one begins less than 22 mm above the centre of the topmost."""
    target = target_of(bodies, SPACING)
    assert target[7, 36, 65] & bit(NetworkClass.BODY), "4 mm above the topmost body, behind a thin disc"
    assert target[7, 36, 65] & bit(NetworkClass.DISC)
    assert not target[7, 44, 45] & bit(NetworkClass.BODY), "beside the topmost body there is none"


def test_the_tilted_disc_above_the_topmost_body_is_no_error(bodies: np.ndarray) -> None:
    """In front it reaches below the highest corner of the body that it lies on."""
    for i in range(50, 80):
        cut = round(12 * (80 - i) / 30)
        bodies[3:12, 40 : 40 + cut, i] = 0
    target = target_of(bodies, SPACING)
    disc = target[5:9, 38:46, 52:56]
    assert (disc & bit(NetworkClass.DISC) > 0).all()
    assert not (target[5:9, 46:50, 52:56] & bit(NetworkClass.BODY) > 0)[bodies[5:9, 46:50, 52:56] == 0].any()


@pytest.mark.parametrize(
    ("lowest", "may_be", "may_not_be"),
    [
        (22, {NetworkClass.BODY, NetworkClass.SACRUM}, set()),
        (23, {NetworkClass.BODY, NetworkClass.SACRUM}, set()),
        (24, {NetworkClass.SACRUM}, {NetworkClass.BODY}),
    ],
)
def test_below_the_lowest_labelled_body_lies_what_can_lie_there(
    bodies: np.ndarray, lowest: int, may_be: set[NetworkClass], may_not_be: set[NetworkClass]
) -> None:
    """L3, L4 and L5: whoever labels the upper bodies alone must not teach that there is no body below."""
    labels = np.where(bodies <= lowest, bodies, 0)
    row = np.argwhere(labels == lowest)[:, 1].max() + 16
    below = target_of(labels, SPACING)[7, row, 65]
    assert all(below & bit(kind) for kind in may_be)
    assert not any(below & bit(kind) for kind in may_not_be)


def test_a_thirteenth_thoracic_vertebra_lies_between_t12_and_l1(bodies: np.ndarray) -> None:
    names = {20: 19, 21: 28, 22: 20, 23: 21, 24: 22}
    labels = np.zeros_like(bodies)
    for old, new in names.items():
        labels[bodies == old] = new
    np.testing.assert_array_equal(
        target_of(labels, SPACING) == bit(NetworkClass.DISC), target_of(bodies, SPACING) == bit(NetworkClass.DISC)
    )


def test_a_labelled_sacrum_closes_the_column(bodies: np.ndarray) -> None:
    bodies[3:12, 200:220, 52:78] = 26
    target = target_of(bodies, SPACING)
    assert (target[bodies == 26] == bit(NetworkClass.SACRUM)).all()
    assert not (target[:, 230:] & bit(NetworkClass.SACRUM)).any()
    assert (target[5:9, 194:197, 60:70] == bit(NetworkClass.DISC)).all()


@pytest.fixture
def column(bodies: np.ndarray) -> np.ndarray:
    """The bodies with S1, and the discs L1-L2 to L5-S1 as boxes two pixels away from the endplates."""
    labels = bodies.copy()
    labels[3:12, 200:220, 50:80] = 26
    for n in range(5):
        labels[3:12, 66 + 32 * n : 70 + 32 * n, 52:78] = 120 + n
    return labels


def test_drawn_discs_beside_bodies_are_discs_and_their_border_is_the_drawn_one(column: np.ndarray) -> None:
    target = target_of(column, SPACING)
    discs = column >= 100
    assert (target[discs] == bit(NetworkClass.DISC)).all()
    assert (target[(column > 0) & (column < 26)] == bit(NetworkClass.BODY)).all()
    assert (target[column == 26] == bit(NetworkClass.SACRUM)).all()
    gaps = np.zeros(column.shape, bool)
    gaps[3:12, 64:192, 50:80] = True
    assert not (target[gaps & (column == 0)] & bit(NetworkClass.DISC)).any()


def test_a_disc_that_is_not_drawn_follows_from_the_gap_though_others_are_drawn(column: np.ndarray) -> None:
    column[column == 122] = 0
    target, alone = target_of(column, SPACING), target_of(np.where(column < 100, column, 0), SPACING)
    gap = (slice(3, 12), slice(128, 136), slice(50, 80))
    np.testing.assert_array_equal(target[gap], alone[gap])
    assert (target[gap] == bit(NetworkClass.DISC)).any()
    assert (target[column == 121] == bit(NetworkClass.DISC)).all()


def test_drawn_discs_change_nothing_outside_of_their_gaps(column: np.ndarray) -> None:
    bodies = np.where(column < 100, column, 0)
    around = np.ones(column.shape, bool)
    around[2:13, 62:202, 48:82] = False
    np.testing.assert_array_equal(target_of(column, SPACING)[around], target_of(bodies, SPACING)[around])


def test_bodies_that_nobody_drew_between_drawn_discs_are_no_error(column: np.ndarray) -> None:
    """Bodies L1 and L2, but all discs down to L5-S1."""
    labels = np.where((column > 21) & (column < 100), 0, column)
    target = target_of(labels, SPACING)
    for undrawn in (column == 22, column == 23, column == 24):
        assert (target[undrawn] & bit(NetworkClass.BODY) > 0).all()
        assert not (target[undrawn] & bit(NetworkClass.SACRUM)).any()
    below = target[column == 26]
    assert (below & bit(NetworkClass.SACRUM) > 0).all()
    assert not (below & bit(NetworkClass.BODY)).any(), "below the disc L5-S1 there is no body"
    assert (target[labels >= 100] == bit(NetworkClass.DISC)).all()


def test_the_body_above_a_drawn_disc_at_the_upper_end_is_no_error(column: np.ndarray) -> None:
    labels = np.where(column == 20, 0, column)
    target = target_of(labels, SPACING)
    assert (target[column == 20] & bit(NetworkClass.BODY) > 0).all()
    assert (target[column == 120] == bit(NetworkClass.DISC)).all()


def test_a_body_and_its_disc_that_nobody_drew_stay_open(column: np.ndarray) -> None:
    labels = np.where(np.isin(column, (22, 122)), 0, column)
    target = target_of(labels, SPACING)
    assert (target[column == 22] & bit(NetworkClass.BODY) > 0).all()
    assert (target[column == 122] & bit(NetworkClass.DISC) > 0).all()


@pytest.fixture(scope="module")
def whole() -> tuple[np.ndarray, tuple[float, float, float]]:
    """Everything that a phantom shows, by label value, and its spacing."""
    phantom = make_phantom(PhantomSpec(size=(14, 190, 120), noise=0.0))
    return sitk.GetArrayFromImage(to_reading_order(phantom.labels)), phantom.grid.spacing


@pytest.mark.parametrize("undrawn", [(), (22,), (22, 122), (20, 21), (23, 24), (26,), (26, 24, 23)])
def test_what_nobody_drew_may_be_what_it_is(
    whole: tuple[np.ndarray, tuple[float, float, float]], undrawn: tuple[int, ...]
) -> None:
    """Bodies and discs drawn but for some: no voxel of the column is taught to be anything else than it is."""
    labels, spacing = whole
    drawn = (labels <= 26) | ((labels > 100) & (labels < 130))
    target = target_of(np.where(drawn & ~np.isin(labels, undrawn), labels, 0), spacing)
    classes = network_classes(labels)
    wrong = target & (1 << classes).astype(np.uint8) == 0
    column = np.isin(classes, (NetworkClass.BODY, NetworkClass.DISC, NetworkClass.SACRUM))
    assert not wrong[column].any()
    assert wrong.mean() < 1e-3


def test_bodies_and_discs_are_ordered_from_the_top_down() -> None:
    assert column_order([19, 20, 28, 119, 26, 128, 124, 24]) == [19, 119, 28, 128, 20, 24, 124, 26]
    assert undrawn_discs([23, 24, 26, 123]) == [(24, 26)]
    assert undrawn_discs([19, 20, 28, 128]) == [(19, 28)]
    assert undrawn_discs([120, 121]) == []


@pytest.mark.parametrize(
    ("values", "complete", "message"),
    [
        ((20, 21, 61), False, r"hold 61 \(Dural sac\): neither .*raters/NAME.* mark the volume as complete"),
        ((20, 21, 173), False, r"173 \(L4-L5 right foramen\)"),
        ((20, 77), False, "hold 77: neither"),
        ((20, 27), False, "hold 27: neither"),
        ((20, 20.5), False, r"hold 20\.5: neither"),
        ((22,), False, r"22 \(L3 body\) alone is labelled.* label more of them"),
        ((122,), False, r"122 \(L3-L4 disc\) alone"),
        ((), False, "nothing alone is labelled"),
        ((20, 77), True, "hold 77: no label values; README"),
    ],
)
def test_labels_that_would_be_mistaken_are_refused(values: tuple[float, ...], complete: bool, message: str) -> None:
    labels = np.zeros((4, 40, 20))
    for n, value in enumerate(values):
        labels[1:3, 4 + 12 * n : 12 + 12 * n, 5:15] = value
    with pytest.raises(ValueError, match=message):
        target_of(labels, SPACING, complete=complete)


def test_annotations_beside_complete_labels_are_refused(bodies: np.ndarray) -> None:
    with pytest.raises(ValueError, match="annotations would be ignored"):
        target_of(bodies, SPACING, np.zeros_like(bodies), complete=True)


def test_a_drawn_foramen_closes_its_level_and_side_only(bodies: np.ndarray) -> None:
    annotation = np.zeros(bodies.shape, np.uint16)
    annotation[2:13, 20:230, 84:98] = 61
    annotation[4, 92:108, 82:92] = foramen_value("L2", Side.RIGHT)
    annotation[5:10, 92:108, 84:92] = 61
    target = target_of(bodies, SPACING, annotation)
    foramen = bit(NetworkClass.FORAMEN)
    assert target[4, 100, 83] == foramen
    assert not target[3, 100, 90] & foramen
    assert target[10, 100, 82] & foramen, "the other side was not drawn, so it is not absent"
    assert target[4, 135, 82] & foramen, "another level was not drawn"
    assert not target[7, 150, 110] & bit(NetworkClass.CANAL), "a drawn sac is complete"


def test_a_complete_segmentation_has_one_class_a_voxel() -> None:
    labels = np.array([[[0, 20, 26, 124, 61, 174, 204]]], np.uint16)
    expected = [0, 1, 2, 3, 4, 5, 5]
    assert network_classes(labels).ravel().tolist() == expected
    assert target_of(labels, SPACING, complete=True).ravel().tolist() == [1 << c for c in expected]
