"""The same person gives the same numbers however the volume is cut, stored, sampled or mirrored."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.grid import READING_ORDER, Grid, to_reading_order
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.measure import measure_spine
from SpineQuantLib.measure.slices import parts_of, refine
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom

SPEC = PhantomSpec(
    size=(24, 150, 120), spacing=(3.0, 1.0, 1.0), variation=1.0, slice_rotation=(2.0, 1.0, 3.0), scoliosis=5.0, seed=4
)
MIRRORED = {v: v + 30 for v in range(151, 180)} | {v: v - 30 for v in range(181, 210)}
SWAPPED = {"left": "right", "right": "left", "": ""}
LIMITS = {"mm": 0.3, "deg": 1.0}
SHARE = 0.03


@pytest.fixture(scope="module")
def person():
    """A phantom's exact masks, and their rows."""
    spine = make_phantom(SPEC).spine()
    return spine, rows_of(spine)


def rows_of(spine):
    """Rows by structure, level, side, name and method; where the place is a result, without the place."""
    found = {}
    for row in measure_spine(spine):
        level = "" if row.name.startswith("smallest") or row.name == "coronal Cobb angle" else row.level
        found[str(row.structure), level, str(row.side or ""), row.name, row.method] = row
    return found


def assert_exactly(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert found[key].flag == row.flag, key
        assert (found[key].value is None) == (row.value is None), key
        if row.value is not None:
            assert found[key].value == pytest.approx(row.value, rel=tolerance, abs=tolerance), key


def reread(spine, change):
    """The spine after its arrays were changed as images and read back."""

    def through(array):
        image = to_reading_order(change(spine.grid.image(array)))
        return sitk.GetArrayFromImage(image), Grid.of(image)

    labels, grid = through(spine.labels)
    occupancy = {s: through(o)[0] for s, o in spine.occupancy.items()}
    return NamedSpine(grid, labels, occupancy, spine.vertebrae)


@pytest.mark.parametrize("stored", ["RPI", "LAS", "SAR"])
def test_stored_otherwise(person, stored):
    """Axes swapped and turned in the file; the patient stays where they are."""
    spine, rows = person
    found = rows_of(reread(spine, lambda image: sitk.DICOMOrient(image, stored)))
    assert stored != READING_ORDER
    assert_exactly(found, rows, 1e-4)


def test_cropped(person):
    """Empty margins are cut away, unevenly: nothing changes."""
    spine, rows = person
    hit = np.argwhere(spine.labels > 0)
    edge = np.array(spine.labels.shape) - 1
    low = [int(a) - 3 if a > 4 else 0 for a in hit.min(axis=0)]
    high = [int(b) + 4 if b < e - 4 else int(e) + 1 for b, e in zip(hit.max(axis=0), edge, strict=True)]
    assert sum(low) + sum(int(e) + 1 - h for e, h in zip(edge, high, strict=True)) > 10
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = Grid(
        tuple(b - a for a, b in zip(low, high, strict=True)),
        spine.grid.spacing,
        tuple(spine.grid.to_lps(np.array(low)).tolist()),
        spine.grid.directions,
    )
    cropped = NamedSpine(grid, spine.labels[box], {s: o[box] for s, o in spine.occupancy.items()}, spine.vertebrae)
    assert_exactly(rows_of(cropped), rows, 1e-4)


def test_mirrored(person):
    """Left and right change places, a curve bends to the other side; nothing else."""
    spine, rows = person
    swapped = spine.labels[::-1].copy()
    for value, other in MIRRORED.items():
        swapped[spine.labels[::-1] == value] = other
    far = spine.grid.to_lps(np.array([spine.grid.shape[0] - 1, 0, 0])) * [-1, 1, 1]
    turned = np.array(spine.grid.directions) * [-1, 1, 1] * np.array([[-1], [1], [1]])
    grid = Grid(
        spine.grid.shape, spine.grid.spacing, tuple(far.tolist()), tuple(tuple(float(c) for c in r) for r in turned)
    )
    mirrored = NamedSpine(grid, swapped, {s: o[::-1].copy() for s, o in spine.occupancy.items()}, spine.vertebrae)
    found = rows_of(mirrored)
    signed = ("area asymmetry", "height asymmetry", "coronal Cobb angle", "place of posterior bulge")
    for (structure, level, side, name, method), row in rows.items():
        other = found[structure, level, SWAPPED[side], name, method]
        assert (other.value is None) == (row.value is None), row.key
        if row.value is not None:
            expected = -row.value if name in signed else row.value
            assert other.value == pytest.approx(expected, rel=2e-3, abs=5e-3), row.key


def test_resampled(person):
    """Finer pixels that lie elsewhere, values read in between: within what measuring is exact to."""
    spine, rows = person
    i, j = 0.8, 0.8

    def finer(image):
        size = [int(n * s / t) for n, s, t in zip(image.GetSize(), image.GetSpacing(), (i, j, 3.0), strict=True)]
        labels = image.GetPixelID() == sitk.sitkUInt16
        origin = image.TransformContinuousIndexToPhysicalPoint((0.23, 0.41, 0.0))
        how = sitk.sitkNearestNeighbor if labels else sitk.sitkLinear
        return sitk.Resample(
            image, size, sitk.Transform(), how, origin, (i, j, 3.0), image.GetDirection(), 0.0, image.GetPixelID()
        )

    found = rows_of(reread(spine, finer))
    assert found.keys() == rows.keys()
    away = {"mm": [], "mm2": [], "mm3": [], "deg": []}
    for key, row in rows.items():
        if row.value is None or row.flag or row.unit not in away or found[key].value is None:
            continue
        sized = row.unit in ("mm2", "mm3")
        away[row.unit].append((found[key].value - row.value) / (row.value if sized else 1.0))
    assert all(len(values) >= 4 for values in away.values())
    for unit, values in away.items():
        limit = LIMITS.get(unit, SHARE)
        size = np.abs(values)
        assert np.mean(size <= limit) >= 0.97, (unit, np.sort(size)[-5:])
        assert size.max() <= 2 * limit, (unit, size.max())


def test_thin_slices():
    """Slices of 1 mm: nothing is lost across them."""
    phantom = make_phantom(PhantomSpec(size=(64, 110, 100), spacing=(1.0, 1.0, 1.0), variation=1.0, seed=6))
    rows = rows_of(phantom.spine())
    seen = {Structure.DISC: 0, Structure.CANAL: 0, Structure.VERTEBRA: 0}
    for true in phantom.truth:
        row = rows.get((str(true.structure), true.level, str(true.side or ""), true.name, true.method))
        if row is None or row.value is None or row.flag or true.unit not in ("mm", "mm2", "mm3"):
            continue
        sized = true.unit in ("mm2", "mm3")
        error = abs(row.value - true.value) / (true.value if sized else 1.0)
        corners = true.method in ("Frobin", "corner line")
        assert error <= (0.5 if corners else SHARE if sized else 0.3), f"{row.key}: {row.value} for {true.value}"
        if true.structure in seen:
            seen[true.structure] += 1
    assert all(count >= 6 for count in seen.values()), seen


def test_parts_of_a_slice_keep_its_share_and_place_a_wall():
    """A wall along the slices: the share of the slice that it crosses lies on the side of the full one."""
    spacing = np.array([4.0, 1.0, 1.0])
    parts = parts_of(spacing)
    shares = np.zeros((6, 9, 9), np.float32)
    shares[1:4, 2:7, 2:7], shares[4, 2:7, 2:7] = 1.0, 0.25
    fine = refine(shares, spacing, parts)
    assert fine.shape == (6 * parts, 9, 9)
    assert np.allclose(fine.reshape(6, parts, 9, 9).mean(axis=1), shares, atol=1e-3)
    column = fine[4 * parts : 5 * parts, 4, 4]
    assert column[0] > 0.8
    assert column[-1] < 0.05
    assert np.allclose(refine(shares[::-1], spacing, parts), fine[::-1], atol=1e-5)
    assert np.array_equal(refine((shares > 0.5).astype(np.float32), spacing, 1), shares > 0.5)


def test_thin_slices_and_bare_masks_are_not_divided():
    assert parts_of(np.array([1.4, 1.0, 1.0])) == 1
    mask = np.zeros((4, 6, 6), np.float32)
    mask[1:3, 2:5, 1:4] = 1.0
    assert np.array_equal(refine(mask, np.array([4.0, 1.0, 1.0]), 4), np.repeat(mask, 4, axis=0))
