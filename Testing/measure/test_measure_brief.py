"""Members of a committee are measured in the committee's planes, by their own outlines."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.measure.landmarks import Landmarks
from SpineQuantLib.measure.spine import measure_brief, measure_spine

SAC, DISC = 61, 123


@pytest.fixture(scope="module")
def spine(shapes) -> NamedSpine:
    axes = shapes.pose(8.0, 4.0, 3.0)
    centre = np.array([0.4, -5.2, 0.5])
    front, _, up = axes.T
    parts = {
        23: shapes.Slab(centre + 18.3 * up, axes, 16.5, 24.0, 27.0, 1.0),
        24: shapes.Slab(centre - 18.3 * up, axes, 16.5, 24.0, 27.0, -1.0),
        DISC: shapes.Slab(centre, axes, 16.5, 24.0, 9.0, 1.2, 1.0),
        SAC: shapes.Tube(centre - 26 * front, axes, 7.0, 10.0, 150.0),
    }
    found = shapes.Scene(parts, ("L4", "L5")).on(shapes.grid_of((2.0, 1.0, 1.0), (66.0, 110.0, 90.0)))
    return NamedSpine.from_labels(found.labels, found.grid, found.vertebrae)


def values(rows) -> dict[tuple, float]:
    return {
        (str(r.structure), r.level, str(r.side or ""), r.name, r.method): r.value for r in rows if r.value is not None
    }


def test_the_same_mask_in_its_own_planes_has_the_same_values(spine):
    whole, brief = values(measure_spine(spine)), values(measure_brief(spine, planes=Landmarks(spine)))
    assert len(brief) > 40
    left_out = {key for key in whole if key[3].startswith("smallest") or key[4].startswith("greatest beyond")}
    assert set(brief) == set(whole) - left_out
    for key, value in brief.items():
        # Endplates are looked for once more, in the frame that they made: degrees differ a little, nothing else does.
        assert value == pytest.approx(whole[key], abs=0.3 if "angle" in key[3] else 1e-6), key


def test_what_a_member_lacks_is_missing_from_its_values_alone(spine):
    planes = Landmarks(spine)
    labels = spine.labels.copy()
    rows = np.flatnonzero((labels == DISC).any(axis=(0, 2)))
    # The member's disc ends two voxels further forward than the committee's.
    back = np.flatnonzero((labels == DISC).any(axis=(0, 1)))[-1]
    labels[:, rows[0] : rows[-1] + 1, back - 3 :][labels[:, rows[0] : rows[-1] + 1, back - 3 :] == DISC] = 0
    member = NamedSpine.from_labels(labels, spine.grid, spine.vertebrae)
    theirs, own = (values(measure_brief(s, planes=planes)) for s in (spine, member))
    depth = ("disc", "L4-L5", "", "depth", "mid-sagittal")
    assert theirs[depth] - own[depth] > 1.0
    for key, value in theirs.items():
        if key[0] in ("vertebra", "canal"):
            assert own[key] == pytest.approx(value, abs=1e-9), key


def test_an_object_that_only_the_member_sees_has_its_own_frame(spine):
    labels = spine.labels.copy()
    labels[labels == DISC] = 0
    planes = Landmarks(NamedSpine.from_labels(labels, spine.grid, spine.vertebrae))
    own = values(measure_brief(spine, planes=planes))
    assert own["disc", "L4-L5", "", "depth", "mid-sagittal"] == pytest.approx(33.0, abs=1.0)


def test_without_a_sac_in_the_committees_view_the_member_follows_its_own(spine):
    labels = np.where(spine.labels == SAC, 0, spine.labels)
    planes = Landmarks(NamedSpine.from_labels(labels, spine.grid, spine.vertebrae))
    own, alone = values(measure_brief(spine, planes=planes)), values(measure_spine(spine))
    depth = ("canal", "L4-L5", "", "AP diameter", "perpendicular to centre line")
    assert own[depth] == pytest.approx(alone[depth], abs=0.15)
