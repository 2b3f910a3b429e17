"""Names from what is known of each body, without a volume."""

from __future__ import annotations

from dataclasses import replace

import pytest

from SpineQuantLib.case.errors import UnsuitableError
from SpineQuantLib.segment.facts import BodyFacts
from SpineQuantLib.segment.naming import name_levels

LUMBAR = BodyFacts(volume=35000.0, votes=(False,) * 5, disc_below=1100.0, taper=1.0)
SACRUM = BodyFacts(volume=28000.0, sacrum=1.0, votes=(True,) * 5, taper=1.3)


def column(above: int, *foot: BodyFacts) -> list[BodyFacts]:
    return [LUMBAR] * above + list(foot or (SACRUM,))


def test_counting_starts_at_s1():
    names, naming = name_levels(column(6))
    assert names == ("T12", "L1", "L2", "L3", "L4", "L5", "S1")
    assert naming.method == "counted from S1"
    assert any("5 of 5 members" in text for text in naming.evidence)
    assert not naming.doubts


def test_a_disc_below_s1_ends_the_count():
    names, naming = name_levels(column(5, replace(SACRUM, disc_below=1000.0)))
    assert names[-1] == "V1"
    assert any("lumbarised" in doubt for doubt in naming.doubts)


def test_a_rudimentary_disc_below_s1_does_not():
    _, naming = name_levels(column(5, replace(SACRUM, disc_below=400.0)))
    assert naming.named


def test_a_rudimentary_disc_above_s1_ends_the_count():
    names, naming = name_levels([*[LUMBAR] * 4, replace(LUMBAR, disc_below=300.0), SACRUM])
    assert names[-1] == "V1"
    assert any("rudimentary" in doubt for doubt in naming.doubts)


def test_a_far_too_small_s1_ends_the_count():
    _, naming = name_levels(column(5, replace(SACRUM, volume=9000.0)))
    assert not naming.named


def test_an_s1_that_the_view_cuts_may_be_somewhat_small():
    _, naming = name_levels(column(5, replace(SACRUM, volume=24000.0, cut=("lower",))))
    assert naming.named
    assert any("edge of the view" in doubt for doubt in naming.doubts)


def test_an_s1_of_which_little_is_in_view_ends_the_count():
    names, naming = name_levels(column(5, replace(SACRUM, volume=12000.0, cut=("lower",))))
    assert names[-1] == "V1"
    assert any("34 % of the volume" in doubt for doubt in naming.doubts)


def test_an_s1_right_at_the_edge_of_the_view_is_doubted():
    _, naming = name_levels(column(5, replace(SACRUM, room=0.5, bend=30.0)))
    assert naming.named
    assert any("view ends right below S1" in doubt for doubt in naming.doubts)
    assert not name_levels(column(5, replace(SACRUM, room=5.0, bend=30.0)))[1].doubts


@pytest.mark.parametrize(
    ("bend", "room", "taper", "votes", "named", "doubted"),
    [
        # A sacrum like most: room or none.
        (28.0, 0.0, 1.3, 5, True, False),
        (28.0, 60.0, 1.3, 5, True, False),
        # Nothing could be seen below: the bend has to speak for it.
        (14.0, 4.0, 1.3, 5, False, True),
        (-3.0, 4.0, 1.3, 5, False, True),
        # There is view below, and nothing in it.
        (14.0, 40.0, 1.0, 4, True, True),
        # A flat back whose sacrum is plain, and one whose sacrum is not.
        (4.0, 40.0, 1.3, 5, True, True),
        (4.0, 40.0, 1.0, 5, False, True),
        (4.0, 40.0, 1.3, 4, False, True),
        # Too few discs to tell.
        (None, 0.0, 1.3, 5, True, False),
    ],
)
def test_a_spine_that_does_not_bend_at_s1(bend, room, taper, votes, named, doubted):
    s1 = replace(SACRUM, bend=bend, room=room, taper=taper, votes=(True,) * votes + (False,) * (5 - votes))
    _, naming = name_levels(column(5, s1))
    assert naming.named is named
    assert any("hardly bends" in doubt for doubt in naming.doubts) is doubted


def test_a_sacrum_set_by_hand_is_doubted_where_the_bodies_speak_against_it():
    straight = replace(LUMBAR, bend=3.0, room=2.0, disc_below=0.0)
    names, naming = name_levels(column(4, straight), "L5-S1")
    assert names[-1] == "S1"
    assert any("hardly bends" in doubt for doubt in naming.doubts)
    voted = replace(LUMBAR, votes=(True, True, False, False, False), disc_below=300.0)
    _, naming = name_levels([*[LUMBAR] * 4, voted, replace(LUMBAR, bend=30.0, disc_below=0.0)], "L5-S1")
    assert any("2 of 5 members of the committee take a higher body for S1" in doubt for doubt in naming.doubts)
    assert any("rudimentary" in doubt for doubt in naming.doubts)
    _, naming = name_levels(column(5, replace(LUMBAR, bend=30.0, disc_below=0.0)), "L5-S1")
    assert naming.doubts == ("the committee recognises no S1 in view; the name rests on the level set by hand",)


def test_members_that_see_a_sacrum_in_different_places_are_told_apart():
    votes = [(True, False, False, False, False), (False, True, True, False, False), (False, False, False, True, True)]
    bodies = [replace(LUMBAR, votes=own) for own in votes]
    _, naming = name_levels([LUMBAR, LUMBAR, *bodies])
    assert not naming.named
    assert any("5 of 5 members of the committee see a sacrum, at most 2 of them" in doubt for doubt in naming.doubts)


def test_a_squared_s1_is_doubted():
    _, naming = name_levels(column(5, replace(SACRUM, taper=0.8)))
    assert naming.named
    assert any("squared" in doubt for doubt in naming.doubts)


def test_more_bodies_than_twelve_and_five_end_the_count():
    assert name_levels(column(17))[1].named
    _, naming = name_levels(column(18))
    assert not naming.named
    assert any("more than five lumbar and twelve thoracic" in doubt for doubt in naming.doubts)


def test_too_many_bodies_are_no_spine():
    with pytest.raises(UnsuitableError, match="more than a spine has"):
        name_levels([LUMBAR] * 30)


@pytest.mark.parametrize(
    ("level", "names"),
    [
        ("L5-S1", ("L3", "L4", "L5", "S1")),
        ("L6-S1", ("L4", "L5", "L6", "S1")),
        ("L4-S1", ("L2", "L3", "L4", "S1")),
        ("L2-L3", ("T12", "L1", "L2", "L3")),
        ("T13-L1", ("T11", "T12", "T13", "L1")),
        ("T11-L1", ("T9", "T10", "T11", "L1")),
    ],
)
def test_the_lowest_disc_set_by_hand_settles_the_names(level, names):
    given, naming = name_levels([LUMBAR] * 4, level)
    assert given == names
    assert naming.named
    assert naming.method == "set by hand"


def test_a_level_by_hand_that_the_committee_sees_otherwise_is_doubted():
    names, naming = name_levels(column(3), "L4-L5")
    assert names == ("L2", "L3", "L4", "L5")
    assert any("takes a body in view for S1" in doubt for doubt in naming.doubts)


def test_a_disc_below_the_lowest_body_makes_the_level_by_hand_doubtful():
    _, naming = name_levels([LUMBAR] * 4, "L4-L5")
    assert any("below the lowest body" in doubt for doubt in naming.doubts)
    _, naming = name_levels([*[LUMBAR] * 3, replace(LUMBAR, disc_below=0.0)], "L4-L5")
    assert not naming.doubts


def test_a_level_by_hand_too_high_for_the_bodies_in_view():
    with pytest.raises(UnsuitableError, match="C1"):
        name_levels([LUMBAR] * 6, "C3-C4")


def test_few_members_that_see_a_sacrum_are_counted():
    seen_by_two = replace(LUMBAR, votes=(True, True, False, False, False), disc_below=0.0)
    _, naming = name_levels(column(4, seen_by_two))
    assert not naming.named
    assert any("only 2 of 5 members" in doubt for doubt in naming.doubts)


def test_s2_and_s3_get_no_name():
    s1 = replace(SACRUM, disc_below=300.0)
    s2 = replace(SACRUM, volume=15000.0)
    names, naming = name_levels(column(5, s1, s2, replace(s2, volume=8000.0)))
    assert names == ("L1", "L2", "L3", "L4", "L5", "S1", None, None)
    assert naming.named


def test_vertebrae_too_close_for_lumbar_ones_end_the_count():
    names, naming = name_levels([replace(LUMBAR, pitch=18.0)] * 5 + [SACRUM])
    assert names[-1] == "V1"
    assert any("every 18 mm" in doubt for doubt in naming.doubts)
    # Just below the bound the spacing does not read as the bound.
    _, close = name_levels([replace(LUMBAR, pitch=24.72)] * 5 + [SACRUM])
    assert any("every 24.7 mm" in doubt for doubt in close.doubts)
    assert name_levels([replace(LUMBAR, pitch=30.0)] * 5 + [SACRUM])[1].named


def test_close_vertebrae_above_lumbar_ones_do_not():
    _, naming = name_levels([replace(LUMBAR, pitch=23.0)] * 6 + [replace(LUMBAR, pitch=34.0)] * 5 + [SACRUM])
    assert naming.named


def test_a_lumbar_level_set_by_hand_in_a_neck_is_doubted():
    _, naming = name_levels([replace(LUMBAR, pitch=18.0)] * 6, "L4-L5")
    assert naming.named
    assert any("too close for lumbar" in doubt for doubt in naming.doubts)
    _, naming = name_levels([replace(LUMBAR, pitch=18.0)] * 6, "C6-C7")
    assert not any("too close for lumbar" in doubt for doubt in naming.doubts)
