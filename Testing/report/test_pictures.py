"""Pictures: sides, scale and borders are true, and every file that is promised is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from SpineQuantLib.anatomy.labels import CANAL_VALUE, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import Side, Structure
from SpineQuantLib.case.errors import OutputError
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.spine import Patch
from SpineQuantLib.report.anatomy_pictures import draw_level, draw_middle
from SpineQuantLib.report.canvas import Canvas
from SpineQuantLib.report.material import Material
from SpineQuantLib.report.pictures import draw_pictures
from SpineQuantLib.report.views import Box, axial_slice, coronal, plane, sagittal

UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
UP = np.array([0.0, 0.0, 1.0])


def grid_of(shape=(17, 60, 70), spacing=(4.0, 1.3, 0.7), directions=UPRIGHT) -> Grid:
    centred = Grid(shape, spacing, (0.0, 0.0, 0.0), directions)
    middle = centred.to_lps((np.array(shape) - 1) / 2)
    return Grid(shape, spacing, tuple(float(x) for x in -middle), directions)


def positions(grid: Grid) -> np.ndarray:
    """LPS millimetres of every voxel."""
    return grid.to_lps(np.stack(np.indices(grid.shape), axis=-1))


def ball(grid: Grid, centre=(0.0, 0.0, 0.0), radius=12.0) -> np.ndarray:
    """Occupancy of a ball; its slope spans two voxels of the coarsest axis, so that 0.5 lies on the surface."""
    distance = np.linalg.norm(positions(grid) - np.array(centre), axis=-1)
    return np.clip(0.5 + (radius - distance) / 16.0, 0, 1).astype(np.float32)


def whole(occupancy: np.ndarray, grid: Grid) -> Patch:
    return Patch(occupancy, grid, (0, 0, 0))


def bright_box(picture: np.ndarray) -> tuple[float, float, float, float]:
    """Left, right, top and bottom pixel of what is brighter than half."""
    rows, columns = np.nonzero(picture > 0.5)
    return columns.min(), columns.max(), rows.min(), rows.max()


def paint(view, box: Box, image: np.ndarray, folder: Path, scale=4.0) -> np.ndarray:
    """Grey values 0–1 of a picture of one panel without letters."""
    canvas = Canvas([(view, box)], scale, 1, [""])
    canvas.panels[0].image(image, (0.0, 1.0))
    picture = canvas.save(folder, "painted", "", "", "")
    return imread(folder / picture.file)[..., 0]


class TestSides:
    def test_axial_shows_the_patients_right_on_the_left_and_anterior_on_top(self, tmp_path):
        grid = grid_of()
        image = ball(grid, (-18.0, -10.0, 0.0), 6.0)
        for view in (plane(grid, np.zeros(3), UP, (90, 60), 0.5), plane(grid, np.zeros(3), -UP, (90, 60), 0.5)):
            picture = paint(view, Box(-40, 40, -25, 25), image, tmp_path)
            _, right, _, bottom = bright_box(picture)
            assert right < picture.shape[1] / 2
            assert bottom < picture.shape[0] / 2
            assert view.letters == ("R", "L", "A", "P")

    def test_native_axial_slice_has_the_same_sides(self, tmp_path):
        grid = grid_of()
        view = axial_slice(grid, 29.5)
        picture = paint(view, view.box, ball(grid, (-18.0, -10.0, 0.0), 6.0), tmp_path)
        _, right, _, bottom = bright_box(picture)
        assert right < picture.shape[1] / 2
        assert bottom < picture.shape[0] / 2
        assert view.letters == ("R", "L", "A", "P")

    def test_sagittal_shows_anterior_on_the_left_and_superior_on_top(self, tmp_path):
        grid = grid_of()
        view = sagittal(grid, 8)
        picture = paint(view, view.box, ball(grid, (0.0, -12.0, 18.0), 6.0), tmp_path)
        _, right, _, bottom = bright_box(picture)
        assert right < picture.shape[1] / 2
        assert bottom < picture.shape[0] / 2
        assert view.letters == ("A", "P", "S", "I")

    @pytest.mark.parametrize("code", ["RAS", "LPI", "PSR", "SAL"])
    def test_sides_do_not_depend_on_how_the_volume_was_stored(self, code, tmp_path):
        import SimpleITK as sitk

        grid = grid_of()
        stored = sitk.DICOMOrient(grid.image(ball(grid, (-18.0, 0.0, 0.0), 6.0)), code)
        image = to_reading_order(stored)
        view = plane(Grid.of(image), np.zeros(3), UP, (90, 60), 0.5)
        picture = paint(view, Box(-40, 40, -25, 25), sitk.GetArrayFromImage(image), tmp_path)
        assert bright_box(picture)[1] < picture.shape[1] / 2

    def test_a_leaning_plane_says_so_in_its_letters(self):
        # Its normal leans forward, so that its front lies lower, as at L5-S1.
        steep = np.array([0.0, -np.sin(np.radians(35)), np.cos(np.radians(35))])
        assert plane(grid_of(), np.zeros(3), steep, (50, 50), 1.0).letters == ("R", "L", "AI", "PS")

    def test_a_coronal_sheet_is_seen_from_the_front_and_follows_the_spine(self):
        grid = grid_of()
        view = coronal(grid, np.linspace(10, 20, grid.shape[1]))
        assert view.letters == ("R", "L", "S", "I")
        left = view.project(np.array([[-30.0, 0.0, 0.0]]))[0]
        right = view.project(np.array([[30.0, 0.0, 0.0]]))[0]
        assert left[0] > right[0]
        index = view.index[::7, ::3].reshape(-1, 3)
        assert view.project_index(index)[:, 2] == pytest.approx(0, abs=1e-9)
        assert np.ptp(view.index[..., 2]) == pytest.approx(10)

    def test_a_plane_that_faces_sideways_is_refused(self):
        with pytest.raises(ValueError, match="not axial"):
            plane(grid_of(), np.zeros(3), np.array([1.0, 0.0, 0.0]), (50, 50), 1.0)

    def test_the_picture_of_a_level_has_the_right_foramen_on_the_left(self, make_case, tmp_path):
        case = make_case()
        value = foramen_value("L4", Side.RIGHT)
        case = replace(case, image=(case.spine.labels == value).astype(np.float32))
        material = Material(case)
        view = material.disc_plane("L4")
        patch = material.patch(value)
        points = np.concatenate(view.contours(patch))
        assert points[:, 0].max() < 0
        left = np.concatenate(view.contours(material.patch(foramen_value("L4", Side.LEFT))))
        assert left[:, 0].min() > 0
        assert draw_level(material, "L4", "L4-L5", tmp_path).file == "level_L4-L5.png"


class TestScale:
    @pytest.mark.parametrize("spacing", [(4.0, 1.3, 0.7), (2.0, 0.6, 1.9), (3.0, 3.0, 0.5)])
    def test_a_ball_is_round_and_as_large_as_it_is(self, spacing, tmp_path):
        shape = tuple(round(70 / s) for s in spacing)
        grid = grid_of(shape, spacing)
        image, scale = ball(grid), 4.0
        views = (
            sagittal(grid, (shape[0] - 1) / 2),
            axial_slice(grid, (shape[1] - 1) / 2),
            plane(grid, np.zeros(3), np.array([0.0, 0.3, 1.0]), (60, 60), 0.5),
        )
        for view in views:
            centre = view.project(np.zeros((1, 3)))[0]
            picture = paint(view, Box.around(centre[0], centre[1], 50, 50), image, tmp_path, scale)
            left, right, top, bottom = bright_box(picture)
            # Between samples 4 mm apart a ball of 24 mm is flattened by up to half a millimetre.
            assert right - left + 1 == pytest.approx(24 * scale, abs=0.75 * scale)
            assert bottom - top + 1 == pytest.approx(24 * scale, abs=0.75 * scale)

    def test_all_panels_of_a_picture_have_one_scale(self):
        view = sagittal(grid_of(), 8)
        canvas = Canvas([(view, Box(0, 40, 0, 60)), (view, Box(5, 25, 10, 70))], 3.0, 2, ["", ""])
        canvas.figure.canvas.draw()
        for panel in canvas.panels:
            frame = panel.axes.get_window_extent()
            assert frame.width / panel.box.width == pytest.approx(3.0, rel=0.01)
            assert frame.height / panel.box.height == pytest.approx(3.0, rel=0.01)

    def test_titles_of_narrow_panels_lie_inside_the_picture_and_apart(self):
        view = sagittal(grid_of(), 8)
        words = "Across the sac, as measured"
        canvas = Canvas([(view, Box(0, 40, 0, 40)), (view, Box(5, 25, 10, 40))], 3.0, 2, [words, words])
        canvas.figure.canvas.draw()
        first, second = sorted((text.get_window_extent() for text in canvas.figure.texts), key=lambda box: box.x0)
        assert first.x0 >= 0
        assert first.x1 < second.x0
        assert second.x1 <= canvas.width


class TestBorders:
    @settings(max_examples=20, deadline=None)
    @given(border=st.floats(-15, 15), axis=st.sampled_from(["x", "y"]), step=st.sampled_from([0.4, 1.0, 2.5]))
    def test_contours_lie_between_voxels(self, border, axis, step):
        grid = grid_of((9, round(60 / step), 60), (4.0, step, 1.0))
        along = {"x": 1, "y": 2}[axis]
        soft = np.clip(0.5 + (positions(grid)[..., along] - border) / 20, 0, 1).astype(np.float32)
        view = sagittal(grid, 4)
        expected = np.zeros((1, 3))
        expected[0, along] = border if along == 2 else -border
        place = view.project(expected)[0, :2]
        points = np.concatenate(view.contours(whole(soft, grid)))
        # The curve closes along the edge of the volume; what counts is the border inside it.
        edge = view.box.grown(-2 * max(view.step))
        inner = points[(points > (edge.left, edge.top)).all(axis=1) & (points < (edge.right, edge.bottom)).all(axis=1)]
        assert len(inner) > 5
        column = "xy".index(axis)
        assert inner[:, column] == pytest.approx(place[column], abs=1e-3)

    @settings(max_examples=20, deadline=None)
    @given(
        lean=st.floats(-0.6, 0.6),
        turn=st.floats(-0.4, 0.4),
        centre=st.tuples(*[st.floats(-4, 4)] * 3),
    )
    def test_a_ball_cut_by_any_plane_is_a_circle_of_the_right_radius(self, lean, turn, centre):
        grid = grid_of((27, 80, 80), (2.0, 0.9, 0.8))
        view = plane(grid, np.array(centre), np.array([turn, lean, 1.0]), (50, 50), 0.5)
        curve = max(view.contours(whole(ball(grid), grid)), key=len)
        up = np.array([turn, lean, 1.0]) / np.linalg.norm([turn, lean, 1.0])
        radius = np.sqrt(144 - (np.array(centre) @ up) ** 2)
        middle = view.project(np.zeros((1, 3)))[0, :2]
        assert np.linalg.norm(curve - middle, axis=1) == pytest.approx(radius, abs=0.15)

    def test_an_object_at_the_edge_of_the_volume_is_closed_at_the_voxels_outer_edge(self):
        grid = grid_of((9, 60, 60), (4.0, 1.0, 1.0))
        view = sagittal(grid, 4)
        curves = view.contours(whole(np.ones(grid.shape, np.float32), grid))
        assert len(curves) == 1
        box = Box.of(curves[0])
        assert (box.left, box.right, box.top, box.bottom) == pytest.approx((-0.5, 59.5, -0.5, 59.5))

    def test_an_object_beside_the_view_has_no_contour(self):
        grid = grid_of()
        assert sagittal(grid, 0).contours(whole(ball(grid), grid)) == []

    @settings(max_examples=20, deadline=None)
    @given(
        normal=st.tuples(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7), st.just(1.0)),
        centre=st.tuples(*[st.floats(-20, 20)] * 3),
        angle=st.floats(-0.5, 0.5),
    )
    def test_a_pixel_falls_where_it_was_sampled(self, normal, centre, angle):
        turned = np.array([[np.cos(angle), np.sin(angle), 0], [0, 0, -1], [-np.sin(angle), np.cos(angle), 0]])
        grid = grid_of(directions=tuple(map(tuple, turned)))
        view = plane(grid, np.array(centre), np.array(normal), (20, 12), 1.0)
        rows, columns = np.indices(view.index.shape[:2])
        found = view.project(grid.to_ras(view.index).reshape(-1, 3))
        assert found[:, 0] == pytest.approx(view.start[0] + columns.ravel() * view.step[1], abs=1e-6)
        assert found[:, 1] == pytest.approx(view.start[1] + rows.ravel() * view.step[0], abs=1e-6)
        assert found[:, 2] == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def drawn(make_case, tmp_path_factory):
    """All pictures of the case and the folder they are in."""
    folder = tmp_path_factory.mktemp("pictures")
    return draw_pictures(make_case(), folder), folder


class TestChoice:
    def test_a_straight_spine_is_shown_on_the_slice_through_the_middle_of_the_sac(self, make_case):
        material = Material(make_case())
        assert not material.is_curved
        assert np.unique(material.middle.index[..., 0]) == [8.0]

    def test_a_curved_spine_is_followed_so_that_the_sac_stays_in_view(self, make_case):
        material = Material(make_case(bend=20.0))
        assert material.is_curved
        sac = material.middle.sample((material.spine.labels == CANAL_VALUE).astype(np.float32), order=0)
        straight = sagittal(material.grid, 8).sample((material.spine.labels == CANAL_VALUE).astype(np.float32), order=0)
        assert sac.any(axis=1).all()
        assert not straight.any(axis=1).all()

    def test_points_on_a_curved_sheet_have_no_depth(self, make_case):
        material = Material(make_case(bend=20.0))
        index = material.middle.index[::7, ::9].reshape(-1, 3)
        assert material.middle.project_index(index)[:, 2] == pytest.approx(0, abs=1e-9)

    def test_parasagittal_slices_lie_on_their_side(self, make_case):
        material = Material(make_case())
        x = [material.grid.to_lps(material.parasagittal(side).index[0, 0])[0] for side in (Side.RIGHT, Side.LEFT)]
        assert x[0] == pytest.approx(-17, abs=2.1)
        assert x[1] == pytest.approx(17, abs=2.1)


class TestFiles:
    def test_what_is_promised_is_written_and_nothing_else(self, drawn):
        pictures, folder = drawn
        promised = [*pictures.sagittal, *pictures.levels, pictures.foramina, pictures.profiles, pictures.disagreement]
        promised += [pictures.canal, pictures.alignment]
        promised += [picture for _, picture in pictures.members]
        assert sorted(p.file for p in promised) == sorted(f.name for f in folder.iterdir())
        for picture in promised:
            # Matplotlib versions round a figure to whole pixels differently.
            assert imread(folder / picture.file).shape[:2] == pytest.approx((picture.height, picture.width), abs=1)
            assert picture.alt

    def test_flagged_objects_are_drawn_the_worst_first_and_absent_ones_left_out(self, drawn):
        members = drawn[0].members
        assert [p.stem for _, p in members] == ["members_canal_L5-S1", "members_foramen_right_L4-L5"]

    def test_measured_numbers_stand_in_the_words_below_the_picture(self, make_case, tmp_path):
        axial = draw_level(Material(make_case()), "L4", "L4-L5", tmp_path)
        assert "area 201 mm²" in axial.caption
        assert "AP diameter 16.0 mm" in axial.caption

    def test_a_level_is_shown_from_the_side_with_its_lines(self, make_case, tmp_path):
        level = draw_level(Material(make_case()), "L5", "L5-S1", tmp_path)
        assert "From the side: middle height 10.0 mm, AP diameter 16.0 mm, slip 5.0 mm." in level.caption

    def test_the_alignment_says_its_angles_and_which_side_is_which(self, drawn):
        caption = drawn[0].alignment.caption
        for words in ("L3-S1 lordosis 42.5°", "L5-S1 slip 5.0 mm", "coronal Cobb angle -4.2°", "right is on the left"):
            assert words in caption

    def test_the_curve_of_the_canal_tells_its_doubt(self, drawn):
        assert "Orange and broken: ragged outline." in drawn[0].canal.caption

    def test_a_case_without_a_profile_or_angles_has_no_such_pictures(self, make_case, tmp_path):
        case = make_case()
        spineless = tuple(m for m in case.measurements if m.structure is not Structure.SPINE)
        pictures = draw_pictures(replace(case, measurements=spineless, canal_profile=None), tmp_path)
        assert (pictures.canal, pictures.alignment) == (None, None)

    def test_contours_have_the_colours_of_the_anatomy(self, make_case, tmp_path):
        material = Material(make_case(image=np.zeros((17, 130, 90))))
        picture = imread(tmp_path / draw_middle(material, tmp_path).file)[..., :3]
        for value in (vertebra_value("L4"), CANAL_VALUE):
            colour = material.spine.label(value).colour
            assert (np.abs(picture - colour).max(axis=-1) < 0.02).sum() > 50

    def test_nothing_found_still_gives_the_slices_to_look_at(self, empty_case, tmp_path):
        pictures = draw_pictures(empty_case, tmp_path)
        assert [p.stem for p in pictures.sagittal] == ["midsagittal"]
        assert (pictures.levels, pictures.foramina, pictures.profiles, pictures.members) == ((), None, None, ())
        assert (pictures.canal, pictures.alignment) == (None, None)
        assert (tmp_path / "disagreement.png").is_file()

    def test_a_folder_that_is_missing_is_an_output_error(self, make_case, tmp_path):
        with pytest.raises(OutputError, match="cannot be written"):
            draw_pictures(make_case(), tmp_path / "missing")
