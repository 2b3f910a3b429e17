"""Measured values of whole phantoms against their truth."""

from __future__ import annotations

import numpy as np
import pytest

from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.measure import measure_spine
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom

SPECS = {
    "six lumbar vertebrae, 4 mm, oblique": PhantomSpec(
        lumbar=6, size=(22, 220, 180), spacing=(4.0, 1.0, 1.0), slice_rotation=(4.0, -5.0, 6.0), variation=1.0, seed=3
    ),
    "degenerate, turned patient": PhantomSpec(
        size=(28, 240, 180),
        spacing=(3.0, 1.0, 1.0),
        patient_rotation=(10.0, 5.0, 8.0),
        disc_narrowing={"L4-L5": 3.0},
        disc_bulge={"L4-L5": 4.0},
        listhesis={"L5-S1": 6.0},
        central_stenosis={"L3-L4": 0.5},
        foraminal_stenosis={("L3-L4", Side.LEFT): 0.4},
        variation=1.0,
        seed=8,
    ),
}


def _cut(spine: NamedSpine, level: str) -> bool:
    """Whether the edge of the view cuts a body of a level: what needs its corners may then be absent."""
    if level not in spine.levels:
        return False
    for name in level.split("-"):
        at = np.argwhere(spine.labels == vertebra_value(name))
        if len(at) and ((at.min(axis=0) == 0) | (at.max(axis=0) == np.array(spine.labels.shape) - 1)).any():
            return True
    return False


@pytest.fixture(scope="module", params=SPECS.values(), ids=SPECS.keys())
def errors(request):
    """Signed errors by (structure, name): in the unit of the measure, of areas and volumes in per cent."""
    phantom = make_phantom(request.param)
    spine = phantom.spine()
    rows = {(r.structure, r.level, r.side, r.name, r.method): r for r in measure_spine(spine)}
    found: dict[tuple, list] = {}
    for true in phantom.truth:
        if true.structure is Structure.SPINE:
            # Alignment has tests of its own; the level of an angle tells where it was greatest.
            continue
        row = rows.get((true.structure, true.level, true.side, true.name, true.method))
        if row is None:
            assert true.level == "S1", f"{true.key} is never measured"
            continue
        if row.value is None and _cut(spine, true.level):
            continue
        assert row.value is not None, f"{row.key}: {row.flag}"
        sized = true.unit in ("mm2", "mm3")
        error = 100 * (row.value - true.value) / true.value if sized else row.value - true.value
        # Frobin's height rests on the corners of two bodies and is as good as these.
        name = "Frobin's height" if true.method == "Frobin" else true.name
        found.setdefault((true.structure, name), []).append(error)
    return {key: np.array(values) for key, values in found.items()}


def within(errors: dict, structure: Structure, name: str, typical: float, worst: float) -> None:
    """Assert root mean square and greatest error."""
    values = errors[structure, name]
    assert len(values) >= 4
    assert np.sqrt((values**2).mean()) <= typical, f"{structure} {name}: {values.round(2)}"
    assert np.abs(values).max() <= worst, f"{structure} {name}: {values.round(2)}"


def test_discs(errors):
    within(errors, Structure.DISC, "height", 0.3, 0.6)
    within(errors, Structure.DISC, "Frobin's height", 0.6, 1.0)
    for name in ("anterior height", "middle height", "posterior height"):
        within(errors, Structure.DISC, name, 0.3, 0.7)
    within(errors, Structure.DISC, "area", 3.0, 5.0)
    within(errors, Structure.DISC, "volume", 0.5, 1.0)


def test_sac(errors):
    within(errors, Structure.CANAL, "area", 1.5, 4.0)
    within(errors, Structure.CANAL, "AP diameter", 0.4, 0.8)
    # Slices of 3 to 4 mm lie along this diameter.
    within(errors, Structure.CANAL, "transverse diameter", 0.4, 0.9)


def test_foramina(errors):
    within(errors, Structure.FORAMEN, "area", 3.0, 8.0)
    within(errors, Structure.FORAMEN, "height", 0.3, 0.8)
    within(errors, Structure.FORAMEN, "width", 0.3, 0.5)


def test_bodies(errors):
    for name in ("anterior height", "middle height", "posterior height"):
        within(errors, Structure.VERTEBRA, name, 0.25, 0.5)
    within(errors, Structure.VERTEBRA, "depth", 0.3, 0.6)
