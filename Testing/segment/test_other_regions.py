"""A neck or a chest is given no lumbar names, even if the networks saw a sacrum there; from exact masks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import disc_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.segment.spine import name_spine
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom
from SpineQuantLib.training.targets import network_classes

VIEWS = {
    "cervical": PhantomSpec(region="cervical", size=(16, 90, 50), spacing=(3.5, 1.5, 1.5), centre=(0, 5, -10)),
    "thoracic": PhantomSpec(region="thoracic", size=(16, 120, 60), spacing=(3.5, 1.5, 1.5), centre=(0, 5, 10)),
}
SMALL = PhantomSpec(
    size=(18, 130, 64), spacing=(3.5, 1.5, 1.5), centre=(0, 15, -12), body_scale=0.82, variation=1.0, seed=2
)


@pytest.fixture(scope="module", params=VIEWS)
def view(request):
    """A phantom, and the classes that a faultless committee sees in it."""
    phantom = make_phantom(VIEWS[request.param])
    return phantom, network_classes(phantom.spine().labels)


def test_a_hallucinated_sacrum_names_nothing_in_a_neck_or_a_chest(view, as_opinion):
    phantom, classes = view
    # The lowest body that is whole, and what hangs below it, is taken for S1.
    lowest = phantom.vertebrae[-2]
    labels = phantom.spine().labels
    below = np.argwhere(labels == vertebra_value(lowest))[:, 1].max()
    seen = classes.copy()
    seen[:, below + 1 :][np.isin(seen[:, below + 1 :], (NetworkClass.BODY, NetworkClass.DISC))] = (
        NetworkClass.BACKGROUND
    )
    seen[labels == vertebra_value(lowest)] = NetworkClass.SACRUM
    spine = name_spine(as_opinion(seen, phantom.grid))
    assert not spine.naming.named
    assert any("too close for lumbar" in doubt for doubt in spine.naming.doubts)
    assert all(vertebra.startswith("V") for vertebra in spine.vertebrae)


def test_without_a_sacrum_a_neck_and_a_chest_stay_unnamed(view, as_opinion):
    phantom, classes = view
    spine = name_spine(as_opinion(classes, phantom.grid))
    assert all(vertebra.startswith("V") for vertebra in spine.vertebrae)
    assert any("too close for lumbar" in doubt for doubt in spine.naming.doubts)


def test_a_small_adult_keeps_lumbar_names(as_opinion):
    phantom = make_phantom(SMALL)
    naming = name_spine(as_opinion(network_classes(phantom.spine().labels), phantom.grid)).naming
    assert naming.named
    assert not any("too close" in doubt for doubt in naming.doubts)


@pytest.fixture(scope="module")
def chest_and_loin():
    """A phantom from T8 to S1, and the classes that a faultless committee sees in it."""
    spec = PhantomSpec(size=(16, 184, 70), spacing=(3.5, 1.5, 1.5), centre=(0, 15, 4), variation=1.0, seed=4)
    phantom = make_phantom(spec)
    return phantom, network_classes(phantom.spine().labels)


def _ending_at(phantom, classes, lowest):
    """The view cut off below a vertebra that every network takes for S1: classes and grid."""
    labels = phantom.spine().labels
    rows = np.argwhere(labels == vertebra_value(lowest))[:, 1].max() + 1
    seen = classes[:, :rows].copy()
    seen[labels[:, :rows] == vertebra_value(lowest)] = NetworkClass.SACRUM
    # What of the next vertebrae reaches into the view beside it, in front of a slanting disc, is not recognised.
    names = phantom.spec.names
    for upper, lower in itertools.pairwise(names[names.index(lowest) :]):
        seen[np.isin(labels[:, :rows], (disc_value(upper), vertebra_value(lower)))] = NetworkClass.BACKGROUND
    return seen, replace(phantom.grid, shape=seen.shape)


@pytest.mark.parametrize("lowest", ["T12", "L2", "L3", "L4"])
def test_a_lumbar_body_at_the_edge_of_the_view_does_not_pass_for_s1(chest_and_loin, as_opinion, lowest):
    seen, grid = _ending_at(*chest_and_loin, lowest)
    spine = name_spine(as_opinion(seen, grid))
    assert all(vertebra.startswith("V") for vertebra in spine.vertebrae)
    assert any("hardly bends at the body taken for S1" in doubt for doubt in spine.naming.doubts)


def test_s1_at_the_edge_of_the_view_passes(chest_and_loin, as_opinion):
    phantom, classes = chest_and_loin
    labels = phantom.spine().labels
    rows = np.argwhere(labels == vertebra_value("S1"))[:, 1].max() + 1
    spine = name_spine(as_opinion(classes[:, :rows], replace(phantom.grid, shape=classes[:, :rows].shape)))
    assert spine.naming.named
    assert spine.vertebrae == phantom.vertebrae
