"""Levels that lie unlike the usual are shown to the networks again, turned level: where, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the engine is not installed", exc_type=ImportError)

from SpineQuantLib.anatomy.labels import disc_value, foramen_value  # noqa: E402
from SpineQuantLib.anatomy.levels import vertebra_value  # noqa: E402
from SpineQuantLib.anatomy.structures import NetworkClass, Side  # noqa: E402
from SpineQuantLib.case.spine import NamedSpine  # noqa: E402
from SpineQuantLib.models.committee import Committee  # noqa: E402
from SpineQuantLib.models.network import NetworkConfig, SpineUNet  # noqa: E402
from SpineQuantLib.segment.second_look import Level, _Frame, levels_to_see_again, look_again  # noqa: E402
from SpineQuantLib.segment.spine import name_spine  # noqa: E402

CONFIG = NetworkConfig(filters=(4, 8, 8), patch=(12, 160, 144))
LEFT, RIGHT = foramen_value("L4", Side.LEFT), foramen_value("L4", Side.RIGHT)


class Bright(SpineUNet):
    """A network that says: what is bright is foramen, with a sureness of its own."""

    def __init__(self, sureness: float) -> None:
        super().__init__(CONFIG)
        self._sureness = sureness

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        super().forward(x)  # its encoder is asked for the embedding
        logits = torch.zeros((len(x), len(NetworkClass), *x.shape[2:]))
        bright = x[:, 0] > x.min() + 0.7 * (x.max() - x.min())
        logits[:, NetworkClass.FORAMEN] = torch.where(bright, self._sureness, -self._sureness)
        logits[:, NetworkClass.BACKGROUND] = -logits[:, NetworkClass.FORAMEN]
        return logits


@pytest.fixture(scope="module")
def committee() -> Committee:
    return Committee(
        SimpleNamespace(network=CONFIG, name="bright"), tuple(map(Bright, (4.0, 5.0, 6.0))), torch.device("cpu")
    )


@pytest.fixture(scope="module")
def truth(make_spine):
    return make_spine()


def spine_of(truth, without: tuple[int, ...] = ()) -> NamedSpine:
    labels = np.where(np.isin(truth.labels, without), 0, truth.labels)
    return NamedSpine.from_labels(labels, truth.grid, truth.vertebrae)


def shown(truth):
    """A volume in which the foramina are bright, and bodies and discs less so."""
    foramina = (truth.labels >= 150) & (truth.labels < 300)
    return truth.grid.image((40.0 * (truth.labels > 0) + 60.0 * foramina).astype(np.float32))


def test_a_complete_spine_of_usual_slopes_is_looked_at_once(truth):
    assert levels_to_see_again(spine_of(truth)) == ()


def test_the_level_without_a_foramen_is_looked_at_again(truth):
    (level,) = levels_to_see_again(spine_of(truth, (LEFT,)))
    assert level.name == "L4-L5"
    assert level.above.name == "L3-L4"


def test_a_steep_level_is_looked_at_again_although_it_is_complete(make_spine):
    steep = levels_to_see_again(spine_of(make_spine(lordosis=110.0)))
    assert [level.name for level in steep] == ["L5-S1"]
    assert np.rad2deg(steep[0].tilt) > 45.0


def test_slopes_do_not_depend_on_the_spacing(make_spine):
    tilts = []
    for spacing in ((4.0, 1.0, 1.0), (3.3, 0.6, 0.9)):
        (level,) = levels_to_see_again(spine_of(make_spine(spacing=spacing), (LEFT,)))
        tilts.append(np.rad2deg(level.tilt))
    assert tilts[0] == pytest.approx(tilts[1], abs=1.0)


@pytest.mark.parametrize("lost", [vertebra_value("L5"), disc_value("L4")])
def test_where_body_or_disc_is_missing_too_there_is_no_frame_to_look_in(truth, lost):
    assert "L4-L5" not in [level.name for level in levels_to_see_again(spine_of(truth, (LEFT, RIGHT, lost)))]


def test_thoracic_foramina_are_not_sought(make_spine):
    thoracic = make_spine(names=("T11", "T12", "L1", "L2"))
    lost = tuple(foramen_value("T11", side) for side in Side)
    assert levels_to_see_again(spine_of(thoracic, lost)) == ()


def test_of_many_levels_the_lowest_three_are_taken(truth):
    lost = tuple(foramen_value(upper, Side.LEFT) for upper in truth.vertebrae[:-1])
    assert [level.name for level in levels_to_see_again(spine_of(truth, lost))] == ["L5-S1", "L4-L5", "L3-L4"]


@given(
    tilt=st.floats(-0.6, 1.2),
    slip=st.floats(0.0, 20.0),
    rows=st.floats(0.4, 1.5),
    columns=st.floats(0.4, 1.5),
)
def test_every_pixel_of_the_piece_finds_its_way_back(tilt, slip, rows, columns):
    frame = _Frame(Level("L5-S1", (120.0, 80.0), tilt, 17.0), (40, 32), (rows, columns), slip)
    index = np.stack(np.mgrid[:40, :32], axis=-1)
    np.testing.assert_allclose(frame.to_piece(frame.to_volume()), index, atol=1e-9)


@given(tilt=st.floats(-0.6, 1.2), slip=st.floats(0.0, 20.0))
def test_in_the_piece_the_disc_is_level_and_what_is_above_has_moved_backwards(tilt, slip):
    level = Level("L5-S1", (120.0, 80.0), tilt, 17.0)
    frame = _Frame(level, (81, 81), (1.0, 1.0), slip)
    offset = frame.to_volume() - np.array(level.centre)
    # The middle row is the disc's plane.
    np.testing.assert_allclose(offset[40] @ level.across, 0.0, atol=1e-9)
    # The upper body's point that is seen at the middle of the piece lies half the slip farther forwards in the patient.
    np.testing.assert_allclose(offset[5, 40] @ level.along, -0.5 * slip, atol=1e-3)
    np.testing.assert_allclose(offset[75, 40] @ level.along, 0.5 * slip, atol=1e-3)


@pytest.mark.parametrize("spacing", [(4.0, 1.0, 1.0), (3.3, 0.7, 0.9)])
def test_what_the_second_look_shows_lies_where_it_is_in_the_patient(make_spine, as_opinion, committee, spacing):
    truth = make_spine(spacing=spacing)
    lost = foramen_value("L5", Side.RIGHT), foramen_value("L5", Side.LEFT)
    classes = truth.classes()
    classes[np.isin(truth.labels, lost)] = NetworkClass.BACKGROUND
    first = as_opinion(classes, truth.grid, np.repeat(classes[None], 3, axis=0))
    before = name_spine(first)
    second = look_again(committee, shown(truth), first, levels_to_see_again(before))
    after = name_spine(second)
    assert not any(before.has(value) for value in lost)
    for value in lost:
        found, own = after.labels == value, truth.labels == value
        assert 2 * (found & own).sum() / (found.sum() + own.sum()) > 0.75
    assert second.seen_again == ("L5-S1",)
    rest = ~np.isin(after.labels, lost) & ~np.isin(truth.labels, lost)
    np.testing.assert_array_equal(after.labels[rest], before.labels[rest])
    np.testing.assert_allclose(second.probabilities.astype(np.float32).sum(axis=0), 1.0, atol=2e-3)


def test_the_first_look_and_other_classes_of_the_members_stay(truth, as_opinion, committee):
    classes = truth.classes()
    classes[np.isin(truth.labels, (LEFT, RIGHT))] = NetworkClass.BACKGROUND
    first = as_opinion(classes, truth.grid, np.repeat(classes[None], 3, axis=0))
    first = replace(first, member_entropy=np.zeros(truth.grid.shape, np.float16))
    kept = first.members.copy()
    second = look_again(committee, shown(truth), first, levels_to_see_again(name_spine(first)))
    np.testing.assert_array_equal(first.members, kept)
    changed = second.members != first.members
    assert changed.any()
    assert set(np.unique(second.members[changed])) == {NetworkClass.FORAMEN}
    assert (second.member_entropy > 0).any()


@pytest.mark.parametrize("lost", [LEFT, RIGHT])
def test_the_foramen_that_was_found_stays_as_it_is(truth, as_opinion, committee, lost):
    classes = truth.classes()
    classes[truth.labels == lost] = NetworkClass.BACKGROUND
    # What was found is smaller than what a second look would show, so that a replacement would be seen.
    found = truth.labels == (LEFT if lost == RIGHT else RIGHT)
    rows = np.flatnonzero(found.any(axis=(0, 2)))
    found[:, rows[len(rows) // 2] :] = False
    classes[(truth.labels == (LEFT if lost == RIGHT else RIGHT)) & ~found] = NetworkClass.BACKGROUND
    first = as_opinion(classes, truth.grid, np.repeat(classes[None], 3, axis=0))
    levels = levels_to_see_again(name_spine(first))
    second = look_again(committee, shown(truth), first, levels)
    sides = np.flatnonzero(found.any(axis=(1, 2)))
    np.testing.assert_array_equal(second.members[:, sides], first.members[:, sides])
    np.testing.assert_array_equal(second.probabilities[:, sides], first.probabilities[:, sides])
    assert name_spine(second).has(lost)
    # A steep level is shown anew on either side.
    both = look_again(committee, shown(truth), first, tuple(replace(level, slices=(0, None)) for level in levels))
    assert (both.members[:, sides] != first.members[:, sides]).any()


def test_without_a_level_the_opinion_is_the_same(truth, as_opinion, committee):
    first = as_opinion(truth.classes(), truth.grid)
    assert look_again(committee, shown(truth), first, ()) is first


def test_where_the_view_ends_before_the_foramina_nothing_is_asked(truth, as_opinion, committee):
    first = as_opinion(truth.classes(), truth.grid, np.repeat(truth.classes()[None], 3, axis=0))
    # A disc whose hindmost end lies far behind the last column.
    beyond = Level("L4-L5", (100.0, 80.0), 0.0, 10.0 * max(truth.grid.shape))
    second = look_again(committee, shown(truth), first, (beyond,))
    np.testing.assert_array_equal(second.members, first.members)
    np.testing.assert_array_equal(second.probabilities, first.probabilities)
