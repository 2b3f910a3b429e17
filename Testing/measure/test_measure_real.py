"""Manual labels of real lumbar volumes give numbers that anatomy allows and the literature expects."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.levels import vertebra_name
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.measure import measure_spine
from SpineQuantLib.training.derive import disc_between

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
LABELS, RATERS = DATA / "lumbar-mri" / "labels", DATA / "rater-annotations"

pytestmark = pytest.mark.skipif(not LABELS.is_dir(), reason=f"no real labels at {LABELS}")


def read(path: Path) -> tuple[np.ndarray, Grid]:
    image = to_reading_order(sitk.ReadImage(str(path)))
    return sitk.GetArrayFromImage(image).astype(np.uint16), Grid.of(image)


def spine_of(case: str, rater: str = "", *, derive: bool = True) -> NamedSpine:
    """Labelled bodies, discs labelled or (if asked) derived between them, and one rater's sac and foramina."""
    labels, grid = read(LABELS / f"{case}.nii.gz")
    bodies = [int(v) for v in np.unique(labels) if 0 < v <= 26]
    for upper, lower in itertools.pairwise(bodies) if derive else ():
        disc, _ = disc_between(labels == upper, labels == lower, grid.spacing)
        labels[disc & (labels == 0)] = 100 + upper
    if rater:
        drawn, _ = read(RATERS / rater / f"{case}.nii.gz")
        labels[(labels == 0) & (drawn > 0)] = drawn[(labels == 0) & (drawn > 0)]
    names = [vertebra_name(v) for v in bodies] or ["L1", "L2", "L3", "L4", "L5"]
    if names[-1] == "L5":
        names.append("S1")
    return NamedSpine.from_labels(labels, grid, tuple(names))


def values(rows: list, structure: Structure, name: str, method: str) -> dict[tuple[str, Side | None], float]:
    """Values by level and side."""
    return {
        (r.level, r.side): r.value
        for r in rows
        if (r.structure, r.name, r.method) == (structure, name, method) and r.value is not None
    }


@pytest.mark.parametrize("case", ["vb2-05", "vb3-05"])
def test_discs_and_bodies_of_healthy_people(case):
    rows = measure_spine(spine_of(case))
    implausible = [r.key for r in rows if "implausible" in r.flag]
    assert implausible == []
    lumbar = ("L1-L2", "L2-L3", "L3-L4", "L4-L5")
    means = values(rows, Structure.DISC, "mean height", "mid-sagittal")
    # 49 manual masks: 5.4 to 7.4 ± 1.0 mm; healthy young people lie above them, none is twice as high.
    assert all(4.0 < means[level, None] < 13.0 for level in lumbar)
    depth = values(rows, Structure.DISC, "depth", "mid-sagittal")
    assert all(24.0 < depth[level, None] < 42.0 for level in lumbar)
    for name in ("anterior height", "middle height", "posterior height"):
        body = values(rows, Structure.VERTEBRA, name, "mid-sagittal")
        assert all(20.0 < body[f"L{n}", None] < 38.0 for n in range(1, 6))


def test_labelled_discs_without_bodies():
    rows = measure_spine(spine_of("ivd-11", "A"))
    heights = values(rows, Structure.DISC, "mean height", "mid-sagittal")
    assert len(heights) == 5
    assert all(3.5 < h < 12.0 for h in heights.values())
    # The sac is found at the discs, and at bodies that are not labelled between them.
    areas = values(rows, Structure.CANAL, "area", "perpendicular to centre line")
    assert {("L4-L5", None), ("L4", None), ("L2", None)} <= areas.keys()
    # This person's sac is wide: 17 mm in slices of 4 mm, up to 19 mm deep at L5-S1.
    assert all(60 < a < 20 * 20 for a in areas.values())


def test_two_raters_of_one_person_agree_as_they_are_known_to():
    """About 10 % in the area of the sac, about 15 % in that of a foramen."""
    first, second = (measure_spine(spine_of("vb2-05", rater, derive=False)) for rater in "AB")
    for structure, method, least, most in (
        (Structure.CANAL, "perpendicular to centre line", 8, 0.2),
        (Structure.FORAMEN, "narrowest sagittal section", 8, 0.3),
    ):
        a, b = (values(rows, structure, "area", method) for rows in (first, second))
        common = a.keys() & b.keys()
        assert len(common) >= least
        differences = [abs(a[k] - b[k]) / (a[k] + b[k]) * 2 for k in common]
        assert np.median(differences) < most
    heights = values(first, Structure.FORAMEN, "height", "narrowest sagittal section")
    assert all(12 < h < 30 for h in heights.values())
