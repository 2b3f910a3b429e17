"""Phantoms on a grid: masks against volumes, places and sides in the patient, field of view, picture, files."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.training.phantom import Phantom, PhantomSpec, make_phantom, save_phantom
from SpineQuantLib.training.phantom.frames import rotation

LOW = PhantomSpec(size=(16, 80, 80), spacing=(5.0, 2.0, 2.0), centre=(0.0, 10.0, -50.0))
"""A small field of view from L2 to S2."""
BACK = replace(LOW, centre=(0.0, 75.0, -30.0))
"""One that reaches beyond the skin of the back."""


@pytest.fixture(scope="module")
def low() -> Phantom:
    return make_phantom(LOW)


@pytest.fixture(scope="module")
def whole() -> Phantom:
    """Everything down to S4, so that no structure is cut."""
    return make_phantom(PhantomSpec(size=(22, 140, 70), spacing=(4.0, 3.0, 3.0), centre=(0.0, 15.0, 0.0)))


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def labels_of(phantom: Phantom) -> np.ndarray:
    return phantom.spine().labels


def centroid(phantom: Phantom, value: int) -> np.ndarray:
    """LPS millimetres of the middle of a label, from the stored image alone."""
    index = np.argwhere(array(phantom.labels) == value)
    assert len(index)
    return Grid.of(phantom.labels).to_lps(index).mean(axis=0)


def same(a: sitk.Image, b: sitk.Image) -> bool:
    """Whether two images lie on one grid."""
    return a.GetSize() == b.GetSize() and np.allclose(
        [*a.GetOrigin(), *a.GetSpacing(), *a.GetDirection()], [*b.GetOrigin(), *b.GetSpacing(), *b.GetDirection()]
    )


def test_types_and_grids_agree(low: Phantom) -> None:
    assert low.image.GetPixelID() == sitk.sitkInt16
    assert low.labels.GetPixelID() == sitk.sitkUInt16
    assert same(low.image, low.labels)
    for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL, Structure.FORAMEN):
        assert low.occupancy[structure].shape == LOW.size
        assert low.occupancy[structure].dtype == np.float32


def test_a_point_belongs_to_one_structure_at_most(low: Phantom, whole: Phantom) -> None:
    for phantom in (low, whole):
        total = sum(phantom.occupancy.values())
        assert total.min() >= 0
        assert total.max() <= 1.005


def test_labels_say_what_fills_most_of_a_voxel(low: Phantom) -> None:
    labels, grid = labels_of(low), low.occupancy
    assert set(np.unique(labels)) >= {0, 22, 23, 24, 26, 61, 122, 123, 124, 173, 174, 203, 204}
    assert (grid[Structure.CANAL][labels == 61] > 0.25).all()
    assert (labels[grid[Structure.DISC] > 0.6] // 100 == 1).all()
    assert (labels[grid[Structure.CANAL] > 0.6] == 61).all()
    assert (labels[sum(grid.values()) < 0.3] == 0).all()


def test_volumes_of_masks_are_those_of_the_shapes(whole: Phantom) -> None:
    voxel = float(np.prod(whole.spec.spacing))
    discs = [r.value for r in whole.truth if r.structure is Structure.DISC and r.name == "volume"]
    assert len(discs) == len(whole.spec.levels)
    assert whole.occupancy[Structure.DISC].sum() * voxel == pytest.approx(sum(discs), rel=0.01)
    foramina = sum(f.area * (f.lateral - f.medial) for f in whole.anatomy.foramina)
    assert whole.occupancy[Structure.FORAMEN].sum() * voxel == pytest.approx(foramina, rel=0.02)
    # A cross-section swept at right angles along the line through its centroid: area times length (Pappus).
    sac = whole.anatomy.sac
    swept = float(np.trapezoid(sac.areas, dx=0.5))
    assert whole.occupancy[Structure.CANAL].sum() * voxel == pytest.approx(swept, rel=0.02)


def test_a_body_has_the_volume_of_its_plates(whole: Phantom) -> None:
    body = whole.anatomy.column.body("L3")
    up = np.linspace(-0.5, 0.5, 401)
    drawn_in = body.waist * (1 - (2 * up) ** 2)
    side, behind = 1 - drawn_in, 1 - 0.4 * drawn_in
    x = np.linspace(0, 1, 20001)
    quartic = float(np.trapezoid((1 - x**4) ** 0.25, x))
    plates = body.rl / 2 * side * body.ap / 2 * (np.pi / 2 * side + 2 * quartic * behind)
    box = np.trapezoid(plates, up * body.height)
    # The hollows: dome × (1 − q) over the end plates, integrated over a half-ellipse and a half-quartic.
    left, posterior = np.meshgrid(np.linspace(-1, 1, 801), np.linspace(-1, 1, 801), indexing="ij")
    q = left**2 + posterior**2
    inside = np.where(posterior > 0, left**4 + posterior**4 < 1, q < 1)
    hollow = ((1 - q) * inside).mean() * body.rl * body.ap * sum(body.domes)
    # The patient is not turned, so that LPS is the body frame.
    index = np.moveaxis(np.indices(whole.grid.shape), 0, -1)
    above, below = (whole.anatomy.column.disc(level).frame for level in ("L2-L3", "L3-L4"))
    points = whole.grid.to_lps(index)
    between = (above.to_local(points)[..., 2] < 0) & (below.to_local(points)[..., 2] > 0)
    filled = whole.occupancy[Structure.VERTEBRA][between].sum() * np.prod(whole.spec.spacing)
    assert filled == pytest.approx(box - hollow, rel=0.01)


@pytest.mark.parametrize("orientation", ["RPI", "LAS", "SPL"])
def test_orientations_hold_the_same_patient(low: Phantom, orientation: str) -> None:
    turned = make_phantom(replace(LOW, orientation=orientation))
    assert sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(turned.image.GetDirection()) == orientation
    assert same(turned.image, turned.labels)
    np.testing.assert_array_equal(labels_of(turned), labels_of(low))
    for value in (23, 123, 173, 203):
        np.testing.assert_allclose(centroid(turned, value), centroid(low, value), atol=1e-3)


def test_left_is_the_patients_left(low: Phantom) -> None:
    for level in (22, 23, 24):
        right, middle, left = (centroid(low, v)[0] for v in (150 + level, level, 180 + level))
        assert right + 10 < middle < left - 10
        front, back = centroid(low, level)[1], centroid(low, 150 + level)[1]
        assert front < back
    heights = [centroid(low, v)[2] for v in (22, 122, 23, 123, 24, 124, 26)]
    assert heights == sorted(heights, reverse=True)


def test_a_turned_patient_lies_turned_and_a_turned_grid_does_not_move_him(low: Phantom) -> None:
    angles = (8.0, 5.0, 10.0)
    patient = make_phantom(replace(LOW, patient_rotation=angles))
    grid = make_phantom(replace(LOW, slice_rotation=angles))
    for value in (23, 123):
        np.testing.assert_allclose(centroid(patient, value), rotation(angles) @ centroid(low, value), atol=1.0)
        np.testing.assert_allclose(centroid(grid, value), centroid(low, value), atol=1.0)
    assert not np.allclose(np.abs(grid.image.GetDirection()).max(), 1.0, atol=1e-4)
    body = low.anatomy.column.body("L4").frame.origin
    np.testing.assert_allclose(patient.to_lps(body), rotation(angles) @ body)


def test_a_foramen_narrowed_on_the_left_loses_only_left_voxels(low: Phantom) -> None:
    narrow = make_phantom(replace(LOW, foraminal_stenosis={("L4-L5", Side.LEFT): 0.6}))
    differs = labels_of(narrow) != labels_of(low)
    assert differs.any()
    for phantom in (low, narrow):
        assert set(np.unique(labels_of(phantom)[differs])) == {0, 203}
    assert (labels_of(narrow) == 203).sum() < 0.6 * (labels_of(low) == 203).sum()
    gone = low.occupancy[Structure.FORAMEN].sum() - narrow.occupancy[Structure.FORAMEN].sum()
    left = next(f for f in low.anatomy.foramina if f.disc.level == "L4-L5" and f.side is Side.LEFT)
    lost = 0.6 * left.area * (left.lateral - left.medial)
    assert gone * np.prod(LOW.spacing) == pytest.approx(lost, rel=0.05)


def test_a_seed_makes_one_phantom(low: Phantom) -> None:
    again, other = make_phantom(LOW), make_phantom(replace(LOW, seed=1, variation=1.0))
    np.testing.assert_array_equal(array(again.image), array(low.image))
    np.testing.assert_array_equal(array(again.labels), array(low.labels))
    assert (array(other.image) != array(low.image)).any()
    assert (array(other.labels) != array(low.labels)).any()


@pytest.mark.parametrize(
    ("lumbar", "names"), [(4, ("L3", "L4", "S1")), (6, ("L4", "L5", "L6", "S1"))], ids=["four", "six"]
)
def test_names_follow_the_number_of_lumbar_bodies(lumbar: int, names: tuple[str, ...]) -> None:
    phantom = make_phantom(replace(LOW, lumbar=lumbar))
    assert phantom.vertebrae[-len(names) :] == names
    present = set(np.unique(array(phantom.labels)).tolist())
    assert {vertebra_value(n) for n in names} <= present
    assert (24 in present) == (lumbar == 6)
    lowest = phantom.spine().levels[-1]
    assert lowest == f"{names[-2]}-S1"
    assert phantom.true_value(Structure.DISC, lowest, "height", "Hurxthal") > 3


def test_a_field_of_view_above_the_sacrum_shows_none_of_it() -> None:
    phantom = make_phantom(replace(LOW, centre=(0.0, 10.0, 30.0)))
    assert phantom.vertebrae == ("T11", "T12", "L1", "L2", "L3", "L4")
    assert not (array(phantom.labels) == 26).any()
    assert not phantom.spine().shows_sacrum
    assert {r.level for r in phantom.truth}.isdisjoint({"L5-S1", "S1", "L5"})
    with pytest.raises(KeyError, match="L5-S1"):
        phantom.true_value(Structure.DISC, "L5-S1", "height", "Hurxthal")


def test_a_lumbarised_sacrum_has_a_disc_below_it(low: Phantom) -> None:
    lumbarised = make_phantom(replace(LOW, lumbarised=True))
    assert (array(lumbarised.labels) == 126).sum() > 50
    assert not (array(low.labels) == 126).any()
    s1, usual = lumbarised.anatomy.column.body("S1"), low.anatomy.column.body("S1")
    assert s1.taper < usual.taper
    assert abs(s1.wedge) < abs(usual.wedge)


def test_thick_slices_average_what_thin_ones_show() -> None:
    quiet = replace(LOW, noise=0.0, texture=0.0, bias=0.0, blur=0.0)
    thick = make_phantom(replace(quiet, size=(8, 80, 80), spacing=(8.0, 2.0, 2.0)))
    thin = make_phantom(replace(quiet, size=(32, 80, 80), spacing=(2.0, 2.0, 2.0)))
    for structure in (Structure.DISC, Structure.VERTEBRA):
        averaged = thin.occupancy[structure].reshape(8, 4, 80, 80).mean(axis=1)
        np.testing.assert_allclose(thick.occupancy[structure], averaged, atol=0.02)
    spine = sum(thick.occupancy.values()) > 0.99
    averaged = array(thin.image).reshape(8, 4, 80, 80).mean(axis=1)
    difference = np.abs(array(thick.image) - averaged)[spine]
    assert np.percentile(difference, 95) < 30


def test_contrasts_look_like_their_weighting() -> None:
    brightness = {}
    for contrast in ("T1", "T2", "STIR", "water"):
        phantom = make_phantom(replace(BACK, contrast=contrast, noise=0.0, bias=0.0))
        image = array(phantom.image)
        full = {s: image[o > 0.98].mean() for s, o in phantom.occupancy.items() if (o > 0.98).any()}
        air = image[:, :10, -3:].mean()
        brightness[contrast] = {**{s.value: v for s, v in full.items()}, "air": air}
    for contrast, b in brightness.items():
        assert b["air"] < 0.2 * b["vertebra"], contrast
        assert (b["canal"] > b["vertebra"]) == (contrast != "T1")
    assert brightness["T1"]["foramen"] > brightness["T1"]["vertebra"]
    assert brightness["STIR"]["foramen"] < 0.5 * brightness["STIR"]["canal"]
    assert brightness["water"]["disc"] > brightness["water"]["vertebra"]


def test_noise_is_rician_and_of_the_size_asked() -> None:
    phantom = make_phantom(replace(BACK, noise=0.05, bias=0.0, texture=0.0, blur=0.0))
    air = array(phantom.image)[:, :10, -3:].astype(float)
    # Without signal, Rician noise is Rayleigh noise: mean σ·√(π/2).
    assert air.mean() == pytest.approx(50 * np.sqrt(np.pi / 2), rel=0.03)


def test_a_saved_phantom_comes_back(low: Phantom, tmp_path) -> None:
    save_phantom(low, tmp_path / "new" / "phantom")
    folder = tmp_path / "new" / "phantom"
    for name, image in (("image", low.image), ("labels", low.labels)):
        back = sitk.ReadImage(str(folder / f"{name}.nii.gz"))
        np.testing.assert_array_equal(array(back), array(image))
        assert np.allclose(back.GetOrigin(), image.GetOrigin(), atol=1e-3)
        assert np.allclose(back.GetDirection(), image.GetDirection(), atol=1e-5)
    with (folder / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(low.truth)
    row = next(r for r in rows if (r["structure"], r["level"], r["method"]) == ("disc", "L4-L5", "Dabbs"))
    assert float(row["value"]) == pytest.approx(low.true_value(Structure.DISC, "L4-L5", "height", "Dabbs"), abs=1e-3)
    assert {r["side"] for r in rows} == {"", "left", "right"}
