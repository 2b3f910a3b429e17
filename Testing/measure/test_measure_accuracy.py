"""Known millimetres in, the same millimetres out: over tilts, spacings, slice thicknesses and oblique grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from SpineQuantLib.measure import measure_spine

DISC = ("disc", "L4-L5", "")
CANAL = ("canal", "L4-L5", "")
MID = "mid-sagittal"
ACROSS = "perpendicular to centre line"
NARROW = "narrowest sagittal section"

SPACINGS = st.sampled_from([(1.0, 1.0, 1.0), (2.0, 0.9, 0.9), (3.3, 0.7, 0.7), (4.0, 1.0, 1.0), (5.0, 0.8, 0.8)])
TILT, SMALL = st.floats(-30, 30), st.floats(-9, 9)


def posed(shapes, tilt, lean, twist):
    """Axes of a pose and a centre that lies on no voxel's border."""
    return shapes.pose(tilt, lean, twist), np.array([0.37, -0.21, 0.53])


def near(rows, key, truth, *, mm=None, share=None):
    """Assert that a measured value is as close to the truth as asked for, or as the grid allows by its own account.

    What a row states as its accuracy holds for 95 % of rows; twice that, for all that the examples seek out.
    """
    row = rows[key]
    assert row.value is not None, f"{key}: {row.flag}"
    allowed = max(mm if share is None else share * truth, 2.0 * (row.accuracy or 0.0))
    assert abs(row.value - truth) <= allowed, f"{key}: {row.value:.2f} for {truth:.2f}"


@settings(max_examples=12, deadline=None, phases=[Phase.generate], derandomize=True, database=None)
@given(
    tilt=TILT,
    lean=SMALL,
    twist=SMALL,
    turn=st.tuples(SMALL, SMALL, SMALL),
    spacing=SPACINGS,
    height=st.floats(5, 12),
    wedge=st.floats(-1, 2),
    bulge=st.floats(0, 2),
)
def test_disc_alone(shapes, tilt, lean, twist, turn, spacing, height, wedge, bulge):
    """Only the disc is labelled: its frame comes from its own shape."""
    axes, centre = posed(shapes, tilt, lean, twist)
    disc = shapes.Slab(centre, axes, 16.5, 24.0, height, wedge, bulge)
    grid = shapes.grid_of(spacing, (66, 60, 60), turn=turn)
    rows = shapes.table(measure_spine(shapes.Scene({123: disc}).on(grid)))
    anterior, middle, posterior = (float(disc.height_at(s)) for s in (0.9, 0.5, 0.1))
    near(rows, (*DISC, "anterior height", MID), anterior, mm=0.3)
    near(rows, (*DISC, "middle height", MID), middle, mm=0.3)
    near(rows, (*DISC, "posterior height", MID), posterior, mm=0.3)
    near(rows, (*DISC, "height", "Hurxthal"), middle, mm=0.3)
    near(rows, (*DISC, "height", "Dabbs"), (anterior + posterior) / 2, mm=0.2)
    near(rows, (*DISC, "height", "Fyllos"), (anterior + middle + posterior) / 3, mm=0.2)
    near(rows, (*DISC, "mean height", MID), disc.height_at(np.linspace(0.1, 0.9, 801)).mean(), mm=0.15)
    near(rows, (*DISC, "depth", MID), 33.0, mm=0.3)
    near(rows, (*DISC, "area", MID), disc.height_at(np.linspace(0, 1, 4001)).mean() * 33.0, share=0.03)
    near(rows, (*DISC, "volume", "soft voxels"), np.pi * 16.5 * 24.0 * (height - bulge / 2), share=0.03)


@settings(max_examples=8, deadline=None, phases=[Phase.generate], derandomize=True, database=None)
@given(tilt=TILT, lean=SMALL, turn=st.tuples(SMALL, SMALL, SMALL), spacing=SPACINGS, wedge=st.floats(-2.5, 2.5))
def test_body_heights(shapes, tilt, lean, turn, spacing, wedge):
    axes, centre = posed(shapes, tilt, lean, 0.0)
    up = axes[:, 2]
    body = shapes.Slab(centre, axes, 17.0, 24.0, 27.0, wedge, waist=0.08)
    discs = [shapes.Slab(centre + n * 18.5 * up, axes, 17.0, 24.0, 9.0) for n in (1, -1)]
    scene = shapes.Scene({22: discs[0], 23: body, 123: discs[1]}, ("L3", "L4", "L5"))
    # L3's label stands in for anything above: only its place is used.
    rows = shapes.table(measure_spine(scene.on(shapes.grid_of(spacing, (62, 76, 72), turn=turn))))
    for name, share in (("anterior height", 0.9), ("middle height", 0.5), ("posterior height", 0.1)):
        near(rows, ("vertebra", "L4", "", name, MID), float(body.height_at(share)), mm=0.3)


@settings(max_examples=12, deadline=None, phases=[Phase.generate], derandomize=True, database=None)
@given(
    tilt=TILT,
    lean=SMALL,
    twist=SMALL,
    turn=st.tuples(SMALL, SMALL, SMALL),
    spacing=SPACINGS,
    half_ap=st.floats(6, 8.5),
    ratio=st.floats(1.15, 1.5),
    bend=st.sampled_from([100.0, 160.0, 1000.0]),
)
def test_sac_perpendicular_to_its_centre_line(shapes, tilt, lean, twist, turn, spacing, half_ap, ratio, bend):
    """The sac is bent and tilted against the grid; at the disc its section is a known ellipse."""
    axes, centre = posed(shapes, tilt, lean, twist)
    disc = shapes.Slab(centre, axes, 16.5, 24.0, 9.0)
    sac = shapes.Tube(centre - 26 * axes[:, 0], axes, half_ap, half_ap * ratio, bend)
    rows = shapes.table(
        measure_spine(shapes.Scene({123: disc, 61: sac}).on(shapes.grid_of(spacing, (66, 110, 110), turn=turn)))
    )
    blur = spacing[0] > 2.5
    near(rows, (*CANAL, "area", ACROSS), np.pi * half_ap**2 * ratio, share=0.03)
    # A slice of 4 to 5 mm averages over the curved front and back of the sac.
    near(rows, (*CANAL, "AP diameter", ACROSS), 2 * half_ap, mm=0.4 if blur else 0.3)
    near(rows, (*CANAL, "transverse diameter", ACROSS), 2 * half_ap * ratio, mm=0.6 if blur else 0.4)


def test_stenosis_is_found_at_its_level(shapes):
    """A sac that is narrowed at the disc only: the narrowing is in the disc's row and not in the bodies'."""
    axes, centre = posed(shapes, 12.0, 0.0, 0.0)
    up = axes[:, 2]
    disc = shapes.Slab(centre, axes, 16.5, 24.0, 9.0)
    bodies = [shapes.Slab(centre + n * 18.5 * up, axes, 16.5, 24.0, 27.0) for n in (1, -1)]
    sac = shapes.Tube(centre - 26 * axes[:, 0], axes, 7.5, 10.0, 1e4, pinch=0.4, pinch_width=5.0)
    scene = shapes.Scene({123: disc, 23: bodies[0], 24: bodies[1], 61: sac})
    rows = shapes.table(measure_spine(scene.on(shapes.grid_of((3.0, 0.8, 0.8), (66, 100, 90)))))
    full = np.pi * 7.5 * 10.0
    near(rows, (*CANAL, "area", ACROSS), full * 0.6**2, share=0.08)
    near(rows, (*CANAL, "AP diameter", ACROSS), 9.0, mm=0.5)
    near(rows, ("canal", "L4", "", "area", ACROSS), full, share=0.04)
    near(rows, ("canal", "L5", "", "area", ACROSS), full, share=0.04)


@settings(max_examples=10, deadline=None, phases=[Phase.generate], derandomize=True, database=None)
@given(
    tilt=TILT,
    lean=st.floats(-5, 5),
    twist=st.floats(-5, 5),
    spacing=SPACINGS,
    half_height=st.floats(7, 10.5),
    half_width=st.floats(3.5, 5.5),
    length=st.floats(9, 15),
)
def test_straight_foramina(shapes, tilt, lean, twist, spacing, half_height, half_width, length):
    """A keyhole of one section throughout, on both sides, seen on two slices or on a dozen."""
    axes, centre = posed(shapes, tilt, lean, twist)
    disc = shapes.Slab(centre, axes, 16.5, 24.0, 9.0)
    places = {203: 15.0, 173: -15.0}
    keyholes = {
        value: shapes.Keyhole(centre - 22 * axes[:, 0] + side * axes[:, 1], axes, half_height, half_width, length)
        for value, side in places.items()
    }
    rows = shapes.table(measure_spine(shapes.Scene({123: disc, **keyholes}).on(shapes.grid_of(spacing, (66, 70, 80)))))
    thick = spacing[0] > 1.5
    for side in ("left", "right"):
        key = ("foramen", "L4-L5", side)
        # A tilted tunnel is smeared within a thick slice.
        near(rows, (*key, "area", NARROW), keyholes[203].area, share=0.1 if thick else 0.03)
        near(rows, (*key, "height", NARROW), 2 * half_height, mm=0.7 if thick else 0.35)
        near(rows, (*key, "width", NARROW), 2 * half_width, mm=0.6 if thick else 0.3)


def test_foramen_is_measured_where_it_is_narrowest(shapes):
    axes, centre = posed(shapes, 10.0, 0.0, 0.0)
    disc = shapes.Slab(centre, axes, 16.5, 24.0, 9.0)
    keyhole = shapes.Keyhole(centre - 22 * axes[:, 0] + 15 * axes[:, 1], axes, 8.0, 4.0, 14.0, flare=0.5)
    rows = shapes.table(
        measure_spine(shapes.Scene({123: disc, 203: keyhole}).on(shapes.grid_of((1, 1, 1), (66, 70, 80))))
    )
    key = ("foramen", "L4-L5", "left")
    near(rows, (*key, "area", NARROW), keyhole.area, share=0.03)
    contour = np.array(rows[(*key, "area", NARROW)].geometry.points)
    lateral = (contour * [-1, -1, 1] - keyhole.centre) @ axes[:, 1]
    assert np.abs(lateral).max() < 1.5


def test_a_bulge_does_not_move_the_heights(shapes):
    """The margins are the corners of the endplates: a disc that stands out behind is as high as one that does not."""
    axes, centre = posed(shapes, 8.0, 0.0, 0.0)
    up = axes[:, 2]
    bodies = {v: shapes.Slab(centre + n * 18.0 * up, axes, 16.5, 24.0, 27.0) for v, n in ((23, 1), (24, -1))}
    grid = shapes.grid_of((3.0, 0.8, 0.8), (66, 80, 80))
    found = []
    for out in (0.0, 4.0):
        disc = shapes.Slab(centre - out / 2 * axes[:, 0], axes, 16.5 + out / 2, 24.0, 9.0, wedge=2.0 * (1 + out / 33))
        found.append(shapes.table(measure_spine(shapes.Scene({**bodies, 123: disc}).on(grid))))
    key = (*DISC, "depth", MID)
    assert found[1][key].value - found[0][key].value == pytest.approx(4.0, abs=0.4)
    shift = 2.0 / 16.5 * 2.0  # the wedge is drawn about the disc's own middle, which lies 2 mm further back
    for name in ("anterior height", "posterior height"):
        key = (*DISC, name, MID)
        assert found[1][key].value - found[0][key].value == pytest.approx(shift, abs=0.3)


@pytest.mark.parametrize(
    ("aside", "words"), [(6.0, "left of the middle"), (-6.0, "right of the middle"), (0.0, "in the middle")]
)
def test_the_greatest_bulge_is_found_where_it_is(shapes, aside, words):
    """A lump on the round back of a disc, on one side or in the middle; beside the middle its top lies farther out."""
    axes, centre = posed(shapes, 8.0, 2.0, 3.0)
    front, left, up = axes.T
    bodies = {v: shapes.Slab(centre + n * 18.0 * up, axes, 16.5, 24.0, 27.0) for v, n in ((23, 1), (24, -1))}
    disc = shapes.Slab(centre, axes, 16.5, 24.0, 9.0)
    back = centre + aside * left - 16.5 * np.sqrt(1.0 - (aside / 24.0) ** 2) * front

    def herniated(lps):
        local = (lps - back) @ axes / np.array([4.0, 7.0, 4.4])
        return disc(lps) | ((local**2).sum(axis=1) <= 1.0)

    scene = shapes.Scene({**bodies, 123: herniated})
    rows = shapes.table(measure_spine(scene.on(shapes.grid_of((3.0, 0.8, 0.8), (66, 80, 80)))))
    greatest = rows[(*DISC, "posterior bulge", "greatest beyond corner line")]
    place = rows[(*DISC, "place of posterior bulge", "greatest beyond corner line, left positive")]
    across = np.linspace(-17.0, 17.0, 341)
    stands = 4.0 * np.sqrt(np.clip(1.0 - ((across - aside) / 7.0) ** 2, 0.0, None))
    stands += 16.5 * (np.sqrt(1.0 - (aside / 24.0) ** 2) - np.sqrt(1.0 - (across / 24.0) ** 2)) * (stands > 0)
    assert greatest.value == pytest.approx(stands.max(), abs=0.5)
    assert greatest.value >= rows[(*DISC, "posterior bulge", "corner line")].value - 1e-9
    assert place.value == pytest.approx(across[stands.argmax()], abs=2.0)
    assert place.grade == words


@settings(max_examples=8, deadline=None, phases=[Phase.generate], derandomize=True, database=None)
@given(tilt=TILT, spacing=SPACINGS, height=st.floats(6, 11))
def test_bare_masks_stay_within_a_voxel(shapes, tilt, spacing, height):
    """Manual labels have no soft border; their steps cost accuracy, but less than a pixel."""
    axes, centre = posed(shapes, tilt, 3.0, 2.0)
    disc = shapes.Slab(centre, axes, 16.5, 24.0, height, 1.0)
    rows = shapes.table(measure_spine(shapes.Scene({123: disc}).on(shapes.grid_of(spacing, (66, 60, 60)), hard=True)))
    near(rows, (*DISC, "height", "Fyllos"), height, mm=0.7 * spacing[1])
    near(rows, (*DISC, "mean height", MID), height, mm=0.4 * spacing[1])
    near(rows, (*DISC, "area", MID), height * 33.0, share=0.05)
